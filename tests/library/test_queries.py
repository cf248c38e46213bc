"""The query library: files with headers, found by name."""

from __future__ import annotations

import pytest

from aoai_analytics.engines.kql.parameters import bind, declared
from aoai_analytics.errors import UnknownName, WrongUse
from aoai_analytics.library import library
from aoai_analytics.library.queries import Library

FILE = """// title: A title
// question: What?
// chart: bar x=A y=B
// unit: A=tokens, B=1k requests
let n = 5; // rows
AoaiRequests | take n
"""


@pytest.fixture
def folder(tmp_path):
    (tmp_path / "tokens").mkdir()
    (tmp_path / "tokens" / "one.kql").write_text(FILE)
    return tmp_path


def test_a_file_is_a_query_with_what_its_header_says(folder):
    query = Library(folder).get("tokens/one")
    assert (query.title, query.question, query.section) == ("A title", "What?", "tokens")
    assert query.chart == "bar x=A y=B"
    assert query.units == {"A": "tokens", "B": "1k requests"}
    assert query.parameters["n"].default == "5"
    assert "let n = 7;" in query.bind(n=7)


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("AoaiRequests", r"lacks a line '// title: …'"),
        ("// title: x\nAoaiRequests", r"lacks a line '// question: …'"),
        ("// title: x\n// question: y\n// unit: tokens\nAoaiRequests", r"COLUMN=unit"),
    ],
)
def test_a_file_without_a_right_header_is_refused_by_name(folder, text, message):
    (folder / "tokens" / "bad.kql").write_text(text)
    with pytest.raises(WrongUse, match=message) as caught:
        Library(folder)
    assert "bad.kql" in str(caught.value)


def test_an_unknown_query_names_the_nearest():
    with pytest.raises(UnknownName, match=r"did you mean .*tokens/by-subscription"):
        library().get("tokens/by-subscriptions")
    with pytest.raises(UnknownName, match=r"did you mean .*users/top"):
        library().get("top")
    with pytest.raises(UnknownName, match="'aoai queries' lists them"):
        library().get("zzzzzzzz")
    with pytest.raises(UnknownName, match="no section 'tokns'; did you mean tokens"):
        library().section("tokns")


def test_an_error_about_a_parameter_names_the_query():
    with pytest.raises(UnknownName, match="tokens/by-subscription: the query has no parameter 'top'"):
        library().get("tokens/by-subscription").bind(top=1)
    with pytest.raises(WrongUse, match="tokens/by-subscription: parameter 'topN' takes a long"):
        library().get("tokens/by-subscription").bind(topN="many")


@pytest.mark.parametrize(
    ("name", "value", "message"),
    [
        ("toTier", "cheap", "cost/what-if: parameter 'toTier' takes one of default, batch, flex, priority$"),
        ("toScope", "Global", "'toScope' takes one of global, data-zone, regional$"),
        ("ptus", "-5", "'ptus' takes a long of 0 or more$"),
        ("ptuHourPrice", -0.5, "'ptuHourPrice' takes a real of 0 or more$"),
    ],
)
def test_a_value_that_makes_no_sense_is_refused_with_what_does(name, value, message):
    with pytest.raises(WrongUse, match=message):
        library().get("cost/what-if").bind(**{name: value})


def test_a_choice_may_stay_as_it_is():
    query = library().get("cost/what-if")
    assert 'let toScope = "";' in query.bind(toScope="")
    assert 'let toScope = "global";' in query.bind(toScope="global")


def test_a_number_is_held_to_no_list_of_texts():
    assert "let n = 10;" in bind("let n = 5; // one of: 5, 10\nAoaiRequests | take n", {"n": 10})


@pytest.mark.parametrize("value", ["0h", "-1h"])
def test_a_chart_needs_a_step_above_0(value):
    with pytest.raises(WrongUse, match="tokens/over-time: parameter 'step' takes a timespan of"):
        library().get("tokens/over-time").bind(step=value)


def test_a_time_zone_is_one_that_exists():
    with pytest.raises(WrongUse, match="cost/by-day: unknown time zone 'Mars/Base': use an IANA name"):
        library().get("cost/by-day").bind(timeZone="Mars/Base")


def test_a_default_of_the_library_is_a_value_that_it_takes():
    for query in library():
        given = {
            name: parameter.default.strip('"') for name, parameter in query.parameters.items() if parameter.choices
        }
        bound = declared(query.bind(**given))
        assert {n: p.default for n, p in bound.items()} == {n: p.default for n, p in query.parameters.items()}


def test_functions_are_no_queries_and_stand_after_those_they_need():
    functions = list(library().functions())
    assert functions.index("AoaiRequestsLogged") < functions.index("AoaiRequests")
    assert all(query.section != "functions" for query in library())
    with pytest.raises(UnknownName):
        library().get("functions/AoaiRequests")


def test_every_section_of_the_design_has_queries():
    assert {"tokens", "models", "users", "prompts"} <= set(library().sections)
