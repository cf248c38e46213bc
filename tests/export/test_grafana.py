"""The dashboards are what Grafana reads, and each panel asks what the library asks, of what is chosen.

``EVERY_PANEL=1`` runs every panel's query against the library's, two minutes; else one of each kind and of each part of
the semantic layer is run, and of the rest the text is compared. What a lake stores is left out: the workbook's text of
it is the same, and is run in its own tests.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from itertools import combinations
from pathlib import Path
from typing import Any

import pandas as pd
import pytest
from typer.testing import CliRunner

from aoai_analytics.cli import app
from aoai_analytics.engines.kql.functions import definitions
from aoai_analytics.engines.kql.inlining import called_bare
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import UnknownName
from aoai_analytics.export import COMMITTED
from aoai_analytics.export.embedding import FILTERS
from aoai_analytics.export.grafana import DATA_SOURCES, PRICES, exported, grafana_dashboard, query_of
from aoai_analytics.export.grafana_queries import CHOICES, MOMENTS, Shown
from aoai_analytics.export.workbook.filling import parameters
from aoai_analytics.export.workbook.layout import TABS, Tile
from aoai_analytics.export.workbook.parts import one_line
from aoai_analytics.format.labels import NONE
from aoai_analytics.library import library
from aoai_analytics.schema.tables import TABLES
from tests.export.conftest import END, START, lacking
from tests.export.grafana_filling import VARIABLE, Picked, asked, filled, left_out, literals_first, panels
from tests.kql_parser import analyse

NASTY = [
    'a"b\\',
    "it's",
    "x, y",
    "\\\\srv\\n",
    "Zoë 日本 {x}",
    "${Users:json} [[Users]] $left",
    '"]); print 1 //',
    "",
]
#: What Grafana itself gives a link or a query.
GIVEN = {
    "__dashboard",
    "__url_time_range",
    "__value",
    "__data",
    "__field",
    "__all",
    "__interval",
    "__timeFrom",
    "__timeTo",
}
#: Of KQL: the sides of a join.
SIDES = {"left", "right"}


@pytest.fixture(scope="module")
def dashboards(repo: Path) -> dict[str, dict[str, Any]]:
    """The committed dashboards, by data source; one test holds them current."""
    folder = repo / "setup_scripts/exports"
    return {name: json.loads((folder / f"grafana-{name}.json").read_text("utf-8")) for name in DATA_SOURCES}


@pytest.fixture(scope="module", params=list(DATA_SOURCES))
def dashboard(request: pytest.FixtureRequest, dashboards: dict[str, dict[str, Any]]) -> dict[str, Any]:
    return dashboards[request.param]


def tiles() -> Iterator[Tile]:
    for tab in TABS:
        for view in tab.views:
            yield from view.tiles
            for _, _, opened in view.opens:
                yield from opened


def shown(dashboard: dict[str, Any]) -> list[tuple[str, Shown, dict[str, Any]]]:
    """Each panel with a query: a name, what it shows, the panel; in the layout's order."""
    asking = [panel for panel in panels(dashboard) if panel.get("targets")]
    kept = [tile for tile in tiles() if exported(query_of(tile))]
    assert [panel["title"] for panel in asking] == [query_of(tile).title for tile in kept]
    found = [Shown(query_of(tile), tile.show, tile.bars, tile.heats) for tile in kept]
    return [(f"{n} {s.query.name}", s, p) for n, (s, p) in enumerate(zip(found, asking, strict=True))]


def test_the_committed_dashboard_for_azure_data_explorer_is_what_the_command_line_writes(
    tmp_path: Path, repo: Path
) -> None:
    committed = repo / "setup_scripts/exports/grafana-azure-data-explorer.json"
    file = tmp_path / "dashboard.json"
    run = CliRunner().invoke(app, ["export", "grafana", "--data-source", "azure-data-explorer", "-o", str(file)])
    assert run.exit_code == 0 and not run.stdout
    assert file.read_text("utf-8") == committed.read_text("utf-8"), "run make exports"
    assert set(COMMITTED) >= {f"exports/grafana-{name}.json" for name in DATA_SOURCES}


def test_another_data_source_is_refused_in_one_line() -> None:
    with pytest.raises(UnknownName, match="use one of azure-monitor, azure-data-explorer"):
        grafana_dashboard("prometheus")


