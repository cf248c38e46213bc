"""Which dates of the computed tables are older than the logs they come from.

It is noted in the tables' own commits, and so can never disagree with their rows: a commit to a log table notes the
version that last added rows of each date, a commit to a computed table notes from which versions of the log tables
each of its dates was computed. Every commit repeats the notes of the one before, so the newest tells all.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping, Sequence
from datetime import date, timedelta
from typing import TYPE_CHECKING, Any

from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, LOG_TABLES, MESSAGES, REQUESTS

if TYPE_CHECKING:
    from deltalake import DeltaTable

#: In a log table's commit: {date: version}.
_TOUCHED = "aoai.touched"
#: In a computed table's commit: {date: [version of the gateway log, version of the LLM log, functions or null]}.
_COMPUTED = "aoai.computed"


def added_files(delta: DeltaTable) -> list[dict[str, Any]]:
    """The files of a snapshot, as the Delta log describes them, with ``partition.date`` and ``min.TimeGenerated``."""
    import pyarrow as pa

    files: list[dict[str, Any]] = pa.table(delta.get_add_actions(flatten=True)).to_pylist()
    return files


def commit_notes(table_name: str, delta: DeltaTable, days: Collection[str], given: Mapping[str, str]) -> dict[str, str]:
    """The metadata of the commit that follows *delta* and concerns *days*: *given*, and the notes."""
    if table_name in LOG_TABLES:
        return {**given, _TOUCHED: json.dumps(_touched(delta) | dict.fromkeys(sorted(days), delta.version() + 1))}
    if GATEWAY_LOGS.name in given and LLM_LOG.name in given:
        versions = [int(given[GATEWAY_LOGS.name]), int(given[LLM_LOG.name]), given.get("functions")]
        return {**given, _COMPUTED: json.dumps(_computed(delta) | dict.fromkeys(sorted(days), versions))}
    return dict(given)


def dirty_dates(deltas: Mapping[str, DeltaTable | None], functions: str | None) -> list[str]:
    """The dates that are not computed, or from older logs, or by other *functions*; *deltas* are all tables."""
    gateway, llm = (_touched(deltas[table.name]) for table in (GATEWAY_LOGS, LLM_LOG))
    computed = [_computed(deltas[table.name]) for table in (REQUESTS, MESSAGES)]
    present = gateway.keys() | llm.keys()
    for table in (REQUESTS, MESSAGES):
        delta = deltas[table.name]
        if delta is not None:
            present |= {added["partition.date"] for added in added_files(delta)}
    dirty = []
    for day in sorted(present):
        newest = gateway.get(day, -1), max(llm.get(near, -1) for near in _days_around(day))
        if any(_is_stale(known.get(day), newest, functions) for known in computed):
            dirty.append(day)
    return dirty


def _touched(delta: DeltaTable | None) -> dict[str, int]:
    """Date -> the version of the log table that last added rows of it."""
    if delta is None:
        return {}
    noted = _newest_note(delta, _TOUCHED)
    if noted is not None:
        return noted
    # Not written by this program, or its history is gone: all of it may be new.
    return {added["partition.date"]: delta.version() for added in added_files(delta)}


def _computed(delta: DeltaTable | None) -> dict[str, Any]:
    return {} if delta is None else _newest_note(delta, _COMPUTED) or {}


def _newest_note(delta: DeltaTable, key: str) -> dict[str, Any] | None:
    """The JSON object under *key* in the newest commit that has it: other programs' commits do not."""
    for limit in (1, 10, None):
        for commit in delta.history(limit):
            if key in commit:
                note: dict[str, Any] = json.loads(commit[key])
                return note
    return None


def _is_stale(known: Sequence[Any] | None, newest: tuple[int, int], functions: str | None) -> bool:
    if known is None:
        return True
    return newest[0] > known[0] or newest[1] > known[1] or (functions is not None and functions != known[2])


def _days_around(day: str) -> list[str]:
    middle = date.fromisoformat(day)
    return [(middle + timedelta(days=n)).isoformat() for n in (-1, 0, 1)]
