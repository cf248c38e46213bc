"""A team chosen in the workbook narrows its tiles to that team's requests: run on data, with no saved function."""

from __future__ import annotations

import json
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aoai_analytics.config import settings
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.export.workbook import workbook
from aoai_analytics.export.workbook.filling import Chosen, filled, parameters, steps
from tests.functions.raw_logs import lake_of_rows, llm, request

START, END = datetime(2026, 11, 1, tzinfo=UTC), datetime(2026, 12, 1, tzinfo=UTC)
TILE = "tokens who tokens/by-subscription"


@pytest.fixture
def mapped(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    Path("aoai.toml").write_text('[dimensions.subscription]\nsub-a = {team = "B, \\"x\\""}\nsub-b = {team = "C"}\n')
    settings.cache_clear()
    yield
    settings.cache_clear()


def test_a_team_chosen_in_the_workbook_narrows_its_tiles(mapped: None, tmp_path: Path) -> None:
    made = workbook()
    declared = parameters(made)
    offered = {each["label"]: each["value"] for each in json.loads(declared["Teams"]["jsonData"])}
    (tile,) = [step["content"]["query"] for step in steps(made["items"]) if step.get("name") == TILE]
    names = ("sub-a", "sub-b", "sub-c")
    gateway = [request(name, ApimSubscriptionId=name) for name in names]
    engine = LocalEngine(lake_of_rows(tmp_path / "lake", gateway, [llm(name) for name in names]), "lake")
    try:
        chosen = Chosen(START, END, {"Teams": [offered['B, "x"'], offered["(none)"]]})
        rows, _ = engine.arrow(filled(tile, declared, chosen), {})
        assert set(rows["SubscriptionId"].to_pylist()) == {"sub-a", "sub-c"}
    finally:
        engine.close()
