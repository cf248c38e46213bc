"""The accuracy benchmark measures what it says, and fails where a bound is missed."""

from __future__ import annotations

import csv
import runpy
import subprocess
import sys
from pathlib import Path

import pandas as pd
import pytest

from aoai_analytics.sample import write_sample
from benchmarks.token_accuracy.checks import misses
from benchmarks.token_accuracy.measures import Measured, measure
from tests.conftest import REPO

TRUTH = pd.DataFrame(
    {
        "CorrelationId": ["a", "b", "c", "d", "e"],
        "User": ["u1", "u1", "u2", "u2", "u3"],
        "SubscriptionId": ["s1", "s1", "s1", "s2", "s2"],
        "ModelName": ["m"] * 5,
        "Day": ["2026-11-02"] * 5,
        "Tokens": [100, 300, 200, 400, 0],
    }
)


def counted(*rows: tuple[str, int], errors: tuple[float, float] | None = None) -> Measured:
    frame = pd.DataFrame(rows, columns=["CorrelationId", "Tokens"])
    if errors:
        frame["Own"], frame["Shared"] = errors[0] ** 2, errors[1]
    return measure(TRUTH, frame)


RIGHT = (("a", 100), ("b", 300), ("c", 200), ("d", 400), ("e", 0))


def test_a_right_count_has_no_error() -> None:
    m = counted(*RIGHT)
    assert (m.error, m.found, m.missed, m.twice, m.outside) == (0, 100, 0, 0, 0)
    assert m.by["User"].groups == 2, "a user without tokens has no error in percent"
    assert m.by["User"].most == 0


def test_what_is_missed_and_what_is_counted_twice_is_said_apart() -> None:
    m = counted(("a", 100), ("a", 100), ("c", 200), ("d", 400))
    assert (m.missed, m.missed_tokens, m.twice) == (1, 30, 1)
    assert m.error == pytest.approx(-20)


def test_a_request_that_the_truth_does_not_know_is_in_no_number_but_its_own() -> None:
    assert counted(*RIGHT, ("x", 500), ("y", 1)).outside == 2
    assert counted(*RIGHT, ("x", 500)).error == 0


def test_errors_by_group_do_not_cancel_each_other() -> None:
    m = counted(("a", 140), ("b", 300), ("c", 160), ("d", 400))
    assert m.error == 0
    assert m.by["User"].most == pytest.approx(10)
    assert m.by["SubscriptionId"].median == 0
    assert m.by["User"].p90 == pytest.approx(6.667 + 0.9 * (10 - 6.667), rel=1e-3)


def test_stated_errors_add_as_squares_for_a_row_s_own_and_as_they_are_where_shared() -> None:
    m = counted(*RIGHT, errors=(3.0, 2.0))
    assert m.stated_error == pytest.approx(100 * (5 * 9 + (5 * 2) ** 2) ** 0.5 / 1000)
    assert m.sigmas == 0


def test_calibration_is_the_share_of_groups_within_their_stated_error() -> None:
    m = counted(("a", 101), ("b", 300), ("c", 200), ("d", 425), errors=(7.0, 0.0))
    # u1 is 1 of 9.9 off, u2 25 of 9.9.
    assert (m.stated["User"].within_1, m.stated["User"].within_2, m.stated["User"].within_3) == (0.5, 0.5, 1.0)


def test_a_total_that_is_off_by_too_much_is_a_miss() -> None:
    m = counted(("a", 100), ("b", 300), ("c", 200), ("d", 403))
    assert len(misses(m, bound=True, plain=None)) == 1
    assert misses(counted(*RIGHT), bound=True, plain=None) == []


def test_users_that_are_off_are_a_miss_though_the_total_is_right() -> None:
    m = counted(("a", 108), ("b", 300), ("c", 192), ("d", 400), errors=(1.0, 1.0))
    (said,) = misses(m, bound=True, plain=None)
    assert "users" in said


def test_a_request_counted_twice_is_a_miss_everywhere() -> None:
    m = counted(*RIGHT, ("e", 0), errors=(0.0, 0.0))
    assert any("twice" in said for said in misses(m, bound=True, plain=None))
    assert any("twice" in said for said in misses(m, bound=False, plain=None))


