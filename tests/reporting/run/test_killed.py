"""A run that is killed leaves the report of before or the new one, and an index that is whole."""

from __future__ import annotations

import json
import os
import random
import subprocess
import sys
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.reporting.own_notebooks import write_notebook

pytestmark = pytest.mark.skipif(not hasattr(os, "fork"), reason="forks the runs that are killed")
MOMENTS = 10


def look(out: Path) -> str:
    """What stands in the report; fails where it is not whole."""
    folder = out / "2026-11"
    manifest = json.loads((folder / "manifest.json").read_text("utf-8"))
    assert sorted(path.name for path in folder.iterdir()) == manifest["files"]
    pages = [(folder / name).read_text("utf-8") for name in ("tiny.html", "index.html")]
    assert all(text.rstrip().endswith("</html>") for text in pages)
    index = (out / "index.html").read_text("utf-8")
    assert index.rstrip().endswith("</html>") and 'href="2026-11/index.html"' in index
    (said,) = {word for word in ("first", "second", "third") if f"made by the {word}" in pages[0]}
    return said


def test_killed_at_ten_moments_a_run_leaves_the_old_report_or_the_new_one(
    sample_lake: Path, tmp_path: Path, tmp_path_factory: pytest.TempPathFactory
) -> None:
    out, notebooks = tmp_path / "out", tmp_path / "notebooks"
    # Compiled once for all the runs, also where nothing compiled is to be left in the folders of the packages.
    compiled = {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": str(tmp_path_factory.mktemp("compiled"))}
    words = [sys.executable, "-m", "tests.reporting.run.killed_run", out, notebooks, sample_lake]
    with subprocess.Popen(words, cwd=REPO, env=os.environ | compiled, stdin=-1, stdout=-1, text=True) as runs:
        assert runs.stdin and runs.stdout

        def run(word: str, touches: float = float("inf")) -> str:
            write_notebook(notebooks, "tiny", f"print('made by the {word}')")
            assert runs.stdin and runs.stdout
            runs.stdin.write(f"{touches}\n")
            runs.stdin.flush()
            return runs.stdout.readline().strip()

        run("first")
        touches = int(run("first"))  # of a run that finds a report
        assert look(out) == "first" and touches > 3 * MOMENTS
        # One moment in each tenth of the run.
        drawn = random.Random(8)
        left = []
        for n in range(MOMENTS):
            moment = drawn.randrange(touches * n // MOMENTS, touches * (n + 1) // MOMENTS)
            assert run("second", moment) == "killed"
            left.append(look(out))
        # The earlier moments came before the swap, the last ones after it.
        assert left == sorted(left) and set(left) == {"first", "second"}
        run("third")
        runs.stdin.close()
    assert look(out) == "third"
    assert {path.name for path in out.iterdir() if not path.name.startswith(".")} == {"2026-11", "index.html"}
