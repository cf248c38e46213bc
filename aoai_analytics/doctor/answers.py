"""The query results that the rules read: the library's health queries."""

from __future__ import annotations

from collections.abc import Iterable
from datetime import datetime
from typing import TYPE_CHECKING, Any

from ..engines.protocol import Engine
from ..format.numbers import is_missing
from ..library.queries import library
from .findings import Hidden

if TYPE_CHECKING:
    import pandas as pd


class Answers:
    """Runs the library's health queries on *engine* for one period and keeps the results."""

    def __init__(self, engine: Engine, start: datetime | None, end: datetime | None):
        self._engine = engine
        self._period = (start, end)
        self._frames: dict[str, pd.DataFrame] = {}
        #: Queries with a partial result, and the engine's warnings.
        self.partial: dict[str, str] = {}

    def frame(self, name: str, **parameters: str) -> pd.DataFrame:
        """The result of ``health/NAME``, or ``SECTION/NAME``, with *parameters*. Raises QueryError, SourceError."""
        if name not in self._frames:
            start, end = self._period
            kql = library().get(name if "/" in name else f"health/{name}").bind(**parameters)
            result = self._engine.query(kql, start=start, end=end)
            self._frames[name] = result.frame
            if result.partial:
                self.partial[f"health/{name}"] = "; ".join(result.warnings)
        return self._frames[name]

    def rows(self, name: str, **parameters: str) -> list[dict[str, Any]]:
        """The same as a list of rows."""
        return as_rows(self.frame(name, **parameters))


def as_rows(frame: pd.DataFrame) -> list[dict[str, Any]]:
    """*frame*'s rows as dictionaries by column."""
    return [{str(column): value for column, value in row.items()} for row in frame.to_dict("records")]


def total(rows: Iterable[dict[str, Any]], column: str) -> int:
    """The sum of a column; null counts as 0."""
    return sum(int(row[column]) for row in rows if not is_missing(row[column]))


def hidden(rows: list[dict[str, Any]], *, requests: str = "Requests") -> Hidden:
    """What *rows* hide in total. Errors are added, not squared: they may share one fit, so this is an upper bound."""
    return Hidden(
        requests=total(rows, requests),
        estimated_requests=total(rows, "EstimatedRequests"),
        estimated_tokens=total(rows, "EstimatedTokens"),
        estimated_tokens_error=round(
            sum(float(row["EstimatedTokensError"]) for row in rows if not is_missing(row["EstimatedTokensError"])), 1
        ),
        unknown_requests=total(rows, "UnknownRequests"),
    )


def values(rows: Iterable[dict[str, Any]], *columns: str) -> dict[str, list[str]]:
    """Each column's distinct non-empty values, in order of appearance."""
    found = {column: list(dict.fromkeys(str(row[column]) for row in rows if row[column])) for column in columns}
    return {column: names for column, names in found.items() if names}


def severity(of: Hidden) -> str:
    """The severity of hiding these numbers."""
    if of.unknown_requests:
        return "problem"
    return "warning" if of.estimated_requests else "note"
