"""``aoai report``: which reports it makes, what it says meanwhile, and how it ends."""

from __future__ import annotations

import io
import json
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest
from rich.console import Console
from rich.progress import BarColumn, Progress, TextColumn

from aoai_analytics.cli import progress
from aoai_analytics.errors import ReportError
from aoai_analytics.format.periods import ended
from aoai_analytics.reporting.run.report import ReportResult


class Made:
    """Stands in for ``make_report``: remembers what was asked, and leaves a manifest."""

    def __init__(self) -> None:
        self.asked: list[dict[str, Any]] = []
        self.fails: dict[str, Exception] = {}
        self.problems: tuple[str, ...] = ()

    def __call__(self, names: list[str], **given: Any) -> ReportResult:
        self.asked.append({"names": names} | given)
        key = given.get("period")
        if key in self.fails:
            raise self.fails[key]
        for name in names:
            given["progress"].began(name)
        return ReportResult(Path(given["out"]) / (key or "") / "index.html", problems=self.problems)

    @property
    def periods(self) -> list[str]:
        return [asked.get("period") for asked in self.asked]


@pytest.fixture
def made(monkeypatch: pytest.MonkeyPatch) -> Made:
    made = Made()
    monkeypatch.setattr("aoai_analytics.reporting.run.report.make_report", made)
    monkeypatch.setattr("aoai_analytics.reporting.run.kernels.Kernels.__init__", lambda self: None)
    monkeypatch.setattr("aoai_analytics.reporting.run.kernels.Kernels.close", lambda self: None)
    return made


def test_a_backfill_makes_each_period_in_turn_and_says_which_runs(aoai: Any, made: Made) -> None:
    ended = aoai("report", "tokens", "--backfill", "2026-07..2026-09", "--output", "r", "--jobs", 3)
    assert ended.code == 0 and made.periods == ["2026-07", "2026-08", "2026-09"]
    assert ended.out.splitlines() == [f"r/{key}/index.html" for key in made.periods]
    assert ended.err.splitlines() == [f"Running tokens of {key} …" for key in made.periods]
    assert {(asked["jobs"], asked["resume"]) for asked in made.asked} == {(3, False)}
    # All of them are run by the same kernels' process.
    assert len({id(asked["kernels"]) for asked in made.asked}) == 1
    aoai("report", "--backfill", "2026-07..2026-09", "--resume")
    assert all(asked["resume"] for asked in made.asked[3:])


def test_of_several_periods_one_that_cannot_be_made_leaves_the_others_be(aoai: Any, made: Made) -> None:
    made.fails["2026-W41"] = ReportError("another run is writing it")
    ended = aoai("report", "tokens", "--backfill", "2026-W40..2026-W42")
    assert ended.code == 1 and made.periods == ["2026-W40", "2026-W41", "2026-W42"]
    assert "2026-W41: another run is writing it" in ended.err
    alone = aoai("report", "tokens", "--period", "2026-W41")
    assert (alone.code, alone.err.splitlines()[-1]) == (1, "aoai: another run is writing it")


def test_what_is_due_is_made_and_nothing_due_is_said(aoai: Any, made: Made, tmp_path: Path) -> None:
    now = datetime.now(UTC)
    wanted = [period.key for period in ended("daily", now, "UTC", 2)]
    assert aoai("report", "tokens", "--due", "daily", "--back", 2, "--source", "lake").code == 0
    assert made.periods == wanted and all(asked["resume"] for asked in made.asked)
    for period in ended("daily", now, "UTC", 3):
        start, end = period.span("UTC")
        about = {"key": period.key, "start": start.isoformat(), "end": end.isoformat(), "time_zone": "UTC"}
        about |= {"source": "lake", "failed": False, "made": now.isoformat(), "pages": [{"name": "tokens"}]}
        (tmp_path / "reports" / period.key).mkdir(parents=True)
        (tmp_path / "reports" / period.key / "manifest.json").write_text(json.dumps(about | {"files": []}))
    again = aoai("report", "tokens", "--due", "daily", "--back", 2, "--source", "lake")
    assert (again.code, again.out, len(made.asked)) == (0, "", 2)
    assert again.err == "nothing is due: 'reports' has the last 2 daily reports\n"


def test_a_doubt_is_said_on_a_line_and_in_the_exit_code(aoai: Any, made: Made) -> None:
    made.problems = ("tokens: Tokens over time: rows were left out",)
    ended = aoai("report", "tokens")
    assert (ended.code, ended.out) == (1, "reports/index.html\n")
    assert ended.err.splitlines() == ["Running tokens …", *made.problems]


def test_reports_older_than_is_kept_go_by_option_or_setting(
    aoai: Any, made: Made, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from aoai_analytics.config import settings

    asked: list[tuple[Path, timedelta]] = []

    def drop(out: Path, keep: timedelta, now: datetime) -> list[str]:
        asked.append((out, keep))
        return ["2025-01"]

    monkeypatch.setattr("aoai_analytics.reporting.store.collection.drop_expired", drop)
    assert aoai("report", "tokens").err == "Running tokens …\n" and asked == []
    ended = aoai("report", "tokens", "--keep", "400d")
    assert asked.pop() == (Path("reports"), timedelta(days=400))
    assert ended.err.splitlines()[-1] == "deleted, past --keep: 2025-01"
    (tmp_path / "aoai.toml").write_text('keep = "90d"\n')
    settings.cache_clear()
    try:
        aoai("report", "tokens")
        assert asked.pop()[1] == timedelta(days=90)
        (tmp_path / "aoai.toml").write_text('keep = "for ever"\n')
        settings.cache_clear()
        wrong = aoai("report", "tokens")
        assert wrong.code == 2 and "use e.g. 400d" in wrong.err
    finally:
        settings.cache_clear()


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (("--period", "2026-10", "--since", "7d"), "--period cannot be combined with --since, --start or --end"),
        (("--period", "2026-10", "--backfill", "2026-07..2026-08"), "--period cannot be combined with --backfill"),
        (("--due", "monthly", "--start", "2026-10-01"), "--due cannot be combined with --since, --start or --end"),
        (("--back", "2"), "--back needs --due"),
        (("--due", "hourly"), "monthly, weekly, daily"),
        (("--backfill", "2026-07"), "2026-07..2026-10"),
        (("--period", "october"), "'october' is not a period"),
    ],
)
def test_wrong_use_is_one_line(aoai: Any, made: Made, words: tuple[str, ...], said: str) -> None:
    ended = aoai("report", *words)
    assert ended.code == 2 and said in ended.err and len(ended.err.splitlines()) == 1 and not made.asked


def test_on_a_terminal_each_notebook_has_a_line_with_its_state() -> None:
    out = io.StringIO()
    columns = (TextColumn("{task.description}"), BarColumn(), TextColumn("{task.fields[state]}"))
    with Progress(*columns, console=Console(file=out, force_terminal=True, width=80), auto_refresh=False) as shown:
        table = progress.Table(shown, ["cost", "tokens", "users"], "2026-10")
        table.message("a word")
        table.began("cost")
        table.cell("cost", 3, 10)
        table.began("tokens")
        table.ended("tokens", 2)
        tasks = {task.description: task for task in shown.tasks}
    assert [(name, task.fields["state"], task.completed) for name, task in tasks.items()] == [
        ("2026-10 cost", "running", 3),
        ("2026-10 tokens", "2 problems", 1),
        ("2026-10 users", "waiting", 0),
    ]
    assert "a word" in out.getvalue()
