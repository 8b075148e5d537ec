"""How a model's probabilities are to be softened: what the export says, and nothing where it says nothing."""

from pathlib import Path

import pytest

from study.conclusions.chosen_model import Calibration
from tasks.model.classify import find_calibration
from tests.rows import make_chosen_model

CALIBRATION = Calibration(temperature=1.5, fitted_on="x", images=10, error_before=0.1, error_after=0.01)


def describe(folder: Path, **changes: object) -> Path:
    chosen = make_chosen_model().model_copy(update={"calibration": CALIBRATION, **changes})
    (folder / "model.json").write_text(chosen.model_dump_json())
    return folder / "Fashion_MNIST_model.keras"


def test_the_calibration_of_an_exported_file_is_found_beside_it(tmp_path: Path):
    assert find_calibration(describe(tmp_path)) == CALIBRATION


@pytest.mark.parametrize(
    ("write", "message"),
    [
        (lambda folder: None, "there is no model.json next to"),
        (lambda folder: describe(folder, files=("other.keras",)), "describes other files, other.keras"),
        (lambda folder: describe(folder, calibration=None), "was written before models were calibrated"),
        (lambda folder: (folder / "model.json").write_text("{"), "does not describe an exported model"),
        (lambda folder: (folder / "model.json").mkdir(), "this is a folder"),
    ],
)
def test_where_there_is_none_it_says_why(tmp_path: Path, write, message: str):
    write(tmp_path)
    assert message in str(find_calibration(tmp_path / "Fashion_MNIST_model.keras"))


@pytest.mark.parametrize("temperature", ["0", "-1", "NaN", "1e9"])
def test_a_temperature_that_makes_no_sense_is_not_used(tmp_path: Path, temperature: str):
    model = describe(tmp_path)
    described = tmp_path / "model.json"
    described.write_text(described.read_text().replace('"temperature":1.5', f'"temperature":{temperature}'))
    assert "does not describe an exported model" in str(find_calibration(model))
