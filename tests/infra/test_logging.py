"""The logs that the parameter files would have the gateway write, and where they go."""

from __future__ import annotations

import json
import re

import pytest

from tests.infra.conftest import Bicep
from tests.infra.snapshots import EXAMPLES, GATEWAY, SETTLED, properties, resources


@pytest.mark.parametrize("example", SETTLED)
def test_every_request_is_logged_with_client_address_and_traces(bicep: Bicep, example: str) -> None:
    (logger,) = resources(bicep, example, f"{GATEWAY}/loggers").values()
    assert (logger["name"].split("/")[1], logger["properties"]["loggerType"]) == ("azuremonitor", "azureMonitor")
    # A gateway of one's own keeps its diagnostic of all APIs.
    every = () if example.startswith("brought") else (f"{GATEWAY}/diagnostics",)
    for kind in (*every, f"{GATEWAY}/apis/diagnostics"):
        diagnostics = properties(bicep, example, kind)
        assert set(diagnostics) == {"azuremonitor"}
        diagnostic = diagnostics["azuremonitor"]
        assert diagnostic["loggerId"] == logger["id"]
        assert diagnostic["sampling"] == {"samplingType": "fixed", "percentage": 100}
        assert diagnostic["logClientIp"] is True
        assert diagnostic["verbosity"] == "information"
        assert diagnostic["alwaysLog"] == "allErrors"


@pytest.mark.parametrize("example", EXAMPLES)
def test_messages_are_logged_whole_and_bodies_not_at_all(bicep: Bicep, example: str) -> None:
    diagnostic = properties(bicep, example, f"{GATEWAY}/apis/diagnostics")["azuremonitor"]
    side = {"messages": "all", "maxSizeInBytes": 262144}
    assert diagnostic["largeLanguageModel"] == {"logs": "enabled", "requests": side, "responses": side}
    for kind in (f"{GATEWAY}/diagnostics", f"{GATEWAY}/apis/diagnostics"):
        for end in ("frontend", "backend"):
            for way in ("request", "response"):
                part = properties(bicep, example, kind)["azuremonitor"][end][way]
                assert part["body"] == {"bytes": 0}
                hidden = {h["value"] for h in part["dataMasking"]["headers"] + part["dataMasking"]["queryParams"]}
                assert hidden == {"api-key", "x-api-key", "Authorization", "subscription-key"}


def test_messages_can_stay_out_of_the_logs_and_bodies_come_in_from_the_client_side_only(bicep: Bicep) -> None:
    diagnostic = properties(bicep, "other-choices", f"{GATEWAY}/apis/diagnostics")["azuremonitor"]
    assert diagnostic["largeLanguageModel"] == {"logs": "enabled"}
    bodies = {
        (e, w): diagnostic[e][w]["body"]["bytes"] for e in ("frontend", "backend") for w in ("request", "response")
    }
    assert bodies == {
        ("frontend", "request"): 4096,
        ("frontend", "response"): 4096,
        ("backend", "request"): 0,
        ("backend", "response"): 0,
    }


@pytest.mark.parametrize(
    ("example", "storage", "event_hub"), [("dev", True, False), ("prod", True, True), ("other-choices", False, False)]
)
def test_both_logs_go_to_their_own_tables_and_wherever_else_was_asked(
    bicep: Bicep, example: str, storage: bool, event_hub: bool
) -> None:
    settings = resources(bicep, example, "Microsoft.Insights/diagnosticSettings").values()
    (setting,) = [found for found in settings if f"{GATEWAY}/apim-" in found["id"]]
    values = setting["properties"]
    assert values["logAnalyticsDestinationType"] == "Dedicated"
    assert {log["category"]: log["enabled"] for log in values["logs"]} == {"GatewayLogs": True, "GatewayLlmLogs": True}
    (workspace,) = resources(bicep, example, "Microsoft.OperationalInsights/workspaces").values()
    assert values["workspaceId"] == workspace["id"]
    stores = resources(bicep, example, "Microsoft.Storage/storageAccounts").values()
    accounts = [store["id"] for store in stores if "/strep" not in store["id"]]  # not the reports' pages
    assert [values["storageAccountId"]] == (accounts if storage else [None])
    rules = resources(bicep, example, "Microsoft.EventHub/namespaces/authorizationRules").values()
    assert [values["eventHubAuthorizationRuleId"]] == ([r["id"] for r in rules] if event_hub else [None])
    hubs = list(resources(bicep, example, "Microsoft.EventHub/namespaces/eventhubs"))
    assert [values["eventHubName"]] == (hubs if event_hub else [None])


