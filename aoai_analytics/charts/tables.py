"""A query's rows as an HTML table."""

from __future__ import annotations

import html
import json
from collections.abc import Callable, Collection, Mapping, Sequence
from typing import TYPE_CHECKING, Any

from ..format.labels import NONE, heading, html_text, one_line, plain
from ..format.numbers import RANGE, UNKNOWN, additive, decimals_for, exact, is_missing, span, unit_of
from .series import is_number, shown_time, time_form

if TYPE_CHECKING:
    import pandas as pd

#: Default number of rows in a table; the data behind it has all of them.
MAX_ROWS = 20
#: Longest text of a cell; longer text is cut, with a note.
_MAX_TEXT = 300
#: Longest word of a column whose cells are kept on one line: a request's id.
_WORD = 36
#: Text longer than this gets a wider column.
_PROSE = 60
#: Longest text that may stand in a column as narrow as its longest word.
_PHRASE = 16
#: Columns of names that fit on a page beside a measure.
_MOST_NAMES = 6
_NUMBERS = {"int", "long", "real", "decimal"}
#: Names that say where a measure comes from, not who or what.
_SOURCES = ("TokenSource", "CostState", "CachedTokenSource", "BodyState")
#: Columns that name a single request.
_IDS = ("CorrelationId", "TraceId", "OperationId")


def table_html(
    frame: pd.DataFrame,
    types: Mapping[str, str],
    units: Mapping[str, str],
    *,
    caption: str = "",
    time_zone: str = "UTC",
    max_rows: int = MAX_ROWS,
    summed: Collection[str] = (),
) -> str:
    """*frame* as a ``<table>``: headings with units, numbers with thousands separators, all text escaped.

    *types* are the columns' Kusto types, *units* are as in the query's header. Names come first and the ids of requests
    last; a column and its standard error are one, with the 95% range. Null is ``unknown``, empty text ``(none)``; times
    are in *time_zone*. After *max_rows*, a line sums up the others; where the rows are shares of a whole, one sums up
    all. So it is for the columns *summed*, which add up although the table has no shares of them.
    """
    shown = frame.head(max_rows)
    order = in_order(shown, types)
    errors = {name: error for name in order if (error := _error_of(name, order))}
    columns = [
        _column(shown, name, types.get(name, "string"), units, time_zone, errors.get(name, ""))
        for name in order
        if name not in errors.values()
    ]
    parts = ['<table class="data">']
    if caption:
        parts.append(f"<caption>{html.escape(plain(caption))}</caption>")
    parts.append("<thead><tr>")
    parts += [
        f'<th scope="col"{_class(kind if kind == "number" else "")}>{html.escape(title)}</th>'
        for title, kind, _ in columns
    ]
    parts.append("</tr></thead><tbody>")
    for row in range(len(shown)):
        parts.append("<tr>")
        parts += [f"<td{_class(kind)}>{cells[row]}</td>" for _, kind, cells in columns]
        parts.append("</tr>")
    parts.append("</tbody>")
    names = [name for name in order if name not in errors.values()]
    parts += _foot(frame, types, units, names, len(shown), summed, errors)
    parts.append("</table>")
    return "".join(parts)


def in_order(frame: pd.DataFrame, types: Mapping[str, str]) -> list[str]:
    """The columns: who and what first (also when, where it comes first), measures next, the ids of requests last.

    Among many names the first measure would be out of sight: it follows the first of them.
    """

    def rank(place: int, name: str) -> int:
        if name in _IDS:
            return 2
        short = types.get(name) == "string" and frame[name].map(str).str.len().max() <= _PROSE
        return 0 if place == 0 or (short and name not in _SOURCES) else 1

    names = [str(name) for name in frame.columns]
    ranks = {name: rank(place, name) for place, name in enumerate(names)}
    order = sorted(names, key=ranks.__getitem__)
    first = next((name for name in names if types.get(name) in _NUMBERS), None)
    if first and sum(not ranks[name] for name in names) > _MOST_NAMES and ranks[first]:
        order.remove(first)
        order.insert(1, first)
    return order


