"""Files of the lake that become other files of the same requests: merged, or without their texts.

The new files are staged, then an *intent* (``LAKE/_aoai/rewrite.json``) says which old files each is made of. Then one
commit exchanges them, the computed tables' notes take their names, and the intent goes. A kill at any moment leaves
either the old files (the staged ones are removed) or the new ones (the notes are made good); readers, and
``log_files``, see the same rows at every moment.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Collection, Iterator, Sequence
from dataclasses import asdict, dataclass
from typing import TYPE_CHECKING, Any

from aoai_analytics.lake import freshness
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.freshness import COMPUTED
from aoai_analytics.lake.stored import remove_stored
from aoai_analytics.lake.writing import (
    StagedFile,
    replace_file,
    stage_file,
    staged_path,
    staged_version,
    widened,
    writing,
)
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, TABLES

if TYPE_CHECKING:
    import pyarrow as pa

_INTENT = "rewrite.json"
_KINDS = {GATEWAY_LOGS.name: "gateway", LLM_LOG.name: "llm"}


@dataclass(frozen=True)
class Rewrite:
    """One new file, and the paths (within the table's folder) of those it takes the place of."""

    new: StagedFile
    old: tuple[str, ...]


def rewrite(
    lake: Lake,
    table_name: str,
    groups: Sequence[Sequence[str]],
    change: Callable[[pa.Table], pa.Table] | None = None,
    *,
    settled: Collection[str] = (),
) -> int:
    """Makes one file of each of *groups* (absolute paths of one date, in log order), and exchanges all at once.

    *change* is applied to a group's rows. *settled* are dates whose texts are gone then. Gives the bytes of the new
    files. Call it only while holding the lock, after ``finish``. Raises LakeError.
    """
    done: list[Rewrite] = []
    with writing(lake.path):
        intent = lake.folder / _INTENT
        names = _names(groups)
        # Named before they are written, so that a kill leaves no file that nobody knows.
        replace_file(intent, _text(table_name, names, [], settled))
        for new, group in zip(names, groups, strict=True):
            rows = _read(table_name, group)
            staged = stage_file(lake.path / table_name, change(rows) if change else rows, new)
            done.append(Rewrite(staged, tuple(_within(path) for path in group)))
        replace_file(intent, _text(table_name, names, done, settled))
    _exchange(lake, table_name, done, settled, same_rows=change is None)
    if change is not None:
        remove_stored(lake)
    (lake.folder / _INTENT).unlink()
    return sum(one.new.size for one in done)


def finish(lake: Lake) -> None:
    """Carries out or takes back what a killed ``rewrite`` left. Call it only while holding the lock."""
    intent = _intent(lake)
    if intent is None:
        return
    table_name, done = intent["table"], intent["done"]
    there = {_within(path) for path in lake.files(table_name)}
    remove_stored(lake)
    if done and all(one.new.path in there for one in done):
        _exchange(lake, table_name, done, intent["settled"], same_rows=True)
    else:
        with writing(lake.path):
            for path in intent["names"]:
                if path not in there:
                    (lake.path / table_name / path).unlink(missing_ok=True)
    (lake.folder / _INTENT).unlink(missing_ok=True)


def under_way(lake: Lake) -> dict[str, dict[str, tuple[str, ...]]]:
    """{table: {new path: old paths}} of a rewrite that is being carried out, or was left by a kill."""
    intent = _intent(lake)
    return {} if intent is None else {intent["table"]: {one.new.path: one.old for one in intent["done"]}}


def _exchange(lake: Lake, table_name: str, done: list[Rewrite], settled: Collection[str], *, same_rows: bool) -> None:
    there = {_within(path) for path in lake.files(table_name)}
    old = [path for one in done for path in one.old]
    if not all(one.new.path in there for one in done):
        lake.commit(table_name, [one.new for one in done], remove=old, same_rows=same_rows)
    kind = _KINDS.get(table_name)
    if kind is None:
        return
    renamed = {one.new.path: one.old for one in done}
    for table in COMPUTED:
        if lake.has(table.name):
            lake.commit(table.name, [], note=lambda delta: freshness.rewritten_note(delta, kind, renamed, settled))


def _names(groups: Sequence[Sequence[str]]) -> list[str]:
    """For each group the new file's path: at the place of its first file in the order of the log."""
    firsts = [_within(group[0]) for group in groups]
    days = [path.partition("/")[0].removeprefix("date=") for path in firsts]
    return [staged_path(day, max(0, staged_version(path))) for day, path in zip(days, firsts, strict=True)]


def _read(table_name: str, group: Sequence[str]) -> pa.Table:
    import pyarrow as pa
    import pyarrow.parquet as pq

    schema = TABLES[table_name].arrow_schema(partitioned=False)
    return pa.concat_tables([widened(pq.read_table(path, partitioning=None), schema) for path in group])


def _within(path: str) -> str:
    """A file's path within its table's folder."""
    return "/".join(path.split("/")[-2:])


def _text(table_name: str, names: list[str], done: Sequence[Rewrite], settled: Collection[str]) -> bytes:
    entries = [{"new": asdict(one.new), "old": list(one.old)} for one in done]
    intent = {"table": table_name, "names": names, "done": entries, "settled": sorted(settled)}
    return json.dumps(intent).encode()


def _intent(lake: Lake) -> dict[str, Any] | None:
    try:
        found = json.loads((lake.folder / _INTENT).read_bytes())
        entries: Iterator[Any] = iter(found["done"])
        done = [Rewrite(StagedFile(**entry["new"]), tuple(entry["old"])) for entry in entries]
        known = {"table": str(found["table"]), "names": list(map(str, found["names"]))}
        return {**known, "done": done, "settled": list(found["settled"])} if found["table"] in TABLES else None
    except (FileNotFoundError, ValueError, KeyError, TypeError):
        # Written whole or not at all: one that cannot be read says nothing, and its files are found by a vacuum.
        return None
