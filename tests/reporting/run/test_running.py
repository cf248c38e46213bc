"""How notebooks are run: at the same time, each in a kernel of its own, and again only where one must be."""

from __future__ import annotations

import atexit
import gzip
import json
import os
import re
import select
import signal
import subprocess
import sys
import threading
import time
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.cli import main
from aoai_analytics.errors import ReportError
from aoai_analytics.reporting import manifest as manifests
from aoai_analytics.reporting.run.execution import run_notebook
from aoai_analytics.reporting.run.kernels import Kernels
from aoai_analytics.reporting.run.report import ReportResult, Silent, make_report
from aoai_analytics.reporting.store.folder import locked
from tests.reporting.own_notebooks import OPEN, write_notebook

LINUX = pytest.mark.skipif(sys.platform != "linux", reason="kernels are forked on Linux only")


@pytest.fixture(scope="module")
def kernels() -> Iterator[Kernels]:
    with Kernels() as serving:
        yield serving


class Told(Silent):
    """Progress that remembers what it was told."""

    def __init__(self) -> None:
        self.words: list[str] = []
        self.ran: list[str] = []
        self.cells: list[tuple[str, int, int]] = []
        self.problems: dict[str, int] = {}

    def message(self, text: str) -> None:
        self.words.append(text)

    def began(self, name: str) -> None:
        self.ran.append(name)

    def cell(self, name: str, done: int, of: int) -> None:
        self.cells.append((name, done, of))

    def ended(self, name: str, problems: int) -> None:
        self.problems[name] = problems


Make = Callable[..., ReportResult]


@pytest.fixture
def make(kernels: Kernels, sample_lake: Path, tmp_path: Path) -> Make:
    """Makes a report of notebooks of one's own in ``tmp_path/notebooks``, to ``tmp_path/out``."""

    def run(*names: str, **more: Any) -> ReportResult:
        given = {"source": sample_lake, "out": tmp_path / "out", "folder": tmp_path / "notebooks", "kernels": kernels}
        return make_report(names, **given | more)

    return run


def pages(folder: Path) -> dict[str, Any]:
    return {page["name"]: page for page in json.loads((folder / "manifest.json").read_text("utf-8"))["pages"]}


def test_notebooks_run_at_the_same_time_each_in_a_fresh_kernel(make: Make, tmp_path: Path) -> None:
    # Each waits for the other's file: one after the other they would never end.
    for name, other in (("one", "two"), ("two", "one")):
        write_notebook(
            tmp_path / "notebooks",
            name,
            "assert 'left_behind' not in globals()\nleft_behind = 1",
            f"import pathlib, time\nhere = pathlib.Path({str(tmp_path)!r})\n(here / {name!r}).touch()\n"
            f"end = time.monotonic() + 20\n"
            f"while not (here / {other!r}).exists() and time.monotonic() < end: time.sleep(0.01)\n"
            f"print((here / {other!r}).exists())",
            "import os, numpy; print(os.getpid(), numpy.random.random())",
        )
    told = Told()
    result = make("one", "two", jobs=2, progress=told)
    assert not result.failed and sorted(told.ran) == ["one", "two"] and told.problems == {"one": 0, "two": 0}
    assert ("one", 6, 6) in told.cells
    texts = [(tmp_path / f"out/{name}.html").read_text("utf-8") for name in ("one", "two")]
    assert all("True" in text for text in texts)
    printed = [text.split("True")[1].split("<pre")[1].split("</pre>")[0].split(">")[1] for text in texts]
    (one_id, one_drawn), (two_id, two_drawn) = (line.split() for line in printed)
    assert one_id != two_id and one_drawn != two_drawn


def test_a_kernel_that_dies_and_a_notebook_that_is_none_leave_the_other_pages(make: Make, tmp_path: Path) -> None:
    folder = tmp_path / "notebooks"
    write_notebook(folder, "dies", OPEN, "report.show('models/usage')", "import os; os._exit(9)", "print('never')")
    write_notebook(folder, "lives", OPEN)
    (folder / "broken.ipynb").write_text('{"cells": [')
    result = make("broken", "dies", "lives")
    assert [line.split(":")[0] for line in result.failures] == ["broken", "dies"]
    assert "its kernel died" in result.failures[1]
    dies = (tmp_path / "out/dies.html").read_text("utf-8")
    assert "its kernel died" in dies and dies.count("data-figure=") == 1 and "never" not in dies
    assert "could not be run" in (tmp_path / "out/broken.html").read_text("utf-8")
    assert "600 requests" in (tmp_path / "out/lives.html").read_text("utf-8")
    assert result.manifest["failed"] and result.manifest["headline"]["Requests"] == 600