def test_grafanas_own_schema_knows_every_member(dashboard: dict[str, Any]) -> None:
    plugins = pytest.importorskip("grafana_foundation_sdk.cog.plugins", reason="needs grafana-foundation-sdk")
    from grafana_foundation_sdk.cog.encoder import JSONEncoder
    from grafana_foundation_sdk.models.dashboard import Dashboard

    plugins.register_default_plugins()
    given = {key: value for key, value in dashboard.items() if not key.startswith("__")}
    read = json.loads(JSONEncoder().encode(Dashboard.from_json(given)))

    def lost(one: Any, other: Any, where: str) -> Iterator[str]:
        if isinstance(one, dict) and isinstance(other, dict):
            for key, value in one.items():
                yield from lost(value, other[key], f"{where}.{key}") if key in other else [f"{where}.{key}"]
        elif isinstance(one, list) and isinstance(other, list) and len(one) == len(other):
            for n, (a, b) in enumerate(zip(one, other, strict=True)):
                yield from lost(a, b, f"{where}[{n}]")
        elif one != other:
            yield where

    assert list(lost(given, read, "")) == []
    assert given["schemaVersion"] == Dashboard().schema_version
    assert list(lost({"panels": [{"type": "stat", "options": {"nope": 1}}]}, {"panels": [{"options": {}}]}, "")) != []


def test_panels_have_their_own_ids_and_places(dashboard: dict[str, Any]) -> None:
    ids = [panel["id"] for panel in panels(dashboard)]
    assert len(ids) == len(set(ids)) > 100
    rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
    for group in ([p for p in dashboard["panels"]], *([row, *row["panels"]] for row in rows)):
        for one, other in combinations([panel["gridPos"] for panel in group], 2):
            apart = one["x"] + one["w"] <= other["x"] or other["x"] + other["w"] <= one["x"]
            assert apart or one["y"] + one["h"] <= other["y"] or other["y"] + other["h"] <= one["y"]
        assert all(p["gridPos"]["x"] >= 0 and p["gridPos"]["x"] + p["gridPos"]["w"] <= 24 for p in group)


def test_only_the_first_row_asks_before_it_is_opened(dashboard: dict[str, Any]) -> None:
    rows = [panel for panel in dashboard["panels"] if panel["type"] == "row"]
    assert [row["collapsed"] for row in rows] == [False] + [True] * (len(rows) - 1)
    assert sum(bool(panel.get("targets")) for panel in dashboard["panels"]) == len(TABS[0].views[0].tiles)


def test_every_row_begins_with_a_text_and_every_panel_says_why_it_is_empty(dashboard: dict[str, Any]) -> None:
    for row in (panel for panel in dashboard["panels"][1:] if panel["type"] == "row"):
        assert row["panels"][0]["type"] == "text" and len(row["panels"][0]["options"]["content"]) > 40
        assert len(row["panels"]) > 1
    for panel in panels(dashboard):
        if panel.get("targets"):
            assert panel["description"] and panel["fieldConfig"]["defaults"]["noValue"]


def test_every_variable_that_is_named_is_there(dashboard: dict[str, Any]) -> None:
    names = {variable["name"] for variable in dashboard["templating"]["list"]}
    assert len(names) == len(dashboard["templating"]["list"]) and names.isdisjoint(SIDES | GIVEN)
    texts = json.dumps(dashboard)
    named = {match[1] or match[2] or match[4] for match in VARIABLE.finditer(texts)}
    assert named - names <= GIVEN | SIDES
    used = {name for name in names if re.search(rf"\$\{{?{name}\b", texts)}
    assert used == names


def test_what_shows_prompts_or_is_made_by_a_program_is_not_here(dashboard: dict[str, Any]) -> None:
    left_out = {tile.query for tile in tiles() if not exported(query_of(tile))}
    assert {query.name for query in library() if query.header.get("shows") == "prompts"} >= left_out != set()
    titles = {panel["title"] for panel in panels(dashboard)}
    assert titles.isdisjoint(library().get(name).title for name in left_out)
    stored = json.dumps([asked(panel["targets"][0]) for panel in panels(dashboard) if panel.get("targets")])
    assert "project Prompt," not in stored and "AoaiConversation" not in json.dumps(dashboard)


def parts(panel: dict[str, Any]) -> tuple[str, ...]:
    """The constants that a panel's query names."""
    return tuple(re.findall(r"^\$\{(Kql_\w+):raw\}$", asked(panel["targets"][0]), re.MULTILINE))


def errors(analysis: Any) -> list[Any]:
    return [found for found in analysis.diagnostics if found.severity == "Error"]


def test_the_data_sources_are_asked_the_same(dashboards: dict[str, dict[str, Any]]) -> None:
    one, other = dashboards.values()
    for (name, _, mine), (_, _, theirs) in zip(shown(one), shown(other), strict=True):
        assert asked(mine["targets"][0]) == asked(theirs["targets"][0]), name
    texts = [{v["name"]: v["query"] for v in d["templating"]["list"] if v["type"] == "constant"} for d in (one, other)]
    assert texts[0] == texts[1]