def test_strange_traffic_may_be_off_where_it_says_so() -> None:
    off = (("a", 150), ("b", 300), ("c", 200), ("d", 450))
    plain = counted(*RIGHT, errors=(1.0, 1.0))
    assert misses(counted(*off, errors=(40.0, 10.0)), bound=False, plain=plain) == []
    dishonest = misses(counted(*off, errors=(1.0, 1.0)), bound=False, plain=plain)
    assert any("standard errors" in said for said in dishonest)
    assert any("plain traffic" in said for said in dishonest)
    assert any("User" in said for said in dishonest)


def test_a_model_without_known_tokens_must_state_a_wider_error() -> None:
    truth = TRUTH.assign(ModelName=["old", "old", "old", "new", "new"])

    def stated(shared: list[float]) -> Measured:
        frame = pd.DataFrame(RIGHT, columns=["CorrelationId", "Tokens"])
        frame["IsEstimated"] = [False, True, False, True, False]
        frame["Own"], frame["Shared"] = 0.0, shared
        return measure(truth[truth.CorrelationId != "e"], frame[frame.CorrelationId != "e"])

    narrow, wide = stated([0, 30, 0, 40, 0]), stated([0, 30, 0, 80, 0])
    assert (narrow.unseen, narrow.seen, wide.unseen) == (10, 10, 20)
    assert any("without known tokens" in said for said in misses(narrow, bound=False, plain=None))
    assert misses(wide, bound=False, plain=None) == []


def test_a_wrong_count_that_states_no_error_is_never_honest() -> None:
    silent = counted(("a", 150), ("b", 300), ("c", 200), ("d", 400), errors=(0.0, 0.0))
    assert any("no error at all" in said for said in misses(silent, bound=False, plain=None))


def accuracy(*arguments: object) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "benchmarks/accuracy.py", *map(str, arguments)]
    return subprocess.run(command, cwd=REPO, capture_output=True, text=True, encoding="utf-8", env=environment())


def environment() -> dict[str, str]:
    import os

    return os.environ | {"PYTHONPATH": str(REPO)}


@pytest.fixture(scope="module")
def complete(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("accuracy") / "sample"
    write_sample(folder, requests=150, days=1, seed=3, mix="complete")
    return folder


def test_it_compares_every_method_on_one_s_own_logs(
    complete: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    """In this process, which has translated the functions before; the next test starts the program."""
    monkeypatch.syspath_prepend(REPO / "benchmarks")
    program = runpy.run_path(str(REPO / "benchmarks/accuracy.py"))
    code = program["main"]([str(complete / "logs"), str(complete / "truth.csv")])
    said = capsys.readouterr()
    assert code == 0, said.out + said.err
    lines = {line.split("  ")[0]: line for line in said.out.splitlines()}
    assert {"bodies", "bodies, one OperationId", "LLM log", "ours without estimates", "ours"} <= lines.keys()
    assert "+0.000%" in lines["ours"]
    assert "all hold" in said.out


def test_it_ends_with_1_where_a_bound_is_missed(complete: Path, tmp_path: Path) -> None:
    with (complete / "truth.csv").open(encoding="utf-8", newline="") as file:
        rows = list(csv.DictReader(file))
    for row in rows:
        row["PromptTokens"] = str(2 * int(row["PromptTokens"]))
    doubled = tmp_path / "truth.csv"
    with doubled.open("w", encoding="utf-8", newline="") as file:
        writer = csv.DictWriter(file, rows[0].keys())
        writer.writeheader()
        writer.writerows(rows)
    run = accuracy(complete / "logs", doubled)
    assert run.returncode == 1
    assert "DOES NOT HOLD" in run.stdout


@pytest.mark.parametrize("arguments", [["nowhere", "nowhere.csv"], ["."]])
def test_wrong_use_ends_with_2_and_says_what_is_wrong(arguments: list[str]) -> None:
    run = accuracy(*arguments)
    assert run.returncode == 2
    assert "accuracy.py" in run.stderr and not run.stdout