@pytest.mark.parametrize("example", EXAMPLES)
def test_logs_are_kept_as_long_as_asked_and_prompts_no_longer(bicep: Bicep, example: str) -> None:
    tables = properties(bicep, example, "Microsoft.OperationalInsights/workspaces/tables")
    (workspace,) = properties(bicep, example, "Microsoft.OperationalInsights/workspaces").values()
    sums = {"AoaiHourly_CL"} if example == "prod" else set()
    assert set(tables) - sums == {"ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog"}
    assert tables["ApiManagementGatewayLogs"]["retentionInDays"] == workspace["retentionInDays"]
    prompts = tables["ApiManagementGatewayLlmLog"]
    assert prompts["retentionInDays"] == prompts["totalRetentionInDays"] == 30
    assert workspace["workspaceCapping"] == {"dailyQuotaGb": -1}


@pytest.mark.parametrize("example", EXAMPLES)
def test_every_function_of_the_semantic_layer_is_saved_after_those_it_uses(bicep: Bicep, example: str) -> None:
    everything = properties(bicep, example, "Microsoft.OperationalInsights/workspaces/savedSearches").values()
    # The function that reads the sums comes with their table.
    saved = [function for function in everything if function["functionAlias"] != "AoaiHistory"]
    files = {path.stem: path.read_text("utf-8") for path in (bicep.folder.parents[1] / "kql/functions").glob("*.kql")}
    assert {function["functionAlias"]: function["query"] for function in saved} == files, (
        "setup_scripts/infra/functions.bicep lists the functions: one line for each file of kql/functions"
    )
    order = [function["functionAlias"] for function in saved]
    for place, name in enumerate(order):
        code = re.sub(r"//.*", "", files[name])
        assert not [later for later in order[place + 1 :] if re.search(rf"\b{later}\b", code)], name


@pytest.mark.parametrize("example", ["nothing-chosen", "dev", "prod"])
def test_every_query_of_the_pack_finds_the_functions_it_calls(bicep: Bicep, example: str) -> None:
    """Also where main.json is deployed alone, without a parameter for the functions."""
    found = properties(bicep, example, "Microsoft.OperationalInsights/workspaces/savedSearches").values()
    saved = {function["functionAlias"] for function in found}
    packed = properties(bicep, example, "Microsoft.OperationalInsights/queryPacks/queries").values()
    assert len(packed) > 100
    # The function over the hourly totals comes with their table, which is an option.
    known = saved | {"AoaiHistory"}
    for query in packed:
        called = set(re.findall(r"\bAoai[A-Z][A-Za-z]+\b", re.sub(r"//.*", "", query["body"])))
        assert called <= known, query["displayName"]


def test_functions_given_are_saved_under_the_name_queries_use(bicep: Bicep) -> None:
    (saved,) = properties(bicep, "other-choices", "Microsoft.OperationalInsights/workspaces/savedSearches").values()
    assert (saved["functionAlias"], saved["query"]) == ("AoaiRequests", "ApiManagementGatewayLogs")


@pytest.mark.parametrize("example", EXAMPLES)
def test_the_workbook_opens_on_this_workspace_and_is_else_the_one_exported(bicep: Bicep, example: str) -> None:
    (workspace,) = resources(bicep, example, "Microsoft.OperationalInsights/workspaces").values()
    (workbook,) = properties(bicep, example, "Microsoft.Insights/workbooks").values()
    assert workbook["sourceId"] == workspace["id"]
    exported = (bicep.folder.parent / "exports/workbook.json").read_text("utf-8")
    assert exported.count('"value::1"') == 1
    expected = exported.replace('"value::1"', json.dumps(workspace["id"]))
    assert json.loads(workbook["serializedData"]) == json.loads(expected)


def test_alert_rules_sums_and_the_job_come_when_they_are_asked_for(bicep: Bicep) -> None:
    kinds = {
        "Microsoft.Insights/scheduledQueryRules": 9,
        "Microsoft.Consumption/budgets": 1,
        "Microsoft.OperationalInsights/workspaces/summaryLogs": 1,
        "Microsoft.App/managedEnvironments": 1,
    }
    assert {kind: len(resources(bicep, "prod", kind)) for kind in kinds} == kinds
    assert {kind: len(resources(bicep, "dev", kind)) for kind in kinds} == dict.fromkeys(kinds, 0)
    for example in EXAMPLES:
        assert len(resources(bicep, example, "Microsoft.OperationalInsights/queryPacks/queries")) > 100
