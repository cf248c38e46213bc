"""Log files -> records, each with the place it was read from.

Nothing is ever held whole but one record, or one document: JSON lines over ``LINE_LIMIT`` and documents over
``DOCUMENT_LIMIT`` are skipped and reported by their place.

Positions: for JSON a byte offset in the (uncompressed) content, always just after a complete line or record, so
that a blob which grows is read on from there; for CSV and Parquet the number of rows read.
"""

from __future__ import annotations

import csv
import re
from collections import deque
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from aoai_analytics.lake.blobs import BOM, Content, Unreadable

LINE_LIMIT = 16 << 20
DOCUMENT_LIMIT = 256 << 20

_DOCUMENT = re.compile(rb'\s*(?:\{\s*"(?:records|[tT]ables|responses)"\s*:|\[)')
# The first line of a document that is spread over several lines.
_LISTED = rb'\{\s*"(?:records|[tT]ables|responses)"\s*:'
_SPREAD = re.compile(rb"(?:\{|" + _LISTED + rb"|(?:" + _LISTED + rb"\s*)?\[\s*(?:\{|\{.*\}\s*,)?)")
_CSV_SUFFIX = re.compile(r"\s*\[(.*)\]$")


class Piece(NamedTuple):
    """Records that stand together (one line; a document; a CSV row), or the reason why there are none.

    ``position`` and ``end`` are where it begins and where the next one does: bytes, or rows where the blob's
    ``unit`` is ``row``. ``size`` is its bytes of input, for limits and rates.
    """

    position: int
    end: int
    size: int
    records: list[Any]
    reason: str | None = None


def parse_json(line: bytes) -> Any:
    """The value of a JSON text; raises ValueError, ``Unfinished`` where more of it could still make it one.

    Gateways cut bodies at a number of bytes, also within a character: bytes that are no UTF-8 and half surrogate
    pairs become U+FFFD instead of costing the record.
    """
    import orjson

    try:
        return orjson.loads(line)
    except orjson.JSONDecodeError:
        if line.lstrip()[:1] not in (b"{", b"["):
            raise
    import json

    def refuse(_: str) -> None:
        raise ValueError("not JSON")

    text = line.decode("utf-8", "replace")
    try:
        value = json.loads(text, parse_constant=refuse)
        text = json.dumps(value, ensure_ascii=False).encode("utf-16", "surrogatepass").decode("utf-16", "replace")
        return orjson.loads(text)
    except json.JSONDecodeError as error:
        if _breaks_off(error.msg, text[error.pos :].rstrip()):
            raise Unfinished("not JSON yet") from None
        raise
    except RecursionError:
        raise ValueError("nested too deeply") from None


def _breaks_off(message: str, rest: str) -> bool:
    """Whether a JSON text that is refused from *rest* on is fine as far as it goes."""
    if message.startswith("Unterminated string") or not rest:
        return True
    if message.startswith("Invalid"):
        return re.fullmatch(r"\\?u?[0-9a-fA-F]{0,4}", rest) is not None
    return message.startswith("Expecting value") and (
        rest == "-" or any(word.startswith(rest) for word in ("true", "false", "null"))
    )


class Unfinished(ValueError):
    """A JSON text that breaks off: it may become a value when the rest is written."""


@dataclass(frozen=True)
class Refusal:
    """Stands among records for what is missing of them, with the reason."""

    reason: str


def records_in(value: Any) -> list[Any] | None:
    """The records of a JSON value: itself, or those of a document, an array, or a query's saved answer.

    None where it holds none. A member may be no record: who makes rows of them says so.
    """
    if isinstance(value, dict):
        for key in ("tables", "Tables", "records", "responses"):
            inner = value.get(key)
            if isinstance(inner, list):
                found = inner if key == "records" else [record for member in inner for record in _answered(member)]
                failed = key != "records" and value.get("error")
                return [*found, Refusal("the answer of the query lacks rows")] if failed else found
        return _table_rows(value) if _is_answer(value) or "FrameType" in value else [value]
    if isinstance(value, list):
        found = [(member, records_in(member)) for member in value]
        return [record for member, records in found for record in ([member] if records is None else records)]
    return None


def _answered(value: Any) -> list[Any]:
    """The records of a table of an answer, or of one answer of a batch."""
    if isinstance(value, dict) and isinstance(value.get("body"), dict):
        return records_in(value["body"]) or []
    return _table_rows(value) if _is_answer(value) else [value]


def _is_answer(value: Any) -> bool:
    """Whether *value* is a table of an answer: of the query API, of Kusto's first or its second version."""
    return isinstance(value, dict) and all(
        any(isinstance(value.get(name), list) for name in (key, key.capitalize())) for key in ("columns", "rows")
    )


def _table_rows(table: dict[str, Any]) -> list[Any]:
    """The rows of an answer's table, each by its columns; none of Kusto's tables about the query itself."""
    if table.get("FrameType") and table.get("TableKind") != "PrimaryResult":
        return []
    columns = table.get("columns") or table.get("Columns") or []
    rows = table.get("rows") or table.get("Rows") or []
    names = [_name(column) for column in columns]
    return [
        dict(zip(names, row, strict=True))
        if isinstance(row, list) and len(row) == len(names)
        else Refusal(f"a row that does not have the answer's {len(names)} columns")
        for row in rows
    ]


def _name(column: Any) -> str:
    """An answer's column by its name."""
    if isinstance(column, dict):
        return str(column.get("name") or column.get("ColumnName") or "")
    return str(column)


