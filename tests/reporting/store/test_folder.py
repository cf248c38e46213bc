"""A report's folder is replaced whole."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest

from aoai_analytics.errors import ReportError, WrongUse
from aoai_analytics.reporting.store import folder as folders
from aoai_analytics.reporting.store.folder import check_replaceable, locked, replace_folder


def files(text: str, *names: str) -> dict[str, bytes]:
    names = ("index.html", "manifest.json", *names)
    return {name: text.encode() for name in names} | {"manifest.json": json.dumps({"files": names}).encode()}


def test_a_report_replaces_the_one_before_with_nothing_left_beside(tmp_path: Path) -> None:
    out = tmp_path / "deep/reports"
    replace_folder(out, files("old", "old.html"))
    check_replaceable(out)
    replace_folder(out, files("new"))
    assert {path.name for path in out.iterdir()} == {"index.html", "manifest.json"}
    assert (out / "index.html").read_text() == "new"
    assert [path.name for path in out.parent.iterdir()] == ["reports"]


def test_a_report_that_cannot_be_written_leaves_the_one_before(tmp_path: Path) -> None:
    out = tmp_path / "reports"
    replace_folder(out, files("old"))
    with pytest.raises(ReportError, match="cannot write the report"):
        replace_folder(out, files("new") | {"no/such/folder.html": b""})
    assert (out / "index.html").read_text() == "old"
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]


def test_a_folder_with_other_files_is_refused_and_keeps_them(tmp_path: Path) -> None:
    replace_folder(tmp_path / "reports", files("old"))
    (tmp_path / "reports/notes.txt").write_text("mine")
    with pytest.raises(WrongUse, match=r"notes\.txt"):
        check_replaceable(tmp_path / "reports")
    with pytest.raises(WrongUse, match="has other files"):
        check_replaceable(tmp_path)
    with pytest.raises(WrongUse, match="is a file"):
        check_replaceable(tmp_path / "reports/notes.txt")


def test_where_folders_cannot_be_exchanged_one_is_renamed_after_the_other(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(folders, "_exchange", lambda new, folder: False)
    replace_folder(tmp_path / "reports", files("old"))
    replace_folder(tmp_path / "reports", files("new"))
    assert (tmp_path / "reports/index.html").read_text() == "new"
    assert [path.name for path in tmp_path.iterdir()] == ["reports"]


def test_a_folder_is_made_by_one_run_at_a_time_and_a_killed_one_does_not_block(tmp_path: Path) -> None:
    out = tmp_path / "deep/reports"
    script = (
        "import sys, pathlib, aoai_analytics.reporting.store.folder as f\n"
        "with f.locked(pathlib.Path(sys.argv[1])): print('held', flush=True); sys.stdin.read()"
    )
    with subprocess.Popen([sys.executable, "-c", script, out], stdin=-1, stdout=-1, text=True) as other:
        assert other.stdout and other.stdout.readline() == "held\n"
        with pytest.raises(ReportError, match="another run is writing"), locked(out):
            pass
        with locked(out.with_name("others")):
            pass
        other.send_signal(signal.SIGKILL)
    with locked(out):
        pass
    assert list(out.parent.iterdir()) == []


def test_what_a_killed_run_left_beside_is_swept_a_day_later(tmp_path: Path) -> None:
    for name, age in {"killed": 90_000, "running": 60}.items():
        (tmp_path / f".reports.new-{name}").mkdir()
        then = time.time() - age
        os.utime(tmp_path / f".reports.new-{name}", (then, then))
    replace_folder(tmp_path / "reports", files("new"))
    assert {path.name for path in tmp_path.iterdir()} == {"reports", ".reports.new-running"}


def test_what_a_desktop_leaves_in_the_folder_is_no_reason_to_refuse(tmp_path: Path) -> None:
    replace_folder(tmp_path / "reports", files("old"))
    (tmp_path / "reports/.DS_Store").touch()
    check_replaceable(tmp_path / "reports")


def test_a_run_killed_between_the_renames_gives_the_old_report_back(tmp_path: Path) -> None:
    out = tmp_path / "reports"
    replace_folder(out, files("old"))
    os.rename(out, tmp_path / ".reports.old")
    check_replaceable(out)
    assert (out / "index.html").read_text() == "old"