def test_resume_runs_what_failed_and_keeps_the_rest_where_nothing_else_changed(make: Make, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    write_notebook(tmp_path / "notebooks", "steady", OPEN, "report.show('models/usage')")
    write_notebook(tmp_path / "notebooks", "flaky", OPEN, f"open({str(flag)!r}).read()")
    first = make("steady", "flaky", period="2026-11")
    assert first.failed and first.index == tmp_path / "out/2026-11/index.html"

    told = Told()
    tokyo = {"period": "2026-11", "time_zone": "Asia/Tokyo", "resume": True}
    second = make("steady", "flaky", progress=told, **tokyo)
    assert second.failed and sorted(told.ran) == ["flaky", "steady"] and told.words == ["the period changed: run all"]
    before = pages(second.index.parent)["steady"]

    flag.touch()
    told = Told()
    third = make("steady", "flaky", progress=told, **tokyo)
    assert not third.failed and told.ran == ["flaky"] and pages(third.index.parent)["steady"] == before
    assert "data-figure=" in (third.index.parent / "steady.html").read_text("utf-8")
    assert third.manifest["headline"] == second.manifest["headline"]
    assert not list((tmp_path / "out").glob(".*.kept")) and not list((tmp_path / "out").glob(".*.lock"))

    told = Told()
    there = json.loads((third.index.parent / "manifest.json").read_text("utf-8"))
    assert make("steady", "flaky", progress=told, **tokyo).manifest == there
    assert told.ran == [] and "nothing failed" in told.words[0]


def test_a_page_made_of_other_rows_is_not_kept(make: Make, tmp_path: Path) -> None:
    flag = tmp_path / "flag"
    write_notebook(tmp_path / "notebooks", "steady", OPEN)
    write_notebook(tmp_path / "notebooks", "flaky", OPEN, f"open({str(flag)!r}).read()")
    assert make("steady", "flaky").failed
    flag.touch()
    # As if rows had come since: the page of before counts one request less.
    (path,) = tmp_path.glob(".out.kept/steady.json.gz")
    kept = gzip.decompress(path.read_bytes()).replace(b'"Requests": 600', b'"Requests": 599')
    path.write_bytes(gzip.compress(kept))
    told = Told()
    result = make("steady", "flaky", resume=True, progress=told)
    assert told.ran == ["flaky", "steady"] and any("rows changed" in words for words in told.words)
    assert {page["coverage"]["Requests"] for page in result.manifest["pages"]} == {600}

    # Whole now, and of all data: its words name days that only the rows told.
    told = Told()
    assert make("steady", "flaky", resume=True, progress=told).manifest["period"].endswith("(all data)")
    assert told.ran == [] and "nothing failed" in told.words[0]


def test_the_manifest_says_what_the_report_was_made_of(make: Make, tmp_path: Path) -> None:
    write_notebook(tmp_path / "notebooks", "steady", OPEN, "report.show('tokens/by-day')")
    found = make("steady", period="2026-W46", time_zone="Asia/Tokyo").manifest
    assert found["key"] == "2026-W46" and found["time_zone"] == "Asia/Tokyo"
    assert (found["start"], found["end"]) == ("2026-11-08T15:00:00+00:00", "2026-11-15T15:00:00+00:00")
    assert found["seconds"] > 0 and found["made"] and "duckdb-kql" in found["versions"] and len(found["library"]) == 64
    (page,) = found["pages"]
    assert page["coverage"]["Requests"] == found["headline"]["Requests"] > 0 and len(page["notebook"]) == 64
    assert [(query["name"], query["rows"] > 0, len(query["digest"])) for query in page["queries"]] == [
        ("tokens/by-day", True, 64)
    ]
    # The days are Tokyo's.
    text = (tmp_path / "out/2026-W46/steady.html").read_text("utf-8")
    plain = re.sub("<[^>]*>", "", text)  # without the colors of the KQL
    assert "Day (Asia/Tokyo)" in text and "timeZone = &#34;Asia/Tokyo&#34;" in plain


def test_two_runs_of_one_period_do_not_meet_and_two_periods_may(make: Make, tmp_path: Path) -> None:
    write_notebook(tmp_path / "notebooks", "steady", OPEN)
    with locked(tmp_path / "out/2026-11"), pytest.raises(ReportError, match="another run is writing"):
        make("steady", period="2026-11")
    ended = []
    days = [f"2026-11-{day}" for day in (13, 14, 15)]
    runs = [threading.Thread(target=lambda day=day: ended.append(make("steady", period=day))) for day in days]
    for run in runs:
        run.start()
    for run in runs:
        run.join()
    assert len(ended) == 3 and not any(result.failed for result in ended)
    index = (tmp_path / "out/index.html").read_text("utf-8")
    assert all(f'href="{day}/index.html"' in index for day in days)


def test_a_run_without_a_period_stays_flat_and_moves_aside_for_a_period(make: Make, tmp_path: Path) -> None:
    write_notebook(tmp_path / "notebooks", "steady", "print('no question')")
    out = tmp_path / "out"
    assert make("steady").index == out / "index.html" and manifests.read(out) is not None
    assert make("steady", period="2026-11").index == out / "2026-11/index.html"
    assert manifests.read(out) is None and manifests.read(out / "all") is not None
    assert make("steady", start="2026-11-14").index == out / "since-2026-11-14/index.html"
    index = (out / "index.html").read_text("utf-8")
    assert all(f'href="{name}/index.html"' in index for name in ("all", "2026-11", "since-2026-11-14"))


def test_a_failing_query_is_told_by_exit_code_page_and_index_and_the_rest_is_there(
    kernels: Kernels,
    sample_lake: Path,
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    fails = 'report.show_kql("""\n// title: Injected\nAoaiRequests | where NoSuchColumn > 1\n""")'
    write_notebook(tmp_path / "kit/analysis", "partly", OPEN, fails, "report.show('models/usage')")
    write_notebook(tmp_path / "kit/analysis", "whole", OPEN)
    monkeypatch.setattr("aoai_analytics.reporting.run.notebooks.shipped", lambda folder: tmp_path / "kit")
    monkeypatch.setattr("aoai_analytics.reporting.run.kernels.Kernels", lambda: nullcontext(kernels))
    monkeypatch.chdir(tmp_path)
    assert main(["report", "--source", str(sample_lake), "--period", "2026-11", "--jobs", "2"]) == 1
    said = capsys.readouterr()
    assert said.out == "reports/2026-11/index.html\n"
    lines = said.err.splitlines()
    assert sorted(lines[:2]) == ["Running partly …", "Running whole …"] and len(lines) == 3
    assert lines[2].startswith("partly: Injected: ") and "NoSuchColumn" in lines[2]
    page = (tmp_path / "reports/2026-11/partly.html").read_text("utf-8")
    assert page.index("Do not rely") < page.index("NoSuchColumn") < page.index("data-figure=")
    assert "NoSuchColumn" in (tmp_path / "reports/2026-11/index.html").read_text("utf-8")
    assert "failed in part" in (tmp_path / "reports/index.html").read_text("utf-8")
    assert "600 requests" in (tmp_path / "reports/2026-11/whole.html").read_text("utf-8")


@LINUX
def test_no_kernel_outlives_a_run_that_is_killed(tmp_path: Path) -> None:
    script = (
        "import sys, pathlib\n"
        "from aoai_analytics.reporting.run.execution import run_notebook\n"
        "from aoai_analytics.reporting.run.kernels import Kernels\n"
        "run_notebook(pathlib.Path(sys.argv[1]), {}, kernels=Kernels())"
    )
    said = tmp_path / "pids"
    os.mkfifo(said)
    cell = f"import os, time\nopen({str(said)!r}, 'w').write(f'{{os.getpid()}} {{os.getppid()}}')\ntime.sleep(600)"
    path = write_notebook(tmp_path, "sleeps", cell)
    running = subprocess.Popen([sys.executable, "-c", script, str(path)])
    kernel, parent = map(int, said.read_text().split())
    handles = [os.pidfd_open(pid) for pid in (kernel, parent)]
    running.send_signal(signal.SIGKILL)
    running.wait()
    for handle in handles:
        assert select.select([handle], [], [], 20)[0], "it still runs"
        os.close(handle)


@LINUX
def test_a_kernel_writes_out_what_its_notebook_left_open(kernels: Kernels, tmp_path: Path) -> None:
    left, last = tmp_path / "left", tmp_path / "last"
    cell = (
        f"import atexit, pathlib\nfile = open({str(left)!r}, 'w')\nfile.write('all of it')\n"
        f"ring = [file]\nring.append(ring)\natexit.register(pathlib.Path({str(last)!r}).write_text, 'bye')"
    )
    run_notebook(write_notebook(tmp_path, "leaves", cell), {}, kernels=kernels)
    assert left.read_text() == "all of it" and last.read_text() == "bye"


def test_an_error_that_jupyter_cannot_format_is_an_error_all_the_same(kernels: Kernels, tmp_path: Path) -> None:
    cells = ("get_ipython().InteractiveTB.structured_traceback = None", "print('before')\n1 / 0")
    notebook = run_notebook(write_notebook(tmp_path, "odd", *cells), {}, kernels=kernels)
    errors = [out for cell in notebook["cells"] for out in cell.get("outputs", ()) if out["output_type"] == "error"]
    assert [(error["ename"], error["evalue"]) for error in errors] == [("ZeroDivisionError", "division by zero")]


def test_resuming_where_there_is_nothing_yet_is_a_first_run(make: Make, tmp_path: Path) -> None:
    write_notebook(tmp_path / "notebooks", "first", OPEN)
    told = Told()
    make("first", resume=True, progress=told)
    assert told.ran == ["first"] and told.words == []


@LINUX
def test_kernels_that_nobody_asked_for_are_not_waited_for() -> None:
    unasked = Kernels()
    unasked.close()
    assert unasked._server is not None and unasked._server._process.returncode == -signal.SIGKILL


@LINUX
def test_a_process_that_forks_no_more_is_not_waited_for(tmp_path: Path) -> None:
    stuck = Kernels()
    run_notebook(write_notebook(tmp_path, "runs", "print(1)"), {}, kernels=stuck)
    assert stuck._server is not None
    os.kill(stuck._server._process.pid, signal.SIGSTOP)
    with ThreadPoolExecutor(1) as pool:
        asks = pool.submit(run_notebook, tmp_path / "runs.ipynb", {}, kernels=stuck)
        while not stuck._server._lock.locked():
            time.sleep(0.01)
        began = time.monotonic()
        stuck.close()
        assert time.monotonic() - began < 10 and stuck._server._process.returncode == -signal.SIGKILL
        with pytest.raises(ReportError, match="could not be run"):
            asks.result(60)


@LINUX
def test_a_run_that_is_stopped_ends_at_once(sample_lake: Path, tmp_path: Path) -> None:
    said = tmp_path / "began"
    os.mkfifo(said)
    cell = f"import time\nopen({str(said)!r}, 'w').write('now')\ntime.sleep(600)"
    write_notebook(tmp_path / "notebooks", "sleeps", cell)
    ran = tmp_path / "ran"
    write_notebook(tmp_path / "notebooks", "waits", f"open({str(ran)!r}, 'w')")
    script = (
        "import signal, sys\n"
        "from pathlib import Path\n"
        "from aoai_analytics.reporting.run.kernels import Kernels\n"
        "from aoai_analytics.reporting.run.report import make_report\n"
        "signal.signal(signal.SIGINT, signal.default_int_handler)  # a shell's background job begins without\n"
        "at = Path(sys.argv[2])\n"
        "with Kernels() as kernels:\n"
        "    given = {'folder': at / 'notebooks', 'out': at / 'out', 'kernels': kernels}\n"
        "    make_report(['sleeps', 'waits'], source=sys.argv[1], jobs=1, **given)\n"
    )
    running = subprocess.Popen([sys.executable, "-c", script, str(sample_lake), str(tmp_path)], stderr=subprocess.PIPE)
    assert said.read_text() == "now"
    running.send_signal(signal.SIGINT)
    _, words = running.communicate(timeout=60)
    assert b"KeyboardInterrupt" in words and not (tmp_path / "out").exists() and not ran.exists()


def test_the_part_of_atexit_that_a_kernel_ends_with_is_that_of_the_pythons_that_were_looked_at() -> None:
    """It is not public: who raises the bound reads ``_end`` in reporting/run/kernels.py against the new version."""
    assert sys.version_info < (3, 15)
    assert callable(atexit._run_exitfuncs)
