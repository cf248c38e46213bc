"""``aoai ingest --follow``: records are ingested as they come, until Ctrl-C."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.engines import connect
from aoai_analytics.sample import write_sample


def test_logs_are_waited_for_and_ingested_as_they_come(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    waits = 0

    def wait(seconds: float) -> None:
        nonlocal waits
        waits += 1
        if waits == 1:
            write_sample(Path("sample"), requests=20, days=1, mix="complete")
        elif waits == 3:
            raise KeyboardInterrupt

    monkeypatch.setattr(time, "sleep", wait)
    assert main(["ingest", "sample/logs", "--lake", "lake", "--follow"]) == 0
    out, err = capsys.readouterr()
    assert err.count("still waiting") == 1 and err.endswith("Stopped\n")
    assert out.count(" new") == 1, "the round without new records says nothing"
    assert connect("lake").query("AoaiRequests | count").frame.iat[0, 0] == 20


def test_a_workspace_is_not_followed(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = "log-analytics://11111111-2222-3333-4444-555555555555"
    assert main(["ingest", source, "--since", "1d", "--follow", "--lake", str(tmp_path / "lake")]) == 2
    assert "--follow applies to files and containers" in capsys.readouterr().err
