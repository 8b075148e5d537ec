"""Train the trainings of a plan: one, or many with retries; measure and forecast their time."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
