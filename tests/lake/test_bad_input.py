"""One file's or one record's trouble is its own: it is named and counted, and everything else is read."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aoai_analytics.errors import LogsError
from aoai_analytics.lake import ingest as module
from aoai_analytics.lake import journal, records
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.schema.tables import GATEWAY_LOGS
from tests.lake.gateway_logs import MARKER, blob_path, counts, gateway, ids, lines, llm, quarantine, rows


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


@pytest.mark.parametrize("year", ["0001", "2014", "2100", "9999"])
@pytest.mark.parametrize("record", [gateway, lambda number, time: llm(number, 0, time=time)], ids=["gateway", "llm"])
def test_a_record_of_an_impossible_year_is_quarantined_and_the_next_ingest_works(lake, logs, record, year):
    (logs / "a.json").write_bytes(lines(gateway(1), record(2, time=f"{year}-12-31T23:59:59Z")))
    assert counts(ingest([logs], lake)) == (1, 0, 1, 0, 0)
    assert "TimeGenerated is not within 2015 to 2099" in quarantine(lake)[0]["reason"]
    (logs / "b.json").write_bytes(lines(gateway(3)))
    assert ingest([logs], lake).new == 1
    assert lake.dirty_dates() == ["2026-10-31"]


def test_any_other_time_of_a_record_is_looked_at_too(lake, logs):
    (logs / "a.json").write_bytes(lines(gateway(1, timestamp="0001-01-01T00:00:00Z"), gateway(2)))
    assert counts(ingest([logs], lake)) == (1, 0, 1, 0, 0)


@pytest.mark.parametrize("day", ["0001-01-01", "9999-12-31"])
def test_a_lake_that_took_an_impossible_date_before_still_computes_the_others(lake, logs, day):
    from aoai_analytics.lake.records import SHAPES, to_arrow, to_row

    shape = SHAPES[GATEWAY_LOGS.name]
    lake.append(GATEWAY_LOGS.name, to_arrow(shape, [to_row(gateway(1, time=f"{day}T00:00:00Z"), shape)]))
    (logs / "a.json").write_bytes(lines(gateway(2)))
    ingest([logs], lake)
    assert lake.dirty_dates() == ["2026-10-31"]


@pytest.mark.parametrize("depth", [1000, 200_000])
@pytest.mark.parametrize("kind", ["array", "object", "value", "unknown"])
def test_deep_nesting_costs_its_own_line(lake, logs, depth, kind):
    nested = {
        "array": "[" * depth + "]" * depth,
        "object": '{"a":' * depth + "1" + "}" * depth,
        "value": json.dumps(gateway(2))[:-1] + ',"errors":' + "[" * depth + "]" * depth + "}",
        "unknown": json.dumps(gateway(2))[:-1] + ',"unknown":' + "[" * depth + "]" * depth + "}",
    }[kind]
    (logs / "a.json").write_bytes(lines(gateway(1), nested.encode(), gateway(3)))
    summary = ingest([logs], lake)
    assert {"id-1", "id-3"} <= set(ids(lake))
    assert summary.new + summary.quarantined == 3
    assert summary.problems == []


def parquet(path: Path, **columns) -> None:
    given = {
        "TimeGenerated": pa.array(["2026-10-31T10:00:00Z"] * 3),
        "CorrelationId": pa.array(["id-1", "id-2", "id-3"]),
        "Url": pa.array(["u"] * 3),
    }
    pq.write_table(pa.table(given | columns), path)


@pytest.mark.parametrize("unit", ["ms", "us"])
def test_an_impossible_time_in_a_parquet_file_costs_its_row(lake, logs, unit):
    whole = {"ms": 10**3, "us": 10**6}[unit]
    moments = pa.array([1793440800 * whole, (1 << 63) - 1, 1793440801 * whole], pa.int64())
    parquet(logs / "a.parquet", TimeGenerated=moments.cast(pa.timestamp(unit, tz="UTC")))
    parquet(logs / "b.parquet", CorrelationId=pa.array(["id-7", "id-8", "id-9"]))
    assert counts(ingest([logs], lake)) == (5, 0, 1, 0, 0)
    assert quarantine(lake)[0]["offset"] == 1


def test_bytes_that_are_no_text_in_a_parquet_file_are_kept_as_far_as_they_are_text(lake, logs):
    raw = pa.array([b"good", b"bad \xff\xfe", b"good"], pa.binary())
    texts = pa.Array.from_buffers(pa.string(), 3, raw.buffers())
    parquet(logs / "a.parquet", RequestBody=texts)
    assert counts(ingest([logs], lake)) == (3, 0, 0, 0, 0)
    assert rows(lake)[1]["RequestBody"].startswith("bad ")


@pytest.mark.parametrize("at", [40, 200, -200, -30, -6])
def test_a_damaged_parquet_file_is_named_and_the_others_are_read(lake, logs, at):
    parquet(logs / "a.parquet")
    content = bytearray((logs / "a.parquet").read_bytes())
    content[at : at + 4] = b"\xff\xff\xff\xff"
    (logs / "a.parquet").write_bytes(content)
    (logs / "b.json").write_bytes(lines(gateway(8)))
    ingest([logs], lake)
    assert "id-8" in ids(lake)


def test_a_file_whose_name_is_no_text_is_read_and_can_be_named(lake, logs):
    path = os.fsencode(logs) + b"/log-\xff\x1b[31m.json"
    with open(path, "wb") as stream:
        stream.write(lines(gateway(1), b"junk"))
    assert counts(ingest([logs], lake)) == (1, 0, 1, 0, 0)
    assert quarantine(lake)[0]["file"].endswith("log-\\xff\\x1b[31m.json")
    assert ingest([logs], lake).records == 0


@pytest.mark.parametrize("name", ["state.json", "intent.json"])
@pytest.mark.parametrize("content", ["{}", "[]", "", '{"batch": 1, "blobs": [7]}'])
def test_a_damaged_state_file_is_set_aside_and_costs_no_row(lake, logs, name, content):
    (logs / "a.json").write_bytes(lines(gateway(1), gateway(2)))
    ingest([logs], lake)
    (lake.folder / name).write_text(content)
    (logs / "b.json").write_bytes(lines(gateway(3)))
    summary = ingest([logs], lake)
    assert summary.new == 1
    assert sorted(ids(lake)) == ["id-1", "id-2", "id-3"]
    assert f"{name} is damaged" in summary.problems[0]
    assert (lake.folder / f"{name}.damaged").read_text() == content
    assert ingest([logs], lake).problems == []


def test_an_error_that_nobody_foresaw_stays_with_its_file(lake, logs, monkeypatch):
    (logs / "a.json").write_bytes(lines(gateway(1)))
    (logs / "b.json").write_bytes(lines(gateway(2)))
    real = module._Run._read_content

    def fail(self, blob, content):
        if blob.path.name == "a.json":
            raise ZeroDivisionError(MARKER)
        return real(self, blob, content)

    monkeypatch.setattr(module._Run, "_read_content", fail)
    summary = ingest([logs], lake)
    assert ids(lake) == ["id-2"]
    assert summary.quarantined == 1
    assert "ZeroDivisionError" in summary.problems[0]
    assert MARKER not in str(summary.problems)
    monkeypatch.undo()
    assert ingest([logs], lake).new == 1


@pytest.mark.skipif(not hasattr(os, "mkfifo"), reason="needs named pipes")
def test_a_named_pipe_is_not_waited_for(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "a.json").write_bytes(lines(gateway(1)))
    os.mkfifo(logs / "b.json")
    script = "import sys; from aoai_analytics.lake import delta, ingest\n"
    script += "s = ingest.ingest([sys.argv[1]], delta.Lake.create(sys.argv[2])); print(s.new, *s.problems)"
    command = [sys.executable, "-c", script, str(logs), str(tmp_path / "lake")]
    done = subprocess.run(command, check=True, capture_output=True, text=True, timeout=120)
    assert done.stdout.startswith("1 ")
    assert "b.json: not a regular file" in done.stdout
    with pytest.raises(LogsError, match="not a regular file"):
        ingest([logs / "b.json"], Lake.create(tmp_path / "lake"))


def test_a_line_of_a_million_members_is_one_entry_with_its_count(lake, logs):
    line = b"[" + b",".join([b"1"] * 1_000_000) + b"]"
    (logs / "a.json").write_bytes(lines(gateway(1), line, gateway(2)))
    assert counts(ingest([logs], lake)) == (2, 0, 1_000_000, 0, 0)
    entries = quarantine(lake)
    assert len(entries) == module.ENTRIES_OF_PIECE + 1
    assert sum(entry["count"] for entry in entries) == 1_000_000
    assert ingest([logs], lake).records == 0


def test_a_file_of_nothing_but_junk_fills_no_disk(lake, logs):
    junk = b"".join(b"junk %d\n" % number for number in range(20_000))
    (logs / "a.json").write_bytes(lines(gateway(1)) + junk + lines(gateway(2)))
    assert counts(ingest([logs], lake)) == (2, 0, 20_000, 0, 0)
    entries = quarantine(lake)
    assert len(entries) == module.ENTRIES_OF_FILE + 1
    last = entries[-1]
    assert last["count"] == 19_000
    content = (logs / "a.json").read_bytes()
    assert content[last["offset"] + last["length"] :] == lines(gateway(2))


HEADER = "TimeGenerated [UTC],CorrelationId,Url,RequestBody"


def csv_file(path: Path, *records: str, end: str = "\n") -> Path:
    path.write_bytes((end.join((HEADER, *records)) + end).encode())
    return path


def csv_row(number: int, body: str = "") -> str:
    return f'"10/31/2026, 10:00:0{number}.000 AM",id-{number},u,{body}'


@pytest.mark.parametrize("place", [1, 3, 5])
@pytest.mark.parametrize("broken", ['"never closed', '"a ""quoted"" word', 'x,"', '"a"b'])
def test_a_quote_that_is_not_closed_costs_its_own_row(lake, logs, place, broken):
    bodies = {1: "plain", 2: '"two, ""quoted"""', 3: "plain", 4: '"over\ntwo lines"', 5: "plain"} | {place: broken}
    csv_file(logs / "a.csv", *(csv_row(number, body) for number, body in bodies.items()))
    assert counts(ingest([logs], lake)) == (4, 0, 1, 0, 0)
    assert sorted(ids(lake)) == [f"id-{number}" for number in bodies if number != place]
    if place != 4:
        assert "over\ntwo lines" in [row["RequestBody"] for row in rows(lake)]


