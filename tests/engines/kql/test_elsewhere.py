"""Tables of other workspaces and clusters are read from the one source, and the answer says so."""

from __future__ import annotations

import pytest

from aoai_analytics.engines import connect
from aoai_analytics.engines.kql.elsewhere import here
from aoai_analytics.engines.kql.several import first_table
from aoai_analytics.lake.delta import Lake


@pytest.mark.parametrize(
    ("kql", "local"),
    [
        ("workspace('a').T | count", "T | count"),
        ("cluster('a').database('b').T | take 1", "T | take 1"),
        ("union app('a').requests, T", "union requests, T"),
        ("database('b').table('T') | count", "T | count"),
        ("let U = resource('x').T; U | join (arg('').V) on k", "let U = T; U | join (V) on k"),
        ("T | where workspace == 'a'",) * 2,
    ],
)
def test_a_prefix_leaves_blanks(kql: str, local: str) -> None:
    text, notices = here(kql)
    assert (" ".join(text.replace("(   ", "(").split()).replace("( ", "("), len(text)) == (local, len(kql))
    assert bool(notices) == (local != kql)


def test_the_same_table_of_several_places_counts_once() -> None:
    text, _ = here("union workspace('a').T, workspace('b').T, T, U | count")
    assert " ".join(text.split()) == "union T , U | count"
    assert here("union T, T | count")[0] == "union T, T | count"


def test_the_first_table_of_several_is_the_answer() -> None:
    text, notices = first_table("T | fork a=(where x > 1 | count) (take 1)")
    assert text == "T | where x > 1 | count" and "fork gives 2 tables" in notices[0]
    text, notices = first_table("T | facet by a, b with (take 1)")
    assert text == "T | summarize count_a = count() by a" and "facet gives 3 tables" in notices[0]


def test_the_answer_says_what_was_read_and_is_not_partial(tmp_path) -> None:
    Lake.create(tmp_path)
    engine = connect(tmp_path)
    result = engine.query("workspace('x').AoaiRequests | fork (count) (take 1)")
    engine.close()
    assert list(result.frame["Count"]) == [0]
    assert not result.partial
    assert result.warnings[0].startswith("workspace('x'): a lake is one source")
    assert "fork gives 2 tables" in result.warnings[1]
