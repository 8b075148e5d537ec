"""What is done before it is needed: lanes start early only where something is to be trained."""

from pathlib import Path

from flows.prepare import Request, RunParameters, check_request, has_to_train
from storage.trainings import save_training
from study.plan.plan import compile_plan, list_trials
from tasks.data.dataset import refer_to_dataset
from tasks.training.train_on_lanes import describe_source
from tests.rows import make_record
from tests.simulated import train


def ask(folder: Path, fresh: bool = False) -> Request:
    return check_request(RunParameters(study="smoke", results=str(folder), fresh=fresh))


def keep_all(request: Request, but: int = 0) -> None:
    dataset = refer_to_dataset().first(request.study.data.train_images, request.study.data.test_images)
    source = describe_source(request.study, dataset, request.devices[0].kind, request.engine)
    for training in compile_plan(request.study, list_trials(request.study), source).trainings[but:]:
        epochs = train(training.hyperparameters, training.seed)
        save_training(request.results, make_record(training, epochs), {}, None)


def test_a_run_has_to_train_unless_every_training_is_kept_and_it_is_not_fresh(tmp_path: Path):
    assert has_to_train(ask(tmp_path))
    keep_all(ask(tmp_path), but=1)
    assert has_to_train(ask(tmp_path))
    keep_all(ask(tmp_path))
    assert not has_to_train(ask(tmp_path))
    assert has_to_train(ask(tmp_path, fresh=True))
