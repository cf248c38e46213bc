"""Logs reach the lake whole, once, and in order, whatever happens meanwhile."""

from __future__ import annotations

import csv
import errno
import gzip
import json
import os
import shutil
import subprocess
import threading
from collections import Counter
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
import pytest

from aoai_analytics.errors import LakeError, LogsError
from aoai_analytics.lake import ingest as module
from aoai_analytics.lake import writing
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import IngestProgress, ingest
from aoai_analytics.lake.journal import SetAside, set_aside
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG
from tests.lake.gateway_logs import MARKER, blob_path, counts, gateway, ids, lines, llm, quarantine, rows

GATEWAY, LLM = GATEWAY_LOGS.name, LLM_LOG.name


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


@pytest.fixture
def logs(tmp_path: Path) -> Path:
    (tmp_path / "logs").mkdir()
    return tmp_path / "logs"


def test_both_logs_reach_their_tables_and_the_summary_counts_everything(lake, logs):
    content = lines(gateway(1), gateway(1), llm(1, 0, promptTokens=5), b"junk", {"category": "Audit"}, b"")
    blob_path(logs).write_bytes(content + b'{"half')
    summary = ingest([logs], lake)
    assert counts(summary) == (2, 1, 1, 1, 1)
    assert summary.others == {"Audit": 1}
    assert set_aside(lake) == SetAside({"not JSON": 1}, {"Audit": 1})
    assert (summary.files, summary.records, summary.dates) == (1, 5, ["2026-10-31"])
    assert summary.bytes == len(content) - 1
    assert summary.seconds > 0
    assert summary.megabytes_per_second > 0
    assert (ids(lake), ids(lake, LLM)) == (["id-1"], ["id-1"])
    assert rows(lake, LLM)[0]["PromptTokens"] == 5


def test_a_second_ingest_of_the_same_logs_does_nothing(lake, logs):
    blob_path(logs).write_bytes(lines(gateway(1), b"junk", gateway(2)) + b'{"half')
    ingest([logs], lake)
    before = lake.log_files(), quarantine(lake)
    assert counts(ingest([logs], lake)) == (0, 0, 0, 0, 1)
    assert (lake.log_files(), quarantine(lake)) == before


def test_a_blob_that_grew_is_read_on_from_where_it_ended(lake, logs):
    path = blob_path(logs)
    whole = lines(gateway(1), gateway(2), gateway(3))
    for end, new in ((len(lines(gateway(1))) + 20, 1), (len(whole) - 1, 2), (len(whole), 0)):
        path.write_bytes(whole[:end])
        summary = ingest([logs], lake)
        assert (summary.new, summary.duplicate, summary.quarantined) == (new, 0, 0)
    assert ids(lake) == ["id-1", "id-2", "id-3"]


def test_a_folder_that_was_copied_or_moved_is_not_read_again(lake, logs, tmp_path):
    blob_path(logs).write_bytes(lines(gateway(1), b"junk"))
    ingest([logs], lake)
    shutil.copytree(logs, tmp_path / "copy")
    os.utime(blob_path(tmp_path / "copy"), (1, 1))
    summary = ingest([tmp_path / "copy"], lake)
    assert (counts(summary), summary.bytes) == ((0, 0, 0, 0, 0), 0)
    with open(blob_path(tmp_path / "copy"), "ab") as stream:
        stream.write(lines(gateway(2)))
    assert counts(ingest([tmp_path / "copy"], lake)) == (1, 0, 0, 0, 0)


def test_a_blob_that_was_gzipped_later_is_still_the_same(lake, logs):
    path = blob_path(logs)
    path.write_bytes(lines(gateway(1)))
    ingest([logs], lake)
    path.with_name("PT1H.json.gz").write_bytes(gzip.compress(lines(gateway(1), gateway(2))))
    path.unlink()
    assert counts(ingest([logs], lake)) == (1, 0, 0, 0, 0)


