"""What an ingest remembers beside the tables, in ``LAKE/_aoai/``.

``state.json``  how far each blob was read, the number of the last finished batch, and how many records of which
                other categories were met
``intent.json`` all that a batch does, from before its first effect until after its last
``quarantine/`` one file a batch, a JSON object a line: where each line lies that is no record, never what it says:
                ``file``, ``offset`` and ``length`` in ``unit`` (byte of the uncompressed content, or row; a length
                of null is the rest of the file), ``reason``
"""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, field, replace
from typing import Any

from aoai_analytics.errors import LakeError
from aoai_analytics.lake.blobs import Blob, Content
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.duplicates import without_known
from aoai_analytics.lake.records import SHAPES, to_arrow
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
        return sum(map(len, self.rows.values())) + self.duplicate + self.other + len(self.quarantine)

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
        return self.bytes >= most_bytes or sum(map(len, self.rows.values())) >= most_rows


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
        state = _load(self._state, "remove it, and the next ingest reads all logs again, dropping what is there")
        if state is not None:
            self._number = state["batch"]
            self._others = state.get("others", {})
            for entry in state["blobs"]:
                self._remember(Position(**entry))
        # Without its state file a lake still knows by its commits which batch numbers are taken.
        self._number = max(self._number, *(self.lake.transaction(name, APP_ID) or 0 for name in SHAPES))

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
        """Hashes that tell a content that was read up to *position* from others; empty where it is shorter."""
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
                fresh = without_known(self.lake, SHAPES[name], list(rows))
                batch.duplicate += len(rows) - len(fresh)
                batch.new += len(fresh)
                if fresh:
                    staged[name] = self.lake.stage(name, to_arrow(SHAPES[name], fresh))
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
        self._finish(_parse(_dump(intent)))
        return batch

    def recover(self) -> Batch | None:
        """Finishes the batch that a killed ingest left; gives it (without its rows), or None where there is none."""
        self._sweep()
        intent = _load(self._intent, "remove it, and run the ingest again")
        if intent is None:
            return None
        finished = self._state.exists() and intent["batch"] <= _load(self._state, "remove it")["batch"]
        if finished:
            self._intent.unlink()
            return None
        for entry in intent["blobs"]:
            self._remember(Position(**entry))
        self._finish(intent)
        return Batch(intent["batch"], quarantine=intent["quarantine"], **intent["counts"])

    def _finish(self, intent: dict[str, Any]) -> None:
        number = intent["batch"]
        for name, files in intent["staged"].items():
            staged = [StagedFile(**file) for file in files]
            self.lake.commit(name, staged, app_id=APP_ID, app_version=number)
        with writing(self.lake.path):
            if intent["quarantine"]:
                self._quarantine.mkdir(exist_ok=True)
                lines = b"".join(_dump(entry) + b"\n" for entry in intent["quarantine"])
                replace_file(self._quarantine / f"{number:012d}.jsonl", lines)
            blobs = [known for entries in self._positions.values() for known in entries.values()]
            others = dict(self._others)
            for name, count in intent["counts"].get("others", {}).items():
                others[name] = others.get(name, 0) + count
            replace_file(self._state, _dump({"batch": number, "blobs": blobs, "others": others}))
            self._others = others
            self._intent.unlink()
        self._number = number

    def _sweep(self) -> None:
        """Removes files that a killed ingest staged but never came to intend."""
        intent = _load(self._intent, "remove it, and run the ingest again") or {"staged": {}}
        with writing(self.lake.path):
            for name in SHAPES:
                self.lake.sweep(name, keep={file["path"] for file in intent["staged"].get(name, ())})

    def _not_quarantined(self, entries: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
        """Those that are not in the quarantine yet, as when a replaced blob is read anew."""
        if self._places is None:
            self._places = set()
            for file in sorted(self._quarantine.glob("*.jsonl")) if entries else ():
                for line in file.read_bytes().splitlines():
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
    """What the ingests of *lake* read and did not keep. Raises LakeError where their notes are damaged."""
    reasons: Counter[str] = Counter()
    for file in sorted((lake.folder / "quarantine").glob("*.jsonl")):
        for line in file.read_bytes().splitlines():
            # The same reason of one record among several names its number.
            reasons[_parse(line)["reason"].partition(" (record ")[0]] += 1
    state = _load(lake.folder / "state.json", "remove it, and the next ingest reads all logs again") or {}
    return SetAside(dict(reasons.most_common()), dict(Counter(state.get("others", {})).most_common()))


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


def _load(path: Any, advice: str) -> Any:
    """The JSON value in a file, or None where there is no file."""
    try:
        return _parse(path.read_bytes())
    except FileNotFoundError:
        return None
    except ValueError:
        raise LakeError(f"{path} is damaged; {advice}") from None
    except OSError as error:
        raise LakeError(f"cannot read {path}: {error.strerror}") from error
