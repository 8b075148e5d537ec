"""Optuna: a GridSampler over the settings, two processes on one journal.

The form of Optuna's guide for one machine: a pool of processes, each calls `study.optimize` on a shared
`JournalStorage`. Threads (`n_jobs=2`) would share one interpreter, in which Keras's own Python waits in line.
"""

import sys
from multiprocessing import Pool
from pathlib import Path

import optuna
from optuna.storages import JournalStorage
from optuna.storages.journal import JournalFileBackend
from optuna.trial import FrozenTrial, TrialState

from benchmarks.comparison.workload import WORKERS, Answer, Workload, write_answers


def open_study(workload: Workload, folder: Path) -> optuna.Study:
    """The study on the shared journal."""
    return optuna.create_study(
        study_name="comparison",
        storage=JournalStorage(JournalFileBackend(str(folder / "optuna.journal"))),
        sampler=optuna.samplers.GridSampler({"setting": [each.name for each in workload.settings]}),
        direction="maximize",
        load_if_exists=True,
    )


def optimize(workload: Workload, folder: Path) -> None:
    """Be one of the processes: train until every setting is taken."""
    from benchmarks.comparison.keras_training import build_model, fit, load_images, use_one_thread

    use_one_thread()
    images = load_images(workload)
    settings = {setting.name: setting for setting in workload.settings}

    def objective(trial: optuna.Trial) -> float:
        setting = settings[trial.suggest_categorical("setting", list(settings))]
        answer = fit(build_model(setting), setting, images)
        trial.set_user_attr("epochs", answer.epochs)
        return answer.accuracy

    def stop_when_all_are_taken(study: optuna.Study, _trial: FrozenTrial) -> None:
        # Left alone, a process that finds nothing but what the other one trains would train that too.
        begun = study.get_trials(states=(TrialState.COMPLETE, TrialState.RUNNING))
        if {trial.params.get("setting") for trial in begun} >= settings.keys():
            study.stop()

    open_study(workload, folder).optimize(objective, callbacks=[stop_when_all_are_taken])


def main() -> None:
    """Train every setting of the workload named first; write the answers to the file named second."""
    workload, answers = Workload.read(Path(sys.argv[1])), Path(sys.argv[2])
    study = open_study(workload, answers.parent)
    with Pool(WORKERS) as pool:
        pool.starmap(optimize, [(workload, answers.parent)] * WORKERS, chunksize=1)
    trials = study.get_trials(states=(TrialState.COMPLETE,))
    write_answers(
        answers,
        [Answer(each.params["setting"], each.value or 0.0, each.user_attrs["epochs"]) for each in trials],
    )


if __name__ == "__main__":
    main()
