"""A folder of reports: where each goes, what becomes of a flat one, the index, what expires."""

from __future__ import annotations

import json
import os
import shutil
from collections.abc import Callable
from concurrent.futures import ProcessPoolExecutor
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.errors import ReportError, WrongUse
from aoai_analytics.reporting.manifest import span_name
from aoai_analytics.reporting.store import collection
from aoai_analytics.reporting.store.collection import (
    drop_expired,
    refresh_index,
    report_folder,
    reports,
    save_report,
)
from tests.reporting.sample_collection import files, manifest, month

NOW = datetime(2026, 11, 24, tzinfo=UTC)


@pytest.fixture
def out(tmp_path: Path) -> Path:
    return tmp_path / "reports"


def names(folder: Path) -> set[str]:
    return {path.name for path in folder.iterdir()}


def kept(out: Path, key: str, **more: Any) -> Path:
    return save_report(out, key, files(month(key, **more)))


def test_a_run_without_a_named_period_stays_flat_and_has_no_index_of_reports(out: Path) -> None:
    assert report_folder(out, None) == out and not out.exists()
    assert save_report(out, None, files(manifest(None))) == out
    assert save_report(out, None, files(manifest(None))) == out
    assert names(out) == {"index.html", "manifest.json", "tokens.html"}
    assert refresh_index(out) is None and drop_expired(out, timedelta(days=1), NOW) == []
    assert (out / "index.html").read_text() == "<title>flat</title>"


def test_a_named_period_has_its_folder_and_the_same_one_again_replaces_it(out: Path) -> None:
    assert kept(out, "2026-10") == out / "2026-10"
    assert kept(out, "2026-10") == out / "2026-10"
    assert names(out) == {"index.html", "2026-10"}
    assert 'href="2026-10/index.html"' in (out / "index.html").read_text("utf-8")


def test_a_flat_report_is_moved_whole_when_a_named_period_comes(out: Path) -> None:
    save_report(out, None, files(manifest(None, "2026-11-01", "2026-11-11")))
    assert report_folder(out, "2026-10") == out / "2026-10"
    assert names(out) == {"index.html", "2026-11-01--2026-11-11"}
    assert names(out / "2026-11-01--2026-11-11") == {"index.html", "manifest.json", "tokens.html"}
    kept(out, "2026-10")
    text = (out / "index.html").read_text("utf-8")
    assert "2026-11-01--2026-11-11/index.html" in text and "2026-10/index.html" in text
    assert names(out.parent) == {"reports"}


def test_in_a_collection_a_run_without_a_named_period_has_a_folder_too(out: Path) -> None:
    kept(out, "2026-10")
    assert report_folder(out, None, otherwise="since-2026-11-17") == out / "since-2026-11-17"


