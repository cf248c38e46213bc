"""Running a local query so that it can be stopped, by Ctrl-C or a time limit, and where it spills."""

from __future__ import annotations

import os
import re
import shutil
import sys
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import suppress
from contextvars import copy_context
from pathlib import Path
from typing import TYPE_CHECKING, TypeVar

from ..errors import QueryError

if TYPE_CHECKING:
    import duckdb

T = TypeVar("T")


def stoppable(connection: duckdb.DuckDBPyConnection, work: Callable[[], T], seconds: float | None = None) -> T:
    """What *work*, which runs queries of *connection*, gives.

    DuckDB hears no signal while it works, so it works in a thread of its own: Ctrl-C, or any other exception here,
    interrupts the query. Raises QueryError after *seconds*, and what *work* raises.
    """
    given: list[T] = []
    raised: list[BaseException] = []

    def run() -> None:
        try:
            given.append(work())
        except BaseException as error:
            raised.append(error)

    thread = threading.Thread(target=copy_context().run, args=(run,), name="query", daemon=True)
    until = None if seconds is None else time.monotonic() + seconds
    thread.start()
    try:
        while thread.is_alive():
            # Python handles a signal between two waits only where it is not waiting for good.
            thread.join(1.0 if until is None else max(0.0, min(1.0, until - time.monotonic())))
            if until is not None and time.monotonic() >= until and thread.is_alive():
                _interrupt(connection, thread)
                raise QueryError(
                    f"the query ran longer than {seconds:g} s: narrow its time range, or set query_seconds"
                )
    except KeyboardInterrupt:
        _interrupt(connection, thread)
        raise
    if raised:
        raise raised[0]
    return given[0]


def _interrupt(connection: duckdb.DuckDBPyConnection, thread: threading.Thread) -> None:
    """Ends what runs on a connection. One interrupt can come between two of its queries, so there are more."""
    while thread.is_alive():
        connection.interrupt()
        thread.join(0.05)


def private_folder(prefix: str) -> Path:
    """A folder in TMPDIR that only its owner may enter, named for this process; ``remove`` it at the end.

    Folders with the same *prefix* of processes that were killed are removed.
    """
    place = Path(tempfile.gettempdir())
    for leftover in place.glob(f"{prefix}*") if sys.platform != "win32" else ():
        found = re.match(rf"{re.escape(prefix)}(\d+)-", leftover.name)
        with suppress(OSError):
            if found and leftover.stat().st_uid == os.getuid() and not _is_running(int(found[1])):
                remove(leftover)
    return Path(tempfile.mkdtemp(prefix=f"{prefix}{os.getpid()}-"))


def remove(folder: Path) -> None:
    """Removes a private folder."""
    shutil.rmtree(folder, ignore_errors=True)


def _is_running(process: int) -> bool:
    try:
        os.kill(process, 0)
    except ProcessLookupError:
        return False
    except OSError:
        return True
    return True
