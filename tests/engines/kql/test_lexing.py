"""Words of the language are names where an operator cannot be, and operators where one can."""

from __future__ import annotations

import pytest

from aoai_analytics.engines.kql.functions import names_in
from aoai_analytics.engines.kql.tree import read

OPERATORS = ["CountOperator", "SortOperator", "TopOperator", "TakeOperator", "PartitionOperator", "ForkOperator"]


@pytest.mark.parametrize(
    ("kql", "names", "operators"),
    [
        ("T | sort by count desc", {"count"}, ["SortOperator"]),
        ("T | where limit > 3 | count", {"limit"}, ["CountOperator"]),
        ("T | summarize sum(count) by top | top 3 by top", {"count", "top"}, ["TopOperator"]),
        ("T | extend order = limit + 1, x = table", {"order", "limit", "table"}, []),
        ("T | partition by State (count)", set(), ["PartitionOperator", "CountOperator"]),
        ("T | fork (count) (take 1)", set(), ["ForkOperator", "CountOperator", "TakeOperator"]),
        ("T | join kind=inner (U | count) on x", set(), ["CountOperator"]),
        ("T | project b.count, c = b.table", {"count", "table"}, []),
        ("datatable(take: long, search: string)[1, 'a']", {"take", "search"}, []),
    ],
)
def test_a_word_is_what_its_place_makes_it(kql: str, names: set[str], operators: list[str]) -> None:
    words = {"count", "limit", "top", "order", "table", "take", "search"}
    found = {node.name for node in read(kql).walk() if node.name}
    assert found & words == names
    assert [node.kind for node in read(kql).find(*OPERATORS)] == operators
    assert names_in(kql) - {"T", "U"} <= found