def test_a_move_killed_at_any_step_leaves_the_report_readable_and_is_ended_by_the_next_run(
    out: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    class Killed(BaseException):
        """No handler of the code under test takes it for an error."""

    steps: list[str] = []
    for at in range(100):
        shutil.rmtree(out, ignore_errors=True)
        save_report(out, None, files(manifest(None)))
        steps.clear()

        def counted(real: Callable[..., Any], at: int = at) -> Callable[..., Any]:
            def step(*given: Any, **more: Any) -> Any:
                steps.append(real.__name__)
                if len(steps) > at:
                    raise Killed
                return real(*given, **more)

            return step

        with monkeypatch.context() as patch:
            for owner, name in [
                (shutil, "copy2"), (os, "rename"), (os, "replace"), (Path, "unlink"), (shutil, "rmtree"),
            ]:  # fmt: skip
                patch.setattr(owner, name, counted(getattr(owner, name)))
            try:
                report_folder(out, "2026-10")
            except Killed:
                pass
            else:
                break
        whole = [folder for folder in (out, out / "all") if (folder / "index.html").exists()]
        assert any((folder / "index.html").read_text() == "<title>flat</title>" for folder in whole), steps
        assert report_folder(out, "2026-10") == out / "2026-10"
        assert names(out) == {"index.html", "all"}
        assert names(out / "all") == {"index.html", "manifest.json", "tokens.html"}
        assert names(out.parent) == {"reports"}
    assert {"copy2", "rename", "replace", "unlink"} <= set(steps) and at >= 6


def test_a_first_run_killed_before_the_index_leaves_a_collection(out: Path) -> None:
    kept(out, "2026-10")
    (out / "index.html").unlink()
    (out / ".2026-11.new-abc").mkdir()
    assert report_folder(out, None, otherwise="all") == out / "all"
    assert refresh_index(out) == out / "index.html"


@pytest.mark.parametrize("left", [".2026-10.kept", ".2026-10.lock", ".2026-10.new-a_1"])
def test_what_a_killed_first_run_left_is_no_reason_to_refuse(out: Path, left: str) -> None:
    (out / left).mkdir(parents=True)
    assert report_folder(out, "2026-10") == out / "2026-10"
    assert report_folder(out, None, otherwise="all") == out / "all"


def test_folders_that_we_did_not_write_are_refused_or_left_alone(out: Path) -> None:
    out.mkdir()
    (out / "notes.txt").write_text("mine")
    for key in ("2026-10", None):
        with pytest.raises(WrongUse, match=r"notes\.txt"):
            report_folder(out, key)
    (out / "notes.txt").unlink()
    (out / "index.html").write_text("my own site")
    with pytest.raises(WrongUse, match=r"index\.html"):
        report_folder(out, "2026-10")
    (out / "index.html").unlink()
    kept(out, "2026-10")
    (out / "2026-11").mkdir()
    (out / "2026-11/mine.txt").write_text("mine")
    (out / "2026-12").symlink_to(out / "2026-10")
    with pytest.raises(WrongUse, match=r"mine\.txt"):
        report_folder(out, "2026-11")
    refresh_index(out)
    drop_expired(out, timedelta(days=1), NOW)
    assert names(out) == {"index.html", "2026-11", "2026-12"}
    assert (out / "2026-11/mine.txt").read_text() == "mine"


@pytest.mark.parametrize("key", ["../2026-10", "a/b", "", ".hidden", "..", "a\nb"])
def test_a_name_never_leads_out_of_the_folder(out: Path, key: str) -> None:
    with pytest.raises(WrongUse, match="not a valid folder name"):
        report_folder(out, key or None, otherwise=key)


def test_a_manifest_that_names_files_elsewhere_is_none_of_ours(out: Path) -> None:
    precious = out.parent / "precious.txt"
    precious.write_text("mine")
    save_report(
        out, None, files(manifest(None, files=["index.html", "manifest.json", "tokens.html", "../precious.txt"]))
    )
    with pytest.raises(WrongUse):
        report_folder(out, "2026-10")
    assert precious.exists() and names(out) == {"index.html", "manifest.json", "tokens.html"}


def test_the_report_of_another_source_is_not_replaced_and_each_keeps_its_folder(out: Path) -> None:
    first = save_report(out, "2026-10", files(month("2026-10", source="lake-a")), source="lake-a")
    second = save_report(out, "2026-10", files(month("2026-10", source="lake-b")), source="lake-b")
    assert [first.name, second.name] == ["2026-10", "2026-10-2"]
    assert report_folder(out, "2026-10", source="lake-b").name == "2026-10-2"
    assert report_folder(out, "2026-10", source="lake-c").name == "2026-10-3"
    shutil.rmtree(first)
    assert report_folder(out, "2026-10", source="lake-b").name == "2026-10-2"


def _stored(given: tuple[Path, str]) -> None:
    kept(*given)


def test_runs_that_end_at_once_are_all_in_the_index(out: Path) -> None:
    kept(out, "2026-01")
    keys = [f"2026-{number:02}" for number in range(2, 10)]
    with ProcessPoolExecutor(4) as pool:
        list(pool.map(_stored, [(out, key) for key in keys]))
    text = (out / "index.html").read_text("utf-8")
    assert all(f'href="{key}/index.html"' in text for key in ["2026-01", *keys])
    assert len(names(out)) == 10


def test_an_index_that_cannot_be_written_leaves_the_one_before(out: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    kept(out, "2026-10")
    before = (out / "index.html").read_text("utf-8")

    def full(*_: object) -> None:
        raise OSError(28, "No space left on device")

    monkeypatch.setattr(os, "replace", full)
    with pytest.raises(ReportError, match="No space left"):
        refresh_index(out)
    assert (out / "index.html").read_text("utf-8") == before and names(out) == {"index.html", "2026-10"}


def test_a_report_goes_when_its_period_ended_longer_ago_than_is_kept(out: Path) -> None:
    for key in ("2026-08", "2026-09", "2026-10"):
        kept(out, key)
    save_report(out, None, files(manifest(None, made="2026-09-01T00:00:00+00:00")), otherwise="all")
    assert drop_expired(out, timedelta(days=60), datetime(2026, 11, 30, tzinfo=UTC)) == ["2026-08", "all"]
    assert names(out) == {"index.html", "2026-09", "2026-10"}
    assert "2026-08/index.html" not in (out / "index.html").read_text("utf-8")
    # The 30th of September ended 60 days before that moment, and not before it.
    assert drop_expired(out, timedelta(days=60), datetime(2026, 11, 30, 0, 0, 1, tzinfo=UTC)) == ["2026-09"]


def test_a_report_with_notes_of_somebody_s_in_it_does_not_expire(out: Path) -> None:
    (kept(out, "2026-08") / "notes.txt").write_text("mine")
    assert drop_expired(out, timedelta(days=1), NOW) == []


def test_what_a_killed_removal_left_is_removed_by_the_next(out: Path) -> None:
    kept(out, "2026-10")
    (out / ".2026-08.expired-abc/2026-08").mkdir(parents=True)
    assert drop_expired(out, timedelta(days=400), NOW) == []
    assert names(out) == {"index.html", "2026-10"}


def test_keeping_reports_for_no_time_is_refused(out: Path) -> None:
    with pytest.raises(WrongUse, match="400d"):
        drop_expired(out, timedelta(), NOW)


def test_a_span_without_a_name_is_named_by_its_days_or_minutes_in_its_time_zone() -> None:
    first, last = datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 10, 23, tzinfo=UTC)
    assert span_name(None, None, "UTC") == "all"
    assert span_name(first, last, "Europe/Berlin") == "2026-11-01--2026-11-11"
    assert span_name(first, None, "UTC") == "since-2026-10-31T2300"
    assert span_name(None, last, "Europe/Berlin") == "until-2026-11-11"


def test_a_folder_whose_manifest_cannot_be_read_is_no_report(out: Path) -> None:
    kept(out, "2026-10")
    for name, text in {"a": "{", "b": "[]", "c": json.dumps({"made": "then", "files": [], "pages": []})}.items():
        (out / name).mkdir()
        (out / name / "manifest.json").write_text(text)
    assert [folder.name for folder, _ in reports(out)] == ["2026-10"]


def test_the_index_carries_the_mark_by_which_it_is_known(out: Path) -> None:
    kept(out, "2026-10")
    assert collection.MARK in (out / "index.html").read_text("utf-8")
