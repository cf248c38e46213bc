"""Own dimensions: which team, cost centre, environment and application a request belongs to."""

from __future__ import annotations

from .functions import dimension_functions, own_functions
from .mapping import COLUMNS, Mapped, own_dimensions
from .only import only_setting

__all__ = ["COLUMNS", "Mapped", "dimension_functions", "only_setting", "own_dimensions", "own_functions"]
