"""Figures of a run, one style sheet for all, one module a kind of figure."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
