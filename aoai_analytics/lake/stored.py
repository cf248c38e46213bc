"""Rows of functions that are dear to compute, stored in a lake for its next queries; ``engines/storing`` writes them.

Each file's name tells what its rows follow from, so that a file is never changed, and any may be missing. Which files
of the lake the rows came from is in its metadata: rows of a former state of the lake are removed once no query may be
at them, and at once where rows of the lake are, as they hold users and addresses too.
"""

from __future__ import annotations

import json
import time
from collections.abc import Iterable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aoai_analytics.errors import UnknownName

if TYPE_CHECKING:
    from aoai_analytics.lake.delta import Lake

#: Bytes and files at most: those that no query has used for longest go first.
MOST_BYTES = 8 * 2**30
MOST_FILES = 64
#: How long, in seconds, without use.
KEPT = 7 * 86_400
#: The same of a former state of the lake, and of what a killed process was writing.
SPARED = 3_600
#: A file that is not whole has such a name.
UNFINISHED = ".new"
#: In a file's metadata, as JSON: each table that its rows came from, with the first and last date and the files there.
SOURCES = "aoai.sources"


def stored(lake: Lake) -> Path:
    """The folder, which need not be there."""
    return lake.folder / "computed"


def is_present(lake: Lake, sources: Mapping[str, Any]) -> bool:
    """Whether the lake's tables have the files that SOURCES says, and no others. Raises LakeError."""
    return all(names(lake.files(table, (first, last))) == files for table, (first, last, files) in sources.items())


def names(paths: Iterable[str]) -> list[str]:
    """Of files of a table, their names, which are unique."""
    return sorted(Path(path).name for path in paths)


def stored_sizes(lake: Lake) -> list[int]:
    """The bytes of each file, also of what is being written."""
    sizes = []
    for path in stored(lake).glob("*"):
        with suppress(OSError):
            sizes.append(path.stat().st_size)
    return sizes


def remove_stored(lake: Lake) -> None:
    """Removes all, also what is being written: the query that writes it goes on without."""
    for path in stored(lake).glob("*"):
        with suppress(OSError):
            path.unlink()


def prune(lake: Lake) -> None:
    """Removes what is not used any more, or never will be, and the longest unused of too many. Raises LakeError."""
    folder = stored(lake)
    if not folder.is_dir():
        return
    now = time.time()
    found = []
    for path in folder.glob("*"):
        with suppress(OSError):
            status = path.stat()
            unused = now - status.st_mtime
            if unused > KEPT or (unused > SPARED and (path.suffix == UNFINISHED or _is_former(lake, path))):
                path.unlink()
            elif path.suffix != UNFINISHED:
                found.append((unused, status.st_size, path))
    size = 0
    for number, (_, own, path) in enumerate(sorted(found)):
        size += own
        if number >= MOST_FILES or size > MOST_BYTES:
            with suppress(OSError):
                path.unlink()


def _is_former(lake: Lake, path: Path) -> bool:
    """Whether a stored file is of a former state of the lake, or damaged."""
    import pyarrow as pa
    import pyarrow.parquet as pq

    try:
        return not is_present(lake, json.loads(pq.read_metadata(path).metadata[SOURCES.encode()]))
    except (OSError, pa.ArrowException, LookupError, TypeError, ValueError, UnknownName):
        return True
