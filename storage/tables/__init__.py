"""The Parquet tables: their columns, how a run is published, how its rows are read."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