@pytest.mark.parametrize("end", ["\r", "\r\n", "\n"])
def test_lines_may_end_in_any_way(lake, logs, end):
    records = [json.dumps(gateway(number)) for number in range(1, 5)]
    (logs / "a.json").write_bytes((end.join(records) + end).encode())
    csv_file(logs / "b.csv", csv_row(5), csv_row(6), end=end)
    assert counts(ingest([logs], lake)) == (6, 0, 0, 0, 0)
    assert ingest([logs], lake).records == 0


def test_a_file_of_carriage_returns_is_read_on_where_it_ended(lake, logs):
    path = blob_path(logs)
    path.write_bytes(b"\r".join(json.dumps(gateway(n)).encode() for n in (1, 2)) + b'\r{"half')
    assert counts(ingest([logs], lake)) == (2, 0, 0, 0, 1)
    path.write_bytes(b"\r".join(json.dumps(gateway(n)).encode() for n in (1, 2, 3)) + b"\r")
    os.utime(path, (1, 1))
    ingest([logs], lake)
    assert sorted(ids(lake)) == ["id-1", "id-2", "id-3"]


@pytest.mark.parametrize(
    "broken",
    [
        '[\n{"a": 1,,}\n]',
        '{"records": [\n  {"a": 1} {"b": 2}\n]}',
        "[\n nul,\n 1\n, 2, 3, 4, 5\n]",
    ],
)
def test_a_document_that_can_never_become_json_is_quarantined_and_one_that_breaks_off_waits(lake, logs, broken):
    (logs / "good.json").write_bytes(lines(gateway(1)))
    (logs / "a.json").write_text(broken)
    summary = ingest([logs], lake)
    assert (summary.quarantined, summary.pending) == (1, 0)
    (logs / "b.json").write_text(json.dumps([gateway(2)], indent=1)[:-40])
    summary = ingest([logs], lake)
    assert (summary.quarantined, summary.pending) == (0, 1)


