"""Log files -> records, each with the place it was read from.

Nothing is ever held whole but one record, or one document: JSON lines over ``LINE_LIMIT`` and documents over
``DOCUMENT_LIMIT`` are skipped and reported by their place.

Positions: for JSON a byte offset in the (uncompressed) content, always just after a complete line or record, so
that a blob which grows is read on from there; for CSV and Parquet the number of rows read.
"""

from __future__ import annotations

import re
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any, NamedTuple

from aoai_analytics.lake.blobs import BOM, Content
from aoai_analytics.lake.metrics import metric_records

LINE_LIMIT = 16 << 20
DOCUMENT_LIMIT = 256 << 20

_BLANKS = re.compile(r"\s*")
_DOCUMENT = re.compile(rb'\s*(?:\{\s*"(?:records|[tT]ables|responses)"\s*:|\[)')
# The first line of a document that is spread over several lines.
_LISTED = rb'\{\s*"(?:records|[tT]ables|responses)"\s*:'
_SPREAD = re.compile(rb"(?:\{|" + _LISTED + rb"|(?:" + _LISTED + rb"\s*)?\[\s*(?:\{|\{.*\}\s*,)?)")


class Piece(NamedTuple):
    """The records of one line, document or CSV row, or the reason why there are none.

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
        if (points := metric_records(value)) is not None:
            return points
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

    ``pending``: the content ends with an incomplete record that starts at ``position``.
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
        for position, line, size, ended in lines_in(blocks, self.position, self._content.newline):
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
            if b"\r" in line.strip() and not _is_json(line) and any(map(_is_object, line.split(b"\r"))):
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
            records = _side_by_side(line)
            if records is None and not ended:
                self.pending = True
                return
            reason = reason if records is None else None
        else:
            if records is None and not ended:
                self.pending = True
                return
            reason = "not a JSON object" if records is None else None
        self.position = position + size
        yield Piece(position, self.position, size, records or [], reason)

    def _spread_document(self) -> Iterator[Piece] | None:
        """The single piece of a document written over several lines; None if it is not one."""
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


def _side_by_side(line: bytes) -> list[Any] | None:
    """The records of several JSON values one after another on a line, as who drains an Event Hub may write them."""
    text = line.decode("utf-8", "replace").strip()
    if "}{" not in text and "} {" not in text:
        return None
    import json

    decoder = json.JSONDecoder()
    found: list[Any] = []
    at = 0
    try:
        while at < len(text):
            begin = at
            _, at = decoder.raw_decode(text, begin)
            records = records_in(parse_json(text[begin:at].encode()))
            if records is None:
                return None
            found += records
            blanks = _BLANKS.match(text, at)
            at = blanks.end() if blanks else at
    except (ValueError, RecursionError):
        return None
    return found


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


def lines_in(
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
