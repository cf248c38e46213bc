"""KQL's documented behaviour (``conformance/``) on the local engine and on a second engine."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
from aoai_analytics.lake.delta import Lake
from tests.kql import recorded
from tests.kql.conformance import Documented, documented, gaps
from tests.kql.second import NEEDED, answers, comparable, local_answer

CASES = list(documented())
PAGES = sorted({(case.place.partition(":")[0], case.page) for case in CASES})
LOCAL_GAPS, SECOND_GAPS = gaps("local"), gaps("second")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    lake = Lake.create(tmp_path_factory.mktemp("conformance") / "lake")
    engine = LocalEngine(lake, str(lake.path))
    yield engine
    engine.close()


def local_rows(engine: LocalEngine, case: Documented) -> list[list[Any]]:
    return local_answer(*engine.arrow(case.query, {})).rows


def test_there_are_enough_cases_and_each_names_its_page() -> None:
    assert len(CASES) >= 700
    assert len({case.query for case in CASES}) == len(CASES)
    assert all(case.page.replace("-", "").isalnum() for case in CASES)


@pytest.mark.parametrize(("file", "page"), PAGES)
def test_the_local_engine_answers_what_is_documented(file: str, page: str, engine: LocalEngine) -> None:
    wrong = []
    for case in CASES:
        if not case.place.startswith(f"{file}:") or case.page != page or case.query in LOCAL_GAPS:
            continue
        rows = local_rows(engine, case)
        if comparable(rows) != comparable(case.rows):
            wrong.append(f"{case}: {case.query}\n  documented {case.rows}\n  answered   {rows}")
    assert not wrong, "\n".join(wrong)


def test_what_the_local_engine_does_not_answer_is_still_so(engine: LocalEngine) -> None:
    """A gap that has closed leaves the list."""
    closed = []
    for case in CASES:
        if case.query in LOCAL_GAPS:
            try:
                if comparable(local_rows(engine, case)) == comparable(case.rows):
                    closed.append(case.query)
            except QueryError:
                continue
    assert closed == []
    assert LOCAL_GAPS.keys() | SECOND_GAPS.keys() <= {case.query for case in CASES}


def test_the_second_engine_answers_what_is_documented(tmp_path: Path) -> None:
    """A gap is recorded as it is; what is not as expected is asked."""
    keys = {case.query: recorded.key(case.query, {}) for case in CASES}
    known, expected = recorded.recorded(), {case.query: recorded.one_print(case.rows) for case in CASES}

    def is_to_ask(query: str) -> bool:
        found = known.get(keys[query], "")
        is_as_expected = (found == expected[query]) != (query in SECOND_GAPS)
        return recorded.is_to_ask(keys[query], found if found and is_as_expected else "not recorded")

    asked = {case.query: case.query for case in CASES if is_to_ask(case.query)}
    answered = answers(asked, tmp_path / "batch") if asked else {}
    now = {query: "error" if answer.error else recorded.one_print(answer.rows) for query, answer in answered.items()}
    assert {query for query, found in now.items() if known.get(keys[query], found) != found} == set()
    found = {query: now.get(query) or known.get(keys[query], "") for query in keys}
    if not all(found.values()):
        pytest.skip(f"not all of it is recorded, and {NEEDED}")
    assert {query for query in keys if found[query] != expected[query]} == SECOND_GAPS.keys()
    for query, print_of_it in found.items():
        recorded.RECORDER.note(keys[query], print_of_it)
