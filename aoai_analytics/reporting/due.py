"""Which named periods' reports are due: ended, and not made completely yet. A machine that was off catches up."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta
from pathlib import Path

from ..errors import WrongUse
from ..format.periods import Named, ended
from . import manifest
from .session.report import source_in_words
from .store.collection import reports

#: How many periods to catch up with by default.
BACK = 3


def due(
    kind: str,
    *,
    out: Path | str,
    names: Sequence[str],
    source: str | Path,
    time_zone: str,
    now: datetime,
    back: int = BACK,
    keep: timedelta | None = None,
    elsewhere: Iterable[manifest.Manifest] = (),
) -> list[Named]:
    """Of the last *back* periods of a *kind* (``monthly``, ``weekly``, ``daily``), those whose report is due.

    That is each that ended by *now* in *time_zone*, no longer than *keep* ago, unless *out* or the manifests
    *elsewhere* have its report: of *source* with the notebooks *names*, made without a failure after the period's end.
    Oldest first. Raises WrongUse.
    """
    if back < 1:
        raise WrongUse(f"--back {back} must be at least 1")
    there = [*elsewhere, *(found for _, found in reports(Path(out)))]
    wanted = []
    for period in ended(kind, now, time_zone, back):
        start, end = period.span(time_zone)
        about = {
            "key": period.key,
            "start": start.isoformat(),
            "end": end.isoformat(),
            "time_zone": time_zone,
            "source": source_in_words(str(source)),
        }
        if keep is not None and end + keep < now:
            continue
        if not any(manifest.whole(found, about, names) and manifest.made(found) >= end for found in there):
            wanted.append(period)
    return wanted
