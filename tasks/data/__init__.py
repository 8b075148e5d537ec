"""The dataset and its sources, and a sheet of the first nine images."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
