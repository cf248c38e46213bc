"""All rows of a query from a service that returns only so many: by parts of its time range, where that is right."""

from __future__ import annotations

from collections.abc import Callable, Collection
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING

from ..errors import QueryError
from ..format.periods import utc
from .kql.inlining import Range
from .kql.pipelines import RowWise, put_together, row_wise

if TYPE_CHECKING:
    import pyarrow as pa

_MICROSECOND = timedelta(microseconds=1)
_UNSORTABLE = ("dynamic",)


@dataclass
class Answer:
    """A service's answer to one request, or to several put together.

    ``rows`` has the columns ``types`` (name -> Kusto type). ``cut`` says in plain words why rows are missing, None
    where none are; ``by_limit`` whether a smaller part of the time range may get them; ``requests`` counts the
    requests it took, ``seconds`` what the service says it worked.
    """

    rows: pa.Table
    types: dict[str, str]
    cut: str | None = None
    by_limit: bool = False
    warnings: tuple[str, ...] = ()
    requests: int = 1
    seconds: float = 0.0
    parts: int = field(default=1)


class TooMuch(QueryError):
    """The service gave up on a query, for its time, its memory or its size; it returned nothing."""


#: A query over a range -> its answer. Raises TooMuch.
Ask = Callable[[str, Range], Answer]


def gather(kql: str, within: Range, ask: Ask, functions: Collection[str]) -> Answer:
    """The whole answer to *kql* over a range, by as many requests as it takes.

    A range whose answer is cut, or not given at all because it is too much, is halved until its parts come whole,
    where the parts' answers add up (see ``pipelines.row_wise``). Else the answer stays cut, and its warnings say so.
    Raises TooMuch where not even a part can be had.
    """
    try:
        answer = ask(kql, within)
    except TooMuch:
        how = row_wise(kql, functions)
        if how is None:
            raise
        return _in_halves(kql, within, ask, how, 1)
    if answer.cut is None:
        return answer
    how = row_wise(kql, functions) if answer.by_limit else None
    if how is None or _cannot_sort(answer, how):
        return _left_cut(answer, splits=answer.by_limit)
    return _in_halves(kql, within, ask, how, answer.requests)


def _cannot_sort(answer: Answer, how: RowWise) -> bool:
    return any(answer.types.get(key.column, "dynamic") in _UNSORTABLE for key in how.sort)


def _left_cut(answer: Answer, *, splits: bool) -> Answer:
    advice = (
        "; the query joins, aggregates or orders its rows, so it cannot be answered in parts: narrow its time range"
        if splits
        else ""
    )
    answer.warnings += (f"rows are missing: {answer.cut}{advice}",)
    return answer


def _in_halves(kql: str, within: Range, ask: Ask, how: RowWise, requests: int) -> Answer:
    start, end, asked = _bounds(within, ask, how)
    requests += asked
    waiting = list(reversed(_halves(start, end)))
    parts: list[Answer] = []
    warnings: list[str] = []
    while waiting:
        part = waiting.pop()
        try:
            answer = ask(kql, part)
        except TooMuch:
            if part[1] - part[0] <= _MICROSECOND:
                raise
            waiting += reversed(_halves(*part))
            requests += 1
            continue
        requests += answer.requests
        if answer.cut is not None:
            if answer.by_limit and part[1] - part[0] > _MICROSECOND:
                waiting += reversed(_halves(*part))
                continue
            when = f"{part[0]:%Y-%m-%d %H:%M:%S.%f} to {part[1]:%H:%M:%S.%f}"
            warnings.append(f"rows of {when} are missing: {answer.cut}")
        parts.append(answer)
        if how.take is not None and not how.sort and sum(p.rows.num_rows for p in parts) >= how.take:
            break
    rows = put_together([part.rows for part in parts], how)
    return Answer(
        rows,
        parts[0].types,
        cut=warnings[0] if warnings else None,
        warnings=tuple(warnings),
        requests=requests,
        seconds=sum(part.seconds for part in parts),
        parts=len(parts),
    )


def _halves(start: datetime, end: datetime) -> list[tuple[datetime, datetime]]:
    middle = start + (end - start) // 2
    return [(start, middle), (middle, end)] if start < middle else [(start, end)]


def _bounds(within: Range, ask: Ask, how: RowWise) -> tuple[datetime, datetime, int]:
    """The range with its open ends closed by the times that the table really has."""
    start, end = within
    if start is not None and end is not None:
        return utc(start), utc(end), 0
    answer = ask(f"{how.table} | summarize First = min(TimeGenerated), Last = max(TimeGenerated)", within)
    first, last = (answer.rows[name][0].as_py() for name in ("First", "Last"))
    if first is None or last is None:
        first = last = datetime(2000, 1, 1)
    # Kusto's ticks are finer than a microsecond.
    first, last = first.replace(tzinfo=UTC), last.replace(tzinfo=UTC) + 2 * _MICROSECOND
    return utc(start) if start else first, utc(end) if end else last, answer.requests
