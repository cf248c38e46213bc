"""Every record of a file is read once, with its place, however the file came to be."""

from __future__ import annotations

import csv
import gzip
import io
import json
import tempfile
import tracemalloc
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.lake import pieces
from aoai_analytics.lake.blobs import Blob, Content, Unreadable
from aoai_analytics.lake.pieces import JsonReader, Refusal, parse_json
from aoai_analytics.lake.rows import csv_pieces, parquet_pieces
from tests.lake.gateway_logs import gateway, lines


def blob(path: Path) -> Blob:
    return Blob(path, str(path), path.stat().st_size, 0)


def read_json(content: bytes, start: int = 0, *, zipped: bool = False):
    """(what was read, where to go on, whether half a record waits there) of a JSON file."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x.json")
        path.write_bytes(gzip.compress(content) if zipped else content)
        with Content(blob(path)) as opened:
            reader = JsonReader(opened, start)
            found = list(reader)
        return found, reader.position, reader.pending


def read_rows(reader, content: bytes, start: int = 0):
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, "x")
        path.write_bytes(content)
        with Content(blob(path)) as opened:
            return list(reader(opened, start))


texts = st.text(max_size=40)
records = st.dictionaries(texts, st.one_of(texts, st.integers(-9, 9), st.none()), max_size=4).map(
    lambda extra: {**extra, "correlationId": "x"}
)
encoded_records = st.tuples(records, st.booleans()).map(
    lambda pair: json.dumps(pair[0], ensure_ascii=pair[1]).encode("utf-8", "replace")
)
junk = st.one_of(
    st.sampled_from([b"not json at all", b'{"time":"2026-10-31T10:00:00Z","properties":{"apiId":"azu', b"12", b"null"]),
    st.binary(max_size=30).map(lambda raw: b"\x01" + raw.replace(b"\n", b"")),
)
kinds_of_line = st.one_of(
    encoded_records.map(lambda line: ("record", line)),
    junk.map(lambda line: ("junk", line)),
    st.sampled_from([("blank", b""), ("blank", b"  "), ("blank", b"\r")]),
)


@st.composite
def files(draw):
    """(content, expected pieces as (position, length, value or None for junk)) of a file of JSON lines."""
    bom = draw(st.booleans())
    content = b"\xef\xbb\xbf" if bom else b""
    expected = []
    # A record comes first, so that what the file is shows from its beginning.
    first = ("record", draw(encoded_records))
    for kind, line in [first, *draw(st.lists(kinds_of_line, max_size=8))]:
        ended = line + draw(st.sampled_from([b"\n", b"\r\n"]))
        position = len(content) if content != b"\xef\xbb\xbf" else 0
        content += ended
        if kind != "blank":
            value = json.loads(line.decode("utf-8")) if kind == "record" else None
            expected.append((position, len(content) - position, value))
    return content, expected


def found(pieces_found):
    return [
        (piece.position, piece.end - piece.position, piece.records[0] if piece.reason is None else None)
        for piece in pieces_found
    ]


@given(files(), st.booleans())
def test_records_are_read_and_junk_is_placed_whatever_stands_between(file, zipped):
    content, expected = file
    got, position, pending = read_json(content, zipped=zipped)
    assert found(got) == expected
    assert (position, pending) == (len(content), False)


@given(files(), st.data())
def test_a_file_read_while_it_grows_gives_the_same_pieces_as_read_at_once(file, data):
    content, expected = file
    cuts = sorted(data.draw(st.lists(st.integers(0, len(content)), max_size=5)))
    got, position = [], 0
    for cut in [*cuts, len(content)]:
        more, position, pending = read_json(content[:cut], position)
        got += more
        assert position <= cut
        assert pending == bool(content[position:cut].removeprefix(b"\xef\xbb\xbf").strip())
    # A record that was taken before its newline came is shorter by it; its place and content are the same.
    assert [(place, value) for place, _, value in found(got)] == [(place, value) for place, _, value in expected]


@given(files(), st.integers(1, 50))
def test_the_size_of_the_blocks_does_not_matter(file, size):
    content, expected = file

    class Blocks:
        head = content
        newline = b"\n"

        def blocks(self, start=0):
            return iter([content[at : at + size] for at in range(start, len(content), size)])

    assert found(JsonReader(Blocks())) == expected  # type: ignore[arg-type]


def test_a_last_line_without_newline_is_taken_once_when_it_is_whole():
    content = lines(gateway(1)) + json.dumps(gateway(2)).encode()
    got, position, pending = read_json(content)
    assert [piece.records[0]["correlationId"] for piece in got] == ["id-1", "id-2"]
    assert (position, pending) == (len(content), False)
    got, position, _ = read_json(content + b"\n" + lines(gateway(3)), position)
    assert [piece.records[0]["correlationId"] for piece in got] == ["id-3"]


def test_half_a_record_at_the_end_waits_and_is_read_when_it_is_whole():
    whole = lines(gateway(1), gateway(2))
    half = whole[:-40]
    got, position, pending = read_json(half)
    assert (len(got), pending, position) == (1, True, len(lines(gateway(1))))
    got, position, pending = read_json(whole, position)
    assert [piece.records[0]["correlationId"] for piece in got] == ["id-2"]
    assert (position, pending) == (len(whole), False)


@pytest.mark.parametrize("indent", [None, 2])
@pytest.mark.parametrize("wrap", [lambda rows: {"records": rows}, lambda rows: rows, lambda rows: [{"records": rows}]])
def test_documents_of_an_event_hub_are_read_on_one_line_or_over_several(indent, wrap):
    content = json.dumps(wrap([gateway(1), gateway(2)]), indent=indent).encode() + b"\n"
    got, position, pending = read_json(content)
    assert [record["correlationId"] for piece in got for record in piece.records] == ["id-1", "id-2"]
    assert (position, pending) == (len(content), False)


def test_a_document_with_a_record_a_line_is_read():
    content = b'{"records": [' + lines(gateway(1)).rstrip() + b",\n" + lines(gateway(2)).rstrip() + b",\r\n"
    content += lines(gateway(3)).rstrip() + b"]}\n"
    got, position, pending = read_json(content)
    assert [record["correlationId"] for piece in got for record in piece.records] == ["id-1", "id-2", "id-3"]
    assert (position, pending) == (len(content), False)


def test_documents_on_a_line_each_are_read_in_turn():
    content = lines({"records": [gateway(1)]}, {"records": []}, {"records": [gateway(2)]})
    got, _, _ = read_json(content)
    assert [record["correlationId"] for piece in got for record in piece.records] == ["id-1", "id-2"]
    assert all(piece.reason is None for piece in got)


@pytest.mark.parametrize("end", ["", "\n"])
def test_documents_one_after_another_on_a_line_are_all_read(end):
    documents = [json.dumps({"records": [gateway(1)]}), json.dumps({"records": [gateway(2), gateway(3)]})]
    found, _, pending = read_json(("".join(documents) + end).encode())
    assert [len(piece.records) for piece in found] == [3] and not pending


def test_of_documents_on_a_line_none_is_read_while_the_last_is_half_written():
    found, position, pending = read_json(json.dumps(gateway(1)).encode() + json.dumps(gateway(2)).encode()[:40])
    assert (found, position, pending) == ([], 0, True)


def test_half_a_document_over_several_lines_waits():
    content = json.dumps({"records": [gateway(1)]}, indent=1).encode()
    got, position, pending = read_json(content[:-10])
    assert (got, position, pending) == ([], 0, True)


def test_a_whole_document_over_several_lines_that_is_no_json_is_placed():
    content = b'{"records": [\n{"a": oops}\n]}\n'
    got, position, pending = read_json(content)
    assert [(piece.position, piece.end, bool(piece.reason)) for piece in got] == [(0, len(content), True)]
    assert (position, pending) == (len(content), False)


def test_a_broken_first_line_that_looks_like_a_document_costs_only_itself():
    content = b"{\n" + lines(gateway(1), gateway(2))
    got, _, _ = read_json(content)
    assert [piece.reason for piece in got] == ["not JSON", None, None]


def test_a_line_over_the_limit_is_placed_and_the_rest_read(monkeypatch):
    monkeypatch.setattr(pieces, "LINE_LIMIT", 1000)
    long = b'{"a": "' + b"x" * 5000 + b'"}'
    content = lines(gateway(1), long, gateway(2))
    got, position, _ = read_json(content)
    assert [bool(piece.reason) for piece in got] == [False, True, False]
    assert got[1].position == len(lines(gateway(1)))
    assert got[1].end - got[1].position == len(long) + 1
    assert "limit" in got[1].reason
    assert position == len(content)
    got, position, pending = read_json(lines(gateway(1)) + long)
    assert (len(got), pending, position) == (1, True, len(lines(gateway(1))))


def test_a_document_may_be_longer_than_a_line(monkeypatch):
    monkeypatch.setattr(pieces, "LINE_LIMIT", 1000)
    content = lines({"records": [gateway(number) for number in range(9)]}, gateway(9))
    assert len(content) > 5000
    got, _, _ = read_json(content)
    assert [len(piece.records) for piece in got] == [9, 1]


def test_a_line_of_200_mb_is_never_held_whole():
    block = b"x" * (4 << 20)

    class Blocks:
        head = b'{"a": "x'
        newline = b"\n"

        def blocks(self, start=0):
            yield b'{"a": "'
            for _ in range(50):
                yield block
            yield b'"}\n' + lines(gateway(1))

    tracemalloc.start()
    try:
        got = list(JsonReader(Blocks()))  # type: ignore[arg-type]
        _, peak = tracemalloc.get_traced_memory()
    finally:
        tracemalloc.stop()
    assert [bool(piece.reason) for piece in got] == [True, False]
    assert got[0].end == 50 * len(block) + 10
    assert peak < 40 << 20


def test_characters_that_a_gateway_cut_in_two_cost_the_character_not_the_record():
    assert parse_json(b'{"a": "\\ud83d"}') == {"a": "\ufffd"}
    assert parse_json(b'{"a": "\\ud83d\\ude80"}') == {"a": "\U0001f680"}
    assert parse_json(b'{"a": "caf\xc3"}') == {"a": "caf\ufffd"}


@pytest.mark.parametrize("text", [b'{"a": NaN}', b'{"a": 1', b"{" * 100_000, b'{"a":' * 5000 + b"1" + b"}" * 5000])
def test_what_is_no_json_is_refused_as_such(text):
    with pytest.raises(ValueError):
        parse_json(text)


def csv_text(*rows, newline="\r\n") -> bytes:
    stream = io.StringIO()
    csv.writer(stream, lineterminator=newline).writerows(rows)
    return b"\xef\xbb\xbf" + stream.getvalue().encode()


@given(st.lists(st.text(st.characters(codec="utf-8", exclude_characters="\0\r"), max_size=30), max_size=6))
def test_csv_rows_of_any_text_are_read_from_any_row(bodies):
    rows = [[f"id-{number}", body] for number, body in enumerate(bodies)]
    content = csv_text(["CorrelationId", "RequestBody"], *rows)
    for start in range(len(rows) + 1):
        got = [piece.records[0] for piece in read_rows(csv_pieces, content, start)]
        assert [record["CorrelationId"] for record in got] == [row[0] for row in rows[start:]]
        assert [record.get("RequestBody", "") for record in got] == [row[1] for row in rows[start:]]


def test_the_portals_column_for_utc_times_is_the_column_and_any_other_zone_is_refused():
    content = csv_text(["TimeGenerated [UTC]", "CorrelationId"], ["10/31/2026, 2:38:30.126 AM", "x"])
    assert read_rows(csv_pieces, content)[0].records[0]["TimeGenerated"] == "10/31/2026, 2:38:30.126 AM"
    with pytest.raises(Unreadable, match="Local Time"):
        read_rows(csv_pieces, csv_text(["TimeGenerated [Local Time]", "CorrelationId"], ["x", "x"]))


def test_a_csv_row_with_other_fields_than_the_header_is_placed():
    got = read_rows(csv_pieces, csv_text(["TimeGenerated", "CorrelationId"], ["a", "b"], ["c"], ["d", "e"]))
    assert [(piece.position, bool(piece.reason)) for piece in got] == [(0, False), (1, True), (2, False)]


def test_parquet_rows_are_read_from_any_row_with_times_of_any_unit(tmp_path):
    import pyarrow as pa
    import pyarrow.parquet as pq

    ids = [f"id-{number}" for number in range(2500)]
    times = pa.array([number * 1_000_000_007 for number in range(2500)], pa.timestamp("ns", tz="UTC"))
    pq.write_table(pa.table({"TimeGenerated": times, "CorrelationId": ids}), tmp_path / "x", row_group_size=700)
    content = (tmp_path / "x").read_bytes()
    for start in (0, 1, 1000, 2499):
        got = read_rows(parquet_pieces, content, start)
        assert [piece.records[0]["CorrelationId"] for piece in got] == ids[start:]
        assert [piece.position for piece in got] == list(range(start, 2500))
    assert got[0].records[0]["TimeGenerated"].microsecond == 2499 * 7 // 1000


def test_a_damaged_parquet_file_is_refused():
    with pytest.raises(Unreadable, match="Parquet"):
        read_rows(parquet_pieces, b"PAR1 and nothing more")


ROWS = [{"CorrelationId": "a", "ResponseCode": 200}, {"CorrelationId": "b", "ResponseCode": 429}]
VALUES = [["a", 200], ["b", 429]]
ANSWERS = {
    "log analytics": {
        "tables": [
            {
                "name": "PrimaryResult",
                "columns": [{"name": "CorrelationId", "type": "string"}, {"name": "ResponseCode", "type": "int"}],
                "rows": VALUES,
            }
        ]
    },
    "kusto 1": {
        "Tables": [
            {
                "TableName": "Table_0",
                "Columns": [{"ColumnName": "CorrelationId"}, {"ColumnName": "ResponseCode"}],
                "Rows": VALUES,
            }
        ]
    },
    "kusto 2": [
        {"FrameType": "DataSetHeader", "Version": "v2.0"},
        {
            "FrameType": "DataTable",
            "TableKind": "QueryProperties",
            "Columns": [{"ColumnName": "Value"}],
            "Rows": [["{}"]],
        },
        {
            "FrameType": "DataTable",
            "TableKind": "PrimaryResult",
            "Columns": [{"ColumnName": "CorrelationId"}, {"ColumnName": "ResponseCode"}],
            "Rows": VALUES,
        },
        {"FrameType": "DataSetCompletion", "HasErrors": False},
    ],
}
ANSWERS["batch"] = {"responses": [{"id": "1", "status": 200, "body": ANSWERS["log analytics"]}]}


@pytest.mark.parametrize("indent", [None, 2], ids=["one line", "spread"])
@pytest.mark.parametrize("kind", ANSWERS)
def test_a_saved_answer_of_a_query_gives_its_rows(kind, indent):
    found, _, pending = read_json(json.dumps(ANSWERS[kind], indent=indent).encode())
    assert [record for piece in found for record in piece.records] == ROWS
    assert not pending


def test_what_a_saved_answer_lacks_is_named():
    answer = {
        "tables": [{"columns": [{"name": "CorrelationId"}], "rows": [["a"], ["b", 1]]}],
        "error": {"code": "PartialError"},
    }
    found, _, _ = read_json(json.dumps(answer).encode())
    assert [record for piece in found for record in piece.records] == [
        {"CorrelationId": "a"},
        Refusal("a row that does not have the answer's 1 columns"),
        Refusal("the answer of the query lacks rows"),
    ]
