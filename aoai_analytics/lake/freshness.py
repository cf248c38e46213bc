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
from dataclasses import dataclass, field
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any
from urllib.parse import unquote

from aoai_analytics.schema.sources import APP_METRICS, AZURE_METRICS
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS, REQUESTS_LOGGED

if TYPE_CHECKING:
    from deltalake import DeltaTable

#: Dates that are computed. No record of another one is taken; a lake that has some from before is not stopped by them.
EARLIEST, LATEST = "2015-01-01", "2099-12-31"
COMPUTED = (REQUESTS_LOGGED, MESSAGES, REQUESTS)
#: Tables that they are computed from.
SOURCES = (GATEWAY_LOGS.name, LLM_LOG.name, AZURE_METRICS.name, APP_METRICS.name)
#: In a computed table's commit: {date: [functions or null, ids of gateway files, ids of LLM files]}, ids run together;
#: with a fourth member, 1, for a date whose texts have expired: what was computed from them cannot be computed again.
_COMPUTED = "aoai.computed.files"
_ID = 10


@dataclass(frozen=True)
class LogFiles:
    """The files of both log tables, by date: {date: {id: path within the table's folder}}. From ``log_files``.

    ``metrics`` is how many values of Azure's and the gateway's metrics each date has: ``AoaiRequests`` uses both.
    """

    gateway: Mapping[str, Mapping[str, str]]
    llm: Mapping[str, Mapping[str, str]]
    metrics: Mapping[str, int] = field(default_factory=dict)

    def of_gateway(self, day: str) -> dict[str, str]:
        """The gateway log's files of a date."""
        return dict(self.gateway.get(day, {}))

    def of_llm(self, day: str) -> dict[str, str]:
        """The LLM log's files for a date and its neighbours: an LLM row may be logged past midnight."""
        return {name: path for near in days_around(day) for name, path in self.llm.get(near, {}).items()}


@dataclass(frozen=True)
class Stale:
    """What a computed table lacks of a date: the log files that are ``new``, or the whole date where that is None."""

    gateway: tuple[str, ...] | None
    llm: tuple[str, ...] | None
    #: Whether the texts of the date have expired, so that only what is new can be computed.
    settled: bool = False

    @property
    def whole(self) -> bool:
        """Whether all of the date must be computed."""
        return self.gateway is None or self.llm is None


def added_files(delta: DeltaTable) -> list[dict[str, Any]]:
    """The files of a snapshot, as the Delta log describes them, with ``partition.date`` and ``min.TimeGenerated``."""
    import pyarrow as pa

    files: list[dict[str, Any]] = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    return files


def log_files(
    deltas: Mapping[str, DeltaTable | None], rewritten: Mapping[str, Mapping[str, Collection[str]]] | None = None
) -> LogFiles:
    """The files of the log tables' snapshots.

    *rewritten*, {table: {new path: old paths}}, are files under way to become others: a new one that is there already
    goes by the ids of those that it is made of, until the notes name it.
    """
    found: list[dict[str, dict[str, str]]] = []
    for table in (GATEWAY_LOGS, LLM_LOG):
        by_date: dict[str, dict[str, str]] = defaultdict(dict)
        delta = deltas.get(table.name)
        made_of = (rewritten or {}).get(table.name, {})
        for added in added_files(delta) if delta is not None else ():
            path = added["path"]
            for name in made_of.get(unquote(path)) or (path,):
                by_date[added["partition.date"]][file_id(name)] = path
        found.append(dict(by_date))
    metrics: dict[str, int] = defaultdict(int)
    for name in (AZURE_METRICS.name, APP_METRICS.name):
        delta = deltas.get(name)
        for added in added_files(delta) if delta is not None else ():
            metrics[added["partition.date"]] += added["num_records"]
    gateway, llm = found
    return LogFiles(gateway, llm, dict(metrics))


