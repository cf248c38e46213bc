"""Two lakes of the same planted logs, and a report of each: they are equal to the last bit, and no prompt is in them.

Nor is one in anything else that a run leaves: journals, temporary files, kept pages, what a command printed.
``make faults`` makes all pages, and kills a run.
"""

from __future__ import annotations

import json
import os
import re
import signal
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aoai_analytics.cli import main
from aoai_analytics.lake.delta import Lake
from aoai_analytics.reporting import open_report
from aoai_analytics.reporting.run.kernels import Kernels
from aoai_analytics.reporting.run.notebooks import standing
from aoai_analytics.reporting.run.report import make_report
from aoai_analytics.schema.tables import TABLES
from tests.conftest import REPO
from tests.reporting.own_notebooks import OPEN, write_notebook

from .planted_logs import files_that_leak, write_planted_logs, written

MINUTES = float(os.environ.get("FAULTS_MINUTES", "0"))
#: Questions about texts, those that quote them in errors, and one whose failure would print what it read.
CELLS = (
    OPEN,
    "report.show('prompts/longest')\nreport.show('reliability/errors')\nreport.show('cost/by-user')",
    "report.show_kql('AoaiRequests | where isnotempty(ErrorMessage) | take 2')",
    "report.show_kql('AoaiMessages | project X = assert(false, Prompt)')",
    "raise ValueError(report.frame('AoaiMessages | take 1').to_dict())",
)
#: A page's and a manifest's own times.
_TIMES = re.compile(r'"seconds": [0-9.]+|"made": "[^"]+"|\d{1,2} \w+ \d{4},? \d\d:\d\d|\d{4}-\d\d-\d\dT[0-9:.]+\+00:00')


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Path]:
    """A folder with the logs, and in ``a`` and ``b`` the lakes and what was made of them, with all that was left."""
    folder = tmp_path_factory.mktemp("planted")
    write_planted_logs(folder / "logs", 60)
    with pytest.MonkeyPatch.context() as patch, Kernels() as kernels:
        for name in ("TMPDIR", "HOME", "XDG_CACHE_HOME", "IPYTHONDIR", "JUPYTER_RUNTIME_DIR"):
            (folder / "left" / name).mkdir(parents=True)
            patch.setenv(name, str(folder / "left" / name))
        write_notebook(folder / "notebooks", "texts", *CELLS)
        write_notebook(folder / "notebooks", "stops", CELLS[0], CELLS[1], "import os\nos._exit(1)")
        for one in ("a", "b"):
            (folder / one).mkdir()
            lake, out = folder / one / "lake", folder / one / "out"
            run(folder / one / "said", "ingest", folder / "logs/sample/logs", "--lake", lake)
            given = {"source": lake, "time_zone": "UTC", "kernels": kernels}
            names = ["texts", "stops"] if one == "a" else ["texts"]
            make_report(names, folder=folder / "notebooks", out=out, **given)
            if MINUTES:
                names = [*standing(lake), "user"]
                make_report(names, out=folder / one / "all", **given)
        for words in (["doctor"], ["export", "workbook", "--preview", "-o", folder / "a/book.html"]) if MINUTES else ():
            run(folder / "a" / words[0], *words, "--source", folder / "a/lake")
        yield folder


def run(said: Path, *words: object) -> None:
    """Run a command; what it prints goes to a file."""
    with open(said, "w", encoding="utf-8") as out, redirect_stdout(out), redirect_stderr(out):
        assert main(list(map(str, words))) == 0


def rows(lake: Lake, table: str) -> pa.Table:
    """A table's rows in the lake's order."""
    schema = TABLES[table].arrow_schema(partitioned=False)
    return pa.concat_tables([schema.empty_table(), *(pq.read_table(p, partitioning=None) for p in lake.files(table))])


def test_nothing_that_is_made_or_left_has_planted_text(made: Path) -> None:
    stored = [path for one in ("a", "b") for path in (made / one / "lake").glob("*/date=*")]
    assert files_that_leak(made, [made / "logs", *stored]) == []
    pages = json.loads((made / "a/out/manifest.json").read_text("utf-8"))["pages"]
    assert [len(page["failures"]) for page in pages] == [2, 1]
    assert written(made / "a/out/texts.html").count("Prompts and responses are hidden") == 3
    assert {"index.html", "summary.card.json", "summary.html", "summary.txt"} < set(os.listdir(made / "a/out"))


def test_planted_text_is_there_and_would_be_found(made: Path, tmp_path: Path) -> None:
    report = open_report(made / "a/lake", show_prompts=True)
    for query in ("prompts/longest", "reliability/errors"):
        (tmp_path / "shown.csv").write_text(report.answer(query).csv, "utf-8")
        assert files_that_leak(tmp_path) == ["shown.csv"], query
    report.engine.close()


def test_a_lake_made_twice_has_the_same_rows(made: Path) -> None:
    first, second = Lake(made / "a/lake"), Lake(made / "b/lake")
    for table in TABLES:
        assert rows(first, table).equals(rows(second, table)), table


def test_a_page_made_twice_says_the_same(made: Path) -> None:
    first, second = (
        _TIMES.sub("", written(made / one / "out/texts.html").replace(str(made / one), "")) for one in ("a", "b")
    )
    assert first == second


@pytest.mark.skipif(not MINUTES, reason="make faults")
def test_all_pages_made_twice_say_the_same(made: Path) -> None:
    def pages(one: str) -> dict[str, str]:
        found = {path.name: written(path) for path in (made / one / "all").iterdir() if path.suffix != ".js"}
        return {name: _TIMES.sub("", text.replace(str(made / one), "")) for name, text in found.items()}

    first, second = pages("a"), pages("b")
    assert first.keys() == second.keys()
    assert [name for name in first if first[name] != second[name]] == []


@pytest.mark.skipif(not MINUTES, reason="make faults")
def test_a_report_that_is_killed_leaves_no_planted_text(made: Path, tmp_path: Path) -> None:
    code = "import sys; from aoai_analytics.cli import main; sys.exit(main(['report', *sys.argv[1:]]))"
    command = [sys.executable, "-c", code, "reliability", "prompts", "--source", made / "a/lake"]
    for seconds in (2, 4, 6, 9, 13):
        environment = os.environ | {"TMPDIR": str(tmp_path), "HOME": str(tmp_path)}
        with subprocess.Popen([*command, "--output", tmp_path / "out"], cwd=REPO, env=environment) as work:
            time.sleep(seconds)
            work.send_signal(signal.SIGKILL)
        assert files_that_leak(tmp_path) == []
