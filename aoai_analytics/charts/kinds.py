"""The kinds of chart, one row of data each, and the parser of the header line."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from ..errors import WrongUse


@dataclass(frozen=True)
class Kind:
    """A kind of chart.

    ``trace`` is plotly's trace type, '' for no figure. ``stacked`` says whether series are stacked,
    ``fill`` whether the area under a line is filled, ``mode`` how points are drawn, ``continuous`` whether values
    between two points are meaningful, ``needs`` which keys a header must have. ``says`` is the kind's description.
    """

    says: str
    trace: str = ""
    stacked: bool = False
    fill: bool = False
    mode: str = ""
    continuous: bool = False
    needs: tuple[str, ...] = ("x", "y")


KINDS = {
    "bar": Kind("Bar chart", "bar", stacked=True),
    "stacked-bar": Kind("Stacked bar chart", "bar", stacked=True),
    "grouped-bar": Kind("Grouped bar chart", "bar"),
    "line": Kind("Line chart", "scatter", mode="lines", continuous=True),
    "area": Kind("Area chart", "scatter", mode="lines", stacked=True, fill=True, continuous=True),
    "stacked-area": Kind("Area chart", "scatter", mode="lines", stacked=True, fill=True, continuous=True),
    "scatter": Kind("Scatter plot", "scatter", mode="markers"),
    "heatmap": Kind("Heat map", "heatmap", needs=("x", "y", "color")),
    "table": Kind("Table", needs=()),
}
_KEYS = ("x", "y", "color")


@dataclass(frozen=True)
class Chart:
    """A chart described in a header: ``bar x=TotalTokens y=CallerIpAddress color=ModelName``.

    ``x`` and ``y`` hold column names; several (``y=PromptTokens,CompletionTokens``) make one series each.
    """

    kind: str
    x: tuple[str, ...] = ()
    y: tuple[str, ...] = ()
    color: str = ""

    @property
    def row(self) -> Kind:
        return KINDS[self.kind]

    @property
    def columns(self) -> tuple[str, ...]:
        """Every column the chart shows."""
        return (*self.x, *self.y, *((self.color,) if self.color else ()))


def parse_chart(text: str) -> Chart:
    """The chart described by *text*; '' is a table. Raises WrongUse for an unknown kind or key, or a missing key."""
    kind, _, rest = text.strip().partition(" ")
    kind = kind or "table"
    if kind not in KINDS:
        near = difflib.get_close_matches(kind, KINDS, n=1)
        raise WrongUse(f"chart '{text}': unknown kind '{kind}'; use {near[0] if near else ', '.join(KINDS)}")
    keys: dict[str, tuple[str, ...]] = {}
    for word in rest.split():
        key, separator, value = word.partition("=")
        if not separator or key not in _KEYS or not re.fullmatch(r"\w+(?:,\w+)*", value):
            raise WrongUse(f"chart '{text}': '{word}' is not one of x=Column, y=Column, color=Column")
        keys[key] = tuple(value.split(","))
    missing = [key for key in KINDS[kind].needs if key not in keys]
    if missing:
        raise WrongUse(f"chart '{text}': a {kind} needs {' and '.join(f'{key}=Column' for key in missing)}")
    color = keys.get("color", ("",))
    if len(color) > 1 or (len(keys.get("x", ())) > 1 and len(keys.get("y", ())) > 1):
        raise WrongUse(f"chart '{text}': only one of x and y can have several columns; color takes one")
    return Chart(kind, keys.get("x", ()), keys.get("y", ()), color[0])
