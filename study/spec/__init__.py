"""Define a study: its file, exercises, settings, protocol, and published readings.

This room knows nothing of training or conclusions."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
