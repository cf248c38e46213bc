"""Outputs of the logs: workbook, alert rules, hourly totals, query pack, scheduled reports."""

from __future__ import annotations

import json
from collections.abc import Iterator
from typing import Any

from ...config import shipped
from ..installation import Installation
from ..template import whole
from .requirement import NotAskedFor, Requirement, differences, value_of


def _provider(installation: Installation, kind: str) -> str:
    return f"{installation.arm.configuration.group_id}/providers/{kind}"


def _name(installation: Installation) -> str:
    return installation.arm.configuration.name


def workbook(installation: Installation) -> Iterator[str]:
    if not value_of(installation, "workbook"):
        raise NotAskedFor("workbook is false")
    path = f"{_provider(installation, 'Microsoft.Insights/workbooks')}?category=workbook&api-version=2022-04-01"
    source = installation.id_of("workspace").lower()
    found = [book for book in installation.list(path) if book["properties"].get("sourceId", "").lower() == source]
    if not found:
        yield "no workbook of the workspace exists"


def query_pack(installation: Installation) -> Iterator[str]:
    if not value_of(installation, "queryPack"):
        raise NotAskedFor("queryPack is false")
    path = f"{_provider(installation, 'Microsoft.OperationalInsights/queryPacks')}/qp-{_name(installation)}"
    version = "?api-version=2019-09-01"
    found = installation.get(path + version)
    yield from differences("the query pack", found, {})
    saved = {query["name"] for query in installation.list(f"{path}/queries{version}")}
    missing = {query["id"] for query in _shipped("query-pack.json")} - saved
    if found and missing:
        yield f"the query pack lacks {len(missing)} of the library's queries"


def sums(installation: Installation) -> Iterator[str]:
    if installation.parameters.get("sums") is None:
        raise NotAskedFor("sums is not set: numbers are kept as long as the tables")
    rollup = installation.parameters.get("rollup") or _shipped("summary-rules.json")
    path = f"{installation.id_of('workspace')}/summaryLogs/{rollup['name']}?api-version=2025-07-01"
    found = installation.get(path)
    yield from differences("the summary rule", found, {"properties.provisioningState": "Succeeded"})
    if found and found["properties"].get("isActive") is False:
        yield "the summary rule is stopped"
    if found and found["properties"]["ruleDefinition"]["query"].split() != rollup["query"].split():
        yield "the summary rule does not ask what it should"


def alert_rules(installation: Installation) -> Iterator[str]:
    asked = installation.parameters.get("alerts")
    if asked is None:
        raise NotAskedFor("alerts is not set: nobody is notified of problems")
    off = {*asked.get("off", []), *([] if asked.get("budgets") else ["budget-pace"])}
    before = f"{_provider(installation, 'Microsoft.Insights/scheduledQueryRules')}/alert-{_name(installation)}"
    for rule in _rules():
        if rule not in off:
            found = installation.get(f"{before}-{rule}?api-version=2023-12-01")
            yield from differences(f"the alert rule {rule}", found, {"properties.enabled": True})


def reports(installation: Installation) -> Iterator[str]:
    asked = installation.parameters.get("reportSchedule")
    if asked is None:
        raise NotAskedFor("reportSchedule is not set: run 'aoai report' yourself")
    if not asked.get("image"):
        yield "the job waits for its image"
        return
    path = f"{_provider(installation, 'Microsoft.App/jobs')}/job-{_name(installation)}-reports?api-version=2025-01-01"
    wanted = {"properties.provisioningState": "Succeeded", "properties.configuration.triggerType": "Schedule"}
    yield from differences("the job", installation.get(path), wanted)


def _shipped(export: str) -> Any:
    return json.loads((shipped("setup_scripts") / "exports" / export).read_text("utf-8"))


def _rules() -> list[str]:
    """Every rule's name: the values allowed by the type that Bicep imports."""
    definitions = whole()["definitions"]
    (name,) = (name for name in definitions if name.endswith(".alertName"))
    rules: list[str] = definitions[name]["allowedValues"]
    return rules


STEP = "04-diagnostics-and-test"
REQUIREMENTS = (
    Requirement("workbook", STEP, "A workbook shows what the logs say", workbook),
    Requirement("query-pack", STEP, "The portal's query picker has the library", query_pack),
    Requirement("sums", STEP, "Hourly sums are kept for years", sums),
    Requirement("alerts", STEP, "Every configured alert rule exists and is enabled", alert_rules),
    Requirement(
        "reports",
        "07-network-and-key-vault",
        "A job makes the reports as they fall due",
        reports,
        "build the image into the registry that the step made (docs/reports.md), name it as reportSchedule.image, and "
        "run notebooks/setup/07-network-and-key-vault again",
    ),
)
