"""Drops rows that the lake already has, equal in every column.

Both log tables deliver records twice now and then. Rows of one key that differ in any column are kept all; what they
mean is for the KQL functions to say. (Two chunks of one message with the very same text and time cannot be told from
one delivered twice, and count as that.)
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Sequence
from typing import Any

from aoai_analytics.errors import LakeError
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.records import RowShape
from aoai_analytics.lake.values import utc_date


def without_known(lake: Lake, shape: RowShape, rows: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """*rows* without the ones the table already has, in order.

    Reads of the table no more than the times and ids of files whose times overlap; whole rows only where both match.
    Raises LakeError where a file of the lake cannot be read.
    """
    import pyarrow as pa

    by_date: dict[str, list[tuple[Any, ...]]] = defaultdict(list)
    for row in rows:
        by_date[utc_date(row[shape.time])].append(row)
    known: set[tuple[Any, ...]] = set()
    for day, new in by_date.items():
        times = [row[shape.time] for row in new]
        for path in lake.overlapping(shape.table.name, (day, day), (min(times), max(times))):
            try:
                known.update(_matching(path, shape, new))
            except (OSError, pa.ArrowException) as error:
                raise LakeError(f"cannot read {path} in the lake; ingest the logs into a new folder") from error
    return [row for row in rows if row not in known] if known else list(rows)


def _matching(path: str, shape: RowShape, new: Sequence[tuple[Any, ...]]) -> list[tuple[Any, ...]]:
    """The rows of a file that have the time and the CorrelationId (or what else is first in its key) of a new one."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    file = pq.ParquetFile(path)
    time, identity = shape.names[shape.time], shape.names[shape.identity]
    new_ids = pa.array({row[shape.identity] for row in new}, pa.string())
    new_times = pa.array({row[shape.time] for row in new}, pa.timestamp("us", tz="UTC"))
    rows: list[tuple[Any, ...]] = []
    for group in range(file.num_row_groups):
        keys = file.read_row_group(group, columns=[time, identity])
        mask = pc.and_(pc.is_in(keys[identity], new_ids), pc.is_in(keys[time], new_times))
        if not pc.any(mask).as_py():
            continue
        found = file.read_row_group(group).filter(mask)
        rows.extend(zip(*(_values(found, name, new_times.type) for name in shape.names), strict=True))
    return rows


def _values(rows: Any, name: str, timestamp: Any) -> list[Any]:
    import pyarrow as pa

    if name not in rows.column_names:
        # Written before the table had this column.
        return [None] * rows.num_rows
    column = rows[name]
    plain = column.cast(timestamp).cast(pa.int64()) if pa.types.is_timestamp(column.type) else column
    return list(plain.to_pylist())
