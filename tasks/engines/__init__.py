"""Engines that train an epoch: native C++ and TensorFlow; the draws of a seed, and provenance."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
