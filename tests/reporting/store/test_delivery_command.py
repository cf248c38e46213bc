"""``aoai report --deliver``: what is made is sent, what is there is not due, and prompts stay here."""

from __future__ import annotations

import json
from collections.abc import Iterator
from contextlib import nullcontext
from datetime import datetime
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.cli import main
from aoai_analytics.config import settings
from aoai_analytics.format.periods import ended, named
from aoai_analytics.reporting.run import kernels
from aoai_analytics.reporting.run import report as run
from aoai_analytics.reporting.store import collection
from aoai_analytics.reporting.summary import with_summary


class Runner:
    """Makes reports of one line in place of notebooks, and remembers which."""

    def __init__(self) -> None:
        self.made: list[str] = []
        self.fails: set[str] = set()

    def __call__(self, names: list[str], **asked: Any) -> run.ReportResult:
        key = asked["period"]
        self.made.append(key)
        start, end = named(key).span(asked["time_zone"])
        pages = [
            {"name": name, "title": name, "file": f"{name}.html", "failures": [], "problems": []} for name in names
        ]
        manifest = {
            "source": str(asked["source"]), "key": key, "start": start.isoformat(), "end": end.isoformat(),
            "time_zone": asked["time_zone"], "period": key, "show_prompts": asked["show_prompts"], "given": {},
            "made": datetime.now(end.tzinfo).isoformat(), "failed": key in self.fails, "pages": pages,
            "headline": dict.fromkeys(("Requests", "Tokens", "Cost", "SuccessRate", "UnknownRequests")),
            "files": ["index.html", "manifest.json"], "library": "", "versions": {},
        }  # fmt: skip
        files = {"index.html": b"a report", "manifest.json": json.dumps(manifest).encode()}
        others = asked["elsewhere"].items()
        folder = collection.save_report(asked["out"], key, with_summary(files, key, others, link=asked["link"]))
        failures = ("a page: a query: broke",) if manifest["failed"] else ()
        return run.ReportResult(folder / "index.html", failures, (), manifest)


@pytest.fixture
def runner(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Runner]:
    made = Runner()
    monkeypatch.setattr(run, "make_report", made)
    monkeypatch.setattr(kernels, "Kernels", nullcontext)
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield made
    settings.cache_clear()


def due() -> list[str]:
    return [period.key for period in ended("monthly", datetime.now().astimezone(), "UTC", 3)]


def report(*more: str) -> int:
    return main(["report", "tokens", "--source", "lake", "--deliver", "share", *more])


def test_a_disk_lost_between_runs_makes_no_report_again(runner: Runner, tmp_path: Path) -> None:
    assert report("--due", "monthly", "--output", "one", "--link", "https://contoso.net") == 0
    assert runner.made == due()
    assert {path.name for path in (tmp_path / "share").iterdir()} == {*due(), "index.html"}
    assert f"https://contoso.net/{due()[0]}/" in (tmp_path / "share" / due()[0] / "summary.txt").read_text()
    assert report("--due", "monthly", "--output", "two") == 0
    assert runner.made == due()


def test_what_failed_is_sent_and_made_again_the_next_time(runner: Runner, tmp_path: Path) -> None:
    runner.fails = {due()[-1]}
    assert report("--due", "monthly", "--output", "one") == 1
    assert json.loads((tmp_path / "share" / due()[-1] / "manifest.json").read_text())["failed"] is True
    runner.fails = set()
    assert report("--due", "monthly", "--output", "two") == 0
    assert runner.made == [*due(), due()[-1]]
    assert json.loads((tmp_path / "share" / due()[-1] / "manifest.json").read_text())["failed"] is False


def test_what_could_not_be_sent_is_sent_the_next_time(runner: Runner, tmp_path: Path, capsys: Any) -> None:
    (tmp_path / "share").write_text("in the way")
    assert report("--due", "monthly", "--output", "one") != 0
    (tmp_path / "share").unlink()
    assert report("--due", "monthly", "--output", "one") == 0
    assert (tmp_path / "share/index.html").exists()


def test_prompts_are_not_delivered_unless_asked_for(runner: Runner, tmp_path: Path, capsys: Any) -> None:
    assert report("--period", "2026-10", "--show-prompts") == 2
    assert "add --deliver-prompts" in capsys.readouterr().err
    assert (runner.made, (tmp_path / "share").exists()) == ([], False)
    assert report("--period", "2026-10", "--show-prompts", "--deliver-prompts") == 0
    (tmp_path / "aoai.toml").write_text("deliver_prompts = true\n")
    settings.cache_clear()
    assert report("--period", "2026-09", "--show-prompts") == 0
    assert {path.name for path in (tmp_path / "share").iterdir()} == {"2026-09", "2026-10", "index.html"}


def test_what_is_older_than_is_kept_goes_there_too(runner: Runner, tmp_path: Path) -> None:
    assert report("--period", "2020-01") == 0
    assert report("--period", due()[-1], "--keep", "400d") == 0
    assert {path.name for path in (tmp_path / "share").iterdir()} == {due()[-1], "index.html"}
