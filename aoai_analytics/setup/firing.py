"""Alert rules that really fire: deployed with thresholds that a proof's own calls pass, and then looked for."""

from __future__ import annotations

import time
from collections.abc import Mapping
from typing import Any

from .faults import Refused
from .findings import MET, NOT_ASKED, NOT_MET, Finding
from .guide import Guide

#: Rules that Azure evaluates every five minutes -> thresholds that a used-up limit passes.
LOW: dict[str, dict[str, Any]] = {
    "throttling": {"maxShare": "0.0", "minRequests": 1},
    "error-budget-fast": {"countGatewayThrottling": True, "minFailures": 1, "burnRate": "0.001", "shortWindow": "1h"},
}


def with_low_thresholds(parameters: Mapping[str, Any]) -> dict[str, Any]:
    """*parameters* whose alert rules, if there are any, fire on the calls of a proof."""
    alerts = parameters.get("alerts")
    if not alerts:
        return dict(parameters)
    thresholds = {**alerts.get("thresholds", {}), **LOW}
    off = [name for name in alerts.get("off", []) if name not in LOW]
    return {**parameters, "alerts": {**alerts, "thresholds": thresholds, "off": off}}


def fired(guide: Guide, until: float) -> list[Finding]:
    """Whether Azure has an alert of each rule of ``LOW`` for the resource group; asks again until the time *until*.

    Source: Azure REST API, "Alerts - Get All".
    """
    what = "Azure fires the rule on these calls"
    if not guide.parameters.get("alerts"):
        return [Finding(name, what, NOT_ASKED, "setup.parameters.alerts is not set") for name in LOW]
    if guide.configuration.sandbox:
        return [Finding(name, what, NOT_ASKED, "the sandbox evaluates no rules") for name in LOW]
    path = f"{guide.configuration.group_id}/providers/Microsoft.AlertsManagement/alerts"
    while True:
        try:
            found = guide.arm.list(path, timeRange="1d")
        except Refused:
            needed = "Azure refused the read: it needs Microsoft.AlertsManagement/alerts/read"
            return [Finding(name, what, NOT_ASKED, needed) for name in LOW]
        rules = [str(each["properties"]["essentials"].get("alertRule", "")).lower() for each in found]
        missing = [name for name in LOW if not any(rule.endswith(f"-{name}") for rule in rules)]
        if not missing or time.monotonic() >= until:
            break
        time.sleep(min(60, 6 * guide.configuration.poll_seconds))
    return [
        Finding(name, what, NOT_MET, "no alert of it in a day", "open the rule's history in the portal")
        if name in missing
        else Finding(name, what, MET, "fired")
        for name in LOW
    ]
