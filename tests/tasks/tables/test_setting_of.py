"""A row names its setting, whichever version of the schema wrote it."""

import math

import pytest
from pydantic import ValidationError

from study.spec.setting import Setting
from tasks.tables.readings import read_setting

BEYOND = Setting(filters=64, schedule="cosine", augmentation="flip", averaging=0.8, epochs=20, patience=3)


def test_a_row_gives_the_setting_it_was_made_from():
    assert read_setting({**BEYOND.model_dump(), "setting": "finalist 1", "seed": 1}) == BEYOND


@pytest.mark.parametrize("missing", [None, math.nan])
def test_what_an_old_row_does_not_have_is_as_it_was(missing: object):
    later = dict.fromkeys(("schedule", "augmentation", "averaging", "patience"), missing)
    assert read_setting({**Setting(filters=64).model_dump(), **later}) == Setting(filters=64)


def test_a_row_of_the_search_has_no_patience():
    row = BEYOND.hyperparameters.model_dump() | {"epochs": math.nan}
    assert read_setting(row).hyperparameters == BEYOND.hyperparameters


def test_a_value_that_its_parameter_may_not_have_is_refused():
    with pytest.raises(ValidationError, match="augmentation"):
        read_setting({**BEYOND.model_dump(), "augmentation": "rotate"})
