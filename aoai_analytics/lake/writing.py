"""Writing files of the lake so that a kill, or a full disk, never leaves a part of one in use."""

from __future__ import annotations

import json
import os
import re
import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from aoai_analytics.errors import LakeError

if TYPE_CHECKING:
    import pyarrow as pa

_STAGED_NAME = "part-{version:012d}-{unique}.zstd.parquet"
_ROW_GROUP = 32_768
# A dictionary of long, ever different texts costs time and saves nothing.
_NO_DICTIONARY = {"RequestMessages", "ResponseMessages", "Prompt", "Response", "TraceRecords", "Errors"}
# Statistics are written to the Delta log, where no text of a prompt may be.
STATISTICS = ("TimeGenerated", "CorrelationId")


@dataclass(frozen=True)
class StagedFile:
    """A data file that waits for its commit: ``path`` within the table's folder, and what the Delta log says of it."""

    path: str
    size: int
    date: str
    rows: int
    statistics: str


@contextmanager
def writing(place: Path) -> Iterator[None]:
    """Turns any error of a write into a one-line LakeError."""
    from deltalake.exceptions import DeltaError
    from pyarrow import ArrowException

    try:
        yield
    except (OSError, DeltaError, ArrowException) as error:
        text = str(error)
        if getattr(error, "errno", None) == 28 or "No space left" in text or "os error 28" in text:
            advice = "no space left on the disk; free some and run the same command again, nothing ingested is lost"
        elif isinstance(error, PermissionError) or "Permission denied" in text:
            advice = "permission denied; make the folder writable"
        elif "Read-only file system" in text:
            advice = "the file system is read-only; give another folder with --lake"
        else:
            advice = (text.splitlines() or [type(error).__name__])[0][:200]
        raise LakeError(f"cannot write the lake {place}: {advice}") from error


def replace_file(path: Path, content: bytes) -> None:
    """Replaces a file atomically: a reader, or a kill at any moment, sees the old content or the new, never a part."""
    # Of its own name: two processes that make a new lake write this file at the same time.
    beside = path.with_name(f"{path.name}.{uuid.uuid4().hex}.new")
    try:
        with open(beside, "wb") as stream:
            stream.write(content)
            stream.flush()
            os.fsync(stream.fileno())
        os.replace(beside, path)
    except BaseException:
        beside.unlink(missing_ok=True)
        raise
    folder = os.open(path.parent, os.O_RDONLY)
    try:
        os.fsync(folder)
    finally:
        os.close(folder)


def staged_path(day: str, version: int) -> str:
    """A new file's path within its table's folder; *version* places it in the order of the log."""
    return f"date={day}/" + _STAGED_NAME.format(version=version, unique=uuid.uuid4().hex)


def staged_version(path: str) -> int:
    """The version a staged file was written for; -1 for a file that another program wrote."""
    digits = path.rpartition("/")[2].split("-")[1]
    return int(digits) if len(digits) == 12 and digits.isdigit() else -1


def stage_file(folder: Path, rows: pa.Table, path: str) -> StagedFile:
    """Writes rows of one day to *path* in a table's folder, by TimeGenerated, equal ones as given."""
    import pyarrow as pa
    import pyarrow.compute as pc
    import pyarrow.parquet as pq

    times = rows["TimeGenerated"]
    if rows.num_rows > 1 and not pc.all(pc.less_equal(times[:-1], times[1:])).as_py():
        numbered = pa.table({"time": times, "row": pa.array(range(rows.num_rows), pa.int64())})
        rows = rows.take(pc.sort_indices(numbered, sort_keys=[("time", "ascending"), ("row", "ascending")]))
    target = folder / path
    plain = [n for n in rows.column_names if n not in _NO_DICTIONARY and "Body" not in n and "Headers" not in n]
    with writing(folder.parent):
        target.parent.mkdir(parents=True, exist_ok=True)
        try:
            with open(target, "wb") as stream:
                pq.write_table(
                    rows,
                    stream,
                    compression="zstd",
                    compression_level=1,
                    use_dictionary=plain,
                    row_group_size=_ROW_GROUP,
                    write_statistics=plain,
                )
                stream.flush()
                os.fsync(stream.fileno())
        except BaseException:
            target.unlink(missing_ok=True)
            raise
    day = path.partition("/")[0].removeprefix("date=")
    return StagedFile(path, target.stat().st_size, day, rows.num_rows, _statistics(rows))


def _statistics(rows: pa.Table) -> str:
    """The Delta statistics of a file: its rows, and the range of TimeGenerated."""
    import pyarrow.compute as pc

    statistics: dict[str, Any] = {"numRecords": rows.num_rows}
    times = rows["TimeGenerated"]
    if times.null_count == 0 and rows.num_rows:
        ends = pc.min_max(times).as_py()
        for key, end in (("minValues", ends["min"]), ("maxValues", ends["max"])):
            statistics[key] = {"TimeGenerated": end.strftime("%Y-%m-%dT%H:%M:%S.%fZ")}
        statistics["nullCount"] = {"TimeGenerated": 0}
    return json.dumps(statistics)


def refuse_escapes(path: Path) -> None:
    """Raises LakeError for a path that readers of Delta tables take for another one: they read ``%20`` as a space."""
    if found := re.search(r"%[0-9A-Fa-f]{2}", str(path)):
        raise LakeError(
            f"a lake's path cannot hold '{found[0]}', which Delta readers decode: {path}; rename the folder"
        )


def private_folder(root: Path) -> None:
    """Makes a folder with access for its owner only, as a lake holds prompts; restricts an existing empty folder."""
    root.parent.mkdir(parents=True, exist_ok=True)
    try:
        root.mkdir(mode=0o700)
    except FileExistsError:
        if root.is_dir() and not any(root.iterdir()):
            root.chmod(0o700)


def widened(rows: pa.Table, schema: pa.Schema) -> pa.Table:
    """*rows* of a stored file in a table's columns; one that was added since is null."""
    import pyarrow as pa

    columns = [
        rows[field.name].cast(field.type) if field.name in rows.column_names else pa.nulls(rows.num_rows, field.type)
        for field in schema
    ]
    return pa.table(columns, schema=schema)
