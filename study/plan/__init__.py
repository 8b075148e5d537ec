"""Compile trials to trainings, and predict their cost: seconds, bytes, epochs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
