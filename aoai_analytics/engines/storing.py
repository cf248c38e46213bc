"""Stores in the lake the rows of a function that are dear to compute, and reads them in this and any other process.

What cannot be written or read is computed as if nothing was stored.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import time
from collections.abc import Callable, Hashable, Mapping
from contextlib import suppress
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import LakeError
from ..lake.delta import Lake
from ..lake.stored import SOURCES, UNFINISHED, is_present, prune, stored
from ..schema.sql import sql_text
from .kql.remembered import versions
from .shapes import Columns

if TYPE_CHECKING:
    import duckdb

    from .kql.inlining import Range

T = TypeVar("T")
#: Table -> first and last date, and its files of these.
Sources = Mapping[str, tuple[str, str, list[str]]]

#: What gives another answer each time.
UNSTEADY = {"now", "ago", "rand", "new_guid"}
_UNSTEADY_CALL = re.compile(rf"\b({'|'.join(UNSTEADY)})\s*\(")
#: Fewer rows are computed within a second of CPU.
LEAST_ROWS = 100_000
#: Types that Parquet gives back as they were.
_SAME_IN_PARQUET = {"BOOLEAN", "INTEGER", "BIGINT", "DOUBLE", "VARCHAR", "TIMESTAMP"}
#: In SQL, all requests, which DuckDB would hold whole, as several steps name them. To read again the few columns that
#: each step needs takes a third less time, and no place.
_HELD = '"_l0_Requests" AS ('
#: Bytes that a row may take on the disk, with room to spare.
_ROW_BYTES = 250
#: Seconds in which another process that stores the same rows writes at least once.
_BUSY = 600


class Storing:
    """The stored rows that a connection may read and write."""

    def __init__(self, connection: duckdb.DuckDBPyConnection, lake: Lake):
        self._connection = connection
        self._lake = lake
        #: Those that are damaged, or could not be written here.
        self._given_up: set[Path] = set()

    def path(self, name: str, rows: Hashable) -> Path:
        """The file of the rows of *name* that *rows* tells, see ``views.Seen``."""
        digest = hashlib.sha256(f"{versions()}\0{name}\0{rows!r}".encode()).hexdigest()
        return stored(self._lake) / f"{name}-{digest[:32]}.parquet"

    def read(self, path: Path, columns: Columns) -> str:
        """SQL of the stored rows; '' where there are none, and a damaged file is removed."""
        import duckdb

        if path in self._given_up or not path.is_file():
            return ""
        select = f"SELECT * FROM read_parquet({sql_text(str(path))}, hive_partitioning=false)"
        try:
            found = self._connection.execute(f"DESCRIBE {select}").fetchall()
            if tuple((name, kind) for name, kind, *_ in found) == columns:
                with suppress(OSError):
                    os.utime(path)  # when it was used last
                return select
        except (duckdb.OutOfMemoryException, duckdb.InterruptException):
            return ""
        except duckdb.Error:
            pass
        _remove(path)
        return ""

    def write(self, path: Path, select: str, columns: Columns, rows: Hashable, sources: Sources, number: int) -> None:
        """Store the *number* rows of *select*, which came from *sources*, where there is room for them."""
        import duckdb

        kinds = {kind for _, kind in columns}
        if path in self._given_up or not kinds <= _SAME_IN_PARQUET or _UNSTEADY_CALL.search(repr(rows)):
            return
        beside = path.with_name(f"{path.name}.{os.urandom(6).hex()}{UNFINISHED}")
        try:
            path.parent.mkdir(mode=0o700, exist_ok=True)
            if _busy(path) or shutil.disk_usage(path.parent).free < number * _ROW_BYTES:
                return
            # DuckDB would make it readable for others too.
            os.close(os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600))
            metadata = f"KV_METADATA {{'{SOURCES}': {sql_text(json.dumps(sources))}}}"
            compressed = "COMPRESSION zstd, COMPRESSION_LEVEL 1"
            options = f"FORMAT parquet, {compressed}, PRESERVE_ORDER false, USE_TMP_FILE false, {metadata}"
            select = select.replace(_HELD, _HELD.replace(" (", " NOT MATERIALIZED ("))
            self._connection.execute(f"COPY ({select}) TO {sql_text(str(beside))} ({options})")
            os.replace(beside, path)
            # Rows that were removed meanwhile are removed here too: who removes them does so before looking here.
            if not is_present(self._lake, sources):
                _remove(path)
            prune(self._lake)
        except duckdb.InterruptException:
            raise
        except (OSError, LakeError, duckdb.Error):
            self._given_up.add(path)
        finally:
            _remove(beside)

    def spared(self, paths: set[Path], work: Callable[[], T]) -> T:
        """What *work* gives without the files *paths*, which are damaged if it now succeeds, and removed."""
        self._given_up |= paths
        try:
            given = work()
        finally:
            self._given_up -= paths
        for path in paths:
            _remove(path)
        return given


def comes_again(asked: Range) -> bool:
    """Whether others will ask for the same range: its ends are no moment by chance, as now is."""
    return all(moment is None or _is_round(moment) for moment in asked)


def _is_round(moment: datetime) -> bool:
    return moment.minute % 15 == moment.second == moment.microsecond == 0


def _busy(path: Path) -> bool:
    """Whether another process is storing the same."""
    for other in path.parent.glob(f"{path.name}.*{UNFINISHED}"):
        with suppress(OSError):
            if time.time() - other.stat().st_mtime < _BUSY:
                return True
    return False


def _remove(path: Path) -> None:
    with suppress(OSError):
        path.unlink()
