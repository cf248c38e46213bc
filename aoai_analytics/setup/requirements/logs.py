"""Logging: what the gateway writes, its destinations, and whether it arrives."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

from ..installation import Installation
from ..log_queries import rows_of_a_day
from .requirement import Requirement, differences, value_of


def logger(installation: Installation) -> Iterator[str]:
    found = installation.of_gateway("loggers/azuremonitor")
    yield from differences("the logger azuremonitor", found, {"properties.loggerType": "azureMonitor"})


def _diagnostics(installation: Installation) -> dict[str, dict[str, Any] | None]:
    return {
        "the gateway's diagnostic azuremonitor": installation.of_gateway("diagnostics/azuremonitor"),
        "the API's diagnostic azuremonitor": installation.of_gateway(
            f"{installation.api_path}/diagnostics/azuremonitor"
        ),
    }


def every_request(installation: Installation) -> Iterator[str]:
    wanted = {
        "properties.sampling.samplingType": "fixed",
        "properties.sampling.percentage": 100,
        "properties.alwaysLog": "allErrors",
        "properties.logClientIp": True,
        "properties.verbosity": "information",
        "properties.loggerId": f"{installation.id_of('gateway')}/loggers/azuremonitor",
    }
    for about, found in _diagnostics(installation).items():
        yield from differences(about, found, wanted)


def messages(installation: Installation) -> Iterator[str]:
    about, found = list(_diagnostics(installation).items())[1]
    wanted: dict[str, Any] = {"properties.largeLanguageModel.logs": "enabled"}
    if value_of(installation, "logMessages"):
        for side in ("requests", "responses"):
            wanted[f"properties.largeLanguageModel.{side}.messages"] = "all"
            wanted[f"properties.largeLanguageModel.{side}.maxSizeInBytes"] = 262144
    yield from differences(about, found, wanted)
    if not value_of(installation, "logMessages") and found:
        sides = found["properties"].get("largeLanguageModel") or {}
        if sides.get("requests") or sides.get("responses"):
            yield f"{about}: prompts and answers are logged, though logMessages is false"


def bodies(installation: Installation) -> Iterator[str]:
    for about, found in _diagnostics(installation).items():
        asked = value_of(installation, "logBodyBytes") if about.startswith("the API") else 0
        properties = (found or {}).get("properties", {})
        for end, limit in (("frontend", asked), ("backend", 0)):
            for way in ("request", "response"):
                logged = (((properties.get(end) or {}).get(way) or {}).get("body") or {}).get("bytes", 0)
                if logged != limit:
                    yield f"{about}: {end} {way} bodies are logged up to {logged} bytes, not {limit}"


def destinations(installation: Installation) -> Iterator[str]:
    settings = f"{installation.id_of('gateway')}/providers/Microsoft.Insights/diagnosticSettings/gateway-logs"
    found = installation.get(settings) if installation.gateway else None
    wanted: dict[str, Any] = {
        "properties.workspaceId": installation.id_of("workspace"),
        "properties.logAnalyticsDestinationType": "Dedicated",
    }
    if value_of(installation, "logToStorage"):
        wanted["properties.storageAccountId"] = installation.id_of("storage")
    if value_of(installation, "logToEventHub"):
        wanted["properties.eventHubName"] = "gateway-logs"
    yield from differences("the diagnostic settings gateway-logs", found, wanted)
    on = {log["category"] for log in (found or {}).get("properties", {}).get("logs", []) if log["enabled"]}
    if found:
        for category in sorted({"GatewayLogs", "GatewayLlmLogs"} - on):
            yield f"the diagnostic settings gateway-logs do not send {category}"


def workspace(installation: Installation) -> Iterator[str]:
    path = installation.id_of("workspace")
    wanted = {"properties.features.disableLocalAuth": True, "properties.provisioningState": "Succeeded"}
    yield from differences("the workspace", installation.get(path), wanted)
    for table, parameter in (
        ("ApiManagementGatewayLogs", "retentionDays"),
        ("ApiManagementGatewayLlmLog", "llmLogRetentionDays"),
    ):
        days = {"properties.plan": "Analytics", "properties.retentionInDays": value_of(installation, parameter)}
        yield from differences(f"the table {table}", installation.get(f"{path}/tables/{table}"), days)


def functions(installation: Installation) -> Iterator[str]:
    for function in installation.parameters["functions"]:
        path = f"{installation.id_of('workspace')}/savedSearches/{function['alias'].lower()}?api-version=2020-08-01"
        found = installation.get(path)
        if found is None:
            yield f"the function {function['alias']} is not saved"
        elif found["properties"]["query"].split() != function["query"].split():
            yield f"the saved function {function['alias']} is not the one shipped"


def arriving(installation: Installation) -> Iterator[str]:
    found = installation.get(installation.id_of("workspace"))
    if found is None:
        yield "the workspace does not exist"
        return
    counted = rows_of_a_day(installation.arm, found["properties"]["customerId"])
    for table, count in counted.items():
        if not count:
            yield f"no row came to {table} in the last day"


REQUIREMENTS = (
    Requirement("logger", "04-diagnostics-and-test", "The logger has the one name that works, azuremonitor", logger),
    Requirement(
        "every-request", "04-diagnostics-and-test", "Every request is logged, with address and traces", every_request
    ),
    Requirement("llm-messages", "04-diagnostics-and-test", "The LLM log has tokens, and messages as chosen", messages),
    Requirement("bodies", "04-diagnostics-and-test", "Bodies are logged as chosen, backend ones never", bodies),
    Requirement(
        "destinations", "04-diagnostics-and-test", "Both logs go to their own tables, and wherever asked", destinations
    ),
    Requirement("workspace", "04-diagnostics-and-test", "The workspace keeps both tables as long as asked", workspace),
    Requirement("functions", "04-diagnostics-and-test", "The KQL functions are saved in the workspace", functions),
    Requirement(
        "logs-arrive",
        "04-diagnostics-and-test",
        "Rows of both logs arrived in the last day",
        arriving,
        "send a request (notebook 04), wait some 15 minutes, two hours where the workspace is new, and look again; "
        "then see 'aoai doctor'",
    ),
)
