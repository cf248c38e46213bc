"""The workbook is well formed, within the service's limits, and asks what the library asks."""

from __future__ import annotations

import re
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest

from aoai_analytics.engines.kql.inlining import called_bare
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.export.workbook import MAX_BYTES
from aoai_analytics.export.workbook.filling import Chosen, filled, is_visible, parameters, steps
from aoai_analytics.export.workbook.layout import NOT_HERE, OF_THE_INVOICE, TABS
from aoai_analytics.export.workbook.parts import PREFIX, TOKEN, left_out
from aoai_analytics.library import library
from aoai_analytics.library.privacy import SHOWS_PROMPTS
from tests.export.conftest import COMMITTED, END, START, lacking
from tests.export.workbook_tiles import expected, is_equal, selected, tiles, values_of
from tests.kql_parser import analyse


def texts_of(value: Any) -> Iterator[str]:
    """Every string in JSON data."""
    if isinstance(value, str):
        yield value
    elif isinstance(value, dict | list):
        for each in value.values() if isinstance(value, dict) else value:
            yield from texts_of(each)


# The conventions that the service's own repository checks (microsoft/Application-Insights-Workbooks,
# scripts/src/Rules.ts, and the list in its pull requests).


def test_every_step_has_a_name_of_its_own(made_workbook: dict[str, Any]) -> None:
    names = Counter(step["name"] for step in steps(made_workbook["items"]))
    assert [name for name, times in names.items() if times > 1 or not name.strip()] == []
    assert not any(re.match(r"(?i)(text|query|link|group|metrics|parameters) - \d+", name) for name in names)


def test_every_parameter_has_an_id_that_is_a_guid_and_a_label(declared: dict[str, dict[str, Any]]) -> None:
    ids = [uuid.UUID(parameter["id"]) for parameter in declared.values()]
    assert len(set(ids)) == len(ids) > 30
    assert all(parameter["label"] for parameter in declared.values())


def test_no_resource_of_anybody_stands_in_it(made_workbook: dict[str, Any]) -> None:
    assert not [text for text in texts_of(made_workbook) if re.search(r"(?i)/subscriptions/|resourcegroups/", text)]
    assert "fallbackResourceIds" not in made_workbook and "fromTemplateId" not in made_workbook


def test_it_is_within_the_services_limit() -> None:
    assert 100_000 < len(COMMITTED.read_bytes()) < MAX_BYTES


def test_every_step_is_of_a_kind_the_schema_knows_with_what_it_asks(made_workbook: dict[str, Any]) -> None:
    """The public schema (schema/workbook.json there): version and items; a step's type and content; types of
    members."""
    assert made_workbook["version"] == "Notebook/1.0"
    versions = {9: "KqlParameterItem/1.0", 3: "KqlItem/1.0", 11: "LinkItem/1.0", 12: "NotebookGroup/1.0"}
    for step in steps(made_workbook["items"]):
        content = step["content"]
        assert step["type"] in (1, *versions) and isinstance(content, dict)
        assert step["type"] == 1 or content["version"] == versions[step["type"]]
        assert isinstance(step.get("customWidth", ""), str)
        if condition := step.get("conditionalVisibility"):
            assert set(condition) == {"parameterName", "comparison", "value"}
            assert condition["comparison"] in ("isEqualTo", "isNotEqualTo") and isinstance(condition["value"], str)
        if step["type"] == 3:
            grid = content.get("gridSettings", {})
            assert all(isinstance(each["formatter"], int) for each in grid.get("formatters", []))
            assert all(re.compile(each["columnMatch"]) for each in grid.get("formatters", []))
            assert content["noDataMessage"] and content["crossComponentResources"] == ["{Workspace}"]


def test_every_parameter_a_step_names_is_declared_before_or_set_by_a_click(made_workbook: dict[str, Any]) -> None:
    known: set[str] = {"TimeRange"}
    for step in steps(made_workbook["items"]):
        content = step["content"]
        if step["type"] == 9:
            for parameter in content["parameters"]:
                assert {m[1] for m in TOKEN.finditer(parameter.get("query", ""))} <= known, parameter["name"]
                known.add(parameter["name"])
        elif step["type"] == 11:
            known |= {link["cellValue"] for link in content["links"]}
        elif step["type"] == 3:
            assert {m[1] for m in TOKEN.finditer(content["query"])} <= known, step["name"]
            known |= {each["parameterName"] for each in content.get("exportedParameters", [])}
        if condition := step.get("conditionalVisibility"):
            later = {p for tab in TABS for view in tab.views for p, _, _ in view.opens}
            assert condition["parameterName"] in known | later, step["name"]


