from .classify import (
    Classifier as Classifier,
    Prediction as Prediction,
    Unreadable as Unreadable,
    find_unreadable as find_unreadable,
    write_overlay as write_overlay,
)
from .export import export_model as export_model
from .given_model import (
    InputScale as InputScale,
    find_calibration as find_calibration,
    find_model as find_model,
    load_model as load_model,
)
