"""A long ``datatable`` is read without the parser, and answers as one that the parser reads."""

from __future__ import annotations

from collections.abc import Iterator

import pandas as pd
import pytest

from aoai_analytics.engines.dialect import datatables
from aoai_analytics.engines.kql import literals
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
from aoai_analytics.lake.delta import Lake

COLUMNS = "Name: string, ['a b']: long, Share: real, Day: datetime, Flag: bool, Small: int"
ROWS = [
    r"""'it\'s "x"', 1, 0.5, datetime(2026-10-31), true, 7""",
    r""""a ] b, c", -2, 3, datetime(2026-10-31T10:11:12.5Z), false, int(null)""",
    r""""|\u00e9\n\\", long(null), real(null), datetime(null), bool(null), -3""",
    '"", 9007199254740993, 1e-3, datetime(2026-01-02 ), true, 0',
]
AWKWARD = [
    '"https://a.example//b", 1, 1.5, datetime(2026-10-31), true, 1',  # looks like a comment
    '@"c:\\x", 1, 1.5, datetime(2026-10-31), true, 1',
    '"x", 0x10, 1.5, datetime(2026-10-31), true, 1',
    '"x", 1, 1.5, datetime("2026-10-31"), true, 1',
    '"x", 1 /* no */, 1.5, datetime(2026-10-31), true, 1',
    '"x", 1, real(+inf), datetime(2026-10-31), true, 1',
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    folder = tmp_path_factory.mktemp("datatables") / "lake"
    engine = LocalEngine(Lake.create(folder), str(folder))
    yield engine
    engine.close()


def table(rows: list[str]) -> str:
    return f"datatable({COLUMNS}) [\n    " + ",\n    ".join(rows) + "\n]"


def read_by_the_parser(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(literals, "LONG", 10**9)
    monkeypatch.setattr(datatables, "LONG", 10**9)


@pytest.mark.parametrize("row", [*ROWS, *AWKWARD])
@pytest.mark.parametrize("form", ["{}", "let T = {}; T | extend X = 1", "print N = 1 | union ({}) | where Small >= 0"])
def test_a_long_datatable_answers_as_the_parser_reads_it(
    row: str, form: str, engine: LocalEngine, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = form.format(table([row] * 40))
    answers = []
    for way in ("short", "parser"):
        if way == "parser":
            read_by_the_parser(monkeypatch)
        try:
            result = engine.query(f"{text} // {way}")
            answers.append((result.frame, result.types))
        except QueryError as error:
            answers.append((pd.DataFrame({"refused": [str(error)]}), {}))
    pd.testing.assert_frame_equal(answers[0][0], answers[1][0])
    assert answers[0][1] == answers[1][1]


def test_what_is_in_a_long_datatable_is_what_was_written(engine: LocalEngine) -> None:
    frame = engine.query(table(ROWS[:3] * 20)).frame
    first, second, third = (frame.iloc[i] for i in range(3))
    assert list(frame.columns) == ["Name", "a b", "Share", "Day", "Flag", "Small"] and len(frame) == 60
    assert (first["Name"], first["a b"], first["Share"], first["Flag"], first["Small"]) == (
        'it\'s "x"',
        1,
        0.5,
        True,
        7,
    )
    assert second["Day"] == pd.Timestamp("2026-10-31T10:11:12.5Z") and second["Name"] == "a ] b, c"
    assert third["Name"] == "|é\n\\" and third[["a b", "Share", "Day", "Flag"]].isna().all()


def test_a_value_too_few_is_refused(engine: LocalEngine) -> None:
    with pytest.raises(QueryError):
        engine.query(table([*ROWS * 10, '"x", 1']))
