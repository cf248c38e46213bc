"""An inlined semantic layer is planned in parts, each with what it needs and no more."""

from __future__ import annotations

from typing import Any

from aoai_analytics.engines.dialect.stages import apart

QUERY = """let least = 3;
let Unused = print 1;
let twice = (x: long) { 2 * x };
let AoaiA_Rows = T | where a >= least;
let AoaiA = AoaiA_Rows | extend b = twice(a);
let Other = U | where c == "AoaiA_Rows";
let AoaiB = AoaiA | join kind=inner Other on k;
let most = 7;
AoaiB | where a < most and b >= least"""


class Recorded:
    """Stages that note what they are made of."""

    def __init__(self) -> None:
        self.texts: list[str] = []
        self.stored: list[bool] = []

    def sql(self, kql: str) -> str:
        return kql

    def made(self, select: str, *, stored: bool = False) -> str:
        self.texts.append(select)
        self.stored.append(stored)
        return f"Stage{len(self.texts)}"


def in_parts(kql: str, functions: set[str]) -> tuple[list[str], str]:
    stages: Any = Recorded()
    rest = apart(kql, stages, functions, lambda text: text)
    return stages.texts, rest


def test_a_stage_is_read_with_the_lets_that_it_needs_and_no_others() -> None:
    texts, rest = in_parts(QUERY, {"AoaiA", "AoaiB"})
    assert texts == [
        "let least = 3;\nlet twice = (x: long) { 2 * x };\nlet AoaiA_Rows = T | where a >= least;\n"
        "AoaiA_Rows | extend b = twice(a)",
        'let Other = U | where c == "AoaiA_Rows";\nStage1 | join kind=inner Other on k',
    ]
    # What nothing names stays, so that what is wrong in it is said.
    assert rest == "let least = 3;\nlet Unused = print 1;\nlet most = 7;\nStage2 | where a < most and b >= least"


def test_a_query_without_such_functions_stays_as_it_is() -> None:
    assert in_parts(QUERY, {"AoaiC"}) == ([], QUERY)


def test_a_let_of_many_steps_is_computed_apart_whatever_its_name() -> None:
    """A person's text of the semantic layer may call its functions anything; DuckDB would plan it as one."""
    steps = "".join(f"\n| extend c{number} = {number}" for number in range(40))
    stages: Any = Recorded()
    rest = apart(f"let Mine = T{steps};\nlet Short = Mine | where a > 1;\nShort | count", stages, set(), str)
    assert stages.texts == [f"T{steps}"] and stages.stored == [True]
    assert rest == "let Short = Stage1 | where a > 1;\nShort | count"
