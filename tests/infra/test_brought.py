"""A gateway and a workspace of one's own: neither is made or changed, and what belongs to them is in them."""

from __future__ import annotations

from tests.infra.conftest import RESOURCE_GROUP, SERVICE, SUBSCRIPTION_ID, WORKSPACE, Bicep
from tests.infra.snapshots import GATEWAY

GROUP = f"/subscriptions/{SUBSCRIPTION_ID}/resourceGroups/{RESOURCE_GROUP}/"
#: What a gateway of one's own gets. All of it is named here, so that nothing else is ever added unseen.
IN_GATEWAY = {
    "apis", "apis/diagnostics", "apis/policies", "backends", "loggers", "namedValues", "policyFragments", "products",
    "products/apis", "products/policies", "subscriptions",
}  # fmt: skip
IN_WORKSPACE = {"savedSearches", "summaryLogs", "tables"}


def made(bicep: Bicep, example: str) -> list[dict]:
    """Everything that would be deployed, but the deployments themselves."""
    found = bicep.snapshot(example)["predictedResources"]
    return [each for each in found if each["type"] != "Microsoft.Resources/deployments"]


def test_neither_is_made_or_changed(bicep: Bicep) -> None:
    for example in ("brought", "brought-privately"):
        ids = {each["id"].lower() for each in made(bicep, example)}
        assert not ids & {SERVICE.lower(), WORKSPACE.lower()}
        kinds = {each["type"].lower() for each in made(bicep, example)}
        assert GATEWAY.lower() not in kinds and "microsoft.operationalinsights/workspaces" not in kinds
        assert f"{GATEWAY}/diagnostics".lower() not in kinds, "that diagnostic is for all of the gateway's APIs"


def test_what_belongs_to_them_is_in_them_and_all_else_in_the_group(bicep: Bicep) -> None:
    in_gateway, in_workspace, assigned = set(), set(), set()
    for each in made(bicep, "brought"):
        if "Microsoft.Authorization" in each["type"] or "diagnosticSettings" in each["type"]:
            assigned.add(
                each["id"].split("/providers/Microsoft.Authorization")[0].split("/providers/Microsoft.Insig")[0]
            )
        elif each["type"].startswith(f"{GATEWAY}/"):
            assert each["id"].startswith(f"{SERVICE}/"), each["id"]
            in_gateway.add(each["type"].removeprefix(f"{GATEWAY}/"))
        elif each["type"].startswith("Microsoft.OperationalInsights/workspaces/"):
            assert each["id"].startswith(f"{WORKSPACE}/"), each["id"]
            in_workspace.add(each["type"].removeprefix("Microsoft.OperationalInsights/workspaces/"))
        else:
            assert each["id"].startswith(GROUP), each["id"]
    assert in_gateway == IN_GATEWAY and in_workspace == IN_WORKSPACE
    assert {SERVICE, WORKSPACE} <= assigned, "the gateway's logs are sent, and the workspace's readers may read"


def test_the_logs_go_to_the_workspace_and_its_tables_keep_their_retention(bicep: Bicep) -> None:
    found = made(bicep, "brought")
    (settings,) = [each for each in found if each["id"].endswith("/diagnosticSettings/gateway-logs")]
    assert settings["properties"]["workspaceId"] == WORKSPACE
    tables = {each["name"].split("/")[-1] for each in found if each["type"].endswith("workspaces/tables")}
    assert not {name for name in tables if name.startswith("ApiManagement")}
    rules = [each for each in found if each["type"] == "Microsoft.Insights/scheduledQueryRules"]
    assert rules and all(rule["properties"]["scopes"] == [WORKSPACE] for rule in rules)


def test_in_a_private_network_the_gateway_gets_no_endpoint(bicep: Bicep) -> None:
    names = {each["name"] for each in made(bicep, "brought-privately") if each["type"].endswith("/privateEndpoints")}
    assert names and "pe-aoai-try-gateway" not in names and "pe-aoai-try-monitor" in names


def test_an_empty_id_is_none_because_the_portals_form_gives_one_where_nothing_was_chosen(bicep: Bicep) -> None:
    made = {each["type"] for each in bicep.snapshot("claude")["predictedResources"]}
    assert {"Microsoft.ApiManagement/service", "Microsoft.OperationalInsights/workspaces"} <= made
