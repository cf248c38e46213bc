"""The sandbox's logs as the workspace of its loopback Azure: each query ingests what is new, then asks the lake."""

from __future__ import annotations

import re
import threading
from contextlib import closing
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any


class LogsAsWorkspace:
    """Answers queries of a folder with logs from a lake. Call it with a query and an ISO 8601 timespan."""

    def __init__(self, logs: Path, lake: Path) -> None:
        self._logs, self._lake = logs, lake
        self._lock = threading.Lock()
        self._computed = True

    def __call__(self, query: str, timespan: str) -> tuple[dict[str, str], list[list[Any]]]:
        """Columns with their types, and rows. Raises QueryError."""
        from ..engines import connect
        from ..lake.delta import Lake
        from ..lake.ingest import ingest
        from ..lake.recompute import recompute

        start, end = _span(timespan)
        with self._lock:
            lake = Lake.create(self._lake)
            with lake.lock(wait=60):
                if self._logs.exists() and ingest([self._logs], lake).new:
                    self._computed = False
                # Queries of the log tables alone need nothing computed, which takes seconds.
                if "Aoai" in query and not self._computed:
                    recompute(lake)
                    self._computed = True
            with closing(connect(str(self._lake))) as engine:
                result = engine.query(query, start=start, end=end)
        frame = result.frame.astype(object).where(result.frame.notna(), None)
        return dict(result.types), [[_plain(cell) for cell in row] for row in frame.itertuples(index=False)]


def _span(text: str) -> tuple[datetime | None, datetime | None]:
    """Of ``START/END``, or of a duration until now; both None: no bounds."""
    if not text:
        return None, None
    if "/" in text:
        first, last = text.split("/")
        return datetime.fromisoformat(first), datetime.fromisoformat(last)
    found = re.fullmatch(r"P(?:(\d+)D)?(?:T(?:(\d+)H)?(?:(\d+)M)?(?:([\d.]+)S)?)?", text)
    days, hours, minutes, seconds = (float(part or 0) for part in found.groups()) if found else (0.0, 0.0, 0.0, 0.0)
    end = datetime.now(UTC)
    return end - timedelta(days=days, hours=hours, minutes=minutes, seconds=seconds), end


def _plain(value: Any) -> Any:
    if isinstance(value, datetime):
        return value.isoformat()
    return value if value is None or isinstance(value, str | bool | int | float) else str(value)
