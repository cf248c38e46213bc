"""Report, notebook, workbook and dashboards show the same cards, colours and order, each from one definition."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.charts import cards, figure, parse_chart, templates
from aoai_analytics.charts.cards import cards_of
from aoai_analytics.charts.style import KNOWN_COLORS, color_of
from aoai_analytics.errors import WrongUse
from aoai_analytics.export.grafana_panels import panel
from aoai_analytics.export.grafana_queries import Shown
from aoai_analytics.export.workbook.kpis import folded
from aoai_analytics.export.workbook.layout import TABS
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


def test_an_outcome_has_its_colour_everywhere() -> None:
    query = library().get("reliability/failures-over-time")
    times = pd.to_datetime(["2026-11-02", "2026-11-03"], utc=True)
    frame = pd.DataFrame({"TimeGenerated": times, "Outcome": ["server-error", "unauthorized"], "Requests": [3, 2]})
    drawn = figure(frame, "stacked-bar x=TimeGenerated y=Requests color=Outcome", title="", units=query.units)
    assert drawn is not None
    of_report = {trace.name: trace.marker.color for trace in drawn.data}
    assert of_report == {name: color_of(name) for name in ("server-error", "unauthorized")}
    overrides = json.dumps(panel(Shown(query))["fieldConfig"]["overrides"])
    assert all(f'"{name}"' in overrides and color_of(name) in overrides for name in KNOWN_COLORS)
    _, settings = chart_settings(parse_chart(query.chart), query.units, ("TimeGenerated",))
    assert {each["seriesName"] for each in settings["seriesLabelSettings"]} == set(KNOWN_COLORS)
    for theme in templates().values():
        assert len({theme["layout"]["colorway"][place] for place, _ in KNOWN_COLORS.values()}) == len(KNOWN_COLORS)


def test_subjects_come_in_one_order() -> None:
    def in_order(names: list[str]) -> bool:
        places = [SUBJECTS.index(name) for name in names if name in SUBJECTS]
        return len(places) > 5 and places == sorted(places)

    assert in_order([tab.name for tab in TABS])
    assert in_order(list(notebooks()))
    assert in_order(library().sections)
    assert in_order(list(dict.fromkeys(query.section for query in library())))