class JsonReader:
    """The pieces of a JSON blob from *start* on: iterate; then ``position`` is where to go on another time.

    ``pending`` tells that the content ends with half a record, which starts at ``position``.
    """

    def __init__(self, content: Content, start: int = 0):
        self.position = start
        self.pending = False
        self._content = content

    def __iter__(self) -> Iterator[Piece]:
        spread = self._spread_document()
        if spread is not None:
            yield from spread
            return
        blocks = self._content.blocks(self.position)
        for position, line, size, ended in _lines(blocks, self.position, self._content.newline):
            if line is None:
                if not ended:
                    self.pending = True
                    return
                too_long = f"a line of {size} bytes is over the limit of {LINE_LIMIT}"
                self.position = position + size
                yield Piece(position, self.position, size, [], too_long)
                continue
            if position == 0:
                line = line.removeprefix(BOM)
            if b"\r" in line.strip() and not _is_json(line):
                pieces = _split_at_returns(position, line, ended)
            else:
                pieces = iter([(position, line, size, ended)])
            for piece in pieces:
                yield from self._piece(*piece)
                if self.pending:
                    return

    def _piece(self, position: int, line: bytes, size: int, ended: bool) -> Iterator[Piece]:
        """The piece of one line; none where it is blank, or half a record, which makes this ``pending``."""
        records: list[Any] | None = None
        reason: str | None = "not JSON"
        try:
            records = records_in(parse_json(line))
        except RecursionError:
            reason = "nested too deeply"
        except ValueError:
            if line.isspace() or not line:
                self.position = position + size if ended else position
                return
            if not ended:
                self.pending = True
                return
        else:
            if records is None and not ended:
                self.pending = True
                return
            reason = "not a JSON object" if records is None else None
        self.position = position + size
        yield Piece(position, self.position, size, records or [], reason)

    def _spread_document(self) -> Iterator[Piece] | None:
        """The one piece of a document that is written over several lines; None where this is none."""
        if self.position:
            return None
        newline = self._content.newline
        first, _, rest = self._content.head.removeprefix(BOM).lstrip().partition(newline)
        if not _SPREAD.fullmatch(first.rstrip()):
            return None
        # In such a document a line that is a record by itself is followed by a comma, unless it is the last.
        if any(_is_object(line) for line in rest.split(newline)[:-1]):
            return None
        return self._document()

    def _document(self) -> Iterator[Piece]:
        parts = []
        size = 0
        for block in self._content.blocks():
            size += len(block)
            if size <= DOCUMENT_LIMIT:
                parts.append(block)
        if size > DOCUMENT_LIMIT:
            self.position = size
            reason = f"a document of {size} bytes over several lines is over the limit of {DOCUMENT_LIMIT}"
            yield Piece(0, size, size, [], reason)
            return
        try:
            records = records_in(parse_json(b"".join(parts).removeprefix(BOM)))
        except Unfinished:
            self.pending = True
            return
        except (ValueError, RecursionError):
            self.position = size
            yield Piece(0, size, size, [], "a document over several lines that is not JSON")
            return
        self.position = size
        yield Piece(0, size, size, records or [], None if records is not None else "not a JSON object")


def _is_object(line: bytes) -> bool:
    try:
        return line.lstrip()[:1] == b"{" and isinstance(parse_json(line), dict)
    except ValueError:
        return False


def _is_json(line: bytes) -> bool:
    try:
        parse_json(line)
    except ValueError:
        return False
    return True


def _split_at_returns(position: int, line: bytes, ended: bool) -> Iterator[tuple[int, bytes, int, bool]]:
    """A line as the lines that carriage returns make of it: (position, line, size, whether it is ended)."""
    parts = line.split(b"\r")
    for number, part in enumerate(parts):
        last = number == len(parts) - 1
        size = len(part) + (ended or not last)
        if size:
            yield position, part, size, ended or not last
        position += size


def _lines(
    blocks: Iterator[bytes], start: int, newline: bytes = b"\n"
) -> Iterator[tuple[int, bytes | None, int, bool]]:
    """(position, line, size with its newline, whether it has one); the line is None where it is over its limit."""
    position = start
    kept: list[bytes] = []
    kept_size = 0
    limit = LINE_LIMIT
    too_long = False
    for block in blocks:
        lines = block.split(newline)
        last = lines.pop()
        for index, line in enumerate(lines):
            size = len(line) + 1
            if index == 0 and kept_size:
                size += kept_size
                kept.append(line)
                line = b"".join(kept)
                kept, kept_size = [], 0
            over = too_long or (size - 1 > LINE_LIMIT and not (_DOCUMENT.match(line) and size <= DOCUMENT_LIMIT))
            yield position, None if over else line, size, True
            position += size
            too_long = False
        if not last:
            continue
        if kept_size < 64:
            limit = DOCUMENT_LIMIT if _DOCUMENT.match(b"".join([*kept, last[:64]])) else LINE_LIMIT
        kept_size += len(last)
        too_long = too_long or kept_size > limit
        kept = [] if too_long else [*kept, last]
    if kept_size:
        yield position, None if too_long else b"".join(kept), kept_size, False


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
    for position, line, size, ended in _lines(blocks, 0, newline):
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
        return _plain(batch).to_pylist()
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
    """A batch as a table whose times are in microseconds: finer ones are cut, coarser ones must fit."""
    import pyarrow as pa

    columns = []
    for column in batch.columns:
        if pa.types.is_timestamp(column.type):
            fine = column.type.unit == "ns"
            column = column.cast(pa.timestamp("us", tz=column.type.tz), safe=not fine)
        columns.append(column)
    return pa.table(columns, names=batch.schema.names)
