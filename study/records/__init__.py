"""Record trainings, and apply rules to the records: when one stops, when it has converged."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
