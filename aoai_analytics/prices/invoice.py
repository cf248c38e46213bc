"""The invoice beside the logs: the library's questions about it, asked for whole days of the invoice."""

from __future__ import annotations

import io
from collections.abc import Callable, Iterable
from datetime import datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WrongUse
from ..format.periods import utc, zone
from ..library import library
from .showback import write_as

if TYPE_CHECKING:
    import pandas as pd

    from ..engines import Engine, QueryResult

VERDICT, PARTS, DAYS = "cost/invoice-verdict", "cost/remainder", "cost/reconciliation"
SHOWBACK, FOCUS = "cost/showback-invoice", "cost/focus"
#: An invoice's day may begin at another hour than the period's: so much more of the logs is read on both sides.
_MARGIN = timedelta(days=1)
NO_INVOICE = "no invoice in this period: ingest Cost Management exports with 'aoai ingest costs EXPORT --lake DIR'"


def ask_invoice(
    engine: Engine,
    name: str,
    start: datetime | None,
    end: datetime | None,
    *,
    time_zone: str = "UTC",
    **parameters: Any,
) -> QueryResult:
    """The answer to the question *name* for the invoice's days from *start* to before *end*, dates in *time_zone*.

    Raises WrongUse where no invoice is there or the source returned only part of the rows; what the engine raises.
    """
    if start is not None:
        parameters["firstDay"] = f"{utc(start).astimezone(zone(time_zone)):%Y-%m-%d}"
    if end is not None:
        parameters["lastDay"] = f"{(utc(end) - timedelta(microseconds=1)).astimezone(zone(time_zone)):%Y-%m-%d}"
    kql = library().get(name).bind(**parameters)
    result = engine.query(kql, start=start and start - _MARGIN, end=end and end + _MARGIN)
    if result.partial:
        raise WrongUse("the source returned only part of the rows, so nothing was written; choose a shorter period")
    if not len(result.frame):
        raise WrongUse(NO_INVOICE)
    return result


def in_one_currency(frame: pd.DataFrame, currency: str | None, column: str = "Currency") -> pd.DataFrame:
    """The rows of *currency*. Raises WrongUse where the invoice has none of it, or several and none is chosen."""
    found = sorted(set(frame[column]))
    if currency is None and len(found) > 1:
        raise WrongUse(f"the invoice is in {', '.join(found)}, which are never added up: choose one with --currency")
    chosen = currency.upper() if currency else found[0]
    if chosen not in found:
        raise WrongUse(f"the invoice has no {chosen}; it is in {', '.join(found)}")
    return frame[frame[column] == chosen]


def write_focus(frame: pd.DataFrame, path: Path) -> int:
    """Write the rows of ``cost/focus`` to *path*, ``.csv`` or ``.parquet``, as FOCUS 1.2 has them; their number.

    A text that is '' is null. Raises WrongUse where the file's name ends otherwise or it cannot be written.
    """
    write_as(path, {".csv": lambda: _csv(frame), ".parquet": lambda: _parquet(frame)})
    return len(frame)


def _csv(frame: pd.DataFrame) -> bytes:
    """Times in UTC with seconds; numbers with a point, in full precision and without an exponent."""
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\n")
    writer.writerow(frame.columns)
    for row in zip(*(_texts(frame[name]) for name in frame.columns), strict=True):
        writer.writerow(row)
    return out.getvalue().encode()


def _texts(column: pd.Series[Any]) -> Iterable[str]:
    # A number has a point: readers that guess types would take 5 for an integer where the specification has a decimal.
    written: dict[str, Callable[[Any], str]] = {"datetime": _moment, "number": _decimal, "text": str}
    shown = written[_kind(column)]
    return ("" if _is_null(value) else shown(value) for value in column)


def _moment(value: Any) -> str:
    return f"{value:%Y-%m-%dT%H:%M:%SZ}"


def _decimal(number: Any) -> str:
    text = f"{Decimal(repr(float(number))):f}"
    return text if "." in text else f"{text}.0"


def _parquet(frame: pd.DataFrame) -> bytes:
    import pyarrow as pa
    import pyarrow.parquet as pq

    kinds = {"datetime": pa.timestamp("us", tz="UTC"), "number": pa.float64(), "text": pa.string()}
    columns = {
        str(name): pa.array(
            [None if _is_null(value) else value for value in frame[name].astype(object)], kinds[_kind(frame[name])]
        )
        for name in frame.columns
    }
    out = io.BytesIO()
    pq.write_table(pa.table(columns), out, compression="snappy")
    return out.getvalue()


def _kind(column: pd.Series[Any]) -> str:
    import pandas as pd

    if pd.api.types.is_datetime64_any_dtype(column):
        return "datetime"
    return "number" if pd.api.types.is_numeric_dtype(column) else "text"


def _is_null(value: Any) -> bool:
    import pandas as pd

    return value is None or value == "" or bool(pd.isna(value))
