"""Runs of consecutive unusual hours."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from math import sqrt
from typing import TYPE_CHECKING, Any

from .answers import as_rows

if TYPE_CHECKING:
    import pandas as pd

_HOUR = timedelta(hours=1)

#: A fall is a run of hours with fewer requests than usual. Its first and last hour have less than this share …
FALLEN_HOUR = 0.85
#: … the whole run less than this share, over at least this many hours, and more than chance explains.
FALLEN = 0.75
FALLEN_HOURS = 3
FALLEN_SIGMAS = 5.0
#: Empty hours are a gap if this many requests are usual in them: by chance, one in e^12 = 160,000 would be empty.
GAP_USUAL = 12


@dataclass(frozen=True)
class Fall:
    """Consecutive hours with fewer requests than usual; ``found`` is 0 in a gap."""

    start: datetime
    end: datetime
    found: int
    usual: int


def runs(rows: Sequence[dict[str, Any]], belongs: Callable[[dict[str, Any]], bool]) -> list[list[dict[str, Any]]]:
    """Matching rows, grouped into unbroken runs. *rows* have TimeGenerated, one per hour, in order.

    An hour missing from *rows* does not break a run: there were no calls in it.
    """
    found: list[list[dict[str, Any]]] = []
    open_run = False
    for row in rows:
        if not belongs(row):
            open_run = False
        elif open_run:
            found[-1].append(row)
        else:
            found.append([row])
            open_run = True
    return found


def falls(frame: pd.DataFrame) -> list[Fall]:
    """Gaps and falls in the result of health/requests-by-hour, by time."""
    rows = as_rows(frame[frame["UsualRequests"].notna()])
    empty = [_fall(run) for run in runs(rows, lambda row: row["Requests"] == 0)]
    low = [_trimmed(run) for run in runs(rows, lambda row: 0 < row["Requests"] < row["UsualRequests"])]
    gaps = [gap for gap in empty if gap.usual >= GAP_USUAL]
    fallen = [
        fall
        for fall in (_fall(run) for run in low if len(run) >= FALLEN_HOURS)
        # By chance, each count varies by about its square root.
        if fall.found < FALLEN * fall.usual and fall.usual - fall.found > FALLEN_SIGMAS * sqrt(fall.usual + fall.found)
    ]
    return sorted(gaps + fallen, key=lambda fall: fall.start)


def _trimmed(run: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """*run* without the first and last hours that are only slightly below usual."""
    fallen = [n for n, row in enumerate(run) if row["Requests"] < FALLEN_HOUR * row["UsualRequests"]]
    return run[fallen[0] : fallen[-1] + 1] if fallen else []


def _fall(run: list[dict[str, Any]]) -> Fall:
    return Fall(
        run[0]["TimeGenerated"].to_pydatetime(),
        run[-1]["TimeGenerated"].to_pydatetime() + _HOUR,
        int(sum(row["Requests"] for row in run)),
        int(sum(row["UsualRequests"] for row in run)),
    )
