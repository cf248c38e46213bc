"""Reading logs into the lake: incremental, exactly once, and safe to kill at any moment.

The work goes in batches. A batch's rows are staged in the lake, then an *intent* is written that says all the batch
does: its staged files, how far each blob was read, what was quarantined. From then on it is finished whatever
happens: the next ingest carries an intent out that it finds. Each step of that may be done twice without harm:
commits carry the batch's number as a Delta transaction, files are replaced whole.
"""

from __future__ import annotations

import time
from collections import Counter
from collections.abc import Callable, Sequence
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any

from aoai_analytics.errors import AoaiError, LogsError
from aoai_analytics.lake.blobs import Blob, Content, Unreadable, content_hash, find_blobs
from aoai_analytics.lake.cost_columns import dataset_of
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.journal import Batch, Journal, Position
from aoai_analytics.lake.pieces import JsonReader, Piece, Refusal
from aoai_analytics.lake.records import SHAPES, Misfit, OtherCategory, RowShape, is_told, table_of, to_row
from aoai_analytics.lake.rows import csv_pieces, header, parquet_pieces
from aoai_analytics.lake.secrets import redact
from aoai_analytics.lake.values import parse_time

#: Input bytes, and rows, after which a batch is committed. Memory is a small multiple of the bytes.
BATCH_BYTES = 64 << 20
BATCH_ROWS = 200_000
#: Input bytes between two calls of ``progress`` within a file.
TELL_BYTES = 8 << 20
#: Quarantine entries of one file in one run, and of one line; those that follow are one entry with a ``count``.
ENTRIES_OF_FILE = 1000
ENTRIES_OF_PIECE = 10
#: An incomplete record at the end of a file that was not written to for so many seconds will not be completed.
SETTLED_SECONDS = 86_400
#: Records of another time have a broken clock; Azure has no gateway log from before, and no partition may be
#: so far off that calendars end.
EARLIEST = parse_time("2015-01-01T00:00:00Z")
LATEST = parse_time("2100-01-01T00:00:00Z")


@dataclass(frozen=True)
class IngestProgress:
    """How far an ingest is: bytes of the files (as stored), and records."""

    bytes_done: int
    bytes_total: int
    records: int


@dataclass
class IngestSummary:
    """What an ingest did.

    ``files`` that were found; records that are ``new``, ``duplicate`` (all columns equal to a row of the lake),
    ``quarantined`` (no record, or one with a value that does not fit; a file that cannot be read counts one) or of
    ``other`` categories, which ``others`` counts by name; ``pending`` files that end with half a record, left for a
    later run; ``bytes`` of log text read, in ``seconds``; ``dates`` that got rows; ``problems``: one line for each
    file that could not be read.
    """

    files: int = 0
    new: int = 0
    duplicate: int = 0
    quarantined: int = 0
    other: int = 0
    others: dict[str, int] = field(default_factory=dict)
    pending: int = 0
    bytes: int = 0
    seconds: float = 0.0
    dates: list[str] = field(default_factory=list)
    problems: list[str] = field(default_factory=list)

    @property
    def records(self) -> int:
        """Everything that was read: new, duplicate, quarantined and other."""
        return self.new + self.duplicate + self.quarantined + self.other

    @property
    def megabytes_per_second(self) -> float:
        """Log text read a second, in units of 1,000,000 bytes; 0 where nothing was read."""
        return self.bytes / 1e6 / self.seconds if self.seconds else 0.0


def ingest(
    logs: Sequence[str | Path],
    lake: Lake,
    *,
    messages: bool = True,
    credential: Any = None,
    progress: Callable[[IngestProgress], None] | None = None,
) -> IngestSummary:
    """Reads what is new in *logs* (files, folders, places in Azure Storage: see ``find_blobs``) into *lake*.

    With ``messages=False`` no body and no message text reaches the lake; rows that then are equal in all columns
    (the chunks of one long message) are kept once.
    Raises LogsError where there is nothing to read or nothing could be read; SourceError for a storage that cannot be
    read; LakeError where the lake cannot be written or another process writes it. What was ingested before an error
    stays.
    """
    started = time.perf_counter()
    blobs = find_blobs(logs, credential)
    with lake.lock():
        run = _Run(lake, blobs, messages, progress)
        run.carry_out()
    run.summary.seconds = time.perf_counter() - started
    if blobs and run.unreadable == len(blobs):
        raise LogsError(f"none of {len(blobs)} files could be read; first error: {run.summary.problems[0]}")
    return run.summary


