"""Answers of many services in shapes that their documentation and users published, a case a line of shapes.jsonl.

A case is ``name``, ``gateway`` (columns of its gateway row), ``llm`` (columns of its LLM rows), and ``expect``: columns
and values of its row, a list where any of several is right; null for a record that is no request to a model.
"""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from .raw_logs import answered, llm, request

CASES = {
    case["name"]: case for case in map(json.loads, Path(__file__).with_name("shapes.jsonl").read_text().splitlines())
}


def _llm_row(name: str, columns: dict[str, Any]) -> dict[str, Any]:
    return llm(name, columns.get("SequenceNumber", 0), **columns)


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    gateway = [request(name, **case["gateway"]) for name, case in CASES.items()]
    records = [_llm_row(name, columns) for name, case in CASES.items() for columns in case["llm"]]
    return answered(tmp_path_factory.mktemp("shapes"), "AoaiRequestsLogged", gateway, records)


@pytest.mark.parametrize("name", CASES)
def test_a_published_shape_is_read_right(rows: pd.DataFrame, name: str) -> None:
    expect = CASES[name]["expect"]
    if expect is None:
        assert name not in rows.index
        return
    row = rows.loc[name]
    found = {column: None if pd.isna(row[column]) else row[column] for column in expect}
    wrong = {
        column: (found[column], value)
        for column, value in expect.items()
        if found[column] not in (value if isinstance(value, list) else [value])
    }
    assert not wrong


def test_the_table_of_evidence_names_cases_that_prove_it() -> None:
    text = (Path(__file__).parents[2] / "docs/accuracy.md").read_text("utf-8")
    table = re.search(r"<!-- table: evidence -->\n(.*?)<!-- end of table -->", text, re.S)
    assert table
    rows = [[cell.strip() for cell in line.strip("|").split(" | ")] for line in table[1].splitlines()[2:]]
    assert len(rows) > 20
    for kind, columns, _, case in rows:
        assert set(columns.split(", ")) <= set(CASES[case]["expect"]), kind
