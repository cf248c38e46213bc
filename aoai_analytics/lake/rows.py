"""The rows of CSV and Parquet files -> records, each with its number.

A row that cannot be read is reported by its number, and the rows after it are read.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator, Mapping
from typing import Any

from aoai_analytics.lake.blobs import BOM, Content, Unreadable
from aoai_analytics.lake.pieces import LINE_LIMIT, Piece, lines_in

_CSV_SUFFIX = re.compile(r"\s*\[(.*)\]$")


def csv_pieces(content: Content, start: int = 0) -> Iterator[Piece]:
    """The rows of a CSV file from row *start* on; raises Unreadable where its header cannot be read.

    A row that is no valid CSV (a quote that is never closed) costs its own line: reading goes on at the next.
    """
    lines = deque[str]()
    rest = _text_lines(content.blocks(), content.newline)
    limit = csv.field_size_limit(LINE_LIMIT)
    try:
        names, _ = _csv_row(lines, rest, 0)
        if names is None:
            raise Unreadable("its first row is not valid CSV")
        header = [_column(name) for name in names]
        number = 0
        while True:
            values, problem = _csv_row(lines, rest, len(header))
            if values is None and not problem:
                return
            number += 1
            if number <= start or not (values or problem):
                continue
            size = sum(map(len, values or ())) + len(values or ())
            if values is None or problem:
                yield Piece(number - 1, number, size, [], problem)
                continue
            record = {name: value for name, value in zip(header, values, strict=True) if value != ""}
            yield Piece(number - 1, number, size, [record])
    finally:
        csv.field_size_limit(limit)


def header(content: Content, first: Mapping[str, Any]) -> list[str]:
    """The columns of a file: of Parquet those of its *first* record, of CSV those of its first line, since a record
    has no empty cells."""
    if content.kind == "parquet":
        return list(first)
    line = content.head.removeprefix(BOM).split(content.newline)[0].decode("utf-8", "replace")
    return [name.strip('"\r ') for name in line.split(",")]


def _csv_row(lines: deque[str], rest: Iterator[str], width: int) -> tuple[list[str] | None, str]:
    """The next row's fields, and why they are none: both empty at the end.

    *lines* were read of *rest* already. A row may go over several lines, as a text in quotes does. Where that does
    not come to a row of *width* fields (0: any), its first line is the problem, and the others are read anew.
    """
    first = lines.popleft() if lines else next(rest, None)
    if first is None:
        return None, ""
    if not first.strip("\r\n"):
        return [], ""
    held, size, closing = [first], len(first), False
    problem = ""
    while True:
        try:
            (values,) = csv.reader(held, strict=True)
            problem = f"{len(values)} fields where the header has {width}" if width not in (0, len(values)) else ""
            if not problem:
                return values, ""
            break
        except (csv.Error, ValueError) as error:
            problem = "not valid CSV"
            if "unexpected end" not in str(error):
                break
        # Within quotes: the next line that has an odd number of them can be the row's last.
        closing = False
        while not closing and size <= LINE_LIMIT:
            line = lines.popleft() if lines else next(rest, None)
            if line is None:
                break
            held.append(line)
            size += len(line)
            closing = line.count('"') % 2 == 1
        if not closing:
            problem = "a quote is not closed"
            break
    lines.extendleft(reversed(held[1:]))
    return None, problem


def _text_lines(blocks: Iterator[bytes], newline: bytes) -> Iterator[str]:
    for position, line, size, ended in lines_in(blocks, 0, newline):
        if line is None:
            raise Unreadable(f"a line of {size} bytes is over the limit of {LINE_LIMIT}")
        text = line.decode("utf-8-sig" if position == 0 else "utf-8", "replace")
        yield text + "\n" if ended else text


def _column(header: str) -> str:
    """A column's name of a CSV header; the portal writes times as ``TimeGenerated [UTC]``."""
    found = _CSV_SUFFIX.search(header)
    if found and found.group(1).upper() not in ("UTC", "GMT", "Z"):
        raise Unreadable(f"its times are in {found.group(1)[:40]}: export in UTC")
    return _CSV_SUFFIX.sub("", header).strip()


def parquet_pieces(content: Content, start: int = 0) -> Iterator[Piece]:
    """The rows of a Parquet file from row *start* on; raises Unreadable where it cannot be read."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    if content.gzipped:
        raise Unreadable("gzipped Parquet is not supported: unpack it first")
    try:
        file = pq.ParquetFile(content.stream)
        number = 0
        for batch in file.iter_batches(batch_size=1000):
            if number + batch.num_rows <= start:
                number += batch.num_rows
                continue
            size = batch.nbytes // max(1, batch.num_rows)
            for record in _records(batch):
                if number >= start:
                    bad = isinstance(record, str)
                    yield Piece(number, number + 1, size, [] if bad else [record], record if bad else None)
                number += 1
    except (pa.ArrowException, OSError, ValueError, OverflowError, MemoryError) as error:
        raise Unreadable("unreadable Parquet from here on") from error


def _records(batch: Any) -> list[Any]:
    """A batch's rows as dictionaries; for a row that holds what no value can be, why it cannot be read."""
    import pyarrow as pa

    impossible = (pa.ArrowException, ValueError, OverflowError)
    try:
        found: list[Any] = _plain(batch).to_pylist()
        return found
    except impossible:
        pass
    rows: list[Any] = []
    for number in range(batch.num_rows):
        record: dict[str, Any] = {}
        for name, values in zip(batch.schema.names, batch.columns, strict=True):
            one = pa.RecordBatch.from_arrays([values.slice(number, 1)], [name])
            if pa.types.is_string(values.type) or pa.types.is_large_string(values.type):
                # Bytes that are no UTF-8 become U+FFFD, as in JSON.
                one = pa.RecordBatch.from_arrays([one.column(0).cast(pa.binary())], [name])
            try:
                value = _plain(one).to_pylist()[0][name]
                record[name] = value.decode("utf-8", "replace") if isinstance(value, bytes) else value
            except impossible:
                rows.append(f"{name} holds a value that cannot be read")
                break
        else:
            rows.append(record)
    return rows


def _plain(batch: Any) -> Any:
    """A batch with its times in microseconds: finer units are truncated, coarser ones converted."""
    import pyarrow as pa

    columns = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type):
            fine = column.type.unit == "ns"
            column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=not fine)
        columns.append(column)
    return pa.table(columns, names=batch.schema.names)
