"""KerasTuner: GridSearch over the settings in its distributed form, a chief and two workers.

The form of its guide: the same script thrice, with `KERASTUNER_TUNER_ID` telling the chief from the workers.
The chief would wait half a minute after the last trial before it ends; it is ended as soon as both workers
are done, and that wait is not counted.
"""

import json
import os
import socket
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

from benchmarks.comparison.workload import WORKERS, Answer, Workload, write_answers


def search(workload: Workload, folder: Path) -> None:
    """Be the chief or a worker, as the environment says; leave a line for every trial."""
    import keras_tuner

    from benchmarks.comparison.keras_training import build_model, fit, load_images, use_one_thread

    use_one_thread()
    settings = {setting.name: setting for setting in workload.settings}
    lines = folder / f"{os.environ['KERASTUNER_TUNER_ID']}.jsonl"

    class Lab(keras_tuner.HyperModel):
        def build(self, hp: Any) -> Any:
            return build_model(settings[hp.Choice("setting", list(settings))])

        def fit(self, hp: Any, model: Any, images: Any, callbacks: Any = ()) -> dict[str, float]:
            answer = fit(model, settings[hp.get("setting")], images, callbacks)
            with lines.open("a", encoding="utf-8") as file:
                file.write(json.dumps(vars(answer)) + "\n")
            return {"val_accuracy": answer.accuracy}

    tuner = keras_tuner.GridSearch(
        Lab(), objective="val_accuracy", directory=folder, project_name="comparison"
    )
    tuner.search(load_images(workload))


def main() -> None:
    """Train every setting of the workload named first; write the answers to the file named second."""
    workload, answers = Path(sys.argv[1]), Path(sys.argv[2])
    folder = answers.parent / "keras_tuner"
    if "KERASTUNER_TUNER_ID" in os.environ:
        search(Workload.read(workload), folder)
        return
    folder.mkdir()
    chief, *workers = _start_processes([f"tuner{number}" for number in range(WORKERS)])
    while any(worker.poll() is None for worker in workers) and not any(worker.poll() for worker in workers):
        time.sleep(0.05)  # when one has failed, the other one may wait for its trial for ever
    for process in (chief, *workers):
        process.terminate()
    codes = [process.wait() for process in workers]
    if any(codes):
        sys.exit(f"the workers of KerasTuner ended with exit codes {codes}")
    lines = [line for file in sorted(folder.glob("*.jsonl")) for line in file.read_text().splitlines()]
    write_answers(answers, [Answer(**json.loads(line)) for line in lines])


def _start_processes(workers: list[str]) -> list[subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": port}
    command = [sys.executable, "-m", "benchmarks.comparison.keras_tuner_grid", *sys.argv[1:]]
    return [
        subprocess.Popen(command, env={**os.environ, **place, "KERASTUNER_TUNER_ID": name})
        for name in ("chief", *workers)
    ]


if __name__ == "__main__":
    main()
