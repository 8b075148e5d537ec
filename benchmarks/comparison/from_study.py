"""The workload of a study, and a run's answers to it, as this project's own packages tell them."""

from pathlib import Path

from benchmarks.comparison.workload import Answer, Setting, Workload
from storage.place import open_results
from storage.tables import read_run
from study.plan import Trial, list_trials
from study.spec import Study
from tasks.dataset import load_dataset


def make_workload(study: Study) -> Workload:
    """The trials of a study that are known before anything is trained, with the dataset's verified files."""
    return Workload(
        load_dataset().folder,
        study.data.train_images,
        study.data.test_images,
        tuple(_describe(trial) for trial in list_trials(study)),
    )


def read_own_answers(results: Path) -> list[Answer]:
    """What the latest run in a results folder answered; a failed trial is left out.

    Raises:
        InputError: there is no run.
    """
    trials = read_run(open_results(results)).trials
    done = trials[trials["status"] == "completed"]
    columns = (done["setting"], done["test_accuracy"], done["epochs_run"])
    return [Answer(*row) for row in zip(*(column.tolist() for column in columns), strict=True)]


def _describe(trial: Trial) -> Setting:
    values = trial.setting.model_dump(exclude={"schedule", "augmentation", "averaging"})
    return Setting(name=trial.name, **values)
