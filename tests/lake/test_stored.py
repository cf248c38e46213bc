"""What queries stored in a lake is bounded, and goes with the rows that it came from."""

from __future__ import annotations

import os
import time
from datetime import timedelta
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.engines import storing, views
from aoai_analytics.lake import stored as rows_stored
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.stored import prune, remove_stored, stored
from aoai_analytics.lake.upkeep import expire, info, optimize
from aoai_analytics.schema.tables import REQUESTS
from tests.engines.test_storing import COVERAGE, NOON, PRICES, SUMS, ask, files, requests


@pytest.fixture
def lake(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Lake:
    """Of two days, whose requests are many here."""
    monkeypatch.setattr(views, "LEAST_ROWS", 60)
    made = Lake.create(tmp_path / "lake")
    for day in range(2):
        made.append(REQUESTS.name, requests(60, day=day))
    return made


def _aged(path: Path, seconds: float) -> None:
    os.utime(path, (time.time() - seconds,) * 2)


def test_leftovers_and_rows_of_a_former_state_go_once_no_query_may_be_at_them(lake) -> None:
    ask(lake)
    (former,) = files(lake)
    leftover = former.with_name(f"{former.name}.0123{rows_stored.UNFINISHED}")
    leftover.write_bytes(b"half")
    prune(lake)
    assert files(lake) == [former, leftover]
    _aged(former, 7_200)
    _aged(leftover, 7_200)
    prune(lake)
    assert files(lake) == [former]  # its rows are still those of the lake
    lake.append(REQUESTS.name, requests(60, day=2))
    _aged(former, 60)
    optimize(lake, only_worth=True)
    assert files(lake) == [former]
    _aged(former, 7_200)
    optimize(lake, only_worth=True)
    assert files(lake) == []


def test_a_range_that_new_rows_are_not_in_keeps_its_file_and_a_use_makes_it_young(lake) -> None:
    ask(lake, SUMS, end=NOON + timedelta(hours=12))
    (file,) = files(lake)
    lake.append(REQUESTS.name, requests(60, day=2))
    _aged(file, 7_200)
    prune(lake)
    assert files(lake) == [file]
    ask(lake, SUMS, end=NOON + timedelta(hours=12))
    assert time.time() - file.stat().st_mtime < 600
    _aged(file, rows_stored.KEPT + 1)
    prune(lake)
    assert files(lake) == []


@pytest.mark.parametrize("bound", ["MOST_FILES", "MOST_BYTES"])
def test_there_are_never_too_many(lake, monkeypatch, bound) -> None:
    ask(lake)
    (first,) = files(lake)
    _aged(first, 60)
    monkeypatch.setattr(rows_stored, bound, 1 if bound == "MOST_FILES" else first.stat().st_size * 3 // 2)
    ask(lake, SUMS, {"AoaiPrices": PRICES % "1.0"})
    assert len(files(lake)) == 1 and files(lake) != [first]


@pytest.mark.parametrize("given", [{"before": "2026-11-04"}, {"texts_before": "2026-11-04"}])
def test_what_expires_leaves_nothing_behind(lake, monkeypatch, given) -> None:
    ask(lake)
    ask(lake, COVERAGE)
    assert len(files(lake)) == 2
    expire(lake, **given)
    assert files(lake) == []
    found = ask(lake)
    monkeypatch.setattr(views, "LEAST_ROWS", 1_000)
    remove_stored(lake)
    assert ask(lake).equals(found) and not files(lake)


def test_rows_that_expire_while_they_are_stored_are_not_kept(lake, monkeypatch) -> None:
    replace = os.replace

    def slow(source: Any, target: Any) -> None:
        if str(target).startswith(str(stored(lake))):
            monkeypatch.setattr(storing.os, "replace", replace)
            content = Path(source).read_bytes()
            expire(lake, before="2026-11-04")
            Path(source).write_bytes(content)  # as if it had begun after that looked there
        replace(source, target)

    monkeypatch.setattr(storing.os, "replace", slow)
    assert ask(lake)["Requests"].sum() == 120  # of the state at which it began
    assert files(lake) == []


def test_info_counts_them(lake) -> None:
    assert (info(lake).stored_files, info(lake).stored_bytes) == (0, 0)
    ask(lake)
    (file,) = files(lake)
    assert (info(lake).stored_files, info(lake).stored_bytes) == (1, file.stat().st_size)
