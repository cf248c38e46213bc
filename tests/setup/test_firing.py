"""A proof's alert rules have thresholds that its calls pass, and are found once Azure has fired them."""

from __future__ import annotations

import time
from typing import Any

from aoai_analytics.setup import Guide
from aoai_analytics.setup.findings import NOT_ASKED
from aoai_analytics.setup.firing import LOW, fired, with_low_thresholds
from aoai_analytics.setup.parameters import checked
from tests.setup.arm_service import GROUP, ArmService


def alert(azure: ArmService, number: int, rule: str) -> None:
    rules = "/subscriptions/s/resourceGroups/g/providers/microsoft.insights/scheduledqueryrules"
    essentials: dict[str, Any] = {"alertRule": f"{rules}/alert-aoai-try-{rule}", "monitorCondition": "Fired"}
    path = f"{GROUP}/providers/Microsoft.AlertsManagement/alerts/{number}"
    azure.state.put(path, {"properties": {"essentials": essentials}})


def test_the_template_takes_the_low_thresholds_and_the_rest_stays(guide: Guide) -> None:
    alerts = {"emails": ["a@b.c"], "off": ["throttling", "new-caller"], "thresholds": {"new-caller": {"minTokens": 5}}}
    low = with_low_thresholds({**guide.parameters, "alerts": alerts})
    assert checked(low)
    assert low["alerts"]["off"] == ["new-caller"] and low["alerts"]["emails"] == ["a@b.c"]
    assert low["alerts"]["thresholds"] == {"new-caller": {"minTokens": 5}, **LOW}
    without = {name: value for name, value in guide.parameters.items() if name != "alerts"}
    assert with_low_thresholds(without) == without


def test_a_rule_that_azure_fired_is_met_and_another_is_not(azure: ArmService, guide: Guide) -> None:
    with_alerts = Guide(guide.configuration, {**guide.parameters, "alerts": {"emails": ["a@b.c"]}})
    azure.state.put(GROUP, {"location": "eastus2", "properties": {}})
    alert(azure, 1, "throttling")
    alert(azure, 2, "error-budget-slow")
    assert {each.check: each.state for each in fired(with_alerts, time.monotonic())} == {
        "throttling": "met", "error-budget-fast": "not met"
    }  # fmt: skip
    alert(azure, 3, "error-budget-fast")
    assert {each.state for each in fired(with_alerts, time.monotonic() + 60)} == {"met"}


def test_without_rules_nothing_is_looked_for(guide: Guide) -> None:
    without = {name: value for name, value in guide.parameters.items() if name != "alerts"}
    assert {each.state for each in fired(Guide(guide.configuration, without), 0)} == {NOT_ASKED}
