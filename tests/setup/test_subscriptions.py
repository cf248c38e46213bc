"""Subscriptions that nobody names any more, and those over their budget, are suspended, and no others."""

from __future__ import annotations

import copy
from contextlib import closing
from datetime import timedelta
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.cli.proving import LogQuestions, asking
from aoai_analytics.cli.spending import Spending, spending, to_suspend
from aoai_analytics.engines import connect
from aoai_analytics.setup import Guide
from aoai_analytics.setup.requirements.gateway import subscriptions_of
from aoai_analytics.setup.subscriptions import suspend, suspend_removed
from tests.setup.arm_service import ArmService
from tests.setup.conftest import install


def states(guide: Guide) -> dict[str, str]:
    gateway = guide.installation().id_of("gateway")
    return {
        each["id"].rpartition("/")[2]: each["properties"]["state"]
        for each in guide.arm.list(f"{gateway}/subscriptions")
    }


def without(guide: Guide, name: str) -> Guide:
    parameters = copy.deepcopy(guide.parameters)
    for product in ("bronze", "silver", "gold"):
        listed = parameters.get(product, {}).get("subscriptions", [])
        if name in listed:
            listed.remove(name)
    return Guide(guide.configuration, parameters, say=guide.say)


def test_a_subscription_that_nobody_names_any_more_is_suspended_and_made_by_hand_is_left(
    azure: ArmService, guide: Guide, said: list[str]
) -> None:
    install(azure, guide)
    gateway = guide.installation().id_of("gateway")
    by_hand = {"scope": f"{gateway}/products/bronze", "displayName": "by hand", "state": "active"}
    guide.arm.put(f"{gateway}/subscriptions/by-hand", {"properties": by_hand})
    assert suspend_removed(guide.installation(), said.append) == []

    gone = next(iter(subscriptions_of(guide.parameters)))
    kept = guide.arm.get(f"{gateway}/subscriptions/{gone}")
    assert kept
    assert suspend_removed(without(guide, gone).installation(), said.append) == [gone]
    found = states(guide)
    assert found[gone] == "suspended" and found["by-hand"] == "active"
    assert {state for name, state in found.items() if name != gone} == {"active"}
    now = guide.arm.get(f"{gateway}/subscriptions/{gone}")
    assert now and now["properties"]["scope"] == kept["properties"]["scope"]
    assert f"subscription {gone}: no longer named, suspended" in said[-1]
    # Once is enough, and the step that makes subscriptions does it before it makes them.
    assert suspend_removed(without(guide, gone).installation(), said.append) == []
    said.clear()
    guide.arm.put(f"{gateway}/subscriptions/{gone}", {"properties": kept["properties"]})
    without(guide, gone).deploy("05")
    assert any("no longer named" in line for line in said)


def test_nothing_is_suspended_twice_or_where_it_is_not(azure: ArmService, guide: Guide) -> None:
    install(azure, guide)
    gone = next(iter(subscriptions_of(guide.parameters)))
    assert suspend(guide.installation(), [gone, "nobody"]) == [gone]
    assert suspend(guide.installation(), [gone]) == []


@pytest.mark.parametrize(
    ("spent", "error", "over"), [(100.0, 0.0, False), (100.01, 0.0, True), (150.0, 30.0, False), (150.0, 25.0, True)]
)
def test_only_what_is_over_whatever_the_error_counts(spent: float, error: float, over: bool) -> None:
    found = [Spending("sub-a", 100.0, spent, error, 0), Spending("(all)", 1.0, 500.0, 0.0, 0)]
    assert to_suspend(found) == (["sub-a"] if over else [])


def test_spending_is_that_of_the_month_by_the_workspace(
    sample_lake: Path, guide: Guide, monkeypatch: pytest.MonkeyPatch
) -> None:
    """The lake stands for the workspace: the question is the library's, whose numbers other tests check."""
    with closing(connect(str(sample_lake))) as engine:
        monkeypatch.setattr(LogQuestions, "workspace", lambda *_: asking(engine))
        frame = engine.query("AoaiRequests | summarize max(TimeGenerated)", start=None, end=None).frame
        last = frame.iloc[0, 0].to_pydatetime()
        costs = engine.query(
            "AoaiCosts | summarize Cost = sum(Cost) by SubscriptionId | where Cost > 0 | top 2 by Cost desc",
            start=last.replace(day=1, hour=0, minute=0, second=0, microsecond=0),
            end=last + timedelta(seconds=1),
        ).frame
        dear, cheap = costs["SubscriptionId"]
        budgets = {dear: f"{costs['Cost'][0] / 10:.6f}", cheap: "1000000", "sub-idle": "5"}
        asked = Guide(guide.configuration, {**guide.parameters, "alerts": {"budgets": budgets}})
        found = {each.subscription: each for each in spending(asked, last + timedelta(seconds=1))}
    assert found.keys() == {dear, cheap}, "a subscription without requests has spent nothing"
    assert found[dear].spent == pytest.approx(costs["Cost"][0])
    assert to_suspend(list(found.values())) == [dear]


def test_budgets_are_needed(config: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "budgets", "--config", str(config)]) == 2
    assert "no budgets: give teams a MonthlyBudget" in capsys.readouterr().err
