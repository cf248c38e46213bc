"""Whether what a lake has computed is as new as its logs: an answer from older rows is partial, and says so."""

from __future__ import annotations

from collections.abc import Mapping, Sequence

from ..lake.delta import Lake
from ..lake.freshness import COMPUTED
from ..schema.tables import TABLES
from .kql.inlining import Range


class Staleness:
    """What of a lake waits to be computed; looked up anew only when a table has a new commit."""

    def __init__(self, lake: Lake):
        self._lake = lake
        self._seen: object = None
        self._late: dict[str, list[str]] = {}

    def warnings(self, tables: Sequence[str], ranges: Mapping[str, Range]) -> tuple[str, ...]:
        """Why an answer from these tables lacks rows: dates of the range that are not computed; () where none is."""
        asked = [table.name for table in COMPUTED if table.name in tables]
        if not asked:
            return ()
        versions = _versions(self._lake)
        if versions != self._seen:
            files = self._lake.log_files()
            self._late = {table.name: list(self._lake.stale_dates(table.name, files=files)) for table in COMPUTED}
            self._seen = versions
        late = sorted(
            {day for name in asked for day in self._late[name] if _within(day, ranges.get(name, (None, None)))}
        )
        if not late:
            return ()
        which = late[0] if len(late) == 1 else f"{len(late)} dates from {late[0]} to {late[-1]}"
        if _is_written(self._lake):
            return (f"an ingest is running: requests of {which} may be missing",)
        return (
            f"the logs of {which} are not computed yet, so their requests are missing; "
            f"run aoai lake optimize {self._lake.path}",
        )


def _within(day: str, asked: Range) -> bool:
    start, end = asked
    return (start is None or day >= start.date().isoformat()) and (end is None or day <= end.date().isoformat())


def _versions(lake: Lake) -> tuple[str, ...]:
    """Something that is another as soon as a table has another commit."""
    logs = (lake.path / name / "_delta_log" for name in TABLES)
    return tuple(max((entry.name for entry in log.glob("*.json")), default="") for log in logs)


def _is_written(lake: Lake) -> bool:
    """Whether any process holds the lake's writing place now."""
    try:
        import fcntl

        with open(lake.folder / "lock", "rb") as handle:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
    except BlockingIOError:
        return True
    except (OSError, ModuleNotFoundError):
        return False
    return False
