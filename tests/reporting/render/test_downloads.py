"""The CSV that a page carries."""

from __future__ import annotations

import base64
import csv
import io
import json
import random
import re
import shutil
import subprocess

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.reporting.render.downloads import csv_text, data_link, packed
from aoai_analytics.reporting.render.html import TEMPLATES

#: What a terminal obeys, or what reorders text; a file shows a mark in its place.
STEERING = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def rows(text: str) -> list[list[str]]:
    return list(csv.reader(io.StringIO(text, newline="")))


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1", "@SUM(A1)", "\t=1", "  =1"])
def test_a_text_that_a_spreadsheet_would_run_is_kept_from_it(text: str) -> None:
    assert rows(csv_text(pd.DataFrame({"T": [text]})))[1] == ["'" + text]


def test_numbers_stay_numbers_null_is_empty_and_times_are_utc() -> None:
    frame = pd.DataFrame(
        {
            "N": pd.array([-5, None], dtype="Int64"),
            "R": [-0.5, None],
            "At": pd.to_datetime(["2026-11-01T01:02:03Z", None]),
            "Text": ['a "quoted", text', ""],
        }
    )
    read = rows(csv_text(frame))
    assert read[1] == ["-5", "-0.5", "2026-11-01T01:02:03+00:00", 'a "quoted", text']
    assert read[2] == ["", "", "", ""]


@given(st.lists(st.text(st.characters(exclude_categories=["Cs"])), min_size=1))
def test_no_text_begins_a_formula_and_none_is_lost(texts: list[str]) -> None:
    for (cell,), text in zip(
        rows("X\r\n" + csv_text(pd.DataFrame({"T": texts})))[2:], [t for t in texts], strict=False
    ):
        assert not cell.startswith(("=", "+", "-", "@", "\t"))
        seen = STEERING.sub("\N{REPLACEMENT CHARACTER}", text)
        assert cell.removeprefix("'") == seen.removeprefix("'")


def test_a_long_result_is_cut_at_the_rows_asked_for() -> None:
    assert len(rows(csv_text(pd.DataFrame({"N": range(10)}), max_rows=3))) == 4


def test_the_link_holds_the_text_itself() -> None:
    head, _, body = data_link("ä").partition(";base64,")
    assert head.startswith("data:text/csv")
    assert base64.b64decode(body).decode("utf-8-sig") == "ä"


def test_the_page_s_script_unpacks_what_was_packed() -> None:
    if shutil.which("node") is None:
        pytest.skip("needs node (Node.js)")
    script = (TEMPLATES / "report.js").read_text("utf-8")
    unpacking = script[script.index("  const BASE_LENGTHS") : script.index("  document.querySelectorAll")]
    chance = random.Random(7)
    texts = ["", "a", "ä€🙂", "a" * 100_000, "".join(f"{number}," for number in range(30_000))]
    texts += ["".join(chr(chance.randrange(32, 1_000)) for _ in range(1 << power)) for power in range(17)]
    texts += ["".join(chance.choices("ab,\n", k=1 << power)) for power in range(17)]
    # A block of each kind that deflate has: stored, with fixed codes, with codes of its own.
    kinds = {base64.b64decode(packed(text))[0] >> 1 & 3 for text in texts}
    assert kinds == {0, 1, 2}
    given = json.dumps([packed(text) for text in texts])
    run = subprocess.run(
        ["node", "-e", f"{unpacking}; const given = JSON.parse(require('fs').readFileSync(0));"
         "console.log(JSON.stringify(given.map(unpackedText)))"],
        input=given, capture_output=True, text=True, encoding="utf-8", check=True,
    )  # fmt: skip
    assert json.loads(run.stdout) == texts
