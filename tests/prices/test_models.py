"""The model book, and that no example begins with a model that ends."""

from __future__ import annotations

import re
import tomllib
from datetime import UTC, date, datetime, timedelta
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.library.queries import library
from aoai_analytics.prices import shipped_book
from aoai_analytics.prices.models import ENDING, SIZES, STAGES, model_named, shipped_models
from tests.conftest import REPO
from tests.kql.cases import engine_over

EXAMPLES = tuple(f"setup_scripts/infra/{name}.bicepparam" for name in ("dev", "prod", "main"))
NAMED = re.compile(r"""\bmodel\s*[:=]\s*['"]([\w.-]+)['"],?\s+version\s*[:=]\s*['"]([\w.-]+)['"]""")


def used(path: str) -> set[tuple[str, str]]:
    return set(NAMED.findall((REPO / path).read_text("utf-8")))


def test_the_book_is_in_order_and_each_row_has_its_source() -> None:
    models = shipped_models()
    assert [(m.name, m.version) for m in models] == sorted({(m.name, m.version) for m in models})
    assert all(m.stage in STAGES and m.size in ("", *SIZES) and m.source for m in models)
    assert all(m.context is None or m.context > 0 for m in models)


def test_every_model_of_the_book_that_can_be_deployed_for_chat_has_a_price() -> None:
    today = datetime.now(UTC).date()
    assert {model.name for model in shipped_models() if model.size and model.can_begin(today)} <= set(
        shipped_book().models
    )


@pytest.mark.parametrize("day", ["2026-03-01", "2026-11-02", "2027-01-15", "2027-06-22", "2027-06-24", "2028-01-01"])
def test_no_advice_of_a_query_names_a_model_that_ends_within_90_days_or_costs_more(day: str, tmp_path: Path) -> None:
    served = [
        {"ModelName": m.name, "ModelVersion": m.version, "SubscriptionId": f"sub-{m.version}-{m.name}"}
        for m in shipped_models()
    ]
    same = {
        "TimeGenerated": f"{day} 08:00", "TokenSource": "usage", "PromptTokens": "1000", "CachedTokens": "0",
        "CompletionTokens": "2",
    }  # fmt: skip
    engine = engine_over([same | row for row in served], tmp_path / "lake")
    lasting = {m.name for m in shipped_models() if m.can_begin(date.fromisoformat(day))}
    smaller = engine.query(library().get("cost/smaller-model").bind(topN=1000)).frame
    retiring = engine.query(library().get("models/retiring").text).frame
    named = {name for cell in retiring["Replacement"] for name in cell.split(" or ")} - {"unknown"}
    assert set(smaller["SmallerModel"]) <= lasting
    assert (smaller["SmallerCost"] > 0).all() and (smaller["SmallerCost"] < smaller["Cost"]).all()
    assert named <= lasting
    if day == "2026-11-02":
        assert set(smaller["SmallerModel"]) == {"gpt-5.4-mini", "gpt-5.4-nano"}


@pytest.mark.parametrize("path", [*EXAMPLES, "notebooks/setup/aoai.example.toml"])
def test_an_example_begins_with_models_that_stay_for_90_days(path: str) -> None:
    today = datetime.now(UTC).date()
    found = used(path)
    assert found
    for name, version in found:
        model = model_named(name, version)
        assert model, f"{path}: the model book does not have {name} {version}"
        assert model.can_begin(today), f"{path}: {name} {version} is {model.stage} and retires on {model.retires}"


def test_the_example_settings_are_read_whole_by_the_pattern() -> None:
    parameters = tomllib.loads((REPO / "notebooks/setup/aoai.example.toml").read_text("utf-8"))["setup"]["parameters"]
    deployments = [d for account in parameters["openAIAccounts"] for d in account["deployments"]]
    assert {(d["model"], d["version"]) for d in deployments} <= used("notebooks/setup/aoai.example.toml")


def test_a_model_can_begin_until_90_days_before_its_end() -> None:
    model = model_named("gpt-5.4", "2026-03-05")
    assert model and model.retires == date(2027, 9, 2)
    assert model.can_begin(model.retires - ENDING - timedelta(days=1))
    assert not model.can_begin(model.retires - ENDING)
    old = model_named("gpt-4o-mini", "2024-07-18")
    assert old and not old.can_begin(date(2026, 1, 1)), "deprecated: only existing deployments go on"


def test_the_book_is_listed_with_its_dates(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["prices", "models"]) == 0
    said = capsys.readouterr().out
    assert "gpt-5.4-mini" in said and "2027-09-21" in said
