"""The kinds of chart, each one row of data, and the header line that asks for one."""

from __future__ import annotations

import difflib
import re
from dataclasses import dataclass

from ..errors import WrongUse


@dataclass(frozen=True)
class Kind:
    """A kind of chart.

    ``trace`` is plotly's trace type, '' for no figure. ``stacked`` says whether series stand on one another,
    ``fill`` whether a line's ground is filled, ``mode`` how points are drawn, ``continuous`` whether the space
    between two points means something, ``needs`` which keys a header must give. ``says`` is the kind in words.
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
    """A chart as a header describes it: ``bar x=TotalTokens y=CallerIpAddress color=ModelName``.

    ``x`` and ``y`` hold column names; more than one (``y=PromptTokens,CompletionTokens``) makes a series of each.
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
    """The chart that *text* describes; '' is a table. Raises WrongUse for an unknown kind or key, or a missing one."""
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
