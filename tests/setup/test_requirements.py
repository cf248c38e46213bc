"""Every requirement is met by what the templates make, and is not met when the one thing it is about is changed."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.errors import SetupError
from aoai_analytics.sandbox.azure.state import PRINCIPAL
from aoai_analytics.setup import Guide, open_setup
from aoai_analytics.setup.requirements import REQUIREMENTS
from tests.setup.arm_service import ArmService
from tests.setup.conftest import install
from tests.setup.recording import recorded

APIM = "/service/apim-aoai-try-7vewmkzu47642"
API = f"{APIM}/apis/azure-openai"
EAST = "/accounts/aoai-eastus2-7vewmkzu47642"
DIAGNOSTIC = f"{API}/diagnostics/azuremonitor"
SETTINGS = f"{APIM}/providers/microsoft.insights/diagnosticsettings/gateway-logs"
WORKSPACE = "/workspaces/log-aoai-try-7vewmkzu47642"


def setting(path: str, value: Any) -> Callable[[dict[str, Any]], None]:
    """A change of one property, by its dotted path."""

    def change(resource: dict[str, Any]) -> None:
        *parents, last = path.split(".")
        for key in parents:
            resource = resource[int(key)] if isinstance(resource, list) else resource[key]
        resource[last] = value

    return change


def gone(resource: dict[str, Any]) -> None:
    """Stands for a resource that is not there."""


POLICY = "properties.value"
#: Requirement -> changes that it must notice: (end of the resource's id, change, a word of what it says).
CHANGES: list[tuple[str, str, Callable[[dict[str, Any]], None], str]] = [
    ("accounts", EAST, gone, "account aoai-eastus2 does not exist"),
    ("accounts", EAST, setting("location", "westus"), "location is westus, not eastus2"),
    ("key-access-off", EAST, setting("properties.disableLocalAuth", False), "disableLocalAuth is False"),
    ("deployments", f"{EAST}/deployments/chat-mini", setting("sku.capacity", 1), "sku.capacity is 1, not 30"),
    ("deployments", f"{EAST}/deployments/embed-small", gone, "embed-small of aoai-eastus2 does not exist"),
    ("gateway", APIM, setting("sku.name", "Developer"), "sku.name is Developer, not StandardV2"),
    ("gateway-identity", APIM, setting("identity", {}), "identity.type is not set"),
    ("gateway-management", APIM, setting("properties.apiVersionConstraint", {}), "minApiVersion is not set"),
    ("api", API, setting("properties.protocols", ["http", "https"]), "protocols"),
    ("api", f"{API}/operations/post-v1-chat-completions", gone, "no route /v1/chat/completions"),
    ("key-header", API, setting("properties.subscriptionKeyParameterNames.header", "Ocp-Apim-Subscription-Key"), "Ocp"),
    ("key-header", API, setting("properties.subscriptionRequired", False), "subscriptionRequired is False"),
    ("named-values", f"{APIM}/namedvalues/backend-pool", gone, "backend-pool does not exist"),
    ("named-values", f"{APIM}/namedvalues/backend-pool", setting("properties.secret", True), "is hidden"),
    ("backends", f"{APIM}/backends/aoai-eastus2", setting("properties.url", "https://contoso.com"), "contoso.com"),
    (
        "breakers",
        f"{APIM}/backends/aoai-eastus2",
        setting("properties.circuitBreaker", None),
        "0 circuit-breaker rules",
    ),
    (
        "breakers",
        f"{APIM}/backends/aoai-eastus2",
        setting("properties.circuitBreaker.rules.0.acceptRetryAfter", False),
        "does not heed Retry-After",
    ),
    (
        "breakers",
        f"{APIM}/backends/aoai-eastus2",
        setting("properties.circuitBreaker.rules.0.failureCondition.statusCodeRanges", []),
        "429",
    ),
    ("pool", f"{APIM}/backends/aoai-pool", setting("properties.pool.services", []), "aoai-westus3 is not in the pool"),
    (
        "pool",
        f"{APIM}/backends/aoai-pool",
        setting("properties.pool.services.1.priority", 1),
        "aoai-westus3 has priority",
    ),
    ("policies", f"{API}/policies/policy", setting(POLICY, "<policies><inbound /></policies>"), "not the one shipped"),
    ("policies", f"{APIM}/policyfragments/identity", gone, "fragment identity does not exist"),
    ("policies", f"{APIM}/policyfragments/identity", setting(POLICY, "<fragment />"), "fragment identity is not"),
    ("logger", f"{APIM}/loggers/azuremonitor", gone, "logger azuremonitor does not exist"),
    ("every-request", DIAGNOSTIC, setting("properties.sampling.percentage", 50), "percentage is 50, not 100"),
    ("every-request", DIAGNOSTIC, setting("properties.verbosity", "error"), "verbosity is error"),
    ("every-request", f"{APIM}/diagnostics/azuremonitor", gone, "gateway's diagnostic azuremonitor does not exist"),
    ("llm-messages", DIAGNOSTIC, setting("properties.largeLanguageModel.logs", "disabled"), "logs is disabled"),
    (
        "llm-messages",
        DIAGNOSTIC,
        setting("properties.largeLanguageModel.responses.messages", "none"),
        "messages is none",
    ),
    ("bodies", DIAGNOSTIC, setting("properties.frontend.request.body.bytes", 8192), "up to 8192 bytes, not 0"),
    ("destinations", SETTINGS, setting("properties.logAnalyticsDestinationType", None), "DestinationType is not set"),
    ("destinations", SETTINGS, setting("properties.logs.1.enabled", False), "do not send GatewayLlmLogs"),
    ("destinations", SETTINGS, setting("properties.storageAccountId", None), "storageAccountId is not set"),
    ("workspace", WORKSPACE, setting("properties.features.disableLocalAuth", False), "disableLocalAuth is False"),
    (
        "workspace",
        f"{WORKSPACE}/tables/apimanagementgatewayllmlog",
        setting("properties.retentionInDays", 400),
        "is 400",
    ),
    ("functions", f"{WORKSPACE}/savedsearches/aoairequests", gone, "AoaiRequests is not saved"),
    ("functions", f"{WORKSPACE}/savedsearches/aoairequests", setting("properties.query", "print 1"), "not the one"),
    ("logs-arrive", WORKSPACE, gone, "the workspace does not exist"),
    ("products", f"{APIM}/products/gold", setting("properties.state", "notPublished"), "state is notPublished"),
    (
        "products",
        f"{APIM}/products/gold/policies/policy",
        setting(POLICY, "<policies />"),
        "gold lacks its shipped policy",
    ),
    ("products", f"{APIM}/products/gold/apis/azure-openai", gone, "gold does not open the API"),
    ("subscriptions", f"{APIM}/subscriptions/sub-try-out", setting("properties.state", "suspended"), "suspended"),
    (
        "subscriptions",
        f"{APIM}/subscriptions/sub-try-out",
        setting("properties.scope", "/products/gold"),
        "product bronze",
    ),
    ("attempts", f"{APIM}/namedvalues/backend-retries", setting("properties.value", "0"), "value is 0, not 1"),
    ("workbook", "/workbooks/fda1b7a2-3113-530e-a998-8585dd954ffa", gone, "no workbook of the workspace"),
    ("query-pack", "/querypacks/qp-aoai-try", gone, "the query pack does not exist"),
    (
        "sums",
        f"{WORKSPACE}/summarylogs/aoai-hourly",
        setting("properties.isActive", False),
        "the summary rule is stopped",
    ),
    (
        "sums",
        f"{WORKSPACE}/summarylogs/aoai-hourly",
        setting("properties.ruleDefinition.query", "print 1"),
        "does not ask what it should",
    ),
    ("alerts", "/alert-aoai-try-throttling", setting("properties.enabled", False), "throttling: enabled is False"),
    ("alerts", "/alert-aoai-try-logs-stopped", gone, "the alert rule logs-stopped does not exist"),
    ("reports", "/jobs/job-aoai-try-reports", gone, "the job does not exist"),
    ("vault", "/vaults/kv-aoai-try-7vewmkzu4764", setting("properties.enablePurgeProtection", None), "PurgeProtection"),
]


def apply(azure: ArmService, end: str, change: Callable[[dict[str, Any]], None]) -> None:
    (key,) = [key for key in azure.state.resources if key.endswith(end)]
    if change is gone:
        del azure.state.resources[key]
    else:
        change(azure.state.resources[key])


def found(guide: Guide, name: str) -> Any:
    (requirement,) = [requirement for requirement in REQUIREMENTS if requirement.name == name]
    return requirement.find(guide.installation())


@pytest.mark.parametrize(("name", "end", "change", "words"), CHANGES, ids=[f"{c[0]}: {c[3]}" for c in CHANGES])
def test_a_change_of_what_stands_is_noticed(
    guide: Guide, azure: ArmService, name: str, end: str, change: Callable[[dict[str, Any]], None], words: str
) -> None:
    install(azure, guide)
    if name != "logs-arrive":
        assert found(guide, name).state == "met", found(guide, name).detail
    apply(azure, end, change)
    finding = found(guide, name)
    assert finding.state == "not met"
    assert words in finding.detail
    assert finding.way_on


def test_every_requirement_has_a_change_that_breaks_it_here() -> None:
    elsewhere = {"gateway-role", "regions", "closed", "private-endpoints", "options"}
    assert {change[0] for change in CHANGES} | elsewhere == {requirement.name for requirement in REQUIREMENTS}


def test_the_gateway_s_role_is_missed_on_the_account_that_lacks_it(guide: Guide, azure: ArmService) -> None:
    install(azure, guide)
    assert found(guide, "gateway-role").state == "met"
    (key,) = [k for k in azure.state.resources if f"{EAST}/providers/microsoft.authorization/roleassignments/" in k]
    assert azure.state.resources[key]["properties"]["principalId"] == PRINCIPAL
    azure.state.resources[key]["properties"]["principalId"] = "00000000-0000-0000-0000-000000000123"
    assert "lacks the role Cognitive Services OpenAI User on aoai-eastus2" in found(guide, "gateway-role").detail


def test_two_accounts_in_one_region_are_no_other_region(guide: Guide, azure: ArmService) -> None:
    install(azure, guide)
    assert found(guide, "regions").state == "met"
    guide.parameters["openAIAccounts"][1]["location"] = "eastus2"
    assert "if that region fails" in found(guide, "regions").detail


def test_a_query_pack_without_queries_is_noticed(guide: Guide, azure: ArmService) -> None:
    install(azure, guide)
    for key in [key for key in azure.state.resources if "/querypacks/qp-aoai-try/queries/" in key]:
        del azure.state.resources[key]
    assert "of the library's queries" in found(guide, "query-pack").detail


def test_no_row_is_said_of_each_table_that_has_none(guide: Guide, azure: ArmService) -> None:
    install(azure, guide)
    finding = found(guide, "logs-arrive")
    assert "no row came to ApiManagementGatewayLogs" in finding.detail
    assert "no row came to ApiManagementGatewayLlmLog" in finding.detail
    assert "aoai doctor" in finding.way_on


def test_messages_that_were_to_stay_out_of_the_logs_are_noticed(guide: Guide, azure: ArmService) -> None:
    install(azure, guide)
    guide.parameters["logMessages"] = False
    assert "though logMessages is false" in found(guide, "llm-messages").detail


def test_an_edit_that_only_moves_spaces_or_comments_is_no_other_policy(guide: Guide, azure: ArmService) -> None:
    install(azure, guide)
    path = f"{API}/policies/policy"
    (key,) = [key for key in azure.state.resources if key.endswith(path)]
    text = azure.state.resources[key]["properties"]["value"]
    azure.state.resources[key]["properties"]["value"] = "<!-- mine -->" + text.replace("\n", "\r\n").replace(
        "    ", "\t"
    )
    assert found(guide, "policies").state == "met"


def test_verify_names_every_failure_in_one_line_and_says_the_table(
    guide: Guide, azure: ArmService, said: list[str]
) -> None:
    install(azure, guide)
    apply(azure, EAST, setting("properties.disableLocalAuth", False))
    with pytest.raises(SetupError, match="1 of 3 requirements are not met: key-access-off: account aoai-eastus2"):
        guide.verify("01", wait=0)
    assert "key-access-off" in said[-1] and "not met" in said[-1]


@pytest.fixture
def private(azure: ArmService, config: Path, said: list[str]) -> Guide:
    """The installation with everything behind private endpoints."""
    azure.deployments.recorded = recorded()["private"] | {"00-start": recorded()["open"]["00-start"]}
    options = "[setup.parameters]\nprivateNetwork = true\nlogToEventHub = true\ncontentSafety = true\n"
    config.write_text(config.read_text("utf-8").replace("[setup.parameters]\n", options, 1), "utf-8")
    guide = open_setup(config, say=said.append)
    install(azure, guide)
    return guide


def test_a_private_installation_is_closed_and_connected(private: Guide, azure: ArmService) -> None:
    for name in ("closed", "private-endpoints", "options", "destinations"):
        assert found(private, name).state == "met", found(private, name).detail
    apply(azure, APIM, setting("properties.publicNetworkAccess", "Enabled"))
    assert "the gateway: publicNetworkAccess is Enabled" in found(private, "closed").detail


def test_an_endpoint_that_waits_for_approval_is_noticed(private: Guide, azure: ArmService) -> None:
    (key,) = [key for key in azure.state.resources if key.endswith("/privateendpoints/pe-aoai-try-gateway")]
    (connection,) = azure.state.resources[key]["properties"]["privateLinkServiceConnections"]
    connection["properties"]["privateLinkServiceConnectionState"]["status"] = "Pending"
    assert "the gateway has no approved private endpoint" in found(private, "private-endpoints").detail


def test_an_option_that_waits_for_its_secret_is_said(private: Guide) -> None:
    private.parameters["semanticCache"] = {"connectionStringSecretName": "redis", "embeddingsDeployment": "embed-small"}
    assert "semanticCache is not in force yet" in found(private, "options").detail
