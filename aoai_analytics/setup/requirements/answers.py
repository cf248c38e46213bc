"""What is made of the logs: workbook, alert rules, sums, query pack, reports on a timer."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..installation import Installation
from ..template import whole
from .requirement import NotAskedFor, Requirement, differences


def _default(installation: Installation, name: str) -> Any:
    return installation.parameters.get(name, whole()["parameters"][name].get("defaultValue"))


def _provider(installation: Installation, kind: str) -> str:
    return f"{installation.arm.configuration.group_id}/providers/{kind}"


def workbook(installation: Installation) -> Iterator[str]:
    if not _default(installation, "workbook"):
        raise NotAskedFor("workbook is false")
    path = f"{_provider(installation, 'Microsoft.Insights/workbooks')}?category=workbook&api-version=2022-04-01"
    source = installation.id_of("workspace").lower()
    found = [book for book in installation.list(path) if book["properties"].get("sourceId", "").lower() == source]
    if not found:
        yield "no workbook of the workspace exists"


def alert_rules(installation: Installation) -> Iterator[str]:
    asked = installation.parameters.get("alerts")
    if asked is None:
        raise NotAskedFor("alerts is not set: nobody is told when something goes wrong")
    off = {*asked.get("off", []), *([] if asked.get("budgets") else ["budget-pace"])}
    name = installation.arm.configuration.name
    for rule in _rules():
        path = f"{_provider(installation, 'Microsoft.Insights/scheduledQueryRules')}/alert-{name}-{rule}"
        if rule not in off:
            found = installation.get(f"{path}?api-version=2023-12-01")
            yield from differences(f"the alert rule {rule}", found, {"properties.enabled": True})


def reports(installation: Installation) -> Iterator[str]:
    asked = installation.parameters.get("reportSchedule")
    if asked is None:
        raise NotAskedFor("reportSchedule is not set: reports are made by whoever runs 'aoai report'")
    if not asked.get("image"):
        yield "the job waits for its image"
        return
    name = installation.arm.configuration.name
    path = f"{_provider(installation, 'Microsoft.App/jobs')}/job-{name}-reports?api-version=2025-01-01"
    wanted = {"properties.provisioningState": "Succeeded", "properties.configuration.triggerType": "Schedule"}
    yield from differences("the job", installation.get(path), wanted)


def _rules() -> list[str]:
    """Every rule's name: what the type that Bicep imports allows."""
    definitions = whole()["definitions"]
    (name,) = (name for name in definitions if name.endswith(".alertName"))
    rules: list[str] = definitions[name]["allowedValues"]
    return rules


STEP = "04-diagnostics-and-test"
REQUIREMENTS = (
    Requirement("workbook", STEP, "A workbook shows what the logs say", workbook),
    Requirement("alerts", STEP, "Every alert rule asked for stands and is on", alert_rules),
    Requirement(
        "reports",
        "07-network-and-key-vault",
        "A job makes the reports as they fall due",
        reports,
        "build the image into the registry that the step made (docs/reports.md), name it as reportSchedule.image, and "
        "run notebooks/setup/07-network-and-key-vault again",
    ),
)
