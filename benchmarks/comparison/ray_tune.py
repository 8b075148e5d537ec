"""Ray Tune: a grid over the settings, one trial a core on a local cluster of two cores.

The form of Ray's own guides: a function that reports, arrays through `tune.with_parameters`, one CPU a trial,
no dashboard. Every trial gets a fresh actor, which is Tune's default, and so imports TensorFlow; with
`--reuse-actors` the processes are kept from trial to trial.
"""

import sys
from pathlib import Path
from typing import Any

import ray
from ray import tune

from benchmarks.comparison.workload import WORKERS, Answer, Workload, write_answers


def train(config: dict[str, Any], workload: Workload) -> None:
    """One trial, in a process of Ray's."""
    from benchmarks.comparison.keras_training import build_model, fit, load_images, use_one_thread

    use_one_thread()
    setting = next(each for each in workload.settings if each.name == config["setting"])
    answer = fit(build_model(setting), setting, load_images(workload))
    tune.report({"name": answer.name, "accuracy": answer.accuracy, "epochs": answer.epochs})


def main() -> None:
    """Train every setting of the workload named first; write the answers to the file named second."""
    workload, answers = Workload.read(Path(sys.argv[1])), Path(sys.argv[2])
    ray.init(num_cpus=WORKERS, include_dashboard=False)
    tuner = tune.Tuner(
        tune.with_resources(tune.with_parameters(train, workload=workload), {"cpu": 1}),
        param_space={"setting": tune.grid_search([each.name for each in workload.settings])},
        tune_config=tune.TuneConfig(reuse_actors="--reuse-actors" in sys.argv),
        run_config=tune.RunConfig(name="comparison", storage_path=str(answers.parent / "ray_tune")),
    )
    rows = [result.metrics or {} for result in tuner.fit()]
    write_answers(
        answers, [Answer(row["name"], row["accuracy"], row["epochs"]) for row in rows if "name" in row]
    )
    ray.shutdown()


if __name__ == "__main__":
    main()
