"""The saved model: built, exported, loaded again, described, and used on new pictures."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
