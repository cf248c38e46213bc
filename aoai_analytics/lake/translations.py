"""Where it is kept what queries were translated to, and for how long; ``engines/kql/remembered`` writes it."""

from __future__ import annotations

import time
from contextlib import suppress
from pathlib import Path
from typing import TYPE_CHECKING

from platformdirs import user_cache_path

if TYPE_CHECKING:
    from aoai_analytics.lake.delta import Lake

#: How long, in seconds. Making one anew takes a second at most.
KEPT = 30 * 86_400
#: Files at most: one takes some 10 to 100 KB, and what is asked again and again is far less.
MOST_FILES = 1_000


def translations(lake: Lake) -> Path:
    """A lake's folder, which need not be there."""
    return lake.folder / "translations"


def of_user() -> Path | None:
    """The user's folder, for all lakes, which need not be there: on Linux ``~/.cache/aoai-analytics/translations``.

    None for a user without a home, such as a container's.
    """
    try:
        return user_cache_path("aoai-analytics", appauthor=False) / "translations"
    except RuntimeError:
        return None


def remove_old(folder: Path) -> None:
    """Removes those that were made more than KEPT seconds ago, and the oldest of more than MOST_FILES."""
    found = []
    for path in folder.glob("*"):
        with suppress(OSError):
            found.append((path.stat().st_mtime, path))
    newest = sorted(found, reverse=True)
    for number, (made, path) in enumerate(newest):
        if number >= MOST_FILES or time.time() - made > KEPT:
            with suppress(OSError):
                path.unlink()