def constants(dashboard: dict[str, Any]) -> dict[str, str]:
    return {v["name"]: v["query"] for v in dashboard["templating"]["list"] if v["type"] == "constant"}


def test_every_part_that_a_panel_needs_stands_before_it_once(dashboard: dict[str, Any]) -> None:
    texts = constants(dashboard)
    for name, _, panel in shown(dashboard):
        question = asked(panel["targets"][0]).rsplit(":raw}\n", 1)[1]
        missing = lacking([*(texts[part] for part in parts(panel)), question], texts.values())
        assert not missing and len(set(parts(panel))) == len(parts(panel)), (name, missing)


def test_what_defines_the_stored_tables_is_what_the_workbook_runs(dashboard: dict[str, Any], repo: Path) -> None:
    """Its tests ask a tile's whole text of the logs alone; there it is on one line."""
    made = parameters(json.loads((repo / "setup_scripts/exports/workbook.json").read_text("utf-8")))
    texts = {name: one_line(text) for name, text in constants(dashboard).items() if left_out(name[len("Kql_") :])}
    assert len(texts) > 12 and texts == {name: made[name.replace("_", "", 1)]["value"] for name in texts}


def test_queries_parse_on_the_two_log_tables_alone(dashboards: dict[str, dict[str, Any]]) -> None:
    """With everything in them, panels that need every constant between them; and names that bite."""
    texts = {"Quotas": '"]);a=1\\', "Slo": "'99", "Budgets": "é=1,", "CountGateway": "true"}
    bites = Picked(START, END, {name: [*NASTY, "$__timeFrom"] for name in FILTERS}, texts)
    queries: dict[str, str] = {}
    for dashboard in dashboards.values():
        held = {v["name"] for v in dashboard["templating"]["list"] if v["type"] == "constant"}
        (users,) = (v for v in dashboard["templating"]["list"] if v["name"] == "Users")
        targets = [(parts(panel), panel["targets"][0]) for _, _, panel in shown(dashboard)]
        for named, target in [(re.findall(r"Kql_\w+", asked(users["query"])), users["query"]), *reversed(targets)]:
            if held & set(named):
                # A constant that both have is read once.
                held -= set(named)
                queries[" ".join(named)] = filled(dashboard, target, bites)
        assert not held
    found = analyse(queries, functions={})
    assert {name: errors(analysis) for name, analysis in found.items()} == {name: [] for name in queries}
    assert any(analysis.columns == {"Name": "string"} for analysis in found.values()) and len(queries) > 4


def test_every_panels_query_parses_and_has_the_columns_that_the_panel_names(
    dashboards: dict[str, dict[str, Any]],
) -> None:
    """With the constants' results as tables: what a function gives is held by the functions' own tests."""
    stored = {name: table.columns for name, table in TABLES.items()}
    computed = {name: text for name, text in definitions().items() if name not in stored}
    results = analyse({name: name for name in computed}, tables=stored, functions=computed)
    tables = {f"{name}_Between": analysis.columns for name, analysis in results.items()}
    tables |= {f"{name}_Between": columns for name, columns in stored.items()}
    bites = Picked(START, END, {name: NASTY for name in FILTERS}, {"Quotas": '"]);\\', "Slo": "'"})
    dashboard = dashboards["azure-monitor"]
    bare = dashboard | {"templating": {"list": [without_text(v) for v in dashboard["templating"]["list"]]}}
    wanted = {name: what for name, what, _ in shown(dashboard)}
    queries = {name: filled(bare, panel["targets"][0], bites) for name, _, panel in shown(dashboard)}
    for name, analysis in analyse(queries, tables=tables, functions={}).items():
        assert errors(analysis) == [], name
        what, types = wanted[name], analysis.columns
        assert types is not None and set(what.columns) <= set(types), name
        if what.how not in ("stat", "table"):
            numbers = what.measures if what.how in ("timeseries", "bars", "pie") else (what.chart.color,)
            assert all(types[measure] in ("long", "int", "real") for measure in numbers), name
            assert list(types.values()).count("datetime") == (what.result_format == "time_series"), name


def without_text(variable: dict[str, Any]) -> dict[str, Any]:
    return variable | {"query": ""} if variable["type"] == "constant" else variable


