"""What an ingest remembers beside the tables, in ``LAKE/_aoai/``.

``state.json``  how far each blob was read, the number of the last finished batch, and how many records of which
                other categories were met
``intent.json`` all that a batch does, from before its first effect until after its last
``quarantine/`` one file a batch, a JSON object a line: where each line lies that is no record, never what it says:
                ``file``, ``offset`` and ``length`` in ``unit`` (byte of the uncompressed content, or row; a length
                of null is the rest of the file), ``reason``, and the ``count`` of records there

A state or an intent that is damaged, or one that the tables lag behind (a disk that lost its last writes, a table
restored from a backup), costs no row: the files concerned are read again, and what is there already is dropped.
"""

from __future__ import annotations

import hashlib
import os
from collections import Counter
from collections.abc import Iterator
from contextlib import suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aoai_analytics.errors import LakeError
from aoai_analytics.lake.blobs import Blob, Content
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.duplicates import without_known
from aoai_analytics.lake.records import SHAPES, RowShape, to_arrow
from aoai_analytics.lake.rewriting import finish
from aoai_analytics.lake.secrets import redact_columns
from aoai_analytics.lake.values import encodable
from aoai_analytics.lake.writing import StagedFile, replace_file, writing

APP_ID = "aoai-ingest"
#: Bytes at a blob's beginning, and just before the place it was read to, that must be the same to read on there.
PREFIX = 4096
BEFORE = 256


@dataclass(frozen=True)
class Position:
    """How far a blob was read.

    ``position`` is in bytes, in rows for CSV and Parquet (known by ``content``, a hash of all of it). ``prefix`` and
    ``before`` are hashes of the bytes that identify a blob. ``size`` and ``modified`` are of the file when it was read
    to its end, -1 before. ``pending``: it ended in half a record; ``failure``: why it cannot be read further.
    """

    key: str
    position: int = 0
    prefix: str = ""
    before: str = ""
    content: str = ""
    size: int = -1
    modified: int = -1
    pending: bool = False
    failure: str = ""
    #: The last batch that took rows of it; 0 where a former version wrote it.
    batch: int = 0


@dataclass
class Batch:
    """Rows to be committed together, and what was met on the way. ``rows`` are ordered and each there once."""

    number: int
    rows: dict[str, dict[tuple[Any, ...], None]] = field(default_factory=lambda: {name: {} for name in SHAPES})
    positions: dict[tuple[str, str], Position] = field(default_factory=dict)
    quarantine: list[dict[str, Any]] = field(default_factory=list)
    bytes: int = 0
    new: int = 0
    duplicate: int = 0
    other: int = 0
    others: dict[str, int] = field(default_factory=dict)
    dates: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        """What the batch holds and has met so far."""
        return sum(map(len, self.rows.values())) + self.duplicate + self.other + self.quarantined

    @property
    def quarantined(self) -> int:
        """The number of quarantined records."""
        return sum(entry.get("count", 1) for entry in self.quarantine)

    def add(self, table_name: str, row: tuple[Any, ...]) -> None:
        """Takes a row, or counts it as a duplicate."""
        rows = self.rows[table_name]
        if row in rows:
            self.duplicate += 1
        else:
            rows[row] = None

    def set_aside(self, category: str) -> None:
        """Counts a record of a category that the lake does not keep."""
        self.other += 1
        self.others[category] = self.others.get(category, 0) + 1

    def is_full(self, most_bytes: int, most_rows: int) -> bool:
        rows = sum(map(len, self.rows.values())) + len(self.quarantine)
        return self.bytes >= most_bytes or rows >= most_rows


