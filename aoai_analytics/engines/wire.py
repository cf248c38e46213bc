"""Rows as the services send them (JSON) to Arrow columns of Kusto's types, which frames.py makes DataFrames of."""

from __future__ import annotations

from collections.abc import Sequence
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ..format.periods import parse_timespan

if TYPE_CHECKING:
    import pyarrow as pa

_SPELLINGS = {
    "date": "datetime",
    "time": "timespan",
    "double": "real",
    "boolean": "bool",
    "uuid": "guid",
    "uniqueid": "guid",
    "object": "dynamic",
}
_NOT_FINITE = {"NaN": float("nan"), "Infinity": float("inf"), "-Infinity": float("-inf")}
_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)


def kusto_type(name: str) -> str:
    """The Kusto type of a column as a service names it; other spellings of the types are known too."""
    name = name.lower()
    return _SPELLINGS.get(name, name)


def arrow_table(rows: Sequence[Sequence[Any]], types: dict[str, str]) -> pa.Table:
    """*rows* of JSON values as a table of the columns *types* (name -> Kusto type).

    Datetimes are timestamps in microseconds (further digits are cut), timespans durations in microseconds, dynamic
    values JSON text, a null string ''. Raises ValueError or TypeError for a value that is none of its type.
    """
    import pyarrow as pa

    columns = zip(*rows, strict=True) if rows else iter([()] * len(types))
    return pa.table(
        [column(values, kind) for values, kind in zip(columns, types.values(), strict=True)], names=list(types)
    )


def column(values: Sequence[Any], kind: str) -> pa.Array:
    """One column; see ``arrow_table``."""
    import pyarrow as pa

    if kind in ("int", "long"):
        return pa.array([None if v is None else int(v) for v in values], pa.int32() if kind == "int" else pa.int64())
    if kind == "bool":
        return pa.array([None if v is None else bool(v) for v in values], pa.bool_())
    if kind in ("real", "decimal"):
        return pa.array([None if v is None else _real(v) for v in values], pa.float64())
    if kind == "datetime":
        return _datetimes(values)
    if kind == "timespan":
        return pa.array([None if v is None else _timespan(v) for v in values], pa.duration("us"))
    if kind == "dynamic":
        return pa.array([_json_text(v) for v in values], pa.string())
    return pa.array(["" if v is None else v if type(v) is str else str(v) for v in values], pa.string())


def _real(value: Any) -> float:
    return _NOT_FINITE[value] if value in _NOT_FINITE else float(value)


def _datetimes(values: Sequence[Any]) -> pa.Array:
    import pyarrow as pa
    import pyarrow.compute as pc

    texts = pa.array(values, pa.string())
    try:
        # Up to nine digits of a second, as Kusto's ticks of 100 ns need; years from 1678 to 2261.
        return pc.cast(pc.cast(texts, pa.timestamp("ns", tz="UTC")), pa.timestamp("us"), safe=False)
    except pa.ArrowInvalid:
        micros = [None if v is None else (_moment(v) - _EPOCH) // _MICROSECOND for v in values]
        return pa.array(micros, pa.int64()).cast(pa.timestamp("us"))


def _moment(text: str) -> datetime:
    moment = datetime.fromisoformat(text)
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment


def _timespan(text: str) -> timedelta:
    whole, dot, fraction = text.rpartition(".")
    # A dot may also stand between days and hours.
    return parse_timespan(f"{whole}.{fraction[:6]}" if dot and ":" in whole else text)


def _json_text(value: Any) -> str | None:
    """A dynamic value as JSON. Services send objects as such or as text, and a string's text bare or in quotes."""
    import orjson

    if value is None or value == "":
        return None
    if type(value) is not str:
        return orjson.dumps(value).decode()
    try:
        orjson.loads(value)
    except orjson.JSONDecodeError:
        return orjson.dumps(value).decode()
    return value
