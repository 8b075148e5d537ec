"""Analyse repeated readings: spread, tests, power, trends, agreement and convergence.

Free functions on arrays of readings; the source of each formula stands next to it."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
