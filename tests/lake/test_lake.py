"""The lake: atomic writes, snapshots for readers, and which dates must be computed again."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import threading
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aoai_analytics.errors import LakeError, UnknownName
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.freshness import COMPUTED
from aoai_analytics.lake.records import SHAPES, to_arrow, to_row
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, REQUESTS
from tests.lake.gateway_logs import MARKER, gateway, llm

GATEWAY, LLM = GATEWAY_LOGS.name, LLM_LOG.name


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "a lake")


def gateway_rows(*days: str, first: int = 0) -> pa.Table:
    shape = SHAPES[GATEWAY]
    return to_arrow(shape, [to_row(gateway(first + i, time=f"{day}T10:00:00Z"), shape) for i, day in enumerate(days)])


def llm_rows(*days: str) -> pa.Table:
    shape = SHAPES[LLM]
    return to_arrow(shape, [to_row(llm(i, 1, time=f"{day}T10:00:00Z"), shape) for i, day in enumerate(days)])


def computed(table, *days: str) -> pa.Table:
    schema = table.arrow_schema()
    rows = [{"CorrelationId": f"c-{day}", "date": day} for day in days]
    return pa.Table.from_pylist(rows, schema=schema)


def ids(lake: Lake, table: str = GATEWAY, **options) -> list[str]:
    return [
        value for path in lake.files(table, **options) for value in pq.read_table(path)["CorrelationId"].to_pylist()
    ]


def compute(lake: Lake, *days: str, functions: str | None = None) -> None:
    files = lake.log_files()
    for table in COMPUTED:
        rows = computed(table, *days)
        lake.replace_dates(table.name, rows, list(days), computed_from=files, functions=functions)


def test_a_folder_that_is_no_lake_says_how_to_make_one(tmp_path):
    for place in (tmp_path, tmp_path / "nowhere"):
        with pytest.raises(LakeError, match="aoai ingest LOGS --lake"):
            Lake(place)


def test_a_lake_of_a_newer_format_asks_for_an_upgrade(lake):
    (lake.folder / "lake.json").write_text(json.dumps({"format": 99}))
    with pytest.raises(LakeError, match=r"format 99.*upgrade"):
        Lake(lake.path)


@pytest.mark.parametrize("content", ["", "[]", '{"format": "x"}', "{}"])
def test_a_damaged_marker_is_told(lake, content):
    (lake.folder / "lake.json").write_text(content)
    with pytest.raises(LakeError, match="damaged"):
        Lake(lake.path)


def test_a_lake_cannot_be_made_where_a_file_is(tmp_path):
    (tmp_path / "file").write_text("x")
    with pytest.raises(LakeError, match="cannot write the lake"):
        Lake.create(tmp_path / "file")


def test_creating_a_lake_that_is_there_keeps_it(lake):
    lake.append(GATEWAY, gateway_rows("2026-10-31"))
    assert ids(Lake.create(lake.path)) == ["id-0"]


def test_a_table_that_was_never_written_has_no_files_and_a_strange_name_is_refused(lake):
    assert lake.files(GATEWAY) == []
    assert lake.dates(GATEWAY) == []
    with pytest.raises(UnknownName, match="ApiManagementGatewayLogs"):
        lake.files("Strange")


def test_files_are_those_of_the_dates_asked_for_and_exist(lake):
    lake.append(GATEWAY, gateway_rows("2026-10-29", "2026-10-30", "2026-10-31", "2026-11-01"))
    assert lake.dates(GATEWAY) == ["2026-10-29", "2026-10-30", "2026-10-31", "2026-11-01"]
    assert ids(lake, dates=("2026-10-30", "2026-10-31")) == ["id-1", "id-2"]
    assert ids(lake, dates=("2026-11-02", "2026-11-03")) == []
    for path in lake.files(GATEWAY):
        assert os.path.isabs(path)
        assert "/date=2026-1" in path
        assert "date" not in pq.read_schema(path).names


def test_other_readers_of_delta_see_the_same_rows(lake):
    import deltalake

    lake.append(GATEWAY, gateway_rows("2026-10-30", "2026-10-31"))
    table = deltalake.DeltaTable(str(lake.path / GATEWAY)).to_pyarrow_table()
    assert sorted(table["CorrelationId"].to_pylist()) == ["id-0", "id-1"]
    assert sorted(table["date"].to_pylist()) == ["2026-10-30", "2026-10-31"]
    assert table.schema.field("TimeGenerated").type == pa.timestamp("us", tz="UTC")


def test_rows_are_kept_by_time_and_equal_times_in_the_order_given_also_over_commits(lake):
    shape = SHAPES[GATEWAY]
    times = ["10:00:02", "10:00:01", "10:00:01", "10:00:00", "10:00:01"]
    rows = [to_row(gateway(i, time=f"2026-10-31T{time}Z"), shape) for i, time in enumerate(times)]
    lake.append(GATEWAY, to_arrow(shape, rows))
    assert ids(lake) == ["id-3", "id-1", "id-2", "id-4", "id-0"]
    for number in range(10, 25):
        lake.append(GATEWAY, gateway_rows("2026-10-31", first=number))
    assert ids(lake)[5:] == [f"id-{number}" for number in range(10, 25)]


def test_an_append_of_the_same_transaction_happens_once(lake):
    for _ in range(2):
        lake.append(GATEWAY, gateway_rows("2026-10-31"), app_id="x", app_version=3)
    assert ids(lake) == ["id-0"]
    assert lake.transaction(GATEWAY, "x") == 3
    assert len(list((lake.path / GATEWAY).glob("date=*/*"))) == 1
    lake.append(GATEWAY, gateway_rows("2026-10-31"), app_id="x", app_version=4)
    assert ids(lake) == ["id-0", "id-0"]


def test_replacing_dates_touches_exactly_these_and_may_leave_them_empty(lake):
    name = REQUESTS.name
    lake.replace_dates(name, computed(REQUESTS, "2026-10-30", "2026-10-31"), ["2026-10-30", "2026-10-31"])
    before = lake.files(name)
    lake.replace_dates(name, computed(REQUESTS, "2026-10-31", "2026-10-31"), ["2026-10-31"])
    assert ids(lake, name) == ["c-2026-10-30", "c-2026-10-31", "c-2026-10-31"]
    lake.replace_dates(name, computed(REQUESTS), ["2026-10-30"])
    assert lake.dates(name) == ["2026-10-31"]
    # A reader of the former snapshot still finds its files.
    assert all(Path(path).exists() for path in before)


def test_replacing_refuses_rows_of_other_dates(lake):
    with pytest.raises(LakeError, match="2026-10-30"):
        lake.replace_dates(REQUESTS.name, computed(REQUESTS, "2026-10-30"), ["2026-10-31"])


def test_staged_files_are_seen_by_no_reader_and_swept_when_nothing_intends_them(lake):
    lake.append(GATEWAY, gateway_rows("2026-10-31"))
    staged = lake.stage(GATEWAY, gateway_rows("2026-10-31", first=5))
    assert ids(lake) == ["id-0"]
    lake.sweep(GATEWAY, keep={staged[0].path})
    lake.commit(GATEWAY, staged)
    assert ids(lake) == ["id-0", "id-5"]
    lake.stage(GATEWAY, gateway_rows("2026-10-31", first=6))
    lake.sweep(GATEWAY, keep=set())
    assert ids(lake) == ["id-0", "id-5"]
    assert len(list((lake.path / GATEWAY).glob("date=*/*"))) == 2


def test_a_table_gets_the_columns_that_a_newer_version_adds(lake, monkeypatch):
    from aoai_analytics.lake import delta as module
    from aoai_analytics.schema.tables import Table

    lake.append(REQUESTS.name, computed(REQUESTS, "2026-10-30"))
    wider = Table(REQUESTS.name, REQUESTS.columns | {"Added": "long"}, REQUESTS.key)
    monkeypatch.setitem(module.TABLES, REQUESTS.name, wider)
    lake.append(REQUESTS.name, computed(wider, "2026-10-31"))
    import deltalake

    delta = deltalake.DeltaTable(str(lake.path / REQUESTS.name))
    assert "Added" in delta.to_pyarrow_table().column_names
    assert ids(lake, REQUESTS.name) == ["c-2026-10-30", "c-2026-10-31"]


def test_no_text_of_a_message_is_in_the_delta_log(lake):
    shape = SHAPES[LLM]
    lake.append(LLM, to_arrow(shape, [to_row(llm(1, 1, requestMessages=MARKER), shape)]))
    logs = b"".join(path.read_bytes() for path in (lake.path / LLM / "_delta_log").iterdir() if path.is_file())
    assert b"numRecords" in logs
    assert MARKER.encode() not in logs


def test_dates_are_dirty_until_all_computed_tables_have_them(lake):
    assert lake.dirty_dates() == []
    lake.append(GATEWAY, gateway_rows("2026-10-30", "2026-10-31"))
    assert lake.dirty_dates() == ["2026-10-30", "2026-10-31"]
    files = lake.log_files()
    for table in COMPUTED:
        assert lake.dirty_dates() == ["2026-10-30", "2026-10-31"]
        lake.replace_dates(table.name, computed(table), ["2026-10-30"], computed_from=files)
    assert lake.dirty_dates() == ["2026-10-31"]
    compute(lake, "2026-10-31")
    assert lake.dirty_dates() == []


def test_a_gateway_row_dirties_its_day_and_an_llm_row_the_days_beside_it_too(lake):
    days = ["2026-10-28", "2026-10-29", "2026-10-30", "2026-10-31"]
    lake.append(GATEWAY, gateway_rows(*days))
    compute(lake, *days)
    lake.append(GATEWAY, gateway_rows("2026-10-30", first=9))
    assert lake.dirty_dates() == ["2026-10-30"]
    compute(lake, "2026-10-30")
    lake.append(LLM, llm_rows("2026-10-30"))
    assert lake.dirty_dates() == ["2026-10-29", "2026-10-30", "2026-10-31"]
    compute(lake, *lake.dirty_dates())
    assert lake.dirty_dates() == []


def test_rows_that_come_while_the_tables_are_computed_leave_their_date_dirty(lake):
    lake.append(GATEWAY, gateway_rows("2026-10-31"))
    files = lake.log_files()
    lake.append(GATEWAY, gateway_rows("2026-10-31", first=5))
    for table in COMPUTED:
        lake.replace_dates(table.name, computed(table), ["2026-10-31"], computed_from=files)
    assert lake.dirty_dates() == ["2026-10-31"]


def test_dates_computed_by_other_functions_are_dirty(lake):
    lake.append(GATEWAY, gateway_rows("2026-10-31"))
    compute(lake, "2026-10-31", functions="one")
    assert lake.dirty_dates(functions="one") == []
    assert lake.dirty_dates(functions="two") == ["2026-10-31"]


def test_what_is_dirty_is_still_known_after_many_commits_and_checkpoints(lake):
    lake.append(GATEWAY, gateway_rows("2026-10-01"))
    compute(lake, "2026-10-01")
    for number in range(105):
        lake.append(GATEWAY, gateway_rows("2026-10-31", first=number))
    assert list((lake.path / GATEWAY / "_delta_log").glob("*.checkpoint.parquet"))
    assert lake.dirty_dates() == ["2026-10-31"]


def test_a_log_table_that_another_program_rewrote_is_dirty_or_computed_never_unknown(lake):
    import deltalake

    for number in range(3):
        lake.append(GATEWAY, gateway_rows("2026-10-31", first=number))
    compute(lake, "2026-10-31")
    deltalake.DeltaTable(str(lake.path / GATEWAY)).optimize.compact()
    assert lake.dirty_dates() == ["2026-10-31"]
    compute(lake, "2026-10-31")
    lake.append(GATEWAY, gateway_rows("2026-10-30", first=7))
    assert lake.dirty_dates() == ["2026-10-30"]
    assert sorted(ids(lake)) == ["id-0", "id-1", "id-2", "id-7"]


def test_the_rows_of_some_requests_are_replaced_and_files_without_them_stay(lake):
    name = REQUESTS.name
    days = ["2026-10-30", "2026-10-31"]
    for day in days:
        lake.append(name, computed(REQUESTS, day))
    lake.append(name, computed(REQUESTS, "2026-10-31"))
    before = lake.files(name)
    files = lake.log_files()
    lake.replace_requests(name, computed(REQUESTS, "2026-10-31"), days, ["c-2026-10-31"], computed_from=files)
    assert ids(lake, name) == ["c-2026-10-30", "c-2026-10-31"]
    assert lake.files(name)[0] == before[0]
    lake.replace_requests(name, computed(REQUESTS), days, ["c-2026-10-30"], computed_from=files)
    assert ids(lake, name) == ["c-2026-10-31"]


@pytest.mark.parametrize("name", ["a%20b", "%41"])
def test_a_path_that_delta_readers_decode_is_refused(tmp_path, name):
    with pytest.raises(LakeError, match=r"%[24]"):
        Lake.create(tmp_path / name)
    for fine in ("a b", "ä#x?y&", "100%"):
        lake = Lake.create(tmp_path / fine)
        lake.append(GATEWAY, gateway_rows("2026-10-31"))
        assert ids(lake) == ["id-0"]


def test_only_its_owner_may_enter_a_lake_and_its_files_honour_the_umask(tmp_path):
    lake = Lake.create(tmp_path / "new")
    (tmp_path / "empty").mkdir(mode=0o755)
    assert Lake.create(tmp_path / "empty").path.stat().st_mode & 0o777 == 0o700
    assert lake.path.stat().st_mode & 0o777 == 0o700
    former = os.umask(0o077)
    try:
        lake.append(GATEWAY, gateway_rows("2026-10-31"))
    finally:
        os.umask(former)
    for path in (lake.path / GATEWAY).rglob("*"):
        assert path.stat().st_mode & 0o077 == 0, path


def test_first_writers_that_race_for_a_new_lake_are_all_fine_or_told(tmp_path):
    script = "import sys\nfrom aoai_analytics.lake.delta import Lake\nfrom aoai_analytics.errors import LakeError\n"
    script += "sys.stdin.read()\nlake = Lake.create(sys.argv[1])\ntry:\n    with lake.lock(): pass\n"
    script += "except LakeError as error: assert 'another process' in str(error)\n"
    command = [sys.executable, "-c", script, str(tmp_path / "lake")]
    racers = [subprocess.Popen(command, stdin=subprocess.PIPE) for _ in range(4)]
    for racer in racers:
        assert racer.stdin is not None
        racer.stdin.close()
    assert [racer.wait() for racer in racers] == [0] * 4
    assert sorted(path.name for path in Lake(tmp_path / "lake").folder.iterdir()) == ["lake.json", "lock"]


def test_a_vacuum_removes_only_what_no_snapshot_needs(lake):
    for _ in range(2):
        lake.replace_dates(REQUESTS.name, computed(REQUESTS, "2026-10-31"), ["2026-10-31"])
    assert lake.vacuum() == 0
    assert lake.vacuum(hours=0) == 1
    assert ids(lake, REQUESTS.name) == ["c-2026-10-31"]


def test_a_second_writer_is_told_and_a_killed_one_does_not_block(lake):
    script = "import sys,os,signal\nfrom aoai_analytics.lake.delta import Lake\nwith Lake(sys.argv[1]).lock():\n"
    script += "    print('held', flush=True)\n    sys.stdin.read()\n"
    with subprocess.Popen(
        [sys.executable, "-c", script, str(lake.path)], stdin=subprocess.PIPE, stdout=subprocess.PIPE
    ) as holder:
        assert holder.stdout is not None
        assert holder.stdout.readline() == b"held\n"
        with pytest.raises(LakeError, match="another process is writing"), lake.lock():
            pass
        # One that waits has the lock as soon as the other is gone.
        threading.Timer(0.3, holder.kill).start()
        with lake.lock(wait=60):
            pass
        holder.wait()
    with lake.lock(), lake.lock():
        pass
    with lake.lock():
        pass