class Journal:
    """The memory of a lake's ingests. Use it only while holding the lake's lock."""

    def __init__(self, lake: Lake):
        self.lake = lake
        self._state = lake.folder / "state.json"
        self._intent = lake.folder / "intent.json"
        self._quarantine = lake.folder / "quarantine"
        self._number = 0
        self._positions: dict[str, dict[str, Position]] = {}
        self._by_content: dict[str, Position] = {}
        self._places: set[tuple[Any, ...]] | None = None
        self._others: dict[str, int] = {}
        #: One line for each thing about the lake's own files that somebody should know.
        self.problems: list[str] = []
        #: The number of the last batch that brought each table rows.
        self._committed: dict[str, int] = {}
        state = self._read(self._state)
        if state is not None:
            self._number = state["batch"]
            self._others = state["others"]
            self._committed = state["committed"]
            for known in state["blobs"]:
                self._remember(known)
        # Without its state file a lake still knows by its commits which batch numbers are taken.
        there = {name: self.lake.transaction(name, APP_ID) or 0 for name in SHAPES}
        self._number = max(self._number, *there.values())
        self._forget_lost(there)

    def _forget_lost(self, there: dict[str, int]) -> None:
        """Marks files to be read again if a table lost their rows: its last batch differs from the remembered one."""
        lost = {name: there[name] for name, number in self._committed.items() if there.get(name, 0) < number}
        if not lost:
            return
        since = min(lost.values())
        names = ", ".join(sorted(lost))
        self.problems.append(f"{names}: the last writes are missing; the files they came from are read again")
        self._committed |= lost
        for key, entries in list(self._positions.items()):
            kept = {prefix: known for prefix, known in entries.items() if 0 < known.batch <= since}
            self._positions[key] = kept
        self._by_content = {content: known for content, known in self._by_content.items() if 0 < known.batch <= since}

    def new_batch(self) -> Batch:
        return Batch(self._number + 1)

    # How far blobs were read

    def _remember(self, known: Position) -> None:
        self._positions.setdefault(known.key, {})[known.prefix] = known
        if known.content:
            self._by_content[known.content] = known

    def note(self, batch: Batch, known: Position) -> None:
        """Remembers a position; it is kept when the batch is committed."""
        if known.position == 0 and known.size < 0:
            return
        known = replace(known, batch=batch.number)
        self._remember(known)
        batch.positions[known.key, known.prefix] = known

    def unchanged(self, blob: Blob) -> Position | None:
        """What is known of a blob that is as it was when last read to its end."""
        for known in self._positions.get(blob.key, {}).values():
            if (known.size, known.modified) == (blob.size, blob.modified):
                return known
        return None

    def continued(self, blob: Blob, content: Content) -> Position | None:
        """How far an earlier, shorter state of this very content was read; None where it is new or was replaced."""
        best = None
        for known in self._positions.get(blob.key, {}).values():
            if known.content or not known.position or (best and best.position >= known.position):
                continue
            if self._marks(content, known.position) == (known.prefix, known.before):
                best = known
        return best and replace(best, failure="", pending=False)

    def reached(self, blob: Blob, content: Content, position: int) -> Position:
        """The Position that says this content was read up to *position*."""
        prefix, before = self._marks(content, position) if position else ("", "")
        return Position(blob.key, position, prefix, before)

    def with_content(self, blob: Blob, content: str) -> Position:
        """How far a file of this very content was read, here or elsewhere."""
        known = self._by_content.get(content)
        return replace(known or Position(blob.key, content=content), key=blob.key, failure="", pending=False)

    @staticmethod
    def _marks(content: Content, position: int) -> tuple[str, str]:
        """Hashes that identify content read up to *position*; empty if the content is shorter."""
        before = content.before(position, BEFORE)
        if len(before) != min(position, BEFORE):
            return "", ""
        # Of a short blob all that was read identifies it; its size says how much that was.
        size = min(position, PREFIX)
        return f"{size}:{_hash(content.head[:size])}", _hash(before)

    # Batches

    def commit(self, batch: Batch) -> Batch:
        """Carries a batch out, exactly once, and gives it back with its counts."""
        staged: dict[str, list[StagedFile]] = {}
        try:
            for name, rows in batch.rows.items():
                shape = SHAPES[name]
                clean, table = _redacted(list(rows), shape)
                fresh = without_known(self.lake, shape, clean)
                batch.duplicate += len(rows) - len(fresh)
                batch.new += len(fresh)
                if fresh:
                    table = table if len(fresh) == len(clean) else to_arrow(shape, fresh)
                    staged[name] = self.lake.stage(name, table)
        except BaseException:
            for name, files in staged.items():
                self.lake.discard(name, files)
            raise
        batch.dates = sorted({file.date for files in staged.values() for file in files})
        batch.quarantine = list(self._not_quarantined(batch.quarantine))
        if not (staged or batch.positions or batch.quarantine):
            return batch
        intent = {
            "batch": batch.number,
            "staged": staged,
            "blobs": list(batch.positions.values()),
            "quarantine": batch.quarantine,
            "counts": {
                "new": batch.new,
                "duplicate": batch.duplicate,
                "other": batch.other,
                "others": batch.others,
                "dates": batch.dates,
            },
        }
        with writing(self.lake.path):
            replace_file(self._intent, _dump(intent))
        self._finish(intent)
        return batch

    def recover(self) -> Batch | None:
        """Finishes the batch that a killed ingest left and returns it (without its rows), or None if there is none."""
        finish(self.lake)
        self._sweep()
        intent = self._read(self._intent)
        if intent is None:
            return None
        state = self._read(self._state)
        if state is not None and intent["batch"] <= state["batch"]:
            self._intent.unlink()
            return None
        for known in intent["blobs"]:
            self._remember(known)
        self._finish(intent)
        return Batch(intent["batch"], quarantine=intent["quarantine"], **intent["counts"])

    def _finish(self, intent: dict[str, Any]) -> None:
        number = intent["batch"]
        for name, files in intent["staged"].items():
            self.lake.commit(name, files, app_id=APP_ID, app_version=number)
            if files:
                self._committed[name] = number
        with writing(self.lake.path):
            if intent["quarantine"]:
                self._quarantine.mkdir(exist_ok=True)
                lines = b"".join(_dump(entry) + b"\n" for entry in intent["quarantine"])
                replace_file(self._quarantine / f"{number:012d}.jsonl", lines)
            blobs = [known for entries in self._positions.values() for known in entries.values()]
            others = dict(self._others)
            for name, count in intent["counts"].get("others", {}).items():
                others[name] = others.get(name, 0) + count
            state = {"batch": number, "committed": self._committed, "blobs": blobs, "others": others}
            replace_file(self._state, _dump(state))
            self._others = others
            self._intent.unlink()
        self._number = number

    def _sweep(self) -> None:
        """Removes files that a killed ingest staged but never came to intend."""
        intent = self._read(self._intent) or {"staged": {}}
        with writing(self.lake.path):
            for leftover in self.lake.folder.glob("*.new"):
                leftover.unlink(missing_ok=True)
            for name in SHAPES:
                self.lake.sweep(name, keep={file.path for file in intent["staged"].get(name, ())})

    def _read(self, path: Path) -> dict[str, Any] | None:
        """The state or intent stored in a file; None if the file is missing or damaged (a damaged one is set aside)."""
        content = _load(path)
        if content is None:
            return None
        try:
            return _checked(_parse(content))
        except (ValueError, KeyError, TypeError, AttributeError):
            aside = path.with_name(f"{path.name}.damaged")
            with writing(self.lake.path):
                os.replace(path, aside)
            self.problems.append(f"{path} is damaged, and is now {aside.name}; the logs that are there are read again")
            return None

    def _not_quarantined(self, entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Those that are not in the quarantine yet, as when a replaced blob is read anew."""
        if self._places is None:
            self._places = set()
            for file in sorted(self._quarantine.glob("*.jsonl")) if entries else ():
                for line in file.read_bytes().splitlines():
                    # A line that says nothing costs no more than an entry that is there twice.
                    with suppress(ValueError, KeyError, TypeError):
                        self._places.add(_place(_parse(line)))
        for entry in entries:
            if _place(entry) not in self._places:
                self._places.add(_place(entry))
                yield entry


@dataclass(frozen=True)
class SetAside:
    """What of the logs is in no table: records that are ``quarantined``, by reason, and of ``other`` categories, by
    name."""

    quarantined: dict[str, int]
    other: dict[str, int]


def set_aside(lake: Lake) -> SetAside:
    """What the ingests of *lake* read and did not keep. Raises LakeError where their notes cannot be read."""
    reasons: Counter[str] = Counter()
    for file in sorted((lake.folder / "quarantine").glob("*.jsonl")):
        for line in file.read_bytes().splitlines():
            try:
                entry = _parse(line)
                # The same reason of one record among several names its number.
                reasons[entry["reason"].partition(" (record ")[0]] += entry.get("count", 1)
            except (ValueError, KeyError, TypeError, AttributeError):
                reasons["a damaged entry of the quarantine"] += 1
    content = _load(lake.folder / "state.json")
    try:
        others = Counter(_checked(_parse(content))["others"] if content else {})
    except (ValueError, KeyError, TypeError, AttributeError):
        others = Counter()
    return SetAside(dict(reasons.most_common()), dict(others.most_common()))


def _place(entry: dict[str, Any]) -> tuple[Any, ...]:
    return entry["file"], entry["offset"], entry["length"], entry["reason"]


def _hash(content: bytes) -> str:
    return hashlib.blake2b(content, digest_size=12).hexdigest()


def _dump(value: Any) -> bytes:
    """JSON; dataclasses become objects of their fields."""
    import orjson

    return orjson.dumps(value)


def _parse(content: bytes) -> Any:
    import orjson

    return orjson.loads(content)


def _load(path: Path) -> bytes | None:
    """A file's content, or None if it does not exist."""
    try:
        return path.read_bytes()
    except FileNotFoundError:
        return None
    except OSError as error:
        raise LakeError(f"cannot read {path}: {error.strerror}") from error


def _checked(value: Any) -> dict[str, Any]:
    """A state or an intent as this module keeps it. Raises ValueError, KeyError, TypeError, AttributeError."""
    if type(value["batch"]) is not int:
        raise TypeError("batch")
    found = dict(value)
    found["blobs"] = [_position(entry) for entry in value["blobs"]]
    found["others"] = {str(name): int(number) for name, number in value.get("others", {}).items()}
    found["committed"] = {name: int(number) for name, number in value.get("committed", {}).items() if name in SHAPES}
    if "staged" in value:
        found["staged"] = {
            name: [StagedFile(**file) for file in files] for name, files in value["staged"].items() if name in SHAPES
        }
        counts = value["counts"]
        found["counts"] = {key: counts[key] for key in ("new", "duplicate", "other", "dates")}
        found["counts"]["others"] = dict(counts.get("others", {}))
        found["quarantine"] = [dict(entry) for entry in value["quarantine"]]
    return found


def _position(entry: Any) -> Position:
    known = Position(**entry)
    texts = (known.key, known.prefix, known.before, known.content, known.failure)
    numbers = (known.position, known.size, known.modified, known.batch)
    if not all(type(text) is str for text in texts) or not all(type(number) is int for number in numbers):
        raise TypeError("position")
    return known


def _redacted(rows: list[tuple[Any, ...]], shape: RowShape) -> tuple[list[tuple[Any, ...]], Any]:
    """*rows* without the credentials in them, each once, and as an Arrow table."""
    try:
        table = to_arrow(shape, rows)
    except UnicodeEncodeError:  # half of a surrogate pair, which no file can hold
        rows = [tuple(encodable(value) if isinstance(value, str) else value for value in row) for row in rows]
        table = to_arrow(shape, rows)
    table, changed = redact_columns(table, but=("CorrelationId", "date"))
    if not changed:
        return rows, table
    import pyarrow as pa

    clean = table.take(pa.array(changed, pa.int64()))
    # The columns of a shape stand in the table's order; only texts can have changed.
    places = [i for i in range(len(shape.names)) if pa.types.is_string(clean.schema.field(i).type)]
    columns = [clean.column(i).to_pylist() for i in places]
    rows = list(rows)
    for number, row in enumerate(changed):
        values = list(rows[row])
        for place, column in zip(places, columns, strict=True):
            values[place] = column[number]
        rows[row] = tuple(values)
    once = list(dict.fromkeys(rows))
    return once, table if len(once) == len(rows) else to_arrow(shape, once)
