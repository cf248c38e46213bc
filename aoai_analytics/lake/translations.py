"""Where a lake keeps what its queries were translated to, and for how long; ``engines/kql/remembered`` writes it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path

from aoai_analytics.lake.delta import Lake

#: How long, in seconds. Making one anew takes a second at most.
KEPT = 30 * 86_400


def translations(lake: Lake) -> Path:
    """The folder, which need not be there."""
    return lake.folder / "translations"


def remove_old(lake: Lake) -> None:
    """Removes those that were made more than KEPT seconds ago."""
    for path in translations(lake).glob("*"):
        with suppress(OSError):
            if time.time() - path.stat().st_mtime > KEPT:
                path.unlink()
