from .classify import (
    Classifier as Classifier,
    Prediction as Prediction,
    Unreadable as Unreadable,
    find_calibration as find_calibration,
    find_unreadable as find_unreadable,
    load_model as load_model,
    write_overlay as write_overlay,
)
from .export import export_model as export_model
from .picture_files import list_pictures as list_pictures