def test_a_record_that_stays_half_for_a_day_is_named(lake, logs):
    path = blob_path(logs)
    path.write_bytes(lines(gateway(1)) + b'{"half')
    assert ingest([logs], lake).problems == []
    os.utime(path, (time.time() - 2 * 86_400,) * 2)
    assert "incomplete record" in ingest([logs], lake).problems[0]


@pytest.fixture(scope="module")
def written_twice(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with ``logs`` and a ``lake`` that was written twice."""
    folder = tmp_path_factory.mktemp("written-twice")
    (logs := folder / "logs").mkdir()
    lake = Lake.create(folder / "lake")
    for number, name in enumerate(("a.json", "b.json"), 1):
        (logs / name).write_bytes(lines(gateway(number), llm(number, 0)))
        ingest([logs], lake)
        recompute(lake)
    return folder


@pytest.mark.parametrize("table", ["ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog"])
def test_a_table_that_lost_its_last_write_gets_its_rows_again(written_twice, tmp_path, table):
    lake, logs = Lake(shutil.copytree(written_twice / "lake", tmp_path / "lake")), written_twice / "logs"
    newest = max((lake.path / table / "_delta_log").glob("*.json"))
    newest.unlink()
    summary = ingest([logs], lake)
    assert (summary.new, summary.duplicate) == (1, 1)
    assert "the last writes are missing" in summary.problems[0]
    assert sorted(ids(lake, table)) == ["id-1", "id-2"]
    assert ingest([logs], lake).problems == []
    assert recompute(lake) == ["2026-10-31"]


def test_half_a_surrogate_pair_is_replaced_where_a_row_holds_one():
    shape = next(shape for shape in records.SHAPES.values() if shape.table is GATEWAY_LOGS)
    row = [None] * len(shape.names)
    row[shape.names.index("Url")] = "u\ud800"
    row[shape.time] = 1_793_404_800_000_000
    clean, table = journal._redacted([tuple(row)], shape)
    assert table["Url"].to_pylist() == ["u\ufffd"] == [clean[0][shape.names.index("Url")]]


@pytest.mark.parametrize("form", [b"%s\n%s\n", b"%s %s\n", b"[%s, %s]\n"], ids=["lines", "side by side", "list"])
@pytest.mark.parametrize("place", ["name", "value", "deep", "category"])
def test_half_a_surrogate_pair_costs_no_record_in_any_form(lake, logs, place, form):
    half = "\\ud800"
    fields = {
        "name": f'"a{half}": 1',
        "value": f'"a": "{half}"',
        "deep": f'"a": [{{"b": "{half}", "{half}": {2**70}}}]',
    }
    first, second = lines(gateway(1)).strip(), lines(gateway(2)).strip()
    if place == "category":
        second = second.replace(b'"GatewayLogs"', b'"x%s"' % half.encode())
    else:
        first = first.replace(b'"truncated"', fields[place].encode() + b', "truncated"')
    (logs / "a.json").write_bytes(form % (first, second))
    summary = ingest([logs], lake)
    assert (summary.records, summary.quarantined, summary.problems) == (2, 0, [])
    if place != "category":
        assert "\ufffd" in next(iter(rows(lake)))["Properties"]
