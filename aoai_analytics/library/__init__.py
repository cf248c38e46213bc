"""The query library: every ``kql/**/*.kql`` file, with its header and its parameters."""

from __future__ import annotations

from .queries import Library, Query, library

__all__ = ["Library", "Query", "library"]
