"""Exports made with own dimensions filter by them, and stay valid KQL."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.config import settings
from aoai_analytics.dimensions import own_functions
from aoai_analytics.export.embedding import FILTERS, embed, filters
from aoai_analytics.export.grafana import grafana_dashboard
from aoai_analytics.export.workbook import workbook
from aoai_analytics.library.queries import library
from tests.kql_parser import analyse


@pytest.fixture
def mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path("aoai.toml").write_text(
        '[dimensions.subscription]\nsub-a = {team = "B, \\"x\\"", environment = "prod"}\n', encoding="utf-8"
    )
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_without_a_mapping_there_are_no_further_filters() -> None:
    assert filters() == FILTERS


def test_a_workbook_and_a_dashboard_offer_the_mapped_names(mapped: None) -> None:
    assert list(filters().keys() - FILTERS.keys()) and "CostCenters" not in filters()
    texts = [item["content"].get("parameters", []) for item in workbook()["items"]]
    offered = {each["name"]: each for parameters in texts for each in parameters}
    assert [each["label"] for each in json.loads(offered["Teams"]["jsonData"])] == ['B, "x"', "(none)"]
    assert "Applications" not in offered
    variables = {each["name"]: each for each in json.loads(grafana_dashboard("azure-monitor"))["templating"]["list"]}
    assert variables["Environments"]["query"] == "prod,(none)"
    assert variables["Teams"]["query"].startswith('B\\, "x"')


@pytest.mark.parametrize("name", ["tokens/by-team", "cost/by-team", "prompts/longest", "health/tables"])
def test_a_query_filtered_by_team_parses_with_no_saved_function(name: str, mapped: None) -> None:
    chosen = {each: 'dynamic(["*"])' for each in filters()}
    text = embed(
        library().get(name).text,
        start="datetime(2026-11-01)",
        end="datetime(2026-12-01)",
        chosen=chosen,
        functions={**_shipped(), **own_functions()},
    ).text
    assert "Team in (ChosenTeams)" in text
    assert [str(found) for found in analyse({"q": text}, functions={})["q"].diagnostics] == []


def _shipped() -> dict[str, str]:
    from aoai_analytics.engines.kql.functions import definitions

    return dict(definitions())
