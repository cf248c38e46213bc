"""Times of requests: a weekly pattern per team, spread over the hours of the period."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence
from datetime import datetime, timedelta
from random import Random

from aoai_analytics.sample.flaws import Windows
from aoai_analytics.sample.world import Team

# Local hours 0…23 of a working day, and the factors for Saturday and Sunday.
_OFFICE = (1, 1, 1, 1, 1, 2, 6, 22, 60, 90, 100, 95, 62, 78, 96, 92, 80, 52, 26, 12, 7, 5, 3, 2)
_CONSUMER = (16, 9, 5, 3, 3, 5, 14, 30, 40, 38, 40, 46, 58, 54, 48, 50, 58, 72, 90, 100, 98, 82, 56, 30)
_BATCH = (70, 100, 100, 95, 60, 30, 24, 22, 24, 26, 26, 25, 24, 25, 26, 25, 24, 22, 20, 20, 22, 24, 28, 40)
_WEEKS: dict[str, tuple[Sequence[float], float, float]] = {
    "office": (_OFFICE, 0.14, 0.09),
    "consumer": (_CONSUMER, 1.2, 1.3),
    "batch": (_BATCH, 0.9, 0.9),
}


def intensity(team: Team, hour: datetime) -> float:
    """A team's load in an hour (UTC), relative to its peak."""
    local = hour + timedelta(hours=team.utc_offset)
    hours, saturday, sunday = _WEEKS[team.shape]
    return hours[local.hour] / 100 * {5: saturday, 6: sunday}.get(local.weekday(), 1.0)


def spread(
    teams: Sequence[Team], first: datetime, days: int, requests: int, windows: Windows | None, rng: Random
) -> tuple[dict[tuple[int, int], int], dict[str, int]]:
    """Requests by (hour from the start, team's index), ``requests`` in total, and how many the incidents suppressed.

    The second contains ``log-gap`` and ``sampling-below-100``: requests that left no record.
    """
    week = {i: sum(intensity(team, first + timedelta(hours=h)) for h in range(168)) for i, team in enumerate(teams)}
    cells: list[tuple[int, int]] = []
    weights: list[float] = []
    unlogged = {"log-gap": 0.0, "sampling-below-100": 0.0}
    for h in range(days * 24):
        hour = first + timedelta(hours=h)
        for i, team in enumerate(teams):
            weight = team.weight * intensity(team, hour) / week[i]
            if windows and windows.gap.holds(hour):
                unlogged["log-gap"] += weight
                continue
            if windows and windows.sampling.holds(hour):
                unlogged["sampling-below-100"] += weight * (1 - windows.SAMPLING_SHARE)
                weight *= windows.SAMPLING_SHARE
            cells.append((h, i))
            weights.append(weight)
    total = sum(weights)
    counts: Counter[tuple[int, int]] = Counter()
    for start in range(0, requests, 100_000):
        counts.update(rng.choices(cells, weights, k=min(100_000, requests - start)))
    return counts, {kind: round(weight / total * requests) for kind, weight in unlogged.items()}
