"""The workbook is well formed, within the service's limits, and asks what the library asks."""

from __future__ import annotations

import json
import re
import uuid
from collections import Counter
from collections.abc import Iterator
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.engines.kql.inlining import called_bare
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.export.embedding import FILTERS
from aoai_analytics.export.preview import preview_html
from aoai_analytics.export.workbook import MAX_BYTES, workbook, workbook_json
from aoai_analytics.export.workbook.filling import Chosen, filled, is_visible, parameters, steps
from aoai_analytics.export.workbook.layout import NOT_HERE, OF_THE_INVOICE, TABS
from aoai_analytics.export.workbook.parts import PREFIX, TOKEN, left_out
from aoai_analytics.export.workbook.steps import KEY
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.library import library
from aoai_analytics.library.privacy import SHOWS_PROMPTS
from tests.export.conftest import END, START, coded
from tests.export.workbook_tiles import expected, is_equal, selected, tiles, values_of
from tests.kql_parser import analyse

#: Names as callers send them. One that is a bare * cannot be chosen by itself: it stands for every name
#: (``embedding.ALL``).
AWKWARD = [
    "",
    "plain",
    "it's",
    'say "so"',
    "a,b|c",
    "back\\slash",
    "{TimeRange}",
    "{Apis}",
    "ünïcödé 模型",
    "x\ny",
    "<script>alert(1)</script>",
]


@pytest.fixture(scope="module")
def made_workbook() -> dict[str, Any]:
    return workbook()


