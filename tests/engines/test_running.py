"""A local query can be stopped, is bounded, and leaves nothing behind; old computed rows are never taken for new."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import tempfile
import time
from datetime import datetime
from pathlib import Path

import pytest

from aoai_analytics.config import settings
from aoai_analytics.engines import connect
from aoai_analytics.engines.running import private_folder
from aoai_analytics.errors import QueryError
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.freshness import COMPUTED
from aoai_analytics.lake.ingest import ingest
from tests.lake.gateway_logs import gateway, lines

ENDLESS = "range x from 1 to 20000000 step 1 | extend y = x * 7 % 1000003 | summarize count() by y, x | count"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    (tmp_path / "a.json").write_bytes(lines(gateway(1), gateway(2, time="2026-11-02T10:00:00Z")))
    made = Lake.create(tmp_path / "lake")
    ingest([tmp_path / "a.json"], made)
    return made


@pytest.fixture(autouse=True)
def _settings_afresh():
    settings.cache_clear()
    yield
    settings.cache_clear()


def compute(lake: Lake, *days: str) -> None:
    for table in COMPUTED:
        rows = table.arrow_schema().empty_table()
        lake.replace_dates(table.name, rows, list(days), computed_from=lake.log_files())


def test_ctrl_c_ends_a_query_at_once(lake):
    script = "import signal, sys\nsignal.signal(signal.SIGINT, signal.default_int_handler)\n"
    script += "from aoai_analytics.engines import connect\nengine = connect(sys.argv[1])\n"
    script += "engine.query('print 1')\nprint('asking', flush=True)\nengine.query(sys.argv[2])\n"
    command = [sys.executable, "-c", script, str(lake.path), ENDLESS]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True) as asking:
        assert asking.stdout is not None
        assert asking.stdout.readline() == "asking\n"
        time.sleep(0.5)
        asking.send_signal(signal.SIGINT)
        began = time.monotonic()
        _, said = asking.communicate(timeout=60)
    assert time.monotonic() - began < 20
    assert "KeyboardInterrupt" in said


def test_a_query_past_its_time_limit_is_ended_with_a_word_and_the_engine_answers_the_next(lake, monkeypatch):
    monkeypatch.setenv("AOAI_QUERY_SECONDS", "0.5")
    engine = connect(lake.path)
    with pytest.raises(QueryError, match=r"ran longer than 0.5 s: narrow its time range"):
        engine.query(ENDLESS)
    monkeypatch.delenv("AOAI_QUERY_SECONDS")
    settings.cache_clear()
    assert engine.query("ApiManagementGatewayLogs | count").frame.iloc[0, 0] == 2


def test_a_query_past_its_memory_spills_into_a_private_folder_that_goes_with_the_engine(lake, monkeypatch, tmp_path):
    monkeypatch.setenv("AOAI_QUERY_MEMORY", "100MB")
    monkeypatch.setenv("TMPDIR", str(tmp_path / "spill"))
    (tmp_path / "spill").mkdir()
    monkeypatch.setattr(tempfile, "tempdir", None)
    monkeypatch.chdir(tmp_path)
    engine = connect(lake.path)
    found = engine.query(
        "range x from 1 to 20000000 step 1 | extend y = x * 7 % 1000003 | sort by y asc, x asc | take 3"
    )
    assert len(found.frame) == 3
    (folder,) = (tmp_path / "spill").iterdir()
    assert folder.stat().st_mode & 0o777 == 0o700
    engine.close()
    assert list((tmp_path / "spill").iterdir()) == []
    assert not (tmp_path / ".tmp").exists()


def test_folders_of_killed_processes_are_removed_and_those_of_running_ones_stay(monkeypatch, tmp_path):
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    gone = subprocess.Popen([sys.executable, "-c", ""])
    gone.wait()
    (tmp_path / f"aoai-spill-{gone.pid}-x").mkdir()
    (tmp_path / f"aoai-spill-{os.getppid()}-x").mkdir()
    (tmp_path / "aoai-spill-mine").mkdir()
    made = private_folder("aoai-spill-")
    assert sorted(path.name for path in tmp_path.iterdir()) == sorted(
        [made.name, f"aoai-spill-{os.getppid()}-x", "aoai-spill-mine"]
    )


def test_an_answer_from_computed_rows_older_than_the_logs_is_partial_and_says_so(lake):
    engine = connect(lake.path)
    found = engine.query("AoaiRequests | count")
    assert found.partial
    assert "2 dates from 2026-10-31 to 2026-11-02 are not computed yet" in found.warnings[0]
    compute(lake, "2026-10-31")
    found = engine.query("AoaiRequests | count")
    assert "logs of 2026-11-02 are not computed yet" in found.warnings[0]
    assert "aoai lake optimize" in found.warnings[0]
    assert not engine.query("AoaiRequests | count", end=datetime(2026, 11, 1)).partial
    assert engine.query("ApiManagementGatewayLogs | count").warnings == ()
    with lake.lock():
        assert "an ingest is running" in engine.query("AoaiRequests | count").warnings[0]
    compute(lake, "2026-11-02")
    assert not engine.query("AoaiRequests | count").partial