@pytest.mark.parametrize(
    ("later", "expected"),
    [
        (lines(gateway(7), gateway(1), gateway(8)), (2, 1, 0, 0, 0)),
        (lines(gateway(1)), (0, 1, 0, 0, 0)),
        (lines(gateway(1), b"JUNK", gateway(2), gateway(3)), (1, 2, 0, 0, 0)),
    ],
    ids=["other content", "shorter", "changed before the end"],
)
def test_a_blob_that_was_replaced_is_read_anew_without_its_duplicates(lake, logs, later, expected):
    path = blob_path(logs)
    path.write_bytes(lines(gateway(1), b"junk", gateway(2)))
    ingest([logs], lake)
    path.write_bytes(later)
    os.utime(path, (1, 1))
    assert counts(ingest([logs], lake)) == expected
    assert max(Counter(ids(lake)).values()) == 1


def test_only_rows_equal_in_every_column_are_dropped_in_a_batch_and_over_batches(lake, logs):
    (logs / "a.json").write_bytes(lines(gateway(1), gateway(1, responseCode=429), gateway(1)))
    assert counts(ingest([logs], lake)) == (2, 1, 0, 0, 0)
    (logs / "b.json").write_bytes(lines(gateway(1), gateway(1, responseCode=500), llm(1, 0), llm(1, 0)))
    assert counts(ingest([logs], lake)) == (2, 2, 0, 0, 0)
    assert [row["ResponseCode"] for row in rows(lake)] == [200, 429, 500]


def test_the_chunks_of_a_long_message_all_stay_in_the_order_of_the_log(lake, logs, monkeypatch):
    chunks = [llm(1, 1, requestMessages=f"chunk {number}") for number in (3, 1, 2, 9, 5, 4)]
    others = [llm(n, 0, time=f"2026-10-31T10:00:{n:02d}Z") for n in range(2, 40)]
    blob_path(logs).write_bytes(lines(*others, *chunks, llm(0, 0, time="2026-10-31T09:00:00Z")))
    for rows_a_batch in (1000, 2):
        monkeypatch.setattr(module, "BATCH_ROWS", rows_a_batch)
        fresh = Lake.create(lake.path / str(rows_a_batch))
        ingest([logs], fresh)
        texts = [row["RequestMessages"] for row in rows(fresh, LLM) if row["CorrelationId"] == "id-1"]
        assert texts == [f"chunk {number}" for number in (3, 1, 2, 9, 5, 4)]


def test_quarantine_says_where_and_why_but_never_what(lake, logs):
    path = blob_path(logs)
    bad_value = gateway(2, responseCode="abc")
    path.write_bytes(lines(gateway(1), bad_value, b"junk " + MARKER.encode(), {**gateway(3), "time": None}, gateway(4)))
    assert counts(ingest([logs], lake)) == (2, 0, 3, 0, 0)
    content = path.read_bytes()
    found = quarantine(lake)
    assert [entry["reason"] for entry in found] == ["ResponseCode does not fit its column", "not JSON", "no time"]
    places = [content[entry["offset"] : entry["offset"] + entry["length"]] for entry in found]
    assert places == [lines(bad_value), b"junk " + MARKER.encode() + b"\n", lines({**gateway(3), "time": None})]
    assert {entry["file"] for entry in found} == {str(path)}
    assert MARKER not in json.dumps(found)


def test_a_bad_record_in_a_document_costs_only_itself(lake, logs):
    (logs / "a.json").write_bytes(lines({"records": [gateway(1), gateway(2, responseCode="x"), 7, gateway(3)]}))
    assert counts(ingest([logs], lake)) == (2, 0, 2, 0, 0)
    assert [entry["reason"] for entry in quarantine(lake)] == [
        "ResponseCode does not fit its column (record 2 of 4)",
        "not a JSON object (record 3 of 4)",
    ]


