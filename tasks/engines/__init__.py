"""What trains one epoch: the native engine in C++, TensorFlow, what a seed decides, and provenance."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
