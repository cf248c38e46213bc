"""The lake: Delta tables of logs, and of what is computed from them, in one folder.

``LAKE/<table>/`` are Delta tables partitioned by ``date``; ``LAKE/_aoai/`` holds the lake's own files. A write is
made in two steps, *stage* (Parquet files that no reader sees yet) and *commit* (one Delta log entry), so that an
ingest can finish after a kill what it had staged. Within a date, files in the order of their names and rows in
the order they stand give the order of the log.

Which dates a computed table must be recomputed for is kept in its own commits: see ``freshness``.
"""

from __future__ import annotations

import json
import time
from collections.abc import Callable, Collection, Iterable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aoai_analytics.errors import LakeError, UnknownName
from aoai_analytics.lake import freshness
from aoai_analytics.lake.freshness import COMPUTED, LogFiles, Stale, added_files
from aoai_analytics.lake.writing import (
    STATISTICS,
    StagedFile,
    private_folder,
    refuse_escapes,
    replace_file,
    stage_file,
    staged_path,
    staged_version,
    widened,
    writing,
)
from aoai_analytics.schema.table import Table
from aoai_analytics.schema.tables import TABLES

if TYPE_CHECKING:
    import pyarrow as pa
    from deltalake import DeltaTable

FORMAT = 1
FOLDER = "_aoai"
#: How long a table's log entries are kept that a checkpoint has replaced.
_LOG_KEPT, _LOG_KEPT_FOR = "delta.logRetentionDuration", "interval 2 days"


