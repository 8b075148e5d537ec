"""Trials compiled to trainings, and what they will cost: seconds, bytes, epochs."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
