"""Log files are found, told apart by their content, and named the same in every copy."""

from __future__ import annotations

import gzip
import io
import os
from pathlib import Path

import pytest

from aoai_analytics.errors import LogsError, WrongUse
from aoai_analytics.lake.blobs import Blob, Content, Unreadable, blob_key, find_blobs
from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG
from tests.lake.gateway_logs import blob_path, gateway, lines


def blob(path: Path) -> Blob:
    return Blob(path, blob_key(path), path.stat().st_size, 0)


def read(path: Path, start: int = 0) -> bytes:
    with Content(blob(path)) as content:
        return b"".join(content.blocks(start))


def test_blobs_of_a_folder_are_found_oldest_hour_first(tmp_path):
    for hour in (11, 9, 10):
        blob_path(tmp_path, hour).write_bytes(b"{}\n")
        blob_path(tmp_path, hour, "gatewayllmlogs").write_bytes(b"{}\n")
    keys = [found.key for found in find_blobs([tmp_path])]
    assert [key.split("/h=")[1][:2] for key in keys] == ["09", "09", "10", "10", "11", "11"]


def test_hidden_files_other_kinds_and_a_lake_are_left_alone(tmp_path):
    (tmp_path / "a.json").write_bytes(b"{}\n")
    (tmp_path / ".b.json").write_bytes(b"{}\n")
    (tmp_path / "README.md").write_bytes(b"{}\n")
    (tmp_path / "lake/_aoai").mkdir(parents=True)
    (tmp_path / "lake/_aoai/lake.json").write_bytes(b"{}\n")
    (tmp_path / "lake/table/_delta_log").mkdir(parents=True)
    (tmp_path / "lake/table/_delta_log/0.json").write_bytes(b"{}\n")
    assert [found.path.name for found in find_blobs([tmp_path])] == ["a.json"]


def test_a_file_given_twice_is_found_once(tmp_path):
    (tmp_path / "a.json").write_bytes(b"{}\n")
    assert len(find_blobs([tmp_path, tmp_path / "a.json"])) == 1


def test_an_empty_folder_says_what_was_looked_for(tmp_path):
    with pytest.raises(LogsError, match=r"searched all subfolders for \*\.json.*\.gz"):
        find_blobs([tmp_path])


def test_a_path_that_does_not_exist_is_named(tmp_path):
    with pytest.raises(LogsError, match="nowhere: no such file or folder"):
        find_blobs([tmp_path / "nowhere"])


def test_a_folder_that_cannot_be_listed_stands_for_its_files(tmp_path, monkeypatch):
    for name in ("a", "b"):
        (tmp_path / name).mkdir()
        (tmp_path / name / "x.json").write_bytes(b"{}\n")
    real = os.scandir

    def scandir(path):
        if str(path).endswith("/a"):
            raise PermissionError(13, "Permission denied", str(path))
        return real(path)

    monkeypatch.setattr(os, "scandir", scandir)
    refused, listed = find_blobs([tmp_path])
    assert (refused.path, refused.problem) == (tmp_path / "a", "Permission denied")
    assert listed.path == tmp_path / "b/x.json"
    with pytest.raises(OSError, match="Permission denied"):
        refused.open()


def test_no_path_at_all_is_wrong_use():
    with pytest.raises(WrongUse):
        find_blobs([])


def test_a_key_is_the_path_from_the_container_on(tmp_path):
    path = blob_path(tmp_path)
    assert blob_key(path).startswith("insights-logs-gatewaylogs/resourceId=/SUBSCRIPTIONS/")
    assert blob_key(path.with_name("PT1H.json.gz")) == blob_key(path)
    assert blob_key(blob_path(tmp_path / "copy")) == blob_key(path)
    assert blob_key(tmp_path / "x.json") == (tmp_path / "x.json").as_posix()


def test_the_folder_of_a_data_export_tells_the_table(tmp_path):
    for name, table in (("ApiManagementGatewayLogs", GATEWAY_LOGS), ("ApiManagementGatewayLlmLog", LLM_LOG)):
        folder = tmp_path / f"am-{name}"
        folder.mkdir()
        (folder / "PT05M.json").write_bytes(b"{}\n")
        assert find_blobs([folder])[0].hint is table


@pytest.mark.parametrize(
    ("content", "kind"),
    [
        (lines(gateway(1)), "json"),
        (b"\xef\xbb\xbf" + lines(gateway(1)), "json"),
        (b"junk\n" + lines(gateway(1)), "json"),
        (b'{"records": [\n', "json"),
        (b"half a li", "json"),
        (b"TimeGenerated [UTC],CorrelationId\n", "csv"),
        (b"PAR1....", "parquet"),
        (b"Obj\x01....", "avro"),
        (b"a,b,c\n1,2,3\n", "unknown"),
        (b"\x00\x01\x02\n\x03", "unknown"),
        (b"\x00\x01\x02\x03", "unknown"),
    ],
)
def test_the_content_tells_the_kind_plain_or_gzipped(tmp_path, content, kind):
    for stored in (content, gzip.compress(content)):
        path = tmp_path / "x.json"
        path.write_bytes(stored)
        with Content(blob(path)) as opened:
            assert opened.kind == kind


def test_gzip_of_several_members_and_padding_is_read_through_from_any_place(tmp_path):
    text = os.urandom(300_000)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(text[:100_000]) + gzip.compress(text[100_000:]) + b"\0" * 512)
    assert read(path) == text
    for start in (1, 99_999, 100_000, 250_000, 300_000):
        assert read(path, start) == text[start:]
        with Content(blob(path)) as content:
            assert content.before(start, 256) == text[max(0, start - 256) : start]
            assert b"".join(content.blocks(start)) == text[start:]


def test_plain_content_is_read_from_any_place(tmp_path):
    text = os.urandom(300_000)
    path = tmp_path / "x.json"
    path.write_bytes(text)
    for start in (0, 1, 70_000, 300_000):
        assert read(path, start) == text[start:]
        with Content(blob(path)) as content:
            assert content.before(start, 256) == text[max(0, start - 256) : start]


def test_a_gzip_file_that_ends_early_gives_what_it_has_and_then_says_so(tmp_path):
    text = os.urandom(200_000)
    path = tmp_path / "x.gz"
    path.write_bytes(gzip.compress(text)[:-50_000])
    got = io.BytesIO()
    with Content(blob(path)) as content, pytest.raises(Unreadable, match="truncated gzip data"):
        for block in content.blocks():
            got.write(block)
    assert len(got.getvalue()) > 100_000
    assert text.startswith(got.getvalue())


def test_what_only_begins_like_gzip_is_refused(tmp_path):
    path = tmp_path / "x.gz"
    path.write_bytes(b"\x1f\x8b" + b"nonsense" * 10)
    with pytest.raises(Unreadable, match="gzip"), Content(blob(path)) as content:
        list(content.blocks())
