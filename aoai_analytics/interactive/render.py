"""The ``render`` clause at a query's end, as one of the house's charts."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

from ..engines.kql.tree import read, stages, statements, string_value
from ..errors import QueryError

# https://learn.microsoft.com/kusto/query/render-operator: visualization -> our kind of chart.
KINDS = {
    "timechart": "line",
    "linechart": "line",
    "areachart": "area",
    "stackedareachart": "stacked-area",
    "barchart": "bar",
    "columnchart": "column",
    "piechart": "bar",
    "scatterchart": "scatter",
    "table": "table",
}
_NUMBERS = ("int", "long", "real", "decimal")


@dataclass(frozen=True)
class Render:
    """A ``render`` clause: its visualization, and its properties by lower-case name."""

    kind: str
    properties: Mapping[str, str] = field(default_factory=dict)

    @property
    def title(self) -> str:
        return self.properties.get("title", "")


def split(kql: str) -> tuple[str, Render | None]:
    """*kql* without a ``render`` clause at its end, and that clause; blank lines keep the lines' numbers."""
    try:
        last = statements(read(kql))[-1]
    except (QueryError, IndexError):
        return kql, None  # whoever runs it says what is wrong
    clause = stages(last)[-1]
    if clause.kind != "RenderOperator":
        return kql, None
    properties = {}
    for given in clause.find("RenderOperatorProperty"):
        name, _, value = given.text.partition("=")
        is_text = given.rules and given.rules[-1].kind == "StringLiteralExpression"
        properties[name.strip().lower()] = string_value(given.rules[-1].text) if is_text else value.strip()
    return kql[: last.rules[-1].start], Render(clause.words[1].lower(), properties)


def chart_of(render: Render, types: Mapping[str, str]) -> str:
    """The chart, as a query's header describes it, that *render* draws of columns of these Kusto types; '' for none.

    As Kusto does without being told: the first column that is no number is x (a time chart's: the first datetime),
    every number is drawn, and another text column makes the series.
    """
    kind = KINDS.get(render.kind, "table")
    numbers = [name for name, kql_type in types.items() if kql_type in _NUMBERS]
    others = [name for name, kql_type in types.items() if kql_type not in (*_NUMBERS, "dynamic")]
    times = [name for name in others if types[name] == "datetime"]
    x = render.properties.get("xcolumn") or next(iter(times or others or numbers), "")
    y = _names(render.properties.get("ycolumns")) or [name for name in numbers if name != x]
    series = _names(render.properties.get("series")) or [name for name in others if name != x][:1]
    if kind == "table" or not x or not y or any(name not in types for name in (x, *y, *series)):
        return ""
    color = f" color={series[0]}" if series else ""
    y = y[:1] if series else y
    if kind == "bar":  # a bar lies: its number runs along x
        return f"bar x={','.join(y)} y={x}{color}"
    return f"{'bar' if kind == 'column' else kind} x={x} y={','.join(y)}{color}"


def _names(text: str | None) -> list[str]:
    return [name.strip() for name in text.split(",")] if text else []
