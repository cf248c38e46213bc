"""KQL in a notebook's cell: ``%load_ext aoai_analytics``, then ``%%kql``."""

from __future__ import annotations

from .magic import load_ipython_extension, unload_ipython_extension

__all__ = ["load_ipython_extension", "unload_ipython_extension"]
