"""The report: one page in HTML and Markdown, made from a run's published rows."""

import lazy_loader

__getattr__, __dir__, __all__ = lazy_loader.attach_stub(__name__, __file__)