def _error_of(name: str, names: Sequence[str]) -> str:
    """The column with the standard error of the column *name*; '' if there is none."""
    wanted = [f"{name}Error"] + (["TokensError"] if name == "TotalTokens" else [])
    return next((error for error in wanted if error in names), "")


def _foot(
    frame: pd.DataFrame,
    types: Mapping[str, str],
    units: Mapping[str, str],
    names: Sequence[str],
    shown: int,
    summed: Collection[str],
    errors: Mapping[str, str],
) -> list[str]:
    """The rows below: the others together and all, where columns add up; else how many there are."""
    rest = len(frame) - shown
    of = _shared(frame, types, units)
    whole = bool(of) or _is_whole(frame, units)
    numbers = [name for name in names if types.get(name, "") in _NUMBERS and additive(name, units)]
    adding = {name for name in numbers if whole or name in summed} | ({"Share"} if whole else set())
    rows = []
    if rest > 0 and not adding:
        said = f"{shown:,} of {len(frame):,} rows; {rest:,} more {'row' if rest == 1 else 'rows'} in the data"
        rows.append(f'<tr><td colspan="{len(names)}">{said}</td></tr>')
    if rest > 0 and adding:
        said = f"{rest:,} {'other' if rest == 1 else 'others'}"
        rows.append(_sums(frame, types, units, names, of, said, adding, errors, shown))
    if adding and len(frame) > 1:
        rows.append(_sums(frame, types, units, names, of, "Total", adding, errors))
    return [f"<tfoot>{''.join(rows)}</tfoot>"] if rows else []


def _has_shares(frame: pd.DataFrame, units: Mapping[str, str]) -> bool:
    return "Share" in frame.columns and units.get("Share") == "%" and is_number(frame["Share"])


def _is_whole(frame: pd.DataFrame, units: Mapping[str, str]) -> bool:
    """Whether the shares add up to 100%. Rounded ones of many rows may add up to anything."""
    return _has_shares(frame, units) and abs(float(frame["Share"].sum()) - 100) <= min(0.05 * len(frame) + 0.05, 1.0)


def _shared(frame: pd.DataFrame, types: Mapping[str, str], units: Mapping[str, str]) -> str:
    """The column whose sum the shares are of: then the rows are all the parts of one whole; '' for none."""
    for name in map(str, frame.columns) if _has_shares(frame, units) else ():
        if types.get(name, "") in _NUMBERS and additive(name, units) and frame[name].sum() > 0:
            parts = frame[name].fillna(0) * 100.0 / frame[name].sum()
            if float((parts - frame["Share"].fillna(0)).abs().max()) <= 0.05001:
                return name
    return ""


def _sums(
    frame: pd.DataFrame,
    types: Mapping[str, str],
    units: Mapping[str, str],
    names: Sequence[str],
    of: str,
    said: str,
    adding: Collection[str],
    errors: Mapping[str, str],
    after: int = 0,
) -> str:
    """The row named *said* with the sums of all rows but the first *after*; rounded shares add up to 100% too.

    *of* is the column that shares are of, '' where none has them; *adding* are the columns that add up, *errors* those
    of their standard errors.
    """
    cells = []
    for name in names:
        unit = unit_of(name, units)
        number = types.get(name, "") in _NUMBERS
        text = ""
        if name in adding:
            known = frame[name].iloc[after:].dropna()
            real = types.get(name) in ("real", "decimal") or unit.tight
            # As many decimals as in the rows above.
            decimals = decimals_for(frame[name].head(after or len(frame)), unit) if real else 0
            added = _share_after(frame, of, after) if name == "Share" else known.sum()
            text = (
                html.escape(exact(max(added, 0.0) if name == "Share" else added, unit, decimals)) if len(known) else ""
            )
            if name in errors and (most := _most(frame[[name, errors[name]]].iloc[after:])):
                bound = "± {}" if most[1] else "(at most ± {})"
                text += " " + bound.format(html.escape(exact(RANGE * most[0], unit, decimals)))
        cells.append(f"<td{_class('number' if number else '')}>{text}</td>")
    return f'<tr><th scope="row">{said}</th>{"".join(cells[1:])}</tr>'


