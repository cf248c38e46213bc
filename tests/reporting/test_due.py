"""Which periods' reports are due."""

from __future__ import annotations

import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.errors import WrongUse
from aoai_analytics.format.periods import named
from aoai_analytics.reporting.due import due

NOW = datetime(2026, 11, 2, 6, tzinfo=UTC)


def put(out: Path, key: str, **more: Any) -> None:
    """A report of a period, as far as its manifest tells."""
    start, end = named(key).span("Europe/Berlin")
    (out / key).mkdir(parents=True)
    manifest = {
        "key": key,
        "start": start.isoformat(),
        "end": end.isoformat(),
        "time_zone": "Europe/Berlin",
        "source": "lake",
        "failed": False,
        "made": NOW.isoformat(),
        "pages": [{"name": "tokens"}, {"name": "cost"}],
        "files": ["manifest.json"],
    }
    (out / key / "manifest.json").write_text(json.dumps(manifest | more))


def keys(kind: str, out: Path, **more: Any) -> list[str]:
    given: dict[str, Any] = {"names": ["tokens"], "source": "lake", "time_zone": "Europe/Berlin", "now": NOW}
    return [period.key for period in due(kind, out=out, **given | more)]


def test_what_is_over_and_not_there_is_due_the_oldest_first(tmp_path: Path) -> None:
    assert keys("monthly", tmp_path) == ["2026-08", "2026-09", "2026-10"]
    assert keys("weekly", tmp_path, back=2) == ["2026-W43", "2026-W44"]
    assert keys("quarterly", tmp_path, back=2) == ["2026-Q2", "2026-Q3"]
    assert keys("yearly", tmp_path, back=1) == ["2025"]
    assert keys("daily", tmp_path) == ["2026-10-30", "2026-10-31", "2026-11-01"]
    # Midnight of the report's time zone ends a period, not that of UTC.
    before = {"now": datetime(2026, 10, 31, 22, 59, tzinfo=UTC)}
    assert keys("monthly", tmp_path, back=1, **before) == ["2026-09"]
    assert keys("monthly", tmp_path, back=1, now=before["now"] + timedelta(minutes=1)) == ["2026-10"]


def test_a_whole_report_is_not_due_and_one_that_is_not_whole_is(tmp_path: Path) -> None:
    put(tmp_path, "2026-10")
    assert keys("monthly", tmp_path) == ["2026-08", "2026-09"]
    put(tmp_path, "2026-09", failed=True)
    put(tmp_path, "2026-08", made="2026-08-20T00:00:00+00:00")  # before its end
    assert keys("monthly", tmp_path) == ["2026-08", "2026-09"]
    assert keys("monthly", tmp_path, names=["tokens", "users"], back=1) == ["2026-10"]
    assert keys("monthly", tmp_path, source="kusto://contoso/logs", back=1) == ["2026-10"]
    assert keys("monthly", tmp_path, time_zone="UTC", back=1) == ["2026-10"]


def test_what_would_be_removed_at_once_is_not_due(tmp_path: Path) -> None:
    assert keys("monthly", tmp_path, keep=timedelta(days=20)) == ["2026-10"]


def test_wrong_use_is_said(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match="monthly, weekly, daily"):
        keys("hourly", tmp_path)
    with pytest.raises(WrongUse, match="must be at least 1"):
        keys("monthly", tmp_path, back=0)
