"""Which dates of the computed tables are older than the logs they come from, and by which files.

A commit to a computed table notes for each of its dates the files of the log tables that the date was computed from.
The note stands in the table's own commit, and so can never disagree with its rows; every such commit repeats the notes
of the one before, so the newest tells all. A date is up to date where the logs consist of the very files noted: also
where a log table lost a write, was restored from a backup, or was rewritten by another program.
"""

from __future__ import annotations

import hashlib
import json
from collections import defaultdict
from collections.abc import Collection, Mapping
from dataclasses import dataclass
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS, REQUESTS_LOGGED

if TYPE_CHECKING:
    from deltalake import DeltaTable

#: Dates that are computed. No record of another one is taken; a lake that has some from before is not stopped by them.
EARLIEST, LATEST = "2015-01-01", "2099-12-31"
COMPUTED = (REQUESTS_LOGGED, MESSAGES, REQUESTS)
#: In a computed table's commit: {date: [functions or null, ids of gateway files, ids of LLM files]}, ids run together.
_COMPUTED = "aoai.computed.files"
_ID = 10


@dataclass(frozen=True)
class LogFiles:
    """The files of both log tables, by date: {date: {id: path within the table's folder}}. From ``log_files``."""

    gateway: Mapping[str, Mapping[str, str]]
    llm: Mapping[str, Mapping[str, str]]

    def of_gateway(self, day: str) -> dict[str, str]:
        """The gateway log's files of a date."""
        return dict(self.gateway.get(day, {}))

    def of_llm(self, day: str) -> dict[str, str]:
        """The LLM log's files that bear on a date: an LLM row may lie across midnight from its request."""
        return {name: path for near in days_around(day) for name, path in self.llm.get(near, {}).items()}


@dataclass(frozen=True)
class Stale:
    """What a computed table lacks of a date: the log files that are ``new``, or the whole date where that is None."""

    gateway: tuple[str, ...] | None
    llm: tuple[str, ...] | None

    @property
    def whole(self) -> bool:
        """Whether all of the date must be computed."""
        return self.gateway is None or self.llm is None


def added_files(delta: DeltaTable) -> list[dict[str, Any]]:
    """The files of a snapshot, as the Delta log describes them, with ``partition.date`` and ``min.TimeGenerated``."""
    import pyarrow as pa

    files: list[dict[str, Any]] = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    return files


def log_files(deltas: Mapping[str, DeltaTable | None]) -> LogFiles:
    """The files of the log tables' snapshots."""
    found: list[dict[str, dict[str, str]]] = []
    for table in (GATEWAY_LOGS, LLM_LOG):
        by_date: dict[str, dict[str, str]] = defaultdict(dict)
        delta = deltas.get(table.name)
        for added in added_files(delta) if delta is not None else ():
            by_date[added["partition.date"]][_id(added["path"])] = added["path"]
        found.append(dict(by_date))
    return LogFiles(*found)


def commit_note(delta: DeltaTable, days: Collection[str], files: LogFiles, functions: str | None) -> dict[str, str]:
    """The metadata of a computed table's commit that follows *delta*: *days* were computed from *files*."""
    notes = computed_notes(delta)
    for day in sorted(days):
        notes[day] = [functions, "".join(sorted(files.of_gateway(day))), "".join(sorted(files.of_llm(day)))]
    return {_COMPUTED: json.dumps(notes, separators=(",", ":"))}


def repeated_note(delta: DeltaTable, without: Collection[str] = ()) -> dict[str, str]:
    """The metadata of a commit that computes nothing; dates of *without* are forgotten."""
    notes = computed_notes(delta)
    if not notes:
        return {}
    kept = {day: note for day, note in notes.items() if day not in without}
    return {_COMPUTED: json.dumps(kept, separators=(",", ":"))}


def rewritten_note(delta: DeltaTable, renamed: Mapping[str, tuple[Collection[str], str]]) -> dict[str, str]:
    """The metadata that says of dates: the log files of these paths are one other file now, of the same rows.

    *renamed*: {new path: (old paths, "gateway" or "llm")}.
    """
    notes = computed_notes(delta)
    for path, (old_paths, kind) in renamed.items():
        old, new, place = {_id(old) for old in old_paths}, _id(path), 1 if kind == "gateway" else 2
        for note in notes.values():
            known = set(_ids(note[place]))
            if old <= known:
                note[place] = "".join(sorted((known - old) | {new}))
    return {_COMPUTED: json.dumps(notes, separators=(",", ":"))}


def stale_dates(
    delta: DeltaTable | None, files: LogFiles, functions: str | None, present: Collection[str] = ()
) -> dict[str, Stale]:
    """The dates of a computed table that are not up to date; *present* are dates that it has rows of."""
    notes = {} if delta is None else computed_notes(delta)
    days = {*files.gateway, *files.llm, *present}
    stale: dict[str, Stale] = {}
    for day in sorted(day for day in days if EARLIEST <= day <= LATEST):
        known = notes.get(day)
        if known is None or (functions is not None and functions != known[0]):
            stale[day] = Stale(None, None)
            continue
        now, before = (files.of_gateway(day), files.of_llm(day)), (set(_ids(known[1])), set(_ids(known[2])))
        if any(noted - there.keys() for there, noted in zip(now, before, strict=True)):
            stale[day] = Stale(None, None)
        elif any(there.keys() - noted for there, noted in zip(now, before, strict=True)):
            new = (
                tuple(there[name] for name in there if name not in noted)
                for there, noted in zip(now, before, strict=True)
            )
            stale[day] = Stale(*new)
    return stale


def computed_notes(delta: DeltaTable) -> dict[str, Any]:
    """Date -> [functions, ids of gateway files, ids of LLM files], of the newest commit that says: others' do not."""
    for limit in (1, 10, None):
        for commit in delta.history(limit):
            if _COMPUTED in commit:
                notes: dict[str, Any] = json.loads(commit[_COMPUTED])
                return notes
    return {}


def days_around(day: str) -> list[str]:
    """The date before, itself, and the date after."""
    middle = date.fromisoformat(day)
    return [(middle + timedelta(days=n)).isoformat() for n in (-1, 0, 1)]


def _id(path: str) -> str:
    return hashlib.blake2b(path.rpartition("/")[2].encode(), digest_size=_ID // 2).hexdigest()


def _ids(text: str) -> list[str]:
    return [text[start : start + _ID] for start in range(0, len(text), _ID)]
