"""The CSV that a page carries."""

from __future__ import annotations

import base64
import csv
import io
import re

import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.reports.downloads import csv_text, data_link

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
