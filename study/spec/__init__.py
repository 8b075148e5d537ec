"""What a study asks: its file, exercises, settings, protocol, and published readings.

Nothing here knows what is trained or concluded."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
