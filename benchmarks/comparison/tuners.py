"""The tuners: Ray Tune, KerasTuner and Optuna search the settings as a grid, each as its own guide has it.

`python -m benchmarks.comparison.tuners WORKLOAD ANSWERS TOOL` trains every setting of a workload by one of
them, and writes the answers. A tool is imported by what uses it: no process is to wait for another's tool.
"""

import json
import os
import socket
import subprocess
import sys
import time
from multiprocessing import Pool
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.comparison.workload import WORKERS, Answer, Workload, write_answers

if TYPE_CHECKING:
    import optuna


def tune_by_ray(workload: Workload, answers: Path, reuse_actors: bool = False) -> None:
    """Ray Tune: a local cluster of two cores, one CPU a trial, arrays through `tune.with_parameters`.

    Every trial gets a fresh actor, which is Tune's default, and so imports TensorFlow; with `reuse_actors`
    the processes are kept from trial to trial.
    """
    import ray
    from ray import tune

    ray.init(num_cpus=WORKERS, include_dashboard=False)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(train_in_ray, workload=workload), {"cpu": 1}),
        param_space={"setting": tune.grid_search([each.name for each in workload.settings])},
        tune_config=tune.TuneConfig(reuse_actors=reuse_actors),
        run_config=tune.RunConfig(name="comparison", storage_path=str(answers.parent / "ray_tune")),
    )
    rows = [result.metrics or {} for result in tuner.fit()]
    write_answers(
        answers, [Answer(row["name"], row["accuracy"], row["epochs"]) for row in rows if "name" in row]
    )
    ray.shutdown()


def train_in_ray(config: dict[str, Any], workload: Workload) -> None:
    """One trial, in a process of Ray's."""
    from ray import tune

    from benchmarks.comparison.keras_training import build_model, fit, load_images, use_one_thread

    use_one_thread()
    setting = next(each for each in workload.settings if each.name == config["setting"])
    answer = fit(build_model(setting), setting, load_images(workload))
    tune.report({"name": answer.name, "accuracy": answer.accuracy, "epochs": answer.epochs})


def tune_by_keras_tuner(workload: Workload, answers: Path) -> None:
    """KerasTuner: GridSearch in its distributed form, a chief and two workers.

    The form of its guide: the same script thrice, with `KERASTUNER_TUNER_ID` telling the chief from the
    workers. The chief would wait half a minute after the last trial before it ends; it is ended as soon as
    both workers are done, and that wait is not counted.
    """
    folder = answers.parent / "keras_tuner"
    if "KERASTUNER_TUNER_ID" in os.environ:
        _search_as_one_of_three(workload, folder)
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


def _search_as_one_of_three(workload: Workload, folder: Path) -> None:
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


def _start_processes(workers: list[str]) -> list[subprocess.Popen[bytes]]:
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = str(free.getsockname()[1])
    place = {"KERASTUNER_ORACLE_IP": "127.0.0.1", "KERASTUNER_ORACLE_PORT": port}
    command = [sys.executable, "-m", "benchmarks.comparison.tuners", *sys.argv[1:]]
    return [
        subprocess.Popen(command, env={**os.environ, **place, "KERASTUNER_TUNER_ID": name})
        for name in ("chief", *workers)
    ]


def tune_by_optuna(workload: Workload, answers: Path) -> None:
    """Optuna: a pool of processes, each calls `study.optimize` on a shared `JournalStorage`.

    Threads (`n_jobs=2`) would share one interpreter, in which Keras's own Python waits in line.
    """
    from optuna.trial import TrialState

    study = _open_study(workload, answers.parent)
    with Pool(WORKERS) as pool:
        pool.starmap(_optimize, [(workload, answers.parent)] * WORKERS, chunksize=1)
    trials = study.get_trials(states=(TrialState.COMPLETE,))
    write_answers(
        answers,
        [Answer(each.params["setting"], each.value or 0.0, each.user_attrs["epochs"]) for each in trials],
    )


def _open_study(workload: Workload, folder: Path) -> "optuna.Study":
    import optuna
    from optuna.storages import JournalStorage
    from optuna.storages.journal import JournalFileBackend

    return optuna.create_study(
        study_name="comparison",
        storage=JournalStorage(JournalFileBackend(str(folder / "optuna.journal"))),
        sampler=optuna.samplers.GridSampler({"setting": [each.name for each in workload.settings]}),
        direction="maximize",
        load_if_exists=True,
    )


def _optimize(workload: Workload, folder: Path) -> None:
    """Be one of the processes: train until every setting is taken."""
    from optuna.trial import TrialState

    from benchmarks.comparison.keras_training import build_model, fit, load_images, use_one_thread

    use_one_thread()
    images = load_images(workload)
    settings = {setting.name: setting for setting in workload.settings}

    def objective(trial: "optuna.Trial") -> float:
        setting = settings[trial.suggest_categorical("setting", list(settings))]
        answer = fit(build_model(setting), setting, images)
        trial.set_user_attr("epochs", answer.epochs)
        return answer.accuracy

    def stop_when_all_are_taken(study: "optuna.Study", _trial: Any) -> None:
        # Left alone, a process that finds nothing but what the other one trains would train that too.
        begun = study.get_trials(states=(TrialState.COMPLETE, TrialState.RUNNING))
        if {trial.params.get("setting") for trial in begun} >= settings.keys():
            study.stop()

    _open_study(workload, folder).optimize(objective, callbacks=[stop_when_all_are_taken])


def main() -> None:
    """Train the workload named first, write the answers to the file named second, by the tool named third."""
    workload, answers, tool = Workload.read(Path(sys.argv[1])), Path(sys.argv[2]), sys.argv[3]
    if tool == "keras-tuner":
        tune_by_keras_tuner(workload, answers)
    elif tool == "optuna":
        tune_by_optuna(workload, answers)
    else:
        tune_by_ray(workload, answers, reuse_actors=tool == "ray-tune-reuse")


if __name__ == "__main__":
    main()