def test_every_panel_asks_the_librarys_question(dashboard: dict[str, Any]) -> None:
    for name, what, panel in shown(dashboard):
        lines = called_bare(what.query.text).split("\n")
        given = {parameter.line for parameter in what.query.parameters.values()}
        kept = [line for number, line in enumerate(lines) if number not in given]
        while not kept[0].strip() or kept[0].startswith("//"):
            kept.pop(0)
        question = asked(panel["targets"][0]).rsplit(":raw}\n", 1)[1]
        assert question.replace("_Between", "") == "\n".join(kept).rstrip() + "\n" + what.ending, name


def test_every_panel_follows_every_filter(dashboard: dict[str, Any]) -> None:
    for name, what, panel in shown(dashboard):
        if what.query is PRICES:
            continue
        text = asked(panel["targets"][0])
        filters = {filter for filter in FILTERS if f"let Chosen{filter} = toscalar(" in text}
        assert filters == FILTERS.keys() - ({"Users"} if "user" in what.query.parameters else set()), name
        assert "let RangeStart = $__timeFrom;\nlet RangeEnd = $__timeTo;\n" in text, name
        if "user" in what.query.parameters:
            assert "let user = tostring(dynamic(${Users:json})[0]);" in text, name
        assert ("let step = $__interval;" in text) == ("step" in what.query.parameters), name
        assert panel.get("interval") == (what.query.parameters["step"].default if "interval" in panel else None), name


def test_links_choose_one_value_and_keep_the_rest(dashboard: dict[str, Any]) -> None:
    variables = [v["name"] for v in dashboard["templating"]["list"] if v["type"] in ("query", "datasource")]
    urls = [json.loads(url) for url in re.findall(r'"url": ("(?:[^"\\]|\\.)*")', json.dumps(dashboard))]
    assert len(urls) > 80
    for url in urls:
        (chosen,) = re.findall(
            r"&var-(\w+)=\$\{__(?:value\.raw|data\.fields\[0\]|field\.labels\.\w+):percentencode\}$", url
        )
        assert chosen in CHOICES.values()
        assert re.findall(r"\$\{(\w+):queryparam\}", url) == [name for name in variables if name != chosen]
        assert url.startswith("/d/${__dashboard.uid}?${__url_time_range}&")


def answer(engine: LocalEngine, dashboard: dict[str, Any], panel: dict[str, Any], picked: Picked) -> pd.DataFrame:
    text = filled(dashboard, panel["targets"][0], picked, panel.get("interval", "1h"))
    return engine.query(literals_first(text)).frame


def expected(what: Shown, frame: pd.DataFrame) -> pd.DataFrame:
    """What a panel must show of the library's rows: its columns, added up where they may be."""
    if what.how == "table":
        return frame
    if what.how == "stat":
        return frame[list(what.units)]
    found = frame[list(what.columns)].copy()
    if what.joined:
        found[what.axis] = found[what.axis].astype(str) + " · " + frame[what.chart.color].astype(str)
    names = [c for c in what.columns if c in (what.axis, what.color, what.chart.y[0], what.chart.x[0])]
    names = [c for c in names if what.how not in ("matrix", "states") or c != what.chart.color]
    names = [c for c in names if what.how in ("matrix", "states") or c not in what.measures]
    for name in names:
        if name == "Cohort":
            found[name] = found[name].dt.strftime("%Y-%m-%d")
        elif name not in MOMENTS:
            found[name] = found[name].astype(str).replace("", NONE)
    if what.how in ("timeseries", "bars", "pie") and what.adds:
        found = found.groupby(names, sort=False, dropna=False)[list(what.measures)].sum(min_count=1).reset_index()
    return found.sort_values(names).reset_index(drop=True)[[*names, *(c for c in found.columns if c not in names)]]


def compared(what: Shown, got: pd.DataFrame, want: pd.DataFrame, name: str) -> None:
    got = got[list(want.columns)]
    if what.how not in ("table", "stat"):
        keys = [column for column in want.columns if not pd.api.types.is_numeric_dtype(want[column])]
        got = got.sort_values(keys).reset_index(drop=True)
    for column in want.columns:
        if pd.api.types.is_numeric_dtype(want[column]):
            got, want = got.astype({column: "Float64"}), want.astype({column: "Float64"})
    pd.testing.assert_frame_equal(got, want, check_dtype=False, rtol=1e-9, obj=name)


def few(panels: list[tuple[str, Shown, dict[str, Any]]]) -> list[tuple[str, Shown, dict[str, Any]]]:
    """Of each kind of panel one, and of each part of the semantic layer that a lake does not store; those of few parts
    where they will do, and such as do not go through the rows in order, which a long text makes dear."""
    found, seen = [], set[Any]()
    for each in sorted(panels, key=lambda each: ("prev(" in each[1].query.text, len(parts(each[2])))):
        _, what, panel = each
        run = (part for part in parts(panel) if not left_out(part.removeprefix("Kql_").split("__")[0]))
        kinds = {what.how, (what.how, bool(what.color), what.joined), *run}
        if not kinds <= seen:
            found.append(each)
            seen |= kinds
    return found


