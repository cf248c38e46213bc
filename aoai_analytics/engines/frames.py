"""Arrow tables to DataFrames with Kusto's types, the same for every engine."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd
    import pyarrow as pa

#: Columns in local time of queries with the parameter ``timeZone``; their other columns are in UTC.
_DATES = ("Day", "Week", "Month", "Cohort")
_PANDAS = {"bool": "boolean", "int": "Int32", "long": "Int64", "real": "float64", "decimal": "float64"}


def frame_from_arrow(table: pa.Table, types: dict[str, str]) -> pd.DataFrame:
    """*table* as QueryResult describes its frame: see there. ``dynamic`` columns hold JSON text on the way in."""
    import pandas as pd

    columns: dict[str, Any] = {}
    for index, (name, kql_type) in enumerate(types.items()):
        columns[name] = series(table.column(index), kql_type)
    return pd.DataFrame(columns, columns=list(types))


def series(column: pa.ChunkedArray, kql_type: str) -> Any:
    """One column as pandas keeps its Kusto type."""
    import pandas as pd
    import pyarrow as pa
    import pyarrow.compute as pc

    if kql_type == "dynamic":
        return pd.Series([_value(text) for text in column.to_pylist()], dtype=object)
    if kql_type in ("string", "guid"):
        return pd.Series(pc.fill_null(column.cast(pa.string()), "").to_pandas(), dtype="str")
    if kql_type == "datetime":
        naive = column.cast(pa.timestamp("us"))
        return naive.to_pandas().dt.tz_localize("UTC") if len(naive) else pd.Series([], dtype="datetime64[us, UTC]")
    if kql_type == "timespan":
        spans = [None if v is None else _microseconds(v) for v in column.to_pylist()]
        return pd.Series(pd.array(spans, dtype="timedelta64[us]"))
    if kql_type in ("bool", "int", "long"):
        return column.to_pandas(
            types_mapper={pa.bool_(): pd.BooleanDtype(), pa.int32(): pd.Int32Dtype(), pa.int64(): pd.Int64Dtype()}.get
        )
    return column.to_pandas().astype(_PANDAS[kql_type])


def _value(text: str | None) -> Any:
    import json

    return None if text is None else json.loads(text)


def _microseconds(value: Any) -> Any:
    """A DuckDB interval (months, days, nanoseconds) as a timedelta64[us]. KQL's timespans hold no months."""
    import numpy as np

    if hasattr(value, "nanoseconds"):
        return np.timedelta64(value.days * 86_400_000_000 + value.nanoseconds // 1000, "us")
    return np.timedelta64(value)


def in_zone(frame: pd.DataFrame, time_zone: str) -> pd.DataFrame:
    """*frame* with its times in *time_zone*."""
    times = [name for name, column in frame.items() if str(column.dtype).startswith("datetime64")]
    return frame.assign(**{str(name): frame[name].dt.tz_convert(time_zone) for name in times})


def days_in(frame: pd.DataFrame, time_zone: str) -> pd.DataFrame:
    """*frame*, which a query with the parameter ``timeZone`` returned, with its times in that *time_zone*.

    Such a query returns days, weeks and months in local time as if it were UTC: they become midnights there.
    """
    times = {}
    for name, column in frame.items():
        if not str(column.dtype).startswith("datetime64"):
            continue
        if name in _DATES:
            local = column.dt.tz_localize(None)
            times[str(name)] = local.dt.tz_localize(time_zone, ambiguous=True, nonexistent="shift_forward")
        else:
            times[str(name)] = column.dt.tz_convert(time_zone)
    return frame.assign(**times)
