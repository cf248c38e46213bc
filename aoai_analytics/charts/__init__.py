"""Charts and tables in one style, drawn from a query's rows and the description in its header."""

from __future__ import annotations

from .cards import cards
from .figures import describe, figure, finding, note
from .headlines import headline
from .kinds import KINDS, Chart, parse_chart
from .style import CONFIG, templates
from .tables import table_html

__all__ = [
    "CONFIG",
    "KINDS",
    "Chart",
    "cards",
    "describe",
    "figure",
    "finding",
    "headline",
    "note",
    "parse_chart",
    "table_html",
    "templates",
]