def test_records_of_data_export_event_hub_csv_and_parquet_arrive_alike(tmp_path):
    exported = {
        "TimeGenerated": "2026-10-31T10:00:00.1234567Z",
        "CorrelationId": "id-1",
        "ResponseCode": 200,
        "ApiId": "azure-openai-v1",
        "Url": "https://apim-contoso.azure-api.net/openai/v1/responses",
        "IsRequestSuccess": True,
        "TotalTime": 925,
    }
    found = []
    for kind in ("export", "hub", "csv", "parquet"):
        logs = tmp_path / kind / "am-ApiManagementGatewayLogs"
        logs.mkdir(parents=True)
        if kind == "export":
            (logs / "PT05M.json").write_bytes(lines(exported))
        elif kind == "hub":
            record = gateway(1, apiId="azure-openai-v1")
            record["properties"] = {"apiId": "azure-openai-v1", "url": exported["Url"], "responseCode": 200}
            record = {k: record[k] for k in ("time", "correlationId", "durationMs", "isRequestSuccess", "properties")}
            (logs / "a.json").write_text(json.dumps({"records": [record]}, indent=1))
        elif kind == "csv":
            values = exported | {"TimeGenerated": "10/31/2026, 10:00:00.1234567 AM"}
            with open(logs / "a.csv", "w", newline="", encoding="utf-8-sig") as stream:
                writer = csv.writer(stream)
                writer.writerow(["TimeGenerated [UTC]", *list(values)[1:]])
                writer.writerow(values.values())
        else:
            table = pa.Table.from_pylist([exported])
            pq.write_table(table, logs / "a.parquet")
        lake = Lake.create(tmp_path / kind / "lake")
        assert counts(ingest([logs], lake)) == (1, 0, 0, 0, 0)
        found.append({name: value for name, value in rows(lake)[0].items() if value is not None})
    assert found[0]["TotalTime"] == 925
    assert all(row == found[0] for row in found)


def test_a_csv_file_is_read_once_wherever_it_lies(lake, logs):
    text = (
        "TimeGenerated,CorrelationId,ResponseCode,Url\n2026-10-31T10:00:00Z,id-1,200,/\n2026-10-31T10:00:00Z,id-2,x,/\n"
    )
    (logs / "a.csv").write_text(text)
    assert counts(ingest([logs], lake)) == (1, 0, 1, 0, 0)
    assert [(entry["unit"], entry["offset"], entry["length"]) for entry in quarantine(lake)] == [("row", 1, 1)]
    (logs / "a.csv").rename(logs / "b.csv")
    assert counts(ingest([logs], lake)) == (0, 0, 0, 0, 0)


def test_without_messages_no_text_of_any_reaches_the_lake(lake, logs):
    texts = dict.fromkeys(("requestBody", "responseBody", "backendRequestBody", "backendResponseBody"), MARKER)
    content = lines(gateway(1, **texts), llm(1, 0, promptTokens=5), llm(1, 1, requestMessages=MARKER), MARKER.encode())
    blob_path(logs).write_bytes(content)
    with_text = Lake.create(lake.path / "with")
    ingest([logs], with_text)
    assert MARKER in str(rows(with_text))
    ingest([logs], lake, messages=False)
    assert (len(rows(lake)), len(rows(lake, LLM))) == (1, 2)
    assert (rows(lake)[0]["RequestSize"], rows(lake, LLM)[0]["PromptTokens"]) == (1473, 5)
    shutil.rmtree(with_text.path)
    for path in lake.path.rglob("*"):
        if path.is_file():
            assert MARKER.encode() not in path.read_bytes()
            if path.suffix == ".parquet":
                assert MARKER not in str(pq.read_table(path, partitioning=None).to_pylist())


def test_progress_grows_to_the_whole(lake, logs):
    for hour in range(3):
        blob_path(logs, hour).write_bytes(lines(*(gateway(n) for n in range(hour * 10, hour * 10 + 10))))
    told: list[IngestProgress] = []
    ingest([logs], lake, progress=told.append)
    assert [p.bytes_done for p in told] == sorted(p.bytes_done for p in told)
    assert told[-1].bytes_done == told[-1].bytes_total == sum(p.stat().st_size for p in logs.rglob("*.json"))
    assert told[-1].records == 30


# Bad input


@pytest.mark.parametrize(
    ("name", "content", "reason"),
    [
        ("a.json", b"\x00\x01\x02" * 100, "not a log"),
        ("a.csv", b"a,b\n1,2\n", "not a log"),
        ("a.json.gz", b"\x1f\x8bnonsense", "gzip"),
        ("a.parquet", b"PAR1 nonsense", "Parquet"),
        ("a.avro", b"Obj\x01nonsense", "Avro"),
    ],
)
def test_a_file_that_is_no_log_is_told_and_the_others_are_read(lake, logs, name, content, reason):
    (logs / name).write_bytes(content)
    for _ in range(2):
        with pytest.raises(LogsError, match=rf"none of 1 files could be read.*{name}.*{reason}"):
            ingest([logs], lake)
    blob_path(logs).write_bytes(lines(gateway(1)))
    summary = ingest([logs], lake)
    assert summary.new == 1
    assert len(summary.problems) == 1
    assert name in summary.problems[0]
    assert len(quarantine(lake)) == 1
    (logs / name).write_bytes(lines(gateway(2)) if "gz" not in name else gzip.compress(lines(gateway(2))))
    assert counts(ingest([logs], lake)) == (1, 0, 0, 0, 0)


