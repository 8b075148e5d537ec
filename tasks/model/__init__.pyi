from .classify import (
    Classifier as Classifier,
    Prediction as Prediction,
    Unreadable as Unreadable,
    list_pictures as list_pictures,
    write_overlay as write_overlay,
)
from .export import export_model as export_model
from .saved import (
    find_calibration as find_calibration,
    load_model as load_model,
)