def _most(pairs: pd.DataFrame) -> tuple[float, bool] | None:
    """The largest standard error that a sum of values can have, by *pairs* of these and their errors; and whether that
    is its error.

    A row's error does not say which part of it the rows share. Shared parts add up and the others less, so that the sum
    of the errors is a bound. None where nothing is estimated, or an error is unknown.
    """
    errors = pairs[pairs.iloc[:, 0].notna()].iloc[:, 1]
    if errors.isna().any() or not errors.gt(0).any():
        return None
    return float(errors.sum()), int(errors.gt(0).sum()) == 1


def _share_after(frame: pd.DataFrame, of: str, after: int) -> float:
    """The share of all rows but the first *after*."""
    if of:
        return 100.0 * float(frame[of].iloc[after:].sum()) / float(frame[of].sum())
    return 100.0 - float(frame["Share"].head(after).sum())


def _class(kind: str) -> str:
    return f' class="{kind}"' if kind else ""


def _kind(values: pd.Series[Any], kusto_type: str) -> str:
    """How the cells of a column are set: ``number``, ``word`` for times, names and ids with hyphens, or ``phrase``.

    A browser would break words after each hyphen, 2026-11-02 into three lines and an id into five, and make a column of
    phrases as narrow as the longest word in them.
    """
    if kusto_type in _NUMBERS or kusto_type == "timespan":
        return "number"
    texts = [value for value in values if isinstance(value, str)]
    short = all(len(text) <= _WORD and " " not in text for text in texts) and any("-" in text for text in texts)
    if kusto_type == "datetime" or (kusto_type == "string" and short):
        return "word"
    return "phrase" if any(len(text) > _PHRASE for text in texts) else ""


def _muted(text: str) -> str:
    return f'<span class="unknown">{text}</span>'


def _column(
    frame: pd.DataFrame, name: str, kusto_type: str, units: Mapping[str, str], time_zone: str, error: str = ""
) -> tuple[str, str, list[str]]:
    """A column's heading, how its cells are set (see ``_kind``), and these as HTML, with those of its *error*."""
    values = frame[name]
    unit = unit_of(name, units)
    title = heading(name, "" if unit.tight else unit.label)
    write: Callable[[Any], str]
    if kusto_type in _NUMBERS:
        if name.endswith("Error") and unit.label:
            title = title.replace(" error", " standard error", 1)
        decimals = decimals_for(values, unit) if kusto_type in ("real", "decimal") or unit.tight else 0

        def write(value: Any) -> str:
            return html.escape(exact(value, unit, decimals))

    elif kusto_type == "datetime":
        values, zone = shown_time(values, time_zone)
        title = f"{title} ({zone})"
        # A date and a time of day may stand on two lines, but neither breaks.
        form = f"<time>{time_form(values)}</time>".replace(" %H", "</time> <time>%H")

        def write(value: Any) -> str:
            return f"{value:{form}}"

    elif kusto_type == "timespan":
        write = span
    elif kusto_type == "bool":

        def write(value: Any) -> str:
            return "yes" if value else "no"

    else:
        write = _text
    cells = [_muted(UNKNOWN) if is_missing(value) else write(value) for value in values]
    if error and kusto_type in _NUMBERS and frame[error].gt(0).any():
        title += " ± 95%"
        ranges: list[Any] = [None if is_missing(value) or not value else RANGE * value for value in frame[error]]
        cells = [cell if add is None else f"{cell} ± {write(add)}" for cell, add in zip(cells, ranges, strict=True)]
    return title, _kind(values, kusto_type), cells


def _text(value: Any) -> str:
    text = plain(one_line(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    if not text:
        return _muted(NONE)
    if len(text) > _MAX_TEXT:
        return f'<div class="text">{html_text(text[:_MAX_TEXT])}{_muted(f"… ({len(text):,} characters)")}</div>'
    return f'<div class="text">{html_text(text)}</div>' if len(text) > _PROSE else html_text(text)
