"""Saved functions for a workspace or a cluster: complete, in order, with the prices in force."""

from __future__ import annotations

import json
from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.config import settings
from aoai_analytics.engines.kql.functions import names_in
from aoai_analytics.export import made
from aoai_analytics.export.functions import functions_json, saved_functions
from aoai_analytics.library import library
from tests.conftest import REPO

OWN = """[prices.models."gpt-4o"]
prompt = 1.11
completion = 2.22

[prices.deployments]
"chat-prod" = "data-zone"
"""


@pytest.fixture
def own_prices(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    (tmp_path / "aoai.toml").write_text(OWN, "utf-8")
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_every_function_is_saved_after_those_it_needs() -> None:
    saved = saved_functions()
    assert {function["alias"] for function in saved} == set(library().functions())
    aliases = [function["alias"] for function in saved]
    for place, function in enumerate(saved):
        assert not names_in(function["query"]) & set(aliases[place + 1 :]), function["alias"]


def test_the_template_saves_them_one_after_another_under_the_names_that_the_setup_gives_them() -> None:
    template = json.loads(functions_json())
    (resource,) = template["resources"]
    assert (resource["copy"]["mode"], resource["copy"]["batchSize"]) == ("serial", 1)
    assert resource["type"] == "Microsoft.OperationalInsights/workspaces/savedSearches"
    assert "toLower" in resource["name"] and resource["properties"]["version"] == 2
    assert template["variables"]["functions"] == saved_functions()
    assert not any(function["query"].startswith("[") for function in saved_functions())


@pytest.mark.parametrize(
    "file",
    ["exports/functions.json", "exports/query-pack.json", "exports/summary-rules.json", "infra/alert-rules.bicep"],
)
def test_the_committed_copies_are_what_the_queries_make(file: str) -> None:
    assert (REPO / "setup_scripts" / file).read_text("utf-8") == made(file), "run 'make exports'"


@pytest.mark.usefixtures("own_prices")
@pytest.mark.parametrize(
    "arguments",
    [("functions", "--target", "log-analytics"), ("functions", "--target", "kusto"), ("summary-rules",)],
    ids=["log-analytics", "kusto", "summary-rules"],
)
def test_what_is_exported_holds_own_prices(arguments: tuple[str, ...], tmp_path: Path) -> None:
    assert main(["export", *arguments, "-o", str(tmp_path / "out")]) == 0
    text = (tmp_path / "out").read_text("utf-8")
    assert "prompt=1.11 completion=2.22" in text
    assert "chat-prod" in text


@pytest.mark.usefixtures("own_prices")
def test_a_place_that_cannot_be_written_is_said_in_one_line(capsys: pytest.CaptureFixture[str], tmp_path: Path) -> None:
    assert main(["export", "query-pack", "-o", str(tmp_path / "no/such/folder")]) == 2
    assert "cannot write" in capsys.readouterr().err