def test_a_hidden_part_is_one_line_without_a_comment_or_anything_that_reads_as_a_parameter(
    declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    parts = {name: each["value"] for name, each in declared.items() if name.startswith(PREFIX)}
    assert len(parts) > 15
    for name, text in parts.items():
        assert "\n" not in text and "//" not in re.sub(r'"[^"]*"', "", text) and not TOKEN.search(text), name
        assert any(f"{{{name}}}" in kql for kql in queries.values()) or any(
            f"{{{name}}}" in each.get("query", "") for each in declared.values()
        ), f"{name} is in no query"


def test_each_query_of_the_tabs_sections_is_a_tile_or_says_why_not() -> None:
    asked = {tile.query for _, tile in tiles()}
    sections = {tab.name for tab in TABS} - {"overview"}
    for query in library():
        if query.section in sections:
            if query.name in OF_THE_INVOICE:
                assert query.name not in asked
                continue
            assert (query.name in asked) != (query.name in NOT_HERE), query.name
            assert ("then" in query.header) == (query.name in NOT_HERE), query.name
    assert [tab.name for tab in TABS] == [
        "overview",
        "tokens",
        "models",
        "users",
        "prompts",
        "reliability",
        "cost",
        "health",
    ]


def test_what_people_wrote_is_behind_the_readers_choice(made_workbook: dict[str, Any]) -> None:
    """With the choice as it is when the workbook opens, no visible step asks for a prompt; with the other, some do."""
    texts = {query.name for query in library() if query.header.get("shows") == SHOWS_PROMPTS}

    def seen(items: list[dict[str, Any]], prompts: str) -> Iterator[str]:
        for step in items:
            if step.get("conditionalVisibility", {}).get("parameterName") == "Prompts" and not is_visible(
                step, {"Prompts": prompts}
            ):
                continue
            if step["type"] == 12:
                yield from seen(step["content"]["items"], prompts)
            elif step["type"] == 3 and step["name"].split()[-1] in texts:
                yield step["name"]

    assert parameters(made_workbook)["Prompts"]["value"] == "hidden"
    assert list(seen(made_workbook["items"], "hidden")) == []
    assert len(list(seen(made_workbook["items"], "shown"))) == 10


# Queries, as the service fills them in.


def test_a_tile_asks_the_librarys_words(queries: dict[str, str]) -> None:
    """Behind the parts a tile's text is the library's own, but that tables have the names of their rows in the
    range."""
    for name, tile in tiles():
        if tile.query in ("prices", "prompts/scripts"):  # not the library's; and \\p{…}, which reads as a parameter
            continue
        lines = [line.rstrip() for line in queries[name].splitlines() if line.strip()]
        last_part = max(n for n, line in enumerate(lines) if line.startswith(f"{{{PREFIX}"))
        asked = "\n".join(re.sub(r"\b(\w+)_Between\b", r"\1", line) for line in lines[last_part + 1 :])
        query = library().get(tile.query)
        taken = {each.line for each in query.parameters.values()}
        own = [
            line.rstrip()
            for n, line in enumerate(called_bare(query.text).split("\n"))
            if n not in taken and line.strip()
        ]
        while own[0].startswith("//"):
            own.pop(0)
        assert len(own) > 1 and asked.startswith("\n".join(own)), name


def test_every_part_that_a_query_needs_stands_before_it_once(
    declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    parts = {name: each["value"] for name, each in declared.items() if name.startswith(PREFIX)}
    asked = queries | {name: each["query"] for name, each in declared.items() if each.get("queryType") == 0}
    for name, kql in asked.items():
        named = re.findall(rf"^\{{({PREFIX}\w+)\}}$", kql, re.M)
        question = kql.rsplit(f"{{{named[-1]}}}\n", 1)[1] if named else kql
        missing = lacking([*(parts[part] for part in named), question], parts.values())
        assert not missing and len(set(named)) == len(named), (name, missing)


def test_a_regular_expression_with_braces_is_not_taken_for_a_parameter(
    traffic: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    name = "prompts logged prompts/scripts"
    answer = traffic.query(filled(queries[name], declared, Chosen(START, END, stored=True)), start=START, end=END)
    assert is_equal(answer, expected(traffic, dict(tiles())[name], START, END, "", ""))


def test_every_tile_parses_against_the_two_log_tables_and_has_the_columns_that_it_shows(
    made_workbook: dict[str, Any], declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    """The parser takes a second for a whole text: each part is read once, whole, and tiles over its columns."""
    chosen = Chosen(START, END, values_of("a user", "a request"))
    parts = {name: each["value"] for name, each in declared.items() if name.startswith(PREFIX)}
    lets = "let RangeStart = datetime(2026-10-30);\nlet RangeEnd = datetime(2026-11-01);\n"
    lets += 'let GivenChoices = "*|*|*|*|*";\n'
    lets += 'let GivenPrices = ""; let GivenDiscount = 0.0;\n'
    whole: dict[str, str] = {}
    for text in {"\n".join(re.findall(rf"\{{({PREFIX}\w+)\}}", kql)) for kql in queries.values()}:
        names = text.split("\n")
        head = lets + "\n".join(parts[name] for name in names) + "\n"
        for name in names:
            if shown := re.fullmatch(rf"{PREFIX}(\w+_Between)(?:_v\d)?", name):
                whole.setdefault(shown[1], head + shown[1])
    tables = analyse(whole, functions={})
    assert {name: [str(d) for d in each.diagnostics if d.severity == "Error"] for name, each in tables.items()} == {
        name: [] for name in tables
    }
    columns = {name: each.columns or {} for name, each in tables.items()}
    filters = {f"parameter {n}": p["query"] for n, p in declared.items() if p.get("queryType") == 0 and "query" in p}
    asked = {}
    for name, kql in {**queries, **filters}.items():
        bare = re.sub(rf"\{{{PREFIX}(?!Choices)\w+\}}\n", "", kql)
        asked[name] = filled(bare, declared, chosen)
    found = analyse(
        asked,
        tables={
            **columns,
            "ApiManagementGatewayLogs": {"TimeGenerated": "datetime"},
            "ApiManagementGatewayLlmLog": {"TimeGenerated": "datetime"},
        },
        functions={},
    )
    assert {n: [str(d) for d in a.diagnostics if d.severity == "Error"] for n, a in found.items()} == {
        n: [] for n in asked
    }
    for step in steps(made_workbook["items"]):
        if step["type"] != 3:
            continue
        content, given_columns = step["content"], set(found[step["name"]].columns or {})
        chart = content.get("chartSettings", {})
        named = {chart.get("xAxis"), *chart.get("yAxis", []), chart.get("group")} - {None}
        named |= {each["fieldName"] for each in content.get("exportedParameters", [])}
        named |= {v["columnMatch"] for v in content.get("tileSettings", {}).values() if isinstance(v, dict)}
        assert named <= given_columns, step["name"]
        for form in content.get("gridSettings", {}).get("formatters", []):
            wanted = re.fullmatch(r"\^\(?([\w|]+)\)?\$", form["columnMatch"])
            if wanted:
                assert set(wanted[1].split("|")) <= given_columns, (step["name"], form["columnMatch"])


#: Two tiles that have every part for what a lake stores, which are asked with their whole texts; and whether to leave
#: those parts out: what else a tile has is asked of the lake.
WHOLE = (
    ("cost who cost/by-region", False),
    ("prompts logged prompts/length-over-time", False),
    ("prompts logged prompts/texts-logged", True),
    ("health coverage health/coverage-by-api", True),
)


@pytest.mark.parametrize(("name", "stored"), WHOLE)
def test_a_tiles_whole_text_gives_the_librarys_answer(
    name: str, stored: bool, traffic: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    tile, within = dict(tiles())[name], {"start": START, "end": END} if stored else {}
    answer = traffic.query(filled(queries[name], declared, Chosen(START, END, stored=stored)), **within)
    assert len(answer.frame) > 1
    assert is_equal(answer, expected(traffic, tile, START, END, "", ""))


def test_a_whole_text_is_asked_of_each_part_that_defines_what_a_lake_stores(
    declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    asked = "\n".join(queries[name] for name, stored in WHOLE if not stored)
    assert [name for name in declared if left_out(name) and f"{{{name}}}" not in asked] == []


def test_tiles_that_fold_rows_or_open_others_give_the_librarys_answer(
    traffic: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    """With the parts left out that the lake stores; of the other tiles the text is the library's own."""
    user, request = selected(traffic, START, END)
    chosen = Chosen(START, END, values_of(user, request), stored=True, computed=True)
    asked = [(name, tile) for name, tile in tiles() if tile.key or tile.values or tile.show in ("kpi", "matrix")]
    asked = [
        (n, t) for n, t in asked if not n.startswith(("cost", "overview cost")) and t.query != "prompts/conversation"
    ]
    assert len(asked) > 15
    for name, tile in asked:
        answer = traffic.query(filled(queries[name], declared, chosen), start=START, end=END)
        assert is_equal(answer, expected(traffic, tile, START, END, user, request)), name


def test_parts_left_out_over_a_lake_are_those_that_it_stores() -> None:
    assert left_out("KqlAoaiRequests") and left_out("KqlLogsAroundMonths") and left_out("KqlAoaiLlmTexts")
    assert not any(left_out(name) for name in ("KqlAoaiRequests_Between", "KqlChoices", "KqlAoaiCosts_Between"))