class Lake:
    """A lake in the folder *path*. Raises LakeError if it is not a lake or was written by a newer version."""

    def __init__(self, path: Path | str):
        self.path = Path(path).absolute()
        self.folder = self.path / FOLDER
        marker = self.folder / "lake.json"
        try:
            found = json.loads(marker.read_bytes())
            version = int(found["format"])
        except (FileNotFoundError, NotADirectoryError):
            raise LakeError(f"{path} is not a lake; create one with: aoai ingest LOGS --lake {path}") from None
        except (ValueError, KeyError, TypeError):
            raise LakeError(f"{marker} is damaged; ingest the logs into a new folder") from None
        except OSError as error:
            raise LakeError(f"cannot open the lake {path}: {error.strerror}") from error
        if version > FORMAT:
            raise LakeError(f"the lake {path} has format {version}, not {FORMAT}: upgrade aoai-analytics")
        self._locked = 0

    @classmethod
    def create(cls, path: Path | str) -> Lake:
        """Opens the lake at *path*; creates an empty one first if needed."""
        root = Path(path).absolute()
        refuse_escapes(root)
        marker = root / FOLDER / "lake.json"
        if not marker.exists():
            with writing(root):
                private_folder(root)
                marker.parent.mkdir(parents=True, exist_ok=True)
                replace_file(marker, json.dumps({"format": FORMAT}).encode() + b"\n")
        return cls(path)

    @contextmanager
    def lock(self, *, wait: float = 0) -> Iterator[None]:
        """Holds the lake's one writing place, also nested; raises LakeError where another has it for *wait* seconds."""
        if self._locked:
            self._locked += 1
            try:
                yield
            finally:
                self._locked -= 1
            return
        from filelock import FileLock, Timeout

        with writing(self.path):
            # The operating system frees the lock of a killed holder; a file that only says so would stay.
            lock = FileLock(self.folder / "lock", wait, thread_local=False, poll_interval=0.1, fallback_to_soft=False)
            try:
                held = lock.acquire()
            except Timeout:
                raise LakeError(f"another process is writing to {self.path}; try again later") from None
        with held:
            self._locked = 1
            try:
                yield
            finally:
                self._locked = 0

    # Reading

    def _table(self, name: str) -> Table:
        if name not in TABLES:
            raise UnknownName(f"the lake has no table {name}; it has {', '.join(TABLES)}")
        return TABLES[name]

    def _delta(self, name: str) -> DeltaTable | None:
        """The table's present snapshot, or None where it was never written."""
        from deltalake import DeltaTable
        from deltalake.exceptions import DeltaError, TableNotFoundError

        folder = self.path / self._table(name).name
        if not self.has(name):
            return None
        try:
            return DeltaTable(str(folder))
        except TableNotFoundError:
            return None
        except (DeltaError, OSError) as error:
            reason = (str(error).splitlines() or [""])[0][:200]
            raise LakeError(f"cannot read the table {folder}: {reason}") from error

    def files(self, table_name: str, dates: tuple[str, str] | None = None) -> list[str]:
        """Absolute paths of the Parquet files of one snapshot, in log order; [] where the table does not exist.

        With *dates* (first, last; inclusive) only those of these partitions. ``date`` stands in the path
        (``date=2026-10-31/``), not in the files.
        """
        return self.overlapping(table_name, dates)

    def overlapping(
        self, table_name: str, dates: tuple[str, str] | None = None, times: tuple[int, int] | None = None
    ) -> list[str]:
        """As ``files``, but only those that may hold a TimeGenerated within *times* (microseconds, inclusive)."""
        delta = self._delta(table_name)
        if delta is None:
            return []
        found = []
        for added in added_files(delta):
            day = added["partition.date"]
            if dates and not dates[0] <= day <= dates[1]:
                continue
            first, last = added.get("min.TimeGenerated"), added.get("max.TimeGenerated")
            # Statistics may be cut to milliseconds, so a millisecond more is let through.
            if times and first and last and (_micros(first) > times[1] + 1000 or _micros(last) < times[0] - 1000):
                continue
            path = unquote(added["path"])
            found.append((day, path))
        folder = self.path / table_name
        return [str(folder / path) for _, path in sorted(found)]

    def has(self, table_name: str) -> bool:
        """Whether the table was ever written."""
        return (self.path / table_name / "_delta_log").is_dir()

    def added(self, table_name: str) -> list[dict[str, Any]]:
        """A table's files as its Delta log describes them, see ``freshness.added_files``."""
        delta = self._delta(table_name)
        return [] if delta is None else added_files(delta)

    def dates(self, table_name: str) -> list[str]:
        """The dates the table has rows of, in order."""
        delta = self._delta(table_name)
        return [] if delta is None else sorted({added["partition.date"] for added in added_files(delta)})

    def transaction(self, table_name: str, app_id: str) -> int | None:
        """The last ``app_version`` that *app_id* committed to the table; None where it never did."""
        delta = self._delta(table_name)
        return None if delta is None else delta.transaction_version(app_id)

    def transactions(self, table_name: str, app_ids: Iterable[str]) -> dict[str, int]:
        """As ``transaction``, for many of one snapshot; ids that never committed are left out."""
        delta = self._delta(table_name)
        found = {} if delta is None else {app_id: delta.transaction_version(app_id) for app_id in app_ids}
        return {app_id: version for app_id, version in found.items() if version is not None}

    # Writing

    def stage(self, table_name: str, rows: pa.Table) -> list[StagedFile]:
        """Writes *rows* (the table's columns and ``date``) as files no reader sees until ``commit``.

        One file a date; within it rows are ordered by TimeGenerated, equal ones as given.
        """
        import pyarrow.compute as pc

        table = self._table(table_name)
        rows = rows.select(table.arrow_schema().names).cast(table.arrow_schema())
        delta = self._delta(table_name)
        version = 0 if delta is None else delta.version() + 1
        staged = []
        for day in sorted(pc.unique(rows["date"]).to_pylist()):
            part = rows.filter(pc.equal(rows["date"], day)).drop_columns(["date"])
            staged.append(stage_file(self.path / table.name, part, staged_path(day, version)))
        return staged

    def commit(
        self,
        table_name: str,
        staged: Sequence[StagedFile],
        *,
        app_id: str | None = None,
        app_version: int | None = None,
        replace: Sequence[str] | None = None,
        remove: Collection[str] = (),
        note: Callable[[DeltaTable], dict[str, str]] | None = None,
        marks: Mapping[str, int] | None = None,
        same_rows: bool = False,
    ) -> int | None:
        """Makes staged files part of the table, in one atomic step; gives the table's new version.

        With *replace*, the rows that these dates have are replaced; *remove* are paths (as ``files`` gives them) of
        files that leave the table. With *same_rows* the commit is marked as not changing data.
        *note* gives the commit's metadata, where not the former's stays. A commit of an *app_id* whose *app_version* is
        not above the last one was made already: then nothing happens, and None is given. *marks* are numbers that
        ``transaction`` gives from then on for these ids.
        """
        from deltalake import CommitProperties, DeltaTable, Transaction
        from deltalake.transaction import AddAction, RemoveAction

        table = self._table(table_name)
        schema = table.arrow_schema()
        folder = self.path / table_name
        delta = self._delta(table_name)
        with writing(self.path):
            if delta is None:
                folder.mkdir(parents=True, exist_ok=True)
                configuration = {"delta.dataSkippingStatsColumns": ",".join(STATISTICS)}
                delta = DeltaTable.create(
                    str(folder), schema, mode="ignore", partition_by=["date"], configuration=configuration
                )
            transactions = None
            if app_id is not None and app_version is not None:
                last = delta.transaction_version(app_id)
                if last is not None and last >= app_version:
                    return None
                transactions = [Transaction(app_id, app_version)]
            if marks:
                transactions = [*(transactions or ()), *(Transaction(name, number) for name, number in marks.items())]
            known = {field.name for field in delta.schema().fields}
            missing = [field for field in _delta_fields(schema) if field.name not in known]
            if missing:
                delta.alter.add_columns(missing)
            now = int(time.time() * 1000)
            actions: list[Any] = [
                AddAction(file.path, file.size, {"date": file.date}, now, not same_rows, file.statistics)
                for file in staged
            ]
            replaced, removed = set(replace or ()), {Path(path).name for path in remove}
            for added in added_files(delta) if replaced or removed else ():
                if added["partition.date"] in replaced or unquote(added["path"]).rpartition("/")[2] in removed:
                    actions.append(
                        RemoveAction(
                            path=added["path"],
                            data_change=not same_rows,
                            deletion_timestamp=now,
                            partition_values={"date": added["partition.date"]},
                            size=added["size_bytes"],
                        )
                    )
            notes = (note or freshness.repeated_note)(delta)
            delta.create_write_transaction(
                actions,
                mode="append",
                schema=schema,
                partition_by=["date"],
                commit_properties=CommitProperties(
                    custom_metadata=notes, app_transactions=transactions, max_commit_retries=0
                ),
            )
            return delta.version()

    def append(
        self, table_name: str, rows: pa.Table, *, app_id: str | None = None, app_version: int | None = None
    ) -> int | None:
        """Adds rows in one atomic commit; see ``commit`` for *app_id* and *app_version*. Raises LakeError."""
        staged = self.stage(table_name, rows)
        version = self.commit(table_name, staged, app_id=app_id, app_version=app_version)
        if version is None:
            self.discard(table_name, staged)
        return version

    def replace_dates(
        self,
        table_name: str,
        rows: pa.Table,
        dates: list[str],
        *,
        computed_from: LogFiles | None = None,
        functions: str | None = None,
        unchanged: Collection[str] = (),
    ) -> None:
        """Replaces all rows of *dates* with *rows* (possibly none, all within these dates) in one atomic commit.

        Dates that are *unchanged* keep their files: their rows are those already.

        For a computed table, *computed_from* is what ``log_files`` gave **before** the log tables were read; with it
        these dates are up to date. *functions* names the version of the KQL functions. Raises LakeError.
        """
        import pyarrow as pa
        import pyarrow.compute as pc

        strange = set(pc.unique(rows["date"]).to_pylist()) - set(dates)
        if strange:
            names = ", ".join(sorted(map(str, strange)))
            raise LakeError(f"{table_name} got rows for {names}, which are not among the dates to replace")
        note = self._note(table_name, dates, computed_from, functions)
        if unchanged:
            rows = rows.filter(pc.invert(pc.is_in(rows["date"], pa.array(list(unchanged), pa.string()))))
        staged = self.stage(table_name, rows)
        self.commit(table_name, staged, replace=[day for day in dates if day not in unchanged], note=note)

    def replace_requests(
        self,
        table_name: str,
        rows: pa.Table,
        dates: list[str],
        ids: Collection[str],
        *,
        computed_from: LogFiles,
        functions: str | None = None,
    ) -> None:
        """As ``replace_dates``, but of *dates* only the rows of the requests *ids* (CorrelationId) are replaced.

        Files without such a row stay as they are, so that it costs as much as there is new.
        """
        import pyarrow as pa
        import pyarrow.compute as pc
        import pyarrow.parquet as pq

        wanted = pa.array(list(ids), pa.string())
        remove, kept = [], []
        for path in self.files(table_name, (min(dates), max(dates))) if len(wanted) else ():
            day = path.rpartition("/date=")[2].partition("/")[0]
            if day not in dates:
                continue
            has = pc.is_in(pq.read_table(path, columns=["CorrelationId"], partitioning=None)["CorrelationId"], wanted)
            if pc.any(has).as_py():
                remove.append(path)
                others = pq.read_table(path, partitioning=None).filter(pc.invert(has))
                kept.append(others.append_column("date", pa.repeat(day, others.num_rows)))
        schema = self._table(table_name).arrow_schema()
        parts = [rows.select(schema.names).cast(schema), *(widened(part, schema) for part in kept)]
        note = self._note(table_name, dates, computed_from, functions)
        self.commit(table_name, self.stage(table_name, pa.concat_tables(parts)), remove=remove, note=note)

    @staticmethod
    def _note(table_name: str, dates: list[str], files: LogFiles | None, functions: str | None) -> Any:
        if files is None:
            return None
        return lambda delta: freshness.commit_note(delta, table_name, dates, files, functions)

    def discard(self, table_name: str, staged: Sequence[StagedFile]) -> None:
        """Removes staged files that will not be committed."""
        for file in staged:
            (self.path / table_name / file.path).unlink(missing_ok=True)

    def sweep(self, table_name: str, keep: set[str]) -> None:
        """Removes files that were staged after the table's last commit, but those in *keep*.

        Call it only while holding the lock. No reader can know these files.
        """
        delta = self._delta(table_name)
        version = -1 if delta is None else delta.version()
        used = keep | ({unquote(added["path"]) for added in added_files(delta)} if delta else set())
        for file in (self.path / table_name).glob("date=*/part-*.parquet"):
            path = file.relative_to(self.path / table_name).as_posix()
            if path not in used and staged_version(path) > version:
                file.unlink(missing_ok=True)

    def vacuum(self, *, hours: int = 168) -> int:
        """Removes files that no snapshot of the last *hours* uses, and gives their number. Raises LakeError.

        Recomputed dates leave their former files behind; a reader may still be at them, so keep the hours long.
        """
        removed = 0
        with self.lock(), writing(self.path):
            for name in TABLES:
                delta = self._delta(name)
                if delta is not None:
                    removed += len(delta.vacuum(retention_hours=hours, dry_run=False, enforce_retention_duration=False))
        return removed

    def settle(self, *, hours: int = 24) -> int:
        """Shortens the tables' Delta logs by checkpoints, and removes what no snapshot of the last *hours* uses.

        Gives the number of data files removed. Raises LakeError.
        """
        with self.lock(), writing(self.path):
            for name in TABLES:
                delta = self._delta(name)
                if delta is not None:
                    if delta.metadata().configuration.get(_LOG_KEPT) != _LOG_KEPT_FOR:
                        delta.alter.set_table_properties({_LOG_KEPT: _LOG_KEPT_FOR}, raise_if_not_exists=False)
                        self.commit(name, [])  # repeats the notes, which the newest commit must have
                        delta = self._delta(name)
                        assert delta is not None
                    delta.create_checkpoint()
                    delta.cleanup_metadata()
            return self.vacuum(hours=hours)

    # What must be computed again

    def log_files(self) -> LogFiles:
        """The log tables' present files, as ``replace_dates`` takes them; ask before reading the tables."""
        from aoai_analytics.lake.rewriting import under_way

        deltas = {name: self._delta(name) for name in freshness.SOURCES}
        return freshness.log_files(deltas, under_way(self))

    def stale_dates(
        self, table_name: str, *, functions: str | None = None, files: LogFiles | None = None
    ) -> dict[str, Stale]:
        """The dates of a computed table that are older than the logs, in order, each with the new log files.

        An LLM record may belong to a request across midnight and so concerns the days beside its own too. With
        *functions*, dates computed with another version of the KQL functions are stale as well.
        """
        return freshness.stale_dates(self._delta(table_name), table_name, files or self.log_files(), functions)

    def dirty_dates(self, *, functions: str | None = None) -> list[str]:
        """The dates for which any computed table is older than the logs; see ``stale_dates``."""
        files = self.log_files()
        found = {day for t in COMPUTED for day in self.stale_dates(t.name, functions=functions, files=files)}
        return sorted(found)


def _micros(moment: Any) -> int:
    from aoai_analytics.lake.values import parse_time

    return parse_time(moment)


def _delta_fields(schema: pa.Schema) -> list[Any]:
    from deltalake import Schema

    return list(Schema.from_arrow(schema).fields)
