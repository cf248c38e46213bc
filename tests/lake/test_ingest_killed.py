"""An ingest that is killed, at whichever step, and run again gives what an undisturbed one gives."""

from __future__ import annotations

import json
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.schema.tables import LLM_LOG, LOG_TABLES
from tests.lake.gateway_logs import blob_path, counts, gateway, lines, llm, quarantine, rows

KILLED = """
import os, pathlib, signal, sys
from aoai_analytics.lake import delta as lake, ingest, writing
ingest.BATCH_ROWS = 40
moments = int(sys.argv[3])

def moment():
    global moments
    moments -= 1
    if moments == 0:
        os.kill(os.getpid(), signal.SIGKILL)

def around(owner, name):
    real = getattr(owner, name)
    def wrapped(*args, **kwargs):
        moment()
        result = real(*args, **kwargs)
        moment()
        return result
    setattr(owner, name, wrapped)

around(lake.Lake, "commit")
if sys.argv[4] == "any step":
    around(writing.os, "replace")
    around(writing.os, "fsync")
    around(lake.Lake, "stage")
    around(pathlib.Path, "unlink")
ingest.ingest([sys.argv[1]], lake.Lake.create(sys.argv[2]))
"""


def many_records(logs: Path) -> None:
    for hour in range(4):
        records = [gateway(100 * hour + n, time=f"2026-10-{30 + n % 2}T10:00:{n:02d}Z") for n in range(30)]
        records += [llm(100 * hour + n, 1, requestMessages=f"{n} {m}") for n in range(10) for m in range(3)]
        blob_path(logs, hour).write_bytes(lines(*records[:20], b"junk", *records[20:], records[3]))


def contents(lake: Lake) -> tuple:
    return tuple(rows(lake, name) for name in LOG_TABLES), quarantine(lake)


def run_killed(logs: Path, lake: Path, moment: int, steps: str = "any step") -> int:
    """The exit code of an ingest that is killed at the moment of that number, before or after one of the steps."""
    command = [sys.executable, "-c", KILLED, str(logs), str(lake), str(moment), steps]
    return subprocess.run(command, check=False).returncode


@pytest.fixture(scope="module")
def undisturbed(tmp_path_factory):
    """(logs, the contents of a lake that they were read into without a kill)."""
    folder = tmp_path_factory.mktemp("undisturbed")
    many_records(folder / "logs")
    lake = Lake.create(folder / "lake")
    assert counts(ingest([folder / "logs"], lake)) == (240, 4, 4, 0, 0)
    return folder / "logs", contents(lake)


@pytest.mark.parametrize("moment", [1, 3, 6, 9, 11, 13, 14, 16, 18, 20, 22, 25, 31, 47, 71])
def test_an_ingest_killed_at_a_step_and_run_again_gives_the_same_rows(undisturbed, tmp_path, moment):
    logs, expected = undisturbed
    assert run_killed(logs, tmp_path / "lake", moment) == -9
    lake = Lake.create(tmp_path / "lake")
    ingest([logs], lake)
    got, got_quarantine = contents(lake)
    for table, expected_table in zip(got, expected[0], strict=True):
        assert sorted(table, key=str) == sorted(expected_table, key=str)
        texts = [row["RequestMessages"] for row in table if "RequestMessages" in row and row["CorrelationId"] == "id-5"]
        assert texts in ([], ["5 0", "5 1", "5 2"])
    assert got_quarantine == expected[1]
    assert lake.dirty_dates() == ["2026-10-30", "2026-10-31"]
    known = {Path(path) for name in LOG_TABLES for path in lake.files(name)}
    assert {path for name in LOG_TABLES for path in (lake.path / name).glob("date=*/*")} == known
    assert sorted(path.name for path in lake.folder.iterdir()) == ["lake.json", "lock", "quarantine", "state.json"]
    assert ingest([logs], lake).records == 0


def test_an_ingest_killed_again_and_again_still_comes_to_its_end(undisturbed, tmp_path):
    logs, expected = undisturbed
    for moment in (9, 4, 7, 15):
        assert run_killed(logs, tmp_path / "lake", moment) == -9
    lake = Lake.create(tmp_path / "lake")
    ingest([logs], lake)
    got, got_quarantine = contents(lake)
    assert [sorted(table, key=str) for table in got] == [sorted(table, key=str) for table in expected[0]]
    assert got_quarantine == expected[1]


def test_what_a_killed_ingest_meant_to_write_is_written_even_when_its_logs_are_gone(undisturbed, tmp_path):
    logs, _ = undisturbed
    copy = tmp_path / "logs"
    shutil.copytree(logs, copy)
    lake = Lake.create(tmp_path / "lake")
    assert run_killed(copy, lake.path, 2, "commits") == -9
    intent = json.loads((lake.folder / "intent.json").read_bytes())
    intended = sum(file["rows"] for files in intent["staged"].values() for file in files)
    shutil.rmtree(copy)
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.json").write_bytes(lines(gateway(9999)))
    summary = ingest([other], lake)
    assert summary.new == intended + 1
    assert len(rows(lake)) + len(rows(lake, LLM_LOG.name)) == intended + 1
