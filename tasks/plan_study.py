"""Load the data a study uses, and compile the study to trainings."""

from pathlib import Path

from prefect import task
from prefect.cache_policies import NO_CACHE

from study.plan import Plan, compile_plan, list_trials
from study.spec import Study
from tasks.dataset import Dataset, load_dataset
from tasks.train import describe_source


@task(name="load data", task_run_name="load data", cache_policy=NO_CACHE, persist_result=False)
def load_data(study: Study, folder: Path | None = None) -> Dataset:
    """Find, verify and open the dataset, and take the images the study uses.

    Raises:
        InputError: no source has the sound dataset.
    """
    return load_dataset(folder).first(study.data.train_images, study.data.test_images)


@task(name="plan", task_run_name="plan", cache_policy=NO_CACHE, persist_result=False)
def plan_study(study: Study, dataset: Dataset, device: str) -> Plan:
    """Compile the study's trials to trainings, longest first."""
    return compile_plan(study, list_trials(study), describe_source(study, dataset, device))