class _Run:
    """One ingest: the batch being filled, and what was done so far."""

    def __init__(
        self, lake: Lake, blobs: list[Blob], messages: bool, progress: Callable[[IngestProgress], None] | None
    ):
        self.lake = lake
        self.blobs = blobs
        self.messages = messages
        self.report = progress or (lambda _: None)
        self.summary = IngestSummary(files=len(blobs))
        self.unreadable = 0
        self.journal = Journal(lake)
        self.batch = self.journal.new_batch()
        self.bytes_before = 0
        self._untold = 0
        self._entries: Counter[str] = Counter()
        self.bytes_total = sum(blob.size for blob in blobs)

    def carry_out(self) -> None:
        unfinished = self.journal.recover()
        self.summary.problems += self.journal.problems
        if unfinished is not None:
            self._count(unfinished)
            self.batch = self.journal.new_batch()
        for blob in self.blobs:
            try:
                self._read(blob)
            except OSError as error:
                self._problem(blob, f"{error.strerror or type(error).__name__}; it is read when it can be")
                self.unreadable += 1
            except AoaiError:
                raise
            except Exception as error:
                # Whatever a file makes the readers do, the other files are read. Its message may quote the file.
                self._failed(blob, Position(blob.key), f"reading it fails with {type(error).__name__}")
                self._problem(blob, f"cannot be read: {type(error).__name__}; please report it, without the file")
                self.unreadable += 1
            self.bytes_before += blob.size
            self._tell(0)
        self._commit()

    def _count(self, batch: Batch) -> None:
        summary = self.summary
        summary.new += batch.new
        summary.duplicate += batch.duplicate
        summary.other += batch.other
        for name, count in batch.others.items():
            summary.others[name] = summary.others.get(name, 0) + count
        summary.quarantined += batch.quarantined
        summary.dates = sorted({*summary.dates, *batch.dates})

    def _tell(self, bytes_of_blob: int) -> None:
        records = self.summary.records + self.batch.records
        self.report(IngestProgress(self.bytes_before + bytes_of_blob, self.bytes_total, records))

    def _problem(self, blob: Blob, reason: str) -> None:
        self.summary.problems.append(f"{blob.name}: {reason}")

    def _read(self, blob: Blob) -> None:
        known = self.journal.unchanged(blob)
        if known is None:
            try:
                with Content(blob) as content:
                    known = self._read_content(blob, content)
            except Unreadable as error:
                known = self._failed(blob, Position(blob.key), str(error))
            self._note(blob, known)
        if known.pending:
            self.summary.pending += 1
            if time.time() - blob.modified / 1e9 > SETTLED_SECONDS:
                self._problem(blob, "ends with an incomplete record, and was not written to for a day")
        if known.failure:
            self._problem(blob, known.failure)
            self.unreadable += known.position == 0

    def _read_content(self, blob: Blob, content: Content) -> Position:
        if content.kind == "json":
            return self._read_json(blob, content)
        if not content.head:
            return Position(blob.key)
        if content.kind == "avro":
            raise Unreadable("Avro is not supported: capture the Event Hub as JSON")
        if content.kind == "unknown":
            _refuse_costs(header(content, {}))
            raise Unreadable("not a log: expected JSON, Parquet, or CSV with TimeGenerated")
        return self._read_rows(blob, content)

    def _read_json(self, blob: Blob, content: Content) -> Position:
        known = self.journal.continued(blob, content) or Position(blob.key)
        reader = JsonReader(content, known.position)
        try:
            for piece in reader:
                self._take(blob, piece, content)
                if self.batch.is_full(BATCH_BYTES, BATCH_ROWS):
                    self._note(blob, self.journal.reached(blob, content, reader.position), whole=False)
                    self._commit()
        except Unreadable as error:
            # The line that the content breaks off in was not taken: it is read if the file is ever completed.
            return self._failed(blob, self.journal.reached(blob, content, reader.position), str(error))
        return replace(self.journal.reached(blob, content, reader.position), pending=reader.pending)

    def _read_rows(self, blob: Blob, content: Content) -> Position:
        # Such files are written once and whole, so their content identifies them wherever they lie.
        known = self.journal.with_content(blob, content_hash(blob))
        pieces = csv_pieces if content.kind == "csv" else parquet_pieces
        try:
            for piece in pieces(content, known.position):
                if piece.position == 0 and piece.records and not is_told(piece.records[0], blob.hint):
                    _refuse_costs(header(content, piece.records[0]))
                    raise Unreadable("its columns do not match a gateway log")
                self._take(blob, piece, content, unit="row")
                known = replace(known, position=piece.end)
                if self.batch.is_full(BATCH_BYTES, BATCH_ROWS):
                    self._note(blob, known, whole=False)
                    self._commit()
        except Unreadable as error:
            return self._failed(blob, known, str(error))
        return known

    def _take(self, blob: Blob, piece: Piece, content: Content, unit: str = "byte") -> None:
        batch = self.batch
        batch.bytes += piece.size
        self.summary.bytes += piece.size
        if piece.reason is not None:
            self._quarantine(blob, piece, piece.reason, unit)
        bad = 0
        reason = ""
        for number, record in enumerate(piece.records):
            try:
                if isinstance(record, Refusal):
                    raise Misfit(record.reason)
                if not isinstance(record, dict):
                    raise Misfit("not a JSON object")
                shape = SHAPES[table_of(record, blob.hint).name]
                batch.add(shape.table.name, _in_time(to_row(record, shape, messages=self.messages), shape))
            except OtherCategory as category:
                batch.set_aside(str(category))
            except Misfit as error:
                bad += 1
                several = f" (record {number + 1} of {len(piece.records)})" if len(piece.records) > 1 else ""
                reason = f"{error}{several}"
                if bad <= ENTRIES_OF_PIECE:
                    self._quarantine(blob, piece, reason, unit)
        if bad > ENTRIES_OF_PIECE:
            self._quarantine(blob, piece, reason.partition(" (record ")[0], unit, bad - ENTRIES_OF_PIECE)
        self._untold += piece.size
        if self._untold >= TELL_BYTES:
            self._untold = 0
            self._tell(content.stored)

    def _quarantine(self, blob: Blob, piece: Piece, reason: str, unit: str, count: int = 1) -> None:
        place = {"file": redact(blob.name), "unit": unit, "offset": piece.position}
        entry = {**place, "length": piece.end - piece.position, "reason": redact(reason), "count": count}
        entries = self.batch.quarantine
        self._entries[blob.key] += 1
        if self._entries[blob.key] > ENTRIES_OF_FILE:
            last = entries[-1] if entries else None
            if last and last["file"] == entry["file"] and last.get("several"):
                last["length"] = piece.end - last["offset"]
                last["count"] += count
                return
            entry["several"] = True
        entries.append(entry)

    def _failed(self, blob: Blob, known: Position, reason: str) -> Position:
        """What is known of a blob that cannot be read from ``known.position`` on; the rest is quarantined."""
        place = {"file": redact(blob.name), "unit": "row" if known.content else "byte", "offset": known.position}
        self.batch.quarantine.append({**place, "length": None, "reason": reason, "count": 1})
        return replace(known, failure=reason)

    def _note(self, blob: Blob, known: Position, *, whole: bool = True) -> None:
        """Remembers how far a blob was read; only of a *whole* one that it need not be opened while unchanged."""
        if whole:
            known = replace(known, size=blob.size, modified=blob.modified)
        self.journal.note(self.batch, known)

    def _commit(self) -> None:
        done = self.journal.commit(self.batch)
        self._count(done)
        self.batch = self.journal.new_batch()


def _refuse_costs(columns: list[str]) -> None:
    """Raises Unreadable where these are the columns of a cost export."""
    if dataset_of(columns):
        raise Unreadable("a cost export, not a log; read it with 'aoai ingest costs'")


def _in_time(row: tuple[Any, ...], shape: RowShape) -> tuple[Any, ...]:
    """*row*, if all its times are within 2015-2100. Raises Misfit."""
    for index in shape.times:
        moment = row[index]
        if moment is not None and not EARLIEST <= moment < LATEST:
            raise Misfit(f"{shape.names[index]} is not within 2015 to 2099")
    return row
