"""Each query's answer on a few requests is the one worked out by hand (``cases/``; ``cases.py`` tells the format)."""

from __future__ import annotations

from pathlib import Path

import pytest

from aoai_analytics.engines.protocol import QueryResult
from aoai_analytics.library.queries import library
from tests.kql.cases import REST, Case, cases, engine_over, plain, same, value_of

SECTIONS = ("tokens", "models", "users", "reliability")
CASES = list(cases())
QUERIES = [query.name for query in library() if query.section in SECTIONS]


def in_words(columns: list[str], rows: list[list[object]]) -> str:
    """A table to read: cells under their columns."""
    cells = [columns, *(["null" if cell is None else str(cell) for cell in row] for row in rows)]
    widths = [max(len(line[place]) for line in cells) for place in range(len(columns))]
    return "\n".join(" | ".join(cell.ljust(width) for cell, width in zip(line, widths, strict=True)) for line in cells)


def differences(result: QueryResult, columns: list[str], rows: list[list[str]]) -> str:
    """What the answer has that is not expected, in words; '' where nothing."""
    got = list(result.frame.columns)
    if columns and columns[-1] == REST:
        columns, rows = columns[:-1], [row[:-1] for row in rows]
        got = got[: len(columns)]
    if got != columns:
        return f"columns {got}\nexpected {columns}"
    kinds = [result.types[column] for column in columns]
    expected = [[value_of(cell, kind) for cell, kind in zip(row, kinds, strict=True)] for row in rows]
    answered = [
        [plain(value, kind) for value, kind in zip(row, kinds, strict=True)]
        for row in result.frame[columns].itertuples(index=False, name=None)
    ]
    if len(expected) == len(answered) and all(
        same(one, other)
        for row, other_row in zip(expected, answered, strict=True)
        for one, other in zip(row, other_row, strict=True)
    ):
        return ""
    return f"answered\n{in_words(columns, answered)}\nexpected\n{in_words(columns, expected)}"


@pytest.mark.parametrize("case", CASES, ids=str)
def test_a_query_answers_what_was_worked_out_by_hand(case: Case, tmp_path: Path) -> None:
    query = library().get(case.query)
    engine = engine_over(case.requests, tmp_path / "lake")
    for asked in case.asked:
        found = differences(engine.query(query.bind(**asked.parameters)), asked.columns, asked.rows)
        assert not found, f"{case} {asked.parameters}\n{found}"


@pytest.mark.parametrize("name", QUERIES)
def test_a_query_has_an_answer_worked_out_by_hand_in_every_column(name: str) -> None:
    asked = [asked for case in CASES if case.query == name for asked in case.asked if asked.rows]
    assert any(asked.columns[-1] != REST for asked in asked), (
        f"tests/kql/cases/{name}.txt has no case that names all columns"
    )


def test_each_case_is_of_a_query_of_the_library() -> None:
    assert {case.query for case in CASES} <= {query.name for query in library()}
    assert len(CASES) == len({str(case) for case in CASES})


def test_a_wrong_number_in_a_case_is_found(tmp_path: Path) -> None:
    engine = engine_over([{"TimeGenerated": "2026-11-02 08:00", "PromptTokens": 5, "CompletionTokens": 2}], tmp_path)
    result = engine.query(
        "AoaiRequests | summarize Requests = count(), Tokens = sum(TotalTokens), Mean = avg(TotalTokens)"
    )
    columns = ["Requests", "Tokens", "Mean"]
    assert differences(result, columns, [["1", "7", "7.0"]]) == ""
    assert differences(result, ["Requests", REST], [["1", REST]]) == ""
    assert differences(result, columns, [["1", "8", "7.0"]])
    assert differences(result, columns, [["1", "7", "7.01"]])
    assert differences(result, columns, [["1", "null", "7.0"]])
    assert differences(result, columns, [])
    assert differences(result, ["Requests", "Tokens"], [["1", "7"]])
