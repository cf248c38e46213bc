"""Reports as small as they may be, for a collection: an index page and a manifest, without running anything."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from typing import Any

HEADLINE = {
    "Requests": 1_000,
    "Tokens": 2_000_000,
    "EstimatedTokens": 100_000,
    "UnknownRequests": 0,
    "FirstRequest": "2026-10-01T00:00:10+00:00",
    "LastRequest": "2026-10-31T23:59:50+00:00",
    "Cost": 12.5,
    "UncostedRequests": 0,
    "SuccessRate": 99.5,
}


def manifest(key: str | None, start: str | None = None, end: str | None = None, **more: Any) -> dict[str, Any]:
    """The manifest of a report of whole days from *start* up to *end*, made an hour after it was over.

    What of *more* is a headline number goes there, the rest into the manifest itself.
    """
    first, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) if day else None for day in (start, end))
    made = (last or datetime(2026, 11, 24, tzinfo=UTC)) + timedelta(hours=1)
    return {
        "key": key,
        "source": "lake",
        "start": first.isoformat() if first else None,
        "end": last.isoformat() if last else None,
        "period": "some days",
        "time_zone": "UTC",
        "made": made.isoformat(),
        "failed": False,
        "show_prompts": False,
        "headline": HEADLINE | {name: value for name, value in more.items() if name in HEADLINE},
        "pages": [],
        "files": ["index.html", "manifest.json", "tokens.html"],
    } | {name: value for name, value in more.items() if name not in HEADLINE}


def month(key: str, **more: Any) -> dict[str, Any]:
    """The manifest of a month's report."""
    first = datetime.fromisoformat(f"{key}-01")
    return manifest(key, f"{key}-01", f"{(first + timedelta(days=32)):%Y-%m}-01", **more)


def files(of: dict[str, Any]) -> dict[str, bytes]:
    """The files of the report of that manifest."""
    name = of["key"] or "flat"
    return {
        "index.html": f"<title>{name}</title>".encode(),
        "tokens.html": b"tokens",
        "manifest.json": json.dumps(of).encode(),
    }
