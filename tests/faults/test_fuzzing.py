"""Mutated lines and files: no crash, no hang, no sound record lost, and everything that was not taken is counted.

A few hundred examples by default; ``make faults`` runs for as long as ``FAULTS_MINUTES`` says.
"""

from __future__ import annotations

import io
import json
import os
import random
import tempfile
import time
from pathlib import Path

import pyarrow as pa
import pyarrow.parquet as pq
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aoai_analytics.errors import AoaiError
from aoai_analytics.lake.blobs import Blob, Content, Unreadable
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.pieces import JsonReader
from aoai_analytics.lake.rows import csv_pieces, parquet_pieces
from tests.lake.gateway_logs import gateway, ids, lines, llm

MINUTES = float(os.environ.get("FAULTS_MINUTES", "0"))
FEW = settings(max_examples=100, deadline=None, suppress_health_check=list(HealthCheck))

SEEDS = [
    lines(gateway(1), llm(1, 0, promptTokens=3)),
    lines({"records": [gateway(1), gateway(2)]}),
    json.dumps([gateway(1), gateway(2)], indent=1).encode(),
    b'TimeGenerated,CorrelationId,Url,RequestBody\n2026-10-31T10:00:00Z,id-1,u,"a ""b"" \nc"\n',
]
#: What breaks parsers: brackets, quotes, escapes, line ends, impossible numbers and times, half characters.
BITS = [
    b"[",
    b"{",
    b'"',
    b"\\",
    b"\n",
    b"\r",
    b"\x00",
    b"\xff",
    b"\xed\xa0\x80",
    b"1e999",
    b"-",
    b"9" * 400,
    b"[" * 600,
]
BITS += [
    b"0001-01-01T00:00:00Z",
    b"9999-12-31T23:59:59.9999999Z",
    b"null",
    b"NaN",
    b"\\ud800",
    b'""',
    b",",
    b"}]",
    b" ",
]


def mutated(content: bytes, chance: random.Random) -> bytes:
    found = bytearray(content)
    for _ in range(chance.randint(1, 6)):
        at = chance.randrange(len(found) + 1)
        kind = chance.randrange(4)
        if kind == 0:
            found[at:at] = chance.choice(BITS)
        elif kind == 1:
            found[at : at + chance.randint(1, 40)] = b""
        elif kind == 2 and at < len(found):
            found[at] ^= 1 << chance.randrange(8)
        else:
            start = chance.randrange(len(found) + 1)
            found[at:at] = found[start : start + chance.randint(1, 200)]
    return bytes(found)


def read(content: bytes, name: str) -> int:
    """The pieces of a file of that content; only Unreadable may be raised."""
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, name)
        path.write_bytes(content)
        try:
            with Content(Blob(path, "k", len(content), 0)) as opened:
                if opened.kind == "json":
                    reader = JsonReader(opened)
                    found = list(reader)
                    assert reader.position <= len(content) or opened.gzipped
                    ends = [0, *(piece.end for piece in found)]
                    assert all(piece.position >= end for piece, end in zip(found, ends, strict=False))
                    return len(found)
                pieces = {"csv": csv_pieces, "parquet": parquet_pieces}.get(opened.kind)
                return len(list(pieces(opened, 0))) if pieces else 0
        except Unreadable:
            return 0


@FEW
@given(st.sampled_from(SEEDS), st.integers(0, 2**32))
def test_no_mutated_line_is_more_than_unreadable(seed, number):
    read(mutated(seed, random.Random(number)), "x.json")


@FEW
@given(st.integers(0, 2**32))
def test_no_damaged_parquet_file_is_more_than_unreadable(number):
    sink = io.BytesIO()
    rows = {"TimeGenerated": ["2026-10-31T10:00:00Z"] * 3, "CorrelationId": ["a", "b", "c"], "Url": ["u"] * 3}
    pq.write_table(pa.table(rows), sink)
    chance = random.Random(number)
    content = bytearray(sink.getvalue())
    for _ in range(chance.randint(1, 8)):
        content[chance.randrange(len(content))] = chance.randrange(256)
    read(bytes(content), "x.parquet")


def test_sound_records_beside_mutated_ones_all_arrive_and_the_rest_is_counted(tmp_path):
    """Whole ingests: each file has a sound line before and after a mutated one, in a line of its own."""
    chance = random.Random(int(time.time()) if MINUTES else 7)
    until = time.monotonic() + 20 * MINUTES
    rounds = 0
    while rounds < 4 or time.monotonic() < until:
        rounds += 1
        folder = tmp_path / str(rounds)
        (folder / "logs").mkdir(parents=True)
        for number in range(25):
            bad = mutated(chance.choice(SEEDS[:2]), chance).replace(b"\n", b" ")
            first, last = lines(gateway(f"{number}-first")), lines(gateway(f"{number}-last"))  # type: ignore[arg-type]
            (folder / "logs" / f"{number}.json").write_bytes(first + bad + b"\n" + last)
        lake = Lake.create(folder / "lake")
        try:
            summary = ingest([folder / "logs"], lake)
        except AoaiError as error:
            raise AssertionError(f"round {rounds}: {error}") from error
        assert not [problem for problem in summary.problems if "please report" in problem], summary.problems
        sound = {f"id-{number}-{end}" for number in range(25) for end in ("first", "last")}
        assert sound <= set(ids(lake))
        assert lake.dirty_dates() is not None
        assert ingest([folder / "logs"], lake).records == 0
