"""A row names its setting."""

import pytest
from pydantic import ValidationError

from storage.tables.rows_of_findings import SearchRow
from study.spec.setting import Setting
from tasks.tables.readings import read_setting
from tests.small_run import changed, make_tables

TRIAL = make_tables().trials[0]
BEYOND = Setting(filters=64, schedule="cosine", augmentation="flip", averaging=0.8, epochs=20, patience=3)


@pytest.mark.parametrize("setting", [BEYOND, Setting(filters=64)], ids=["with patience", "without"])
def test_a_row_gives_the_setting_it_was_made_from(setting: Setting):
    assert read_setting(changed(TRIAL, **setting.model_dump())) == setting


def test_a_row_of_the_search_has_no_patience_and_here_no_epochs():
    row = SearchRow.model_construct(**BEYOND.hyperparameters.model_dump())
    assert read_setting(row).hyperparameters == BEYOND.hyperparameters


def test_a_value_that_its_parameter_may_not_have_is_refused():
    with pytest.raises(ValidationError, match="augmentation"):
        read_setting(changed(TRIAL, augmentation="rotate"))
