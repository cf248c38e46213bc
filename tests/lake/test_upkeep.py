"""Merging and expiring: the same rows for every reader at every moment, in fewer files, and what expired is gone."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import time
from pathlib import Path

import pandas as pd
import pyarrow.parquet as pq
import pytest

from aoai_analytics.cli import main
from aoai_analytics.engines import connect
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.freshness import COMPUTED
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.lake.rewriting import finish
from aoai_analytics.lake.upkeep import expire, info, optimize
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, MESSAGES, REQUESTS, TABLES
from tests.lake.gateway_logs import MARKER, gateway, ids, lines, llm, rows

GATEWAY, LLM = GATEWAY_LOGS.name, LLM_LOG.name
DAYS = ["2026-10-30", "2026-10-31"]
BODY = json.dumps({"model": "gpt-4o", "messages": [{"role": "user", "content": f"{MARKER} of body"}]})


def hour(number: int, day: str) -> bytes:
    time = f"{day}T{number:02d}:00:00Z"
    name = f"{day[-2:]}{number:02d}"
    texts = [llm(name, 1, time=time, requestMessages=f'[{{"role":"user","content":"{MARKER} {n}"}}]') for n in range(2)]  # type: ignore[arg-type]
    numbers = llm(name, 0, time=time, promptTokens=5, completionTokens=2, totalTokens=7, modelName="gpt-4o")  # type: ignore[arg-type]
    return lines(gateway(name, time=time, requestBody=BODY), *texts, numbers)  # type: ignore[arg-type]


@pytest.fixture
def many(tmp_path: Path) -> Lake:
    """A lake of six hourly ingests, computed once; its files are as many."""
    lake = Lake.create(tmp_path / "lake")
    (tmp_path / "logs").mkdir()
    for day in DAYS:
        for number in range(3):
            (tmp_path / "logs" / f"{day}-{number}.json").write_bytes(hour(number, day))
            ingest([tmp_path / "logs"], lake)
    for table in COMPUTED:
        # What recompute notes, without its seconds of KQL: these tests look at the files.
        lake.replace_dates(table.name, table.arrow_schema().empty_table(), DAYS, computed_from=lake.log_files())
    return lake


def everything(lake: Lake) -> dict[str, list[str]]:
    return {name: sorted(map(str, rows(lake, name))) for name in TABLES}


def test_each_date_has_one_file_then_with_the_same_rows_and_nothing_to_compute(many):
    before, order = everything(many), ids(many, LLM)
    old = many.files(GATEWAY)
    done = optimize(many)
    assert (done.before, done.after) == (12, 4)
    assert (everything(many), ids(many, LLM)) == (before, order)
    assert [len(many.files(name)) for name in (GATEWAY, LLM)] == [2, 2]
    assert many.dirty_dates() == []
    # A running reader still finds its files; another optimize has nothing to do.
    assert all(Path(path).exists() for path in old)
    assert optimize(many).before == 0
    assert not (many.folder / "rewrite.json").exists()


def test_rows_that_come_after_a_merge_are_new_and_only_they(many, tmp_path):
    optimize(many)
    (tmp_path / "logs" / "late.json").write_bytes(hour(9, DAYS[1]))
    assert ingest([tmp_path / "logs"], many).new == 4
    stale = many.stale_dates(REQUESTS.name)
    assert list(stale) == DAYS  # an LLM row bears on the day before too
    assert [len(stale[day].gateway or ()) for day in DAYS] == [0, 1]
    assert ingest([tmp_path / "logs"], many).records == 0


def test_dates_whose_rows_wait_to_be_computed_are_left_alone(many, tmp_path):
    (tmp_path / "logs" / "late.json").write_bytes(hour(9, "2026-11-15"))
    ingest([tmp_path / "logs"], many)
    optimize(many)
    assert many.dirty_dates() == ["2026-11-15"]


def test_after_an_ingest_only_dates_with_many_files_are_merged(many):
    assert optimize(many, only_worth=True).before == 0
    for number in range(3, 5):
        path = many.path.parent / "logs" / f"more-{number}.json"
        path.write_bytes(hour(number, DAYS[0]))
        ingest([path], many)
    for table in COMPUTED:
        many.replace_dates(table.name, table.arrow_schema().empty_table(), DAYS, computed_from=many.log_files())
    done = optimize(many, only_worth=True)
    assert (done.before, done.after) == (10, 2)


def test_the_notes_and_the_number_of_ingests_outlive_the_log_entries_that_held_them(many, tmp_path):
    many.settle()
    long_ago = time.time() - 90 * 86_400
    for name in TABLES:
        for path in (many.path / name).rglob("*"):
            os.utime(path, (long_ago, long_ago))
    before = everything(many)
    many.settle(hours=0)
    many.settle(hours=0)
    assert everything(many) == before
    assert many.dirty_dates() == []
    assert ingest([tmp_path / "logs"], many).problems == []


def test_expired_dates_are_gone_from_every_table_and_never_computed_again(many):
    done = expire(many, before=DAYS[1], hours=0)
    assert done.rows > 0
    assert {day for name in TABLES for day in many.dates(name)} == {DAYS[1]}
    assert many.dirty_dates() == []
    assert not list(many.path.glob(f"*/date={DAYS[0]}/*.parquet"))
    recompute(many)
    assert {day for name in TABLES for day in many.dates(name)} == {DAYS[1]}


def test_texts_expire_and_numbers_stay_also_when_functions_change(tmp_path, monkeypatch):
    from aoai_analytics.lake import recompute as module

    lake = Lake.create(tmp_path / "lake")
    (tmp_path / "a.json").write_bytes(hour(1, DAYS[0]) + hour(1, DAYS[1]))
    ingest([tmp_path / "a.json"], lake)
    recompute(lake)
    numbers = "AoaiRequests | project-away ErrorMessage | sort by CorrelationId asc"
    before = connect(lake.path).query(numbers).frame
    assert before.TotalTokens.tolist() == [7, 7]
    expire(lake, texts_before=DAYS[1], hours=0)
    assert ids(lake, MESSAGES.name) == [f"{'id-'}{DAYS[1][-2:]}01"]
    kept = [path for path in lake.path.glob(f"*/date={DAYS[0]}/*.parquet")]
    assert kept
    for path in kept:
        assert MARKER not in str(pq.read_table(path, partitioning=None).to_pylist()), path
    assert MARKER in str(rows(lake))
    monkeypatch.setattr(module, "functions_version", lambda: "other")
    assert recompute(lake) == [DAYS[1]]
    (tmp_path / "b.json").write_bytes(hour(2, DAYS[0]))
    ingest([tmp_path / "b.json"], lake)
    recompute(lake)
    after = connect(lake.path).query(numbers).frame
    assert len(after) == 3
    pd.testing.assert_frame_equal(after[after.CorrelationId.isin(before.CorrelationId)].reset_index(drop=True), before)
    assert expire(lake, texts_before=DAYS[0]).dates == []


KILLED = """
import os, pathlib, signal, sys
from aoai_analytics.lake import delta, rewriting, upkeep, writing
moments = int(sys.argv[2])

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