def test_a_gzip_file_that_ends_early_gives_its_records_and_later_the_rest(lake, logs):
    whole = gzip.compress(lines(*(gateway(n, url=os.urandom(3000).hex()) for n in range(100))))
    (logs / "a.json.gz").write_bytes(whole[: len(whole) // 2])
    first = ingest([logs], lake)
    assert 20 < first.new < 80
    assert (first.quarantined, len(first.problems)) == (1, 1)
    assert [(entry["length"], entry["reason"]) for entry in quarantine(lake)] == [(None, "truncated gzip data")]
    assert ingest([logs], lake).problems == first.problems
    (logs / "a.json.gz").write_bytes(whole[: len(whole) // 3])
    again = ingest([logs], lake)
    assert (again.new, again.problems) == (0, first.problems)
    assert again.duplicate > 10
    (logs / "a.json.gz").write_bytes(whole)
    second = ingest([logs], lake)
    assert (first.new + second.new, second.quarantined, second.problems) == (100, 0, [])
    assert sorted(ids(lake)) == sorted(f"id-{n}" for n in range(100))


def test_a_file_that_vanishes_or_cannot_be_read_is_told_and_does_not_cost_the_others(lake, logs, monkeypatch):
    for hour in (1, 2, 3):
        blob_path(logs, hour).write_bytes(lines(gateway(hour)))
    listed = module.find_blobs([logs])
    monkeypatch.setattr(module, "find_blobs", lambda *_: listed)
    blob_path(logs, 2).unlink()
    summary = ingest([logs], lake)
    assert ids(lake) == ["id-1", "id-3"]
    assert ["h=02" in line and "No such file" in line for line in summary.problems] == [True]


def test_a_folder_that_cannot_be_listed_is_told_and_the_others_are_read(lake, logs, monkeypatch):
    blob_path(logs, 1).write_bytes(lines(gateway(1)))
    blob_path(logs, 2).write_bytes(lines(gateway(2)))
    real = os.scandir

    def scandir(path):
        if str(path).endswith("h=02"):
            raise PermissionError(errno.EACCES, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    summary = ingest([logs], lake)
    assert (summary.new, len(summary.problems)) == (1, 1)
    assert "h=02: Permission denied" in summary.problems[0]
    monkeypatch.undo()
    assert ingest([logs], lake).new == 1


def test_a_read_error_in_the_middle_loses_nothing(lake, logs, monkeypatch):
    blob_path(logs, 1).write_bytes(lines(gateway(1), b"junk", gateway(2)))
    blob_path(logs, 2).write_bytes(lines(gateway(3)))
    taken = module._Run._take

    def fail(run, blob, piece, *rest, **more):
        if piece.records and piece.records[0].get("correlationId") == "id-2":
            raise OSError(errno.EIO, "Input/output error")
        taken(run, blob, piece, *rest, **more)

    monkeypatch.setattr(module._Run, "_take", fail)
    assert ["Input/output" in line for line in ingest([logs], lake).problems] == [True]
    monkeypatch.undo()
    ingest([logs], lake)
    assert sorted(ids(lake)) == ["id-1", "id-2", "id-3"]
    assert len(quarantine(lake)) == 1


def test_a_damaged_file_of_the_lake_is_told_instead_of_taking_duplicates(lake, logs):
    (logs / "a.json").write_bytes(lines(gateway(1)))
    ingest([logs], lake)
    Path(lake.files(GATEWAY)[0]).write_bytes(b"PAR1")
    (logs / "b.json").write_bytes(lines(gateway(1)))
    with pytest.raises(LakeError, match=r"cannot read .*parquet"):
        ingest([logs], lake)


def test_a_second_ingest_at_the_same_time_is_refused(lake, logs):
    blob_path(logs).write_bytes(lines(gateway(1)))
    with lake.lock(), pytest.raises(LakeError, match="another process is writing"):
        ingest([logs], Lake(lake.path))


def test_a_full_disk_is_one_clear_line_and_loses_nothing(lake, logs, monkeypatch):
    monkeypatch.setattr(module, "BATCH_ROWS", 3)
    blob_path(logs).write_bytes(lines(*(gateway(n) for n in range(10)), *(llm(n, 0) for n in range(10))))
    real = os.fsync
    for failing in range(1, 12):
        again = Lake.create(lake.path / str(failing))
        left = [failing]

        def full(handle: int, left: list[int] = left) -> None:
            left[0] -= 1
            if left[0] == 0:
                raise OSError(errno.ENOSPC, "No space left on device")
            real(handle)

        monkeypatch.setattr(writing.os, "fsync", full)
        with pytest.raises(LakeError, match="no space left"):
            ingest([logs], again)
        monkeypatch.setattr(writing.os, "fsync", real)
        ingest([logs], again)
        assert ids(again) == [f"id-{n}" for n in range(10)]
        assert ids(again, LLM) == [f"id-{n}" for n in range(10)]


def test_a_file_system_that_runs_full_is_told_and_the_ingest_goes_on_when_it_has_space(logs, tmp_path, monkeypatch):
    place = tmp_path / "small"
    place.mkdir()
    mounted = subprocess.run(["mount", "-t", "tmpfs", "-o", "size=512k", "tmpfs", str(place)], capture_output=True)
    if mounted.returncode:
        pytest.skip("needs the right to mount a file system")
    try:
        monkeypatch.setattr(module, "BATCH_ROWS", 20)
        blob_path(logs).write_bytes(lines(*(gateway(n, requestBody=os.urandom(8000).hex()) for n in range(100))))
        lake = Lake.create(place / "lake")
        with pytest.raises(LakeError, match="no space left"):
            ingest([logs], lake)
        kept = ids(lake)
        assert kept
        subprocess.run(["mount", "-o", "remount,size=8m", str(place)], check=True)
        ingest([logs], lake)
        assert ids(lake)[: len(kept)] == kept
        assert ids(lake) == [f"id-{n}" for n in range(100)]
    finally:
        subprocess.run(["umount", str(place)], check=True)


def test_readers_meet_whole_snapshots_while_an_ingest_writes(lake, logs, monkeypatch):
    monkeypatch.setattr(module, "BATCH_ROWS", 10)
    blob_path(logs).write_bytes(lines(*(gateway(n) for n in range(200))))
    seen: list[int] = []
    failures: list[BaseException] = []
    done = threading.Event()

    def read() -> None:
        reader = Lake(lake.path)
        try:
            while not done.is_set():
                seen.append(len(ids(reader)))
        except BaseException as error:
            failures.append(error)

    thread = threading.Thread(target=read)
    thread.start()
    try:
        ingest([logs], lake)
    finally:
        done.set()
        thread.join()
    assert not failures
    assert seen == sorted(seen)
    assert all(count % 10 == 0 for count in seen)


def test_the_shared_traffic_gives_each_record_once(lake, shared_data):
    summary = ingest([shared_data / "logs"], lake)
    # Three lines are no JSON; six more end their blobs in the middle of a record.
    assert counts(summary) == (7811, 38, 3, 0, 6)
    assert summary.files == 96
    assert (len(rows(lake)), len(set(ids(lake)))) == (2500, 2500)
    assert len(rows(lake, LLM)) == 5311
    assert lake.dates(GATEWAY) == ["2026-10-30", "2026-10-31"]
    with open(shared_data / "truth.csv", newline="") as stream:
        truth = {row["CorrelationId"] for row in csv.DictReader(stream)}
    # The truth is about language-model requests; the gateway serves other APIs too.
    assert len(truth) > 2000
    assert truth <= set(ids(lake))


def test_a_csv_file_about_something_else_is_quarantined_as_one(lake, logs):
    blob_path(logs).write_bytes(lines(gateway(1)))
    (logs / "truth.csv").write_text("TimeGenerated,CorrelationId,ResponseCode\n2026-10-31T00:00:00Z,a,200\n")
    summary = ingest([logs], lake)
    assert summary.quarantined == 1
    assert "its columns do not match a gateway log" in summary.problems[0]
    assert ids(lake) == ["id-1"]
