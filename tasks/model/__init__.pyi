from .classify import (
    Classifier as Classifier,
    Prediction as Prediction,
    Unreadable as Unreadable,
    find_calibration as find_calibration,
    list_pictures as list_pictures,
    load_model as load_model,
    write_overlay as write_overlay,
)
from .export import export_model as export_model
