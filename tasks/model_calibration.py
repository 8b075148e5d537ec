"""How a model's probabilities are to be softened: what its export says in `model.json` beside the file."""

from pathlib import Path

from pydantic import ValidationError

from study.calibration import Calibration
from study.chosen_model import ChosenModel
from study.errors import InputError
from study.wording import shortened
from tasks.given_file import read_given_file

DESCRIPTION = "model.json"
"""The file that an export leaves beside its models."""


def find_calibration(model: Path) -> Calibration | str:
    """What the export of a model file says of its probabilities; or, in words, why it says nothing.

    Args:
        model: The model's file.
    """
    path = model.with_name(DESCRIPTION)
    if not path.exists():
        return f"there is no {path.name} beside {model}"
    try:
        content = read_given_file(path, "an export's description")
        described = ChosenModel.model_validate_json(content)
    except InputError as error:
        return str(error)
    except ValidationError as error:
        return f"{path} does not describe an exported model: {shortened(str(error), 150)}"
    if model.name not in described.files:
        return f"{path} is of other files, {', '.join(described.files)}"
    return described.calibration or f"{path} was written before models were calibrated"
