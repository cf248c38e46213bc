"""Keeps a lake small and fast: merges small files and removes expired data.

All of it may be killed at any moment and run again, and readers never notice: files that a reader may still be at stay
on the disk for ``HOURS``.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING
from urllib.parse import unquote

from aoai_analytics.errors import WrongUse
from aoai_analytics.lake import freshness
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.freshness import COMPUTED
from aoai_analytics.lake.journal import Journal, set_aside
from aoai_analytics.lake.records import TEXT_COLUMNS
from aoai_analytics.lake.rewriting import rewrite
from aoai_analytics.lake.stored import prune, remove_stored, stored_sizes
from aoai_analytics.lake.translations import remove_old, translations
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, TABLES

if TYPE_CHECKING:
    import pyarrow as pa

#: A merged file has some such size in bytes; of files that large nothing is gained by merging.
FILE_BYTES = 64 << 20
#: How long a file stays on the disk that no table has any more: longer than any query runs.
HOURS = 24
#: When an ingest merges by itself: files of a date that is over, and of one that still gets rows.
CLOSED_FILES, OPEN_FILES = 4, 24
#: Texts outside the log tables' own: an error's message can quote the request.
_ERROR_TEXTS = frozenset(("ErrorMessage", "LastErrorMessage", "Errors", "TraceRecords"))


@dataclass
class Optimized:
    """What ``optimize`` did: files ``before`` and ``after`` in the dates it merged, and ``removed`` from the disk."""

    before: int = 0
    after: int = 0
    removed: int = 0


@dataclass
class Expired:
    """What ``expire`` did: ``files`` and ``rows`` that left the tables, ``dates`` whose texts went, files ``removed``
    from the disk."""

    files: int = 0
    rows: int = 0
    dates: list[str] = field(default_factory=list)
    removed: int = 0


@dataclass(frozen=True)
class TableInfo:
    """A table of a lake: rows, files and bytes, the first and last date, and the bytes of its log and of dead files."""

    name: str
    rows: int
    files: int
    bytes: int
    first: str
    last: str
    log_bytes: int
    dead_bytes: int


@dataclass(frozen=True)
class LakeInfo:
    """What is in a lake: its tables, the ``stale`` dates that are to be computed, records in ``quarantine``, and the
    files and bytes of costs and coverage that queries stored."""

    tables: list[TableInfo]
    stale: list[str]
    quarantined: int
    stored_files: int
    stored_bytes: int


def optimize(
    lake: Lake, *, only_worth: bool = False, hours: int = HOURS, progress: Callable[[int, int], None] | None = None
) -> Optimized:
    """Merges the small files of each date, shortens the Delta logs, and removes files unused for *hours*.

    With *only_worth* a date is left alone until it has CLOSED_FILES, or OPEN_FILES where it is a table's last.
    *progress* is called with (tables done, tables). Raises LakeError.
    """
    done = Optimized()
    with lake.lock():
        Journal(lake).recover()
        stale = set(lake.dirty_dates())
        for number, name in enumerate(TABLES):
            groups = list(_groups(lake, name, stale, only_worth))
            if groups:
                rewrite(lake, name, groups)
                done.before += sum(map(len, groups))
                done.after += len(groups)
            if progress:
                progress(number + 1, len(TABLES))
        if done.before or not only_worth:
            done.removed = lake.settle(hours=hours)
            remove_old(translations(lake))
        prune(lake)
    return done


def _groups(lake: Lake, name: str, stale: set[str], only_worth: bool) -> Iterator[list[str]]:
    """The files of a table to merge, by date; skips dates whose computed rows still depend on these files."""
    by_date: dict[str, list[str]] = defaultdict(list)
    for path in lake.files(name):
        by_date[_date_of(path)].append(path)
    last = max(by_date, default="")
    for day, files in by_date.items():
        around = freshness.days_around(day) if freshness.EARLIEST < day < freshness.LATEST else [day]
        if name in (GATEWAY_LOGS.name, LLM_LOG.name) and not stale.isdisjoint(around):
            continue
        least = 2 if not only_worth else OPEN_FILES if day == last else CLOSED_FILES
        if len(files) < least:
            continue
        group: list[str] = []
        size = 0
        for path in files:
            own = Path(path).stat().st_size
            if size + own > FILE_BYTES and group:
                if len(group) > 1:
                    yield group
                group, size = [], 0
            group.append(path)
            size += own
        if len(group) > 1:
            yield group


def expire(lake: Lake, *, before: str | None = None, texts_before: str | None = None, hours: int = HOURS) -> Expired:
    """Removes all rows of dates before *before*, and texts (prompts, answers, error messages) before *texts_before*.

    Dates are ``YYYY-MM-DD`` in UTC. Numbers of a date whose texts are gone stay as they are: bring the computed tables
    up to date first. What went leaves the disk *hours* later, with the next ingest or ``optimize``, or at once with 0.
    Raises WrongUse where neither is given, LakeError.
    """
    if before is None and texts_before is None:
        raise WrongUse("say what expires: --before DATE, or --texts-before DATE")
    done = Expired()
    with lake.lock():
        Journal(lake).recover()
        remove_stored(lake)
        if texts_before is not None:
            _expire_texts(lake, texts_before, done)
        if before is not None:
            _expire_rows(lake, before, done)
        remove_stored(lake)  # what was stored meanwhile
        done.removed = lake.settle(hours=hours)
    return done


def _expire_rows(lake: Lake, before: str, done: Expired) -> None:
    """Log tables first: a date without logs is never computed again, whatever its computed rows are."""
    gone: list[str] = []
    computed = [table.name for table in COMPUTED]
    for name in [*(name for name in TABLES if name not in computed), *computed]:
        files = [path for path in lake.files(name) if _date_of(path) < before]
        if name in (GATEWAY_LOGS.name, LLM_LOG.name):
            gone += files
        if name in computed:
            days = set(lake.dates(name)) | {_date_of(path) for path in gone}
            days = {day for day in days if day < before}
            if lake.has(name) and days:
                note = partial(freshness.note_without, days=days, gone=gone)
                lake.commit(name, [], remove=files, note=note)
        elif files:
            lake.commit(name, [], remove=files)
        done.files += len(files)
        done.rows += sum(map(_rows_of, files))


def _expire_texts(lake: Lake, before: str, done: Expired) -> None:
    dates: set[str] = set()
    for name, table in TABLES.items():
        files = [path for path in lake.files(name) if _date_of(path) < before]
        if name == MESSAGES.name:
            if files:
                lake.commit(name, [], remove=files)
                done.files += len(files)
                done.rows += sum(map(_rows_of, files))
            continue
        texts = [column for column in table.columns if column in TEXT_COLUMNS | _ERROR_TEXTS]
        groups = [[path] for path in files if texts and _has_any(path, texts)]
        if groups:
            settled = {_date_of(path) for path in files}
            rewrite(lake, name, groups, partial(_without, texts=texts), settled=settled)
            dates |= {_date_of(path) for (path,) in groups}
    done.dates = sorted(dates)


def _without(rows: pa.Table, texts: list[str]) -> pa.Table:
    import pyarrow as pa

    for name in texts:
        place = rows.schema.get_field_index(name)
        rows = rows.set_column(place, name, pa.nulls(rows.num_rows, rows.schema.field(place).type))
    return rows


def _has_any(path: str, texts: list[str]) -> bool:
    """Whether a file has any of these texts."""
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    there = [name for name in texts if name in pq.read_schema(path).names]
    rows = pq.read_table(path, columns=there, partitioning=None)
    return any(pc.any(pc.greater(pc.binary_length(column), 0)).as_py() for column in rows.columns)


def info(lake: Lake) -> LakeInfo:
    """What *lake* contains and what needs attention. Raises LakeError."""
    tables = [found for name in TABLES if (found := _table_info(lake, name)) is not None]
    sizes = stored_sizes(lake)
    return LakeInfo(tables, lake.dirty_dates(), sum(set_aside(lake).quarantined.values()), len(sizes), sum(sizes))


def _table_info(lake: Lake, name: str) -> TableInfo | None:
    folder = lake.path / name
    added = lake.added(name)
    if not added and not folder.is_dir():
        return None
    dates = [one["partition.date"] for one in added]
    used = {unquote(one["path"]) for one in added}
    dead = [path for path in folder.glob("date=*/*.parquet") if path.relative_to(folder).as_posix() not in used]
    return TableInfo(
        name,
        rows=sum(one["num_records"] or 0 for one in added),
        files=len(added),
        bytes=sum(one["size_bytes"] for one in added),
        first=min(dates, default=""),
        last=max(dates, default=""),
        log_bytes=sum(path.stat().st_size for path in (folder / "_delta_log").glob("*")),
        dead_bytes=sum(path.stat().st_size for path in dead),
    )


def _rows_of(path: str) -> int:
    import pyarrow.parquet as pq

    return int(pq.read_metadata(path).num_rows)


def _date_of(path: str) -> str:
    return path.rpartition("/date=")[2].partition("/")[0]
