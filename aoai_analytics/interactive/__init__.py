"""KQL in a notebook's cell: ``%load_ext aoai_analytics``, then ``%%kql``. Controls: ``explore(report)``."""

from __future__ import annotations

from .controls import explore
from .magic import load_ipython_extension, unload_ipython_extension

__all__ = ["explore", "load_ipython_extension", "unload_ipython_extension"]