around(delta.Lake, "commit")
around(writing.os, "replace")
around(writing.os, "fsync")
around(pathlib.Path, "unlink")
if sys.argv[3] == "optimize":
    upkeep.optimize(delta.Lake(sys.argv[1]))
else:
    upkeep.expire(delta.Lake(sys.argv[1]), before="2026-10-31", texts_before="2026-11-01")
"""


@pytest.mark.parametrize("moment", [1, 4, 9, 13, 16, 19, 22])
def test_a_merge_killed_at_any_step_changes_no_answer_and_is_finished_later(many, moment):
    before = everything(many)
    command = [sys.executable, "-c", KILLED, str(many.path), str(moment), "optimize"]
    assert subprocess.run(command, check=False).returncode == -9
    assert everything(many) == before
    if moment < 22:  # between the last table's commit and its note, the dates wait to be finished
        assert many.dirty_dates() == []
    with many.lock():
        finish(many)
    assert everything(many) == before
    assert many.dirty_dates() == []
    optimize(many, hours=0)
    assert [len(many.files(name)) for name in (GATEWAY, LLM)] == [2, 2]
    assert everything(many) == before
    on_disk = {path for name in TABLES for path in (many.path / name).glob("date=*/*")}
    assert on_disk == {Path(path) for name in TABLES for path in many.files(name)}


@pytest.mark.parametrize("moment", [1, 9, 14, 19, 25])
def test_an_expiry_killed_at_any_step_is_finished_by_another(many, moment):
    command = [sys.executable, "-c", KILLED, str(many.path), str(moment), "expire"]
    assert subprocess.run(command, check=False).returncode == -9
    assert many.dirty_dates() == []
    expire(many, before=DAYS[1], texts_before="2026-11-01", hours=0)
    assert {day for name in TABLES for day in many.dates(name)} == {DAYS[1]}
    assert MARKER not in str(everything(many))
    assert many.dirty_dates() == []
    on_disk = {path for name in TABLES for path in (many.path / name).glob("date=*/*")}
    assert on_disk == {Path(path) for name in TABLES for path in many.files(name)}


def test_info_says_what_is_there(many, capsys):
    found = {table.name: table for table in info(many).tables}
    assert (found[GATEWAY].rows, found[GATEWAY].files, found[LLM].rows) == (6, 6, 18)
    assert (found[GATEWAY].first, found[GATEWAY].last) == tuple(DAYS)
    assert main(["lake", "info", str(many.path)]) == 0
    assert "2026-10-30" in capsys.readouterr().out
    assert main(["lake", "info", str(many.path), "--json"]) == 0
    assert json.loads(capsys.readouterr().out)["stale"] == []


@pytest.mark.parametrize(
    "arguments", [["expire"], ["expire", "--before", "31.10.2026"], ["expire", "--texts-before", "2026-02-30"]]
)
def test_wrong_use_is_told(many, arguments):
    assert main(["lake", arguments[0], str(many.path), *arguments[1:]]) == 2