def test_panels_have_the_librarys_answer(traffic: LocalEngine, dashboards: dict[str, dict[str, Any]]) -> None:
    dashboard = dashboards["azure-monitor"]
    user = traffic.query(library().get("users/top").text, start=START, end=END).frame["User"][0]
    asking = shown(dashboard) if os.environ.get("EVERY_PANEL") else few(shown(dashboard))
    for name, what, panel in asking:
        one_user = "user" in what.query.parameters
        got = answer(traffic, dashboard, panel, Picked(START, END, {"Users": [user]} if one_user else {}, stored=True))
        if what.query is PRICES:
            assert len(got) == len(traffic.query("AoaiPrices | distinct Model, Version, Scope, Regions").frame) > 50
            continue
        rows = traffic.query(what.query.text, start=START, end=END, parameters={"user": user} if one_user else {})
        compared(what, got, expected(what, rows.frame), name)
    assert {what.how for _, what, _ in asking} == {"stat", "timeseries", "states", "bars", "pie", "matrix", "table"}


def test_a_panel_of_azure_data_explorer_has_the_librarys_answer(
    traffic: LocalEngine, dashboards: dict[str, dict[str, Any]]
) -> None:
    dashboard = dashboards["azure-data-explorer"]
    ((_, what, panel),) = [found for found in shown(dashboard) if found[1].query.name == "tokens/by-surface"]
    got = answer(traffic, dashboard, panel, Picked(START, END, stored=True))
    assert got.equals(traffic.query(what.query.text, start=START, end=END).frame) and len(got) > 2


def test_what_is_chosen_arrives_as_it_was_written(traffic: LocalEngine, dashboard: dict[str, Any]) -> None:
    ((_, _, panel),) = [found for found in shown(dashboard) if found[1].query.name == "tokens/by-surface"]
    texts = {"Slo": "99.5", "Quotas": "a/b=1, c=2", "CountGateway": "true"}
    for choices in ({}, {name: NASTY for name in FILTERS}, {name: [NONE, "x"] for name in FILTERS}):
        text = filled(dashboard, panel["targets"][0], Picked(START, END, choices, texts, stored=True))
        lets = [line for line in text.split("\n") if line.startswith("let Chosen")]
        kql = "\n".join([*lets, f"print {', '.join(f'{name} = Chosen{name}' for name in FILTERS)}"])
        (row,) = traffic.query(kql).frame.to_dict("records")
        want = {name: ["" if v == NONE else v for v in choices.get(name, ["*"])] for name in FILTERS}
        assert row == want
    assert set(FILTERS) == {re.match(r"let Chosen(\w+)", line)[1] for line in lets}  # type: ignore[index]


@pytest.mark.parametrize(
    ("name", "chosen"),
    [
        ("Subscriptions", [NONE, "sub-hr"]),
        ("Models", ["gpt-4o"]),
        ("Apis", ["nothing of the kind"]),
        ("Products", [NONE]),
        ("Users", ["{first}"]),
    ],
)
def test_a_filter_lets_through_what_is_chosen(
    name: str, chosen: list[str], traffic: LocalEngine, dashboards: dict[str, dict[str, Any]]
) -> None:
    dashboard = dashboards["azure-monitor"]
    if chosen == ["{first}"]:
        (variable,) = (v for v in dashboard["templating"]["list"] if v["name"] == name)
        listed = traffic.query(filled(dashboard, variable["query"], Picked(START, END, stored=True))).frame["Name"]
        every = traffic.query(f"AoaiRequests | distinct Name = {FILTERS[name]}", start=START, end=END).frame["Name"]
        assert sorted(listed) == sorted(every.replace("", NONE))
        chosen = [listed[0]]
    ((_, _, panel),) = [found for found in shown(dashboard) if found[1].query.name == "reliability/outcomes"][:1]
    got = answer(traffic, dashboard, panel, Picked(START, END, {name: chosen}, stored=True))
    wanted = ", ".join(json.dumps("" if value == NONE else value) for value in chosen)
    kql = f"AoaiRequests | where {FILTERS[name]} in ({wanted}) | summarize Requests = count() by Outcome"
    want = traffic.query(kql, start=START, end=END).frame
    assert dict(zip(got["Outcome"], got["Requests"], strict=True)) == dict(
        zip(want["Outcome"], want["Requests"], strict=True)
    )
    assert (len(got) > 0) == (name != "Apis")
