"""Report, notebook, workbook and dashboards show the same cards, colours and order, each from one definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.charts import cards, figure, parse_chart, templates
from aoai_analytics.charts.cards import cards_of
from aoai_analytics.charts.style import KNOWN_COLORS, WORKBOOK_COLORS, color_of
from aoai_analytics.config import settings
from aoai_analytics.errors import WrongUse
from aoai_analytics.export.grafana import boxes
from aoai_analytics.export.grafana_panels import panel
from aoai_analytics.export.grafana_queries import Shown
from aoai_analytics.export.workbook.kpis import folded
from aoai_analytics.export.workbook.layout import TABS
from aoai_analytics.export.workbook.parameters import fields
from aoai_analytics.export.workbook.visuals import chart_settings
from aoai_analytics.library import library
from aoai_analytics.library.queries import SUBJECTS, own_query
from aoai_analytics.reporting.run.notebooks import notebooks
from tests.kql.cases import engine_over

WITH_CARDS = [query for query in library() if cards_of(query)]
REQUESTS: list[dict[str, Any]] = [
    {"TimeGenerated": "2026-11-02 08:00", "PromptTokens": 40_000_000, "CachedTokens": 0, "CompletionTokens": 400},
    {"TimeGenerated": "2026-11-02 09:00", "TokenSource": "none", "Outcome": "success"},
    {"TimeGenerated": "2026-11-02 10:00", "TokenSource": "not-billed", "Outcome": "server-error"},
    {"TimeGenerated": "2026-11-02 11:00", "TokenSource": "not-billed", "Outcome": "unauthorized"},
]


def test_the_headline_numbers_are_those_of_three_queries() -> None:
    assert {query.name for query in WITH_CARDS} == {"health/coverage-head", "cost/total", "reliability/success"}
    shown = {tile.query for tab in TABS for view in tab.views for tile in view.tiles if tile.show == "kpi"}
    assert shown == {query.name for query in WITH_CARDS}


@pytest.mark.parametrize("query", WITH_CARDS, ids=lambda query: query.name)
def test_cards_have_the_same_labels_and_numbers_everywhere(query: Any, tmp_path: Path) -> None:
    engine = engine_over(REQUESTS, tmp_path / "lake")
    (row,) = engine.query(query.text).frame.to_dict("records")
    report = cards(query, row)
    tiles = engine.query(f"{query.text.rstrip()}\n{folded(query.name)}").frame.to_dict("records")
    assert [tile["Kpi"] for tile in tiles] == [card["label"] for card in report]
    names = [each["properties"][0]["value"] for each in panel(Shown(query, "kpi"))["fieldConfig"]["overrides"]]
    assert names == [card["label"] for card in report]

    def same(text: str) -> str:
        return text.replace(",", "").replace(".00", "").replace("requests", "request")

    for tile, card in zip(tiles, report, strict=True):
        assert same(tile["Value"]) == same(card["value"]), card["label"]
        assert same(tile["Note"]) == same(card["more"]), card["label"]


def test_a_malformed_card_is_an_error() -> None:
    with pytest.raises(WrongUse, match="not 'Cost'"):
        cards_of(own_query("// cards: Cost\nAoaiCosts"))


@pytest.mark.parametrize(
    ("name", "column", "measure", "shown"),
    [
        ("reliability/failures-over-time", "Outcome", "Requests", ("server-error", "unauthorized")),
        ("models/share-over-time", "ModelName", "TotalTokens", ("gpt-4o", "gpt-4.1")),
    ],
)
def test_an_outcome_and_a_model_have_their_colour_everywhere(
    name: str, column: str, measure: str, shown: tuple[str, str]
) -> None:
    query = library().get(name)
    times = pd.to_datetime(["2026-11-02", "2026-11-02", "2026-11-03", "2026-11-03"], utc=True)
    frame = pd.DataFrame({"TimeGenerated": times, column: [*shown, *shown], measure: [3, 2, 1, 2]})
    drawn = figure(frame, query.chart, title="", units=query.units)
    assert drawn is not None
    of_report = {trace.name: (trace.marker.color or trace.line.color) for trace in drawn.data}
    assert of_report == {each: color_of(column, each) for each in shown}
    overrides = json.dumps(panel(Shown(query))["fieldConfig"]["overrides"])
    known = KNOWN_COLORS[column]
    assert all(f'"{each}"' in overrides and color_of(column, each) in overrides for each in known)
    _, settings = chart_settings(parse_chart(query.chart), query.units, ("TimeGenerated",))
    of_workbook = {each["seriesName"]: each["color"] for each in settings["seriesLabelSettings"]}
    assert of_workbook == {each: WORKBOOK_COLORS[place] for each, place in known.items()}


def test_two_outcomes_or_models_of_one_figure_never_share_a_colour() -> None:
    for theme in templates().values():
        outcomes = KNOWN_COLORS["Outcome"].values()
        assert len({theme["layout"]["colorway"][place] for place in outcomes}) == len(outcomes)
    # Two generations with one colour, and models of which nobody has heard.
    names = ["gpt-4o", "gpt-5.4", "gpt-4.1", "ours-1", "ours-2"]
    frame = pd.DataFrame({"ModelName": names, "SubscriptionId": "sub-a", "Cost": range(5, 0, -1)})
    colors: dict[str, int] = {}
    drawn = figure(frame, "bar x=Cost y=SubscriptionId color=ModelName", title="", units={"Cost": "USD"}, colors=colors)
    assert drawn is not None
    of_report = {trace.name: trace.marker.color for trace in drawn.data}
    assert len(set(of_report.values())) == 5
    assert of_report["gpt-4o"] == color_of("ModelName", "gpt-4o")


@pytest.mark.parametrize("tab", [tab.name for tab in TABS if tab.name in notebooks()])
def test_queries_of_a_subject_come_in_the_order_of_its_notebook(tab: str) -> None:
    cells = json.loads(notebooks()[tab].read_text("utf-8"))["cells"]
    code = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    (found,) = (each for each in TABS if each.name == tab)
    for view in found.views:
        places = [code.find(f'"{tile.query}"') for tile in view.tiles if f'"{tile.query}"' in code]
        assert places == sorted(places), view.title


def test_budgets_of_the_project_are_those_of_workbook_and_dashboards(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (tmp_path / "aoai.toml").write_text("[budgets]\n'(all)' = 900\nsub-claims = 120.5\n")
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    try:
        (box,) = fields("cost", ["Budgets"])["content"]["parameters"]
        (variable,) = (each for each in boxes() if each["name"] == "Budgets")
    finally:
        settings.cache_clear()
    assert box["value"] == "(all)=900.0\nsub-claims=120.5"
    assert variable["query"] == variable["current"]["value"] == "(all)=900.0,sub-claims=120.5"


def test_subjects_come_in_one_order() -> None:
    def in_order(names: list[str]) -> bool:
        places = [SUBJECTS.index(name) for name in names if name in SUBJECTS]
        return len(places) > 5 and places == sorted(places)

    assert in_order([tab.name for tab in TABS])
    assert in_order(list(notebooks()))
    assert in_order(library().sections)
    assert in_order(list(dict.fromkeys(query.section for query in library())))
