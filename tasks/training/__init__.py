"""What a plan asks for is trained: one training, many with retries, their speed and their forecast."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