@pytest.fixture(scope="module")
def declared(made_workbook: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return parameters(made_workbook)


@pytest.fixture(scope="module")
def queries(made_workbook: dict[str, Any]) -> dict[str, str]:
    """The text of every tile, by its step's name."""
    return {s["name"]: s["content"]["query"] for s in steps(made_workbook["items"]) if s["type"] == 3}


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
    assert 100_000 < len(workbook_json().encode()) < MAX_BYTES


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


def test_the_same_library_makes_the_same_bytes(made_workbook: dict[str, Any]) -> None:
    assert json.loads(workbook_json()) == made_workbook


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


#: Of each set of parts one tile, and so each part, is asked with its whole text.
WHOLE = ("cost who cost/by-region", "prompts logged prompts/texts-logged", "health coverage health/coverage-by-api")


@pytest.mark.parametrize("name", WHOLE)
def test_a_tiles_whole_text_gives_the_librarys_answer(
    name: str, traffic: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    tile = dict(tiles())[name]
    answer = traffic.query(filled(queries[name], declared, Chosen(START, END)))
    assert len(answer.frame) > 1
    assert is_equal(answer, expected(traffic, tile, START, END, "", ""))


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


@pytest.fixture(scope="module")
def awkward_lake(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    """Requests whose API, subscription, product, model and user have names as callers may send them: two of each."""
    folder = tmp_path_factory.mktemp("awkward")
    records = []
    for number, name in enumerate(AWKWARD * 2):
        answer = {"model": name or "unnamed", "usage": {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}}
        properties = {
            "apiId": name,
            "apimSubscriptionId": name,
            "productId": name,
            "userId": name,
            "url": "https://gateway.example/openai/deployments/chat/chat/completions",
            "method": "POST",
            "responseCode": 200,
            "backendResponseCode": 200,
            "backendUrl": "https://account.openai.azure.com/openai",
            "responseBody": json.dumps(answer),
            "requestBody": json.dumps({"messages": [{"role": "user", "content": "hello"}]}),
        }
        records.append(
            {
                "time": f"2026-10-30T10:{number:02}:00Z",
                "category": "GatewayLogs",
                "correlationId": f"{number:08}-0000-0000-0000-000000000000",
                "callerIpAddress": "10.0.0.1",
                "durationMs": 100,
                "isRequestSuccess": True,
                "properties": properties,
            }
        )
    (folder / "logs.json").write_text("\n".join(json.dumps(each) for each in records), encoding="utf-8")
    lake = Lake.create(folder / "lake")
    ingest([folder / "logs.json"], lake)
    recompute(lake)
    engine = LocalEngine.open(folder / "lake")
    yield engine
    engine.close()


@pytest.mark.parametrize("choice", FILTERS)
def test_a_choice_of_any_name_leaves_the_requests_of_that_name(
    choice: str, awkward_lake: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    """The drop-down offers each name under a value that a query can hold, and that value chooses its requests."""
    within = {"start": START, "end": END}
    nothing = Chosen(START, END, stored=True)
    offered = awkward_lake.query(filled(declared[choice]["query"], declared, nothing), **within).frame
    rows = awkward_lake.query(f"AoaiRequests | project Name = {FILTERS[choice]}", **within).frame["Name"]
    assert dict(zip(offered["value"], offered["label"], strict=True)) == {coded(n): n or "(none)" for n in set(rows)}
    names = sorted(set(rows))
    # Each name is in different ones of these choices: one that is lost, or that brings another with it, shows.
    bits = range(len(names).bit_length())
    for chosen in (names[:1], *([name for n, name in enumerate(names, 1) if n >> bit & 1] for bit in bits)):
        values = Chosen(START, END, {choice: [coded(name) for name in chosen]}, stored=True)
        text = filled(queries["tokens who tokens/by-surface"], declared, values)
        found = awkward_lake.query(text, **within).frame
        assert list(found["Requests"]) == [int(rows.isin(chosen).sum())], chosen


def test_a_chosen_user_is_the_one_whose_row_was_clicked(
    awkward_lake: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    within = {"start": START, "end": END}
    top = awkward_lake.query(
        filled(queries["users who users/top"], declared, Chosen(START, END, stored=True)), **within
    ).frame
    assert dict(zip(top[KEY], top["User"], strict=True)) == {coded(name): name for name in top["User"]}
    for name in top["User"]:
        chosen = Chosen(START, END, {"SelectedUser": coded(name)}, stored=True)
        summary = awkward_lake.query(
            filled(queries["users who user users/user-summary"], declared, chosen), **within
        ).frame
        assert list(summary["User"]) == [name]


def test_own_prices_and_a_discount_change_every_cost_and_a_line_that_is_none_is_said(
    traffic: LocalEngine, declared: dict[str, dict[str, Any]], queries: dict[str, str]
) -> None:
    given = {
        "OwnPrices": "gpt-4o, prompt, 1.5\r\ngpt-4o, completion, 6; nonsense\ngpt-9-preview,prompt,2,data-zone",
        "Discount": "50",
    }
    text = filled(queries["cost prices prices"], declared, Chosen(START, END, given, stored=True))
    rows = traffic.query(text, start=START, end=END).frame
    own = rows[rows["Origin"] == "own"].set_index("Model")
    assert (own.loc["gpt-4o", "Prompt"], own.loc["gpt-4o", "Completion"]) == (1.5, 6.0)
    assert own.loc["gpt-9-preview", "Scope"] == "data-zone"
    assert list(rows[rows["Origin"].str.startswith("invalid")]["Model"]) == ["nonsense"]
    book = rows[(rows["Origin"] == "price book") & (rows["Model"] == "gpt-4o-mini") & (rows["Scope"] == "global")]
    full = traffic.query(
        'AoaiPrices | where Model == "gpt-4o-mini" and Scope == "global" and Direction == "prompt" '
        'and Tier == "default"'
    ).frame
    assert list(book["Prompt"])[:1] == [full["PricePerMillion"].iloc[-1] / 2]
    assert (
        rows[(rows["Origin"] == "price book") & (rows["Model"] == "gpt-4o") & (rows["Scope"] == "global")]["Prompt"]
        .isna()
        .all()
    )


@given(st.text())
def test_what_a_reader_types_stays_in_its_string(text: str) -> None:
    declared = {"SearchText": {"name": "SearchText", "type": 1}}
    line = filled('let text = "{SearchText:escapejson}";', declared, Chosen(START, END, {"SearchText": text}))
    literal = line.removeprefix("let text = ").removesuffix(";")
    assert json.loads(literal) == text and "\n" not in literal


def test_parts_left_out_over_a_lake_are_those_that_it_stores() -> None:
    assert left_out("KqlAoaiRequests") and left_out("KqlLogsAroundMonths") and left_out("KqlAoaiLlmTexts")
    assert not any(left_out(name) for name in ("KqlAoaiRequests_Between", "KqlChoices", "KqlAoaiCosts_Between"))


def test_the_preview_shows_steps_and_rows_escapes_names_and_hides_texts(
    awkward_lake: LocalEngine, made_workbook: dict[str, Any]
) -> None:
    """Of some of the steps: what stands at the top, the links, and two tiles, one of which shows prompts."""
    wanted = ("users who users/top", "prompts wrote prompts/completions")

    def kept(items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        found = []
        for step in items:
            if step["type"] == 12:
                inner = kept(step["content"]["items"])
                found += [step | {"content": step["content"] | {"items": inner}}] if inner else []
            elif step["type"] != 3 or step["name"] in wanted:
                found.append(step)
        return found

    some = made_workbook | {"items": kept(made_workbook["items"])}
    hidden = preview_html(some, awkward_lake, start=START, end=END)
    assert "Top users" in hidden and "Prompts and responses are hidden" in hidden
    assert "&lt;script&gt;alert(1)" in hidden and "<script>alert(1)" not in hidden
    assert "Latest prompts" not in hidden and ">hello<" not in hidden and "src=" not in hidden.split("plotly")[0]
    shown = preview_html(some, awkward_lake, start=START, end=END, show_prompts=True)
    assert "Latest prompts" in shown and "hello" in shown
