"""A query's rows as an HTML table."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Mapping
from typing import TYPE_CHECKING, Any

from ..format.labels import NONE, heading, html_text, one_line, plain
from ..format.numbers import UNKNOWN, decimals_for, exact, is_missing, span, unit_of
from .series import shown_time

if TYPE_CHECKING:
    import pandas as pd

#: Default number of rows in a table; the data behind it has all of them.
MAX_ROWS = 20
#: Longest text of a cell; longer text is cut, with a note.
_MAX_TEXT = 300
#: Text longer than this gets a wider column.
_PROSE = 60
_NUMBERS = {"int", "long", "real", "decimal"}


def table_html(
    frame: pd.DataFrame,
    types: Mapping[str, str],
    units: Mapping[str, str],
    *,
    caption: str = "",
    time_zone: str = "UTC",
    max_rows: int = MAX_ROWS,
) -> str:
    """*frame* as a ``<table>``: headings with units, numbers with thousands separators, all text escaped.

    *types* are the columns' Kusto types, *units* are as in the query's header. Null is ``unknown``, empty text
    ``(none)``; times are in *time_zone*. After *max_rows*, a line gives the number of remaining rows.
    """
    shown = frame.head(max_rows)
    columns = [_column(shown[name], name, types.get(name, "string"), units, time_zone) for name in frame.columns]
    parts = ['<table class="data">']
    if caption:
        parts.append(f"<caption>{html.escape(plain(caption))}</caption>")
    parts.append("<thead><tr>")
    parts += [f'<th scope="col"{_class(number)}>{html.escape(title)}</th>' for title, number, _ in columns]
    parts.append("</tr></thead><tbody>")
    for row in range(len(shown)):
        parts.append("<tr>")
        parts += [f"<td{_class(number)}>{cells[row]}</td>" for _, number, cells in columns]
        parts.append("</tr>")
    parts.append("</tbody>")
    rest = len(frame) - len(shown)
    if rest > 0:
        rows = "row" if rest == 1 else "rows"
        parts.append(f'<tfoot><tr><td colspan="{len(columns)}">{rest:,} more {rows} in the data</td></tr></tfoot>')
    parts.append("</table>")
    return "".join(parts)


def _class(number: bool) -> str:
    return ' class="number"' if number else ""


def _muted(text: str) -> str:
    return f'<span class="unknown">{text}</span>'


def _column(
    values: pd.Series, name: str, kusto_type: str, units: Mapping[str, str], time_zone: str
) -> tuple[str, bool, list[str]]:
    """A column's heading, whether it is formatted as numbers, and its cells as HTML."""
    unit = unit_of(name, units)
    title = heading(name, "" if unit.tight else unit.label)
    write: Callable[[Any], str]
    if kusto_type in _NUMBERS:
        decimals = decimals_for(values, unit) if kusto_type in ("real", "decimal") or unit.tight else 0

        def write(value: Any) -> str:
            return exact(value, unit, decimals)

    elif kusto_type == "datetime":
        values, zone = shown_time(values, time_zone)
        title = f"{title} ({zone})"
        days = bool((values.dropna() == values.dropna().dt.normalize()).all())

        def write(value: Any) -> str:
            return f"<time>{value:{'%Y-%m-%d' if days else '%Y-%m-%d %H:%M:%S'}}</time>"

    elif kusto_type == "timespan":
        write = span
    elif kusto_type == "bool":

        def write(value: Any) -> str:
            return "yes" if value else "no"

    else:
        write = _text
    cells = [_muted(UNKNOWN) if is_missing(value) else write(value) for value in values]
    return title, kusto_type in _NUMBERS or kusto_type == "timespan", cells


def _text(value: Any) -> str:
    text = plain(one_line(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    if not text:
        return _muted(NONE)
    if len(text) > _MAX_TEXT:
        return f'<div class="text">{html_text(text[:_MAX_TEXT])}{_muted(f"… ({len(text):,} characters)")}</div>'
    return f'<div class="text">{html_text(text)}</div>' if len(text) > _PROSE else html_text(text)
