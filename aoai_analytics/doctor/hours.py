"""Hours that belong together: runs of consecutive hours in which something is unusual."""

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

#: A fall is of hours with fewer requests than usual, and begins and ends with one of less than this share …
FALLEN_HOUR = 0.85
#: … that has less than this share in all, for so many hours, and that chance does not explain.
FALLEN = 0.75
FALLEN_HOURS = 3
FALLEN_SIGMAS = 5.0
#: An hour without records is a gap where so many are usual in the gap: chance leaves none in e^12 = 160,000.
GAP_USUAL = 12


@dataclass(frozen=True)
class Fall:
    """Consecutive hours with fewer requests than usual, none at all where ``found`` is 0."""

    start: datetime
    end: datetime
    found: int
    usual: int


def runs(rows: Sequence[dict[str, Any]], belongs: Callable[[dict[str, Any]], bool]) -> list[list[dict[str, Any]]]:
    """Rows that belong, grouped by unbroken hours; *rows* have TimeGenerated, one a hour, in order.

    An hour that is not among *rows* breaks nothing: nobody called in it.
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
    """Gaps and falls in the answer of health/requests-by-hour, in order of time."""
    rows = as_rows(frame[frame["UsualRequests"].notna()])
    empty = [_fall(run) for run in runs(rows, lambda row: row["Requests"] == 0)]
    low = [_trimmed(run) for run in runs(rows, lambda row: 0 < row["Requests"] < row["UsualRequests"])]
    gaps = [gap for gap in empty if gap.usual >= GAP_USUAL]
    fallen = [
        fall
        for fall in (_fall(run) for run in low if len(run) >= FALLEN_HOURS)
        # Both counts vary by chance as much as their square root.
        if fall.found < FALLEN * fall.usual and fall.usual - fall.found > FALLEN_SIGMAS * sqrt(fall.usual + fall.found)
    ]
    return sorted(gaps + fallen, key=lambda fall: fall.start)


def _trimmed(run: list[dict[str, Any]]) -> list[dict[str, Any]]:
    """*run* without the hours at its ends that are hardly below what is usual."""
    fallen = [n for n, row in enumerate(run) if row["Requests"] < FALLEN_HOUR * row["UsualRequests"]]
    return run[fallen[0] : fallen[-1] + 1] if fallen else []


def _fall(run: list[dict[str, Any]]) -> Fall:
    return Fall(
        run[0]["TimeGenerated"].to_pydatetime(),
        run[-1]["TimeGenerated"].to_pydatetime() + _HOUR,
        int(sum(row["Requests"] for row in run)),
        int(sum(row["UsualRequests"] for row in run)),
    )
