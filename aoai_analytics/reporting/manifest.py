"""What a report says of itself to a program: ``manifest.json``.

Its keys: ``source`` (without secrets), ``key`` (a named period's, or null), ``start`` and ``end`` (ISO 8601 in UTC,
null where open), ``period`` (in words), ``time_zone``, ``show_prompts``, ``given`` (parameters of the notebooks),
``made``, ``seconds``, ``failed``, ``headline`` (see ``render.headline``), ``compared`` (``before``, ``latest``,
``why_not`` and ``compared`` of ``blocks.Overview``; null without one), ``library`` (a hash of the KQL and the own
prices in force), ``versions``, ``files``, and for each of the ``pages`` what ``entry`` gives.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..format.periods import utc, zone
from .render.headline import NOTHING, headline_numbers
from .render.pages import Page

MANIFEST = "manifest.json"
Manifest = Mapping[str, Any]


def entry(page: Page, *, seconds: float, notebook: str) -> dict[str, Any]:
    """A page's part of the manifest.

    ``coverage`` is the row of health/coverage-head, null where the source could not be queried; ``notebook`` is the
    SHA-256 of the notebook, as each query's ``digest`` is that of the query as run.
    """
    coverage = dict(page.head["numbers"]) if page.head else None
    headline = headline_numbers(coverage, page.answers)
    compared = None
    if page.overview and not page.problems:
        compared = {key: page.overview[key] for key in ("before", "latest", "why_not", "compared")}
        headline |= {key: value for key, value in page.overview["numbers"].items() if value is not None}
    return {
        "name": page.name,
        "title": page.title,
        "lead": page.lead,
        "file": f"{page.name}.html",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "notebook": notebook,
        "coverage": coverage,
        "headline": {key: value for key, value in headline.items() if value is not None},
        "compared": compared,
        "queries": [{key: answer[key] for key in ("name", "digest", "rows", "seconds")} for answer in page.answers],
        "failures": page.failures,
        "problems": page.problems,
    }


def manifest(about: Mapping[str, Any], pages: Sequence[Mapping[str, Any]], seconds: float) -> dict[str, Any]:
    """The whole manifest but for ``files``, from what the run is *about* and its pages' entries."""
    headline = dict(NOTHING)
    for page in reversed(pages):
        headline |= page["headline"]  # of several pages with a number, the first one counts
    failed = any(page["failures"] or page["problems"] for page in pages)
    compared = next((page["compared"] for page in pages if page.get("compared")), None)
    return {
        **about,
        "failed": failed,
        "headline": headline,
        "compared": compared,
        "seconds": round(seconds, 2),
        "pages": list(pages),
    }


def parsed(text: str | bytes) -> dict[str, Any] | None:
    """The manifest in *text*; None where it is not one that we wrote."""
    try:
        read: dict[str, Any] = json.loads(text)
        datetime.fromisoformat(read["made"])
        for name in ("start", "end"):
            if read.get(name):
                datetime.fromisoformat(read[name])
        ours = (
            isinstance(read["pages"], list)
            and isinstance(read["time_zone"], str)
            and all(Path(name).name == name for name in read["files"])
        )
    except (ValueError, KeyError, TypeError):
        return None
    return read if ours else None


def read(folder: Path) -> dict[str, Any] | None:
    """The manifest of the report in *folder*; None where there is none that we wrote."""
    try:
        return parsed((folder / MANIFEST).read_bytes())
    except OSError:
        return None


def made(found: Manifest) -> datetime:
    """When a report was made."""
    return utc(datetime.fromisoformat(found["made"]))


def expired(found: Manifest, keep: timedelta, now: datetime) -> bool:
    """Whether a report's period ended (or, where it is open, the report was made) longer than *keep* before *now*."""
    return utc(datetime.fromisoformat(found.get("end") or found["made"])) + keep < now


def folder_name(found: Manifest) -> str:
    """The name of a report's folder in a collection: its period's, else its span's."""
    start, end = (datetime.fromisoformat(found[name]) if found.get(name) else None for name in ("start", "end"))
    return str(found.get("key") or span_name(start, end, found["time_zone"]))


def span_name(start: datetime | None, end: datetime | None, time_zone: str) -> str:
    """The folder's name for a period without one: ``all``, ``2026-11-01--2026-11-15`` (end exclusive),
    ``since-2026-11-17T0930``; days and minutes in *time_zone*."""
    if start is None and end is None:
        return "all"
    local = zone(time_zone)
    first, last = (_day_or_minute(value.astimezone(local)) if value else "" for value in (start, end))
    return f"{first}--{last}" if first and last else f"since-{first}" if first else f"until-{last}"


def whole(found: Manifest, about: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether *found* is the manifest of a report of all the notebooks *names* without a failure, as *about* says."""
    return (
        not found.get("failed", True)
        and set(names) <= {page.get("name") for page in found["pages"]}
        and all(found.get(key) == value for key, value in about.items())
    )


def _day_or_minute(value: datetime) -> str:
    return f"{value:%Y-%m-%d}" if (value.hour, value.minute) == (0, 0) else f"{value:%Y-%m-%dT%H%M}"
