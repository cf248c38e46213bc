"""A sample is the same each time, and never written over other files or left half done."""

from __future__ import annotations

import csv
import errno
import json
import os
import subprocess
import sys
from datetime import date
from pathlib import Path

import pytest

from aoai_analytics.errors import AoaiError, WrongUse
from aoai_analytics.sample import write_sample
from aoai_analytics.sample.invoice import write_invoice
from tests.conftest import REPO
from tests.sample.reading import contents, read


def test_the_same_seed_gives_the_same_bytes_and_another_seed_others(tmp_path):
    for name, seed in (("a", 1), ("b", 1), ("c", 2)):
        write_sample(tmp_path / name, requests=150, days=2, seed=seed)
    assert contents(tmp_path / "a") == contents(tmp_path / "b")
    assert contents(tmp_path / "a")["truth.csv"] != contents(tmp_path / "c")["truth.csv"]


def test_the_summary_says_what_is_on_disk(sample):
    blobs = list(sample.folder.glob("logs/*/**/PT1H.json"))
    assert sample.summary.requests == len(sample.truth) == 6000
    assert sample.summary.gateway_rows == len(sample.gateway)
    assert sample.summary.llm_rows == len(sample.llm)
    assert (sample.summary.files, sample.summary.bytes) == (len(blobs), sum(blob.stat().st_size for blob in blobs))
    assert (sample.summary.start, sample.summary.end) == (date(2026, 11, 2), date(2026, 11, 15))


def test_an_invoice_is_made_of_prompts_of_any_length(tmp_path):
    write_sample(tmp_path / "s", requests=60, days=2)
    truth = tmp_path / "s/truth.csv"
    of_short_prompts = write_invoice(truth, tmp_path / "short")
    with truth.open(encoding="utf-8", newline="") as file:
        rows = [row | {"PromptText": "x" * 200_000} for row in csv.DictReader(file)]
    with truth.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, list(rows[0]))
        writer.writeheader()
        writer.writerows(rows)
    assert write_invoice(truth, tmp_path / "long") == of_short_prompts


def test_a_start_moves_the_whole_period(tmp_path):
    summary = write_sample(tmp_path / "s", requests=60, days=2, start=date(2026, 1, 30))
    assert (summary.start, summary.end) == (date(2026, 1, 30), date(2026, 1, 31))
    days = {row["TimeGenerated"][:10] for row in read(tmp_path / "s", summary).truth}
    assert days == {"2026-01-30", "2026-01-31"}


def test_progress_ends_at_all_requests(tmp_path):
    calls = []
    write_sample(tmp_path / "s", requests=40, days=1, progress=lambda done, total: calls.append((done, total)))
    assert calls[-1] == (40, 40)
    assert calls == sorted(calls)


@pytest.mark.parametrize("wrong", [{"requests": 0}, {"days": 0}, {"mix": "all"}])
def test_an_argument_without_sense_is_wrong_use(tmp_path, wrong):
    with pytest.raises(WrongUse):
        write_sample(tmp_path / "s", **wrong)
    assert not (tmp_path / "s").exists()


def test_a_folder_of_other_files_is_refused_in_one_line_and_left_alone(tmp_path):
    (tmp_path / "thesis.txt").write_text("mine", encoding="utf-8")
    with pytest.raises(AoaiError, match=r"holds thesis\.txt.*choose a new or empty folder") as refused:
        write_sample(tmp_path, requests=10, days=1)
    assert "\n" not in str(refused.value)
    assert contents(tmp_path) == {"thesis.txt": b"mine"}


def test_a_folder_of_real_logs_is_refused(tmp_path):
    (tmp_path / "logs").mkdir()
    (tmp_path / "logs" / "PT1H.json").write_text("{}\n", encoding="utf-8")
    with pytest.raises(AoaiError, match=r"it has no sample\.json"):
        write_sample(tmp_path, requests=10, days=1)
    assert (tmp_path / "logs" / "PT1H.json").exists()


def test_a_file_in_the_place_of_the_folder_is_refused(tmp_path):
    (tmp_path / "out").write_text("", encoding="utf-8")
    with pytest.raises(AoaiError, match="cannot write a sample"):
        write_sample(tmp_path / "out", requests=10, days=1)


def test_an_earlier_sample_is_replaced_whole(tmp_path):
    write_sample(tmp_path / "s", requests=60, days=3, seed=4)
    write_sample(tmp_path / "s", requests=30, days=1, seed=5)
    write_sample(tmp_path / "fresh", requests=30, days=1, seed=5)
    assert contents(tmp_path / "s") == contents(tmp_path / "fresh")


def test_a_run_that_is_broken_off_leaves_the_earlier_sample_as_it_was(tmp_path):
    def stop(done: int, total: int) -> None:
        raise KeyboardInterrupt

    write_sample(tmp_path / "s", requests=30, days=1)
    before = contents(tmp_path / "s")
    with pytest.raises(KeyboardInterrupt):
        write_sample(tmp_path / "s", requests=40, days=1, seed=2, progress=stop)
    assert contents(tmp_path / "s") == before


def kill_while_writing(folder: Path) -> None:
    """A run in a process of its own that ends at once, as a killed one does, before all is written."""
    script = (
        "import os, sys; from pathlib import Path; from aoai_analytics.sample import write_sample\n"
        "stop = lambda done, total: os._exit(9) if done else None\n"
        "write_sample(Path(sys.argv[1]), requests=60, days=1, seed=3, progress=stop)"
    )
    assert subprocess.run([sys.executable, "-c", script, str(folder)], cwd=REPO, check=False).returncode == 9


def test_a_first_run_that_is_killed_looks_like_no_sample_and_can_be_done_again(tmp_path):
    kill_while_writing(tmp_path / "s")
    assert (tmp_path / "s" / ".partial").exists()
    assert not (tmp_path / "s" / "logs").exists()
    assert json.loads((tmp_path / "s" / "sample.json").read_text(encoding="utf-8"))["complete"] is False
    write_sample(tmp_path / "s", requests=40, days=1)
    assert json.loads((tmp_path / "s" / "sample.json").read_text(encoding="utf-8"))["complete"] is True
    assert not (tmp_path / "s" / ".partial").exists()


def test_a_run_that_is_killed_leaves_the_earlier_sample_as_it_was(tmp_path):
    write_sample(tmp_path / "s", requests=30, days=1)
    before = contents(tmp_path / "s")
    kill_while_writing(tmp_path / "s")
    after = contents(tmp_path / "s")
    assert {name: text for name, text in after.items() if not name.startswith(".partial")} == before


def test_a_full_disk_is_said_in_one_line(tmp_path):
    def full(done: int, total: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    with pytest.raises(AoaiError, match="No space left on device"):
        write_sample(tmp_path / "s", requests=40, days=1, progress=full)
    assert set(contents(tmp_path / "s")) == {"sample.json"}
