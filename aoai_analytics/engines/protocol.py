"""What every engine gives: a query's result, and the few things one may ask of an engine."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class QueryResult:
    """A query's rows.

    ``frame`` has one column a result column, in order, with pandas types that keep Kusto's:
    ``string`` -> str, ``long``/``int`` -> Int64/Int32 (null stays null), ``real`` -> float64,
    ``bool`` -> boolean, ``datetime`` -> datetime64[us, UTC], ``timespan`` -> timedelta64[us],
    ``dynamic`` -> Python objects. ``types`` names the Kusto type of each column.
    ``partial`` is true where the service left rows out; ``warnings`` says why.
    ``statistics`` holds numbers about the run, e.g. ``seconds`` and ``rows``.
    """

    frame: pd.DataFrame
    types: dict[str, str]
    partial: bool = False
    warnings: tuple[str, ...] = ()
    statistics: Mapping[str, float] = field(default_factory=dict)


class Engine(Protocol):
    """A place that answers KQL. ``source`` is the text it was opened by."""

    source: str

    def query(
        self,
        kql: str,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        parameters: Mapping[str, Any] | None = None,
    ) -> QueryResult:
        """Run *kql* over the records with start <= TimeGenerated < end (UTC where naive; None: open).

        *parameters* are values for the text's ``let name = literal;`` parameters.
        Raises QueryError (the query), SourceError (the service), PartialResult never: see ``partial``.
        """
        ...

    def close(self) -> None:
        """Free what the engine holds; calling it twice is harmless."""
        ...