def version(table_name: str, functions: str | None, day: str, files: LogFiles) -> str | None:
    """What a date of a computed table is computed by: the version of the functions, with the count of metrics."""
    values = files.metrics.get(day, 0) if table_name == REQUESTS.name else 0
    return f"{functions}/{values}" if functions is not None and values else functions


def commit_note(
    delta: DeltaTable, table_name: str, days: Collection[str], files: LogFiles, functions: str | None
) -> dict[str, str]:
    """The metadata of a computed table's commit that follows *delta*: *days* were computed from *files*."""
    notes = computed_notes(delta)
    for day in sorted(days):
        settled = notes.get(day, [])[3:]
        by = version(table_name, functions, day, files)
        notes[day] = [by, "".join(sorted(files.of_gateway(day))), "".join(sorted(files.of_llm(day))), *settled]
    return _note(notes)


def repeated_note(delta: DeltaTable) -> dict[str, str]:
    """The metadata of a commit that computes nothing."""
    notes = computed_notes(delta)
    return _note(notes) if notes else {}


def note_without(delta: DeltaTable, days: Collection[str], gone: Collection[str]) -> dict[str, str]:
    """The metadata that forgets *days*, and the log files of the paths *gone*, which have expired."""
    ids = {file_id(path) for path in gone}
    notes = {day: note for day, note in computed_notes(delta).items() if day not in days}
    for note in notes.values():
        for place in (1, 2):
            note[place] = "".join(sorted(set(_ids(note[place])) - ids))
    return _note(notes)


def rewritten_note(
    delta: DeltaTable, kind: str, renamed: Mapping[str, Collection[str]], settled: Collection[str] = ()
) -> dict[str, str]:
    """The metadata that says: log files of these paths are one other file now, of the same requests.

    *renamed*: {new path: old paths} of the log that *kind* names, "gateway" or "llm". *settled* are dates whose texts
    have expired.
    """
    notes = computed_notes(delta)
    place = 1 if kind == "gateway" else 2
    for path, old_paths in renamed.items():
        old = {file_id(old) for old in old_paths}
        for note in notes.values():
            known = set(_ids(note[place]))
            if old <= known:
                note[place] = "".join(sorted((known - old) | {file_id(path)}))
    for day in settled:
        if day in notes:
            notes[day][3:] = [1]
    return _note(notes)


def _note(notes: Mapping[str, Any]) -> dict[str, str]:
    return {_COMPUTED: json.dumps(notes, separators=(",", ":"))}


def stale_dates(delta: DeltaTable | None, table_name: str, files: LogFiles, functions: str | None) -> dict[str, Stale]:
    """The dates of a computed table that are not up to date."""
    notes = {} if delta is None else computed_notes(delta)
    stale: dict[str, Stale] = {}
    # A date without gateway rows has nothing to be computed from: its logs have expired, or it has LLM rows only.
    for day in sorted(day for day in files.gateway if EARLIEST <= day <= LATEST):
        note = notes.get(day)
        settled = note is not None and len(note) > 3
        by = version(table_name, functions, day, files)
        if note is None or (by is not None and by != note[0] and not settled):
            stale[day] = Stale(None, None)
            continue
        now = (files.of_gateway(day), files.of_llm(day))
        known = (set(_ids(note[1])), set(_ids(note[2])))
        if any(ids - there.keys() for there, ids in zip(now, known, strict=True)) and not settled:
            stale[day] = Stale(None, None)
        elif any(there.keys() - ids for there, ids in zip(now, known, strict=True)):
            gateway, llm = (
                tuple(dict.fromkeys(path for name, path in there.items() if name not in ids))
                for there, ids in zip(now, known, strict=True)
            )
            stale[day] = Stale(gateway, llm, settled)
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


def file_id(path: str) -> str:
    """What notes call a file."""
    return hashlib.blake2b(unquote(path).rpartition("/")[2].encode(), digest_size=_ID // 2).hexdigest()


def _ids(text: str) -> list[str]:
    return [text[start : start + _ID] for start in range(0, len(text), _ID)]
