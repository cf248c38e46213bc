"""What can be known before anything is made is known, and each thing that stands in the way has its way on."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from pathlib import Path

import pytest

from aoai_analytics.errors import SetupError
from aoai_analytics.setup import Guide, open_setup
from aoai_analytics.setup.before import Before
from aoai_analytics.setup.findings import Finding
from tests.setup.arm_service import GROUP, PROVIDERS, SUBSCRIPTION, ArmService, Fault, model
from tests.setup.conftest import install

EAST = "aoai-eastus2-7vewmkzu47642"
GATEWAY = "apim-aoai-try-7vewmkzu47642"
VAULT = "kv-aoai-try-7vewmkzu4764"
DELETED = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/eastus2/resourceGroups/rg/"


def found(guide: Guide, name: str) -> Finding:
    (finding,) = [finding for finding in guide.check().findings if finding.check == name]
    return finding


@pytest.fixture
def ready(guide: Guide, azure: ArmService) -> Guide:
    """Nothing stands in the way, and the resource group is there."""
    azure.registered = set(PROVIDERS)
    guide.prepare()
    return guide


def test_checks_make_nothing_and_say_who_is_signed_in(guide: Guide, azure: ArmService) -> None:
    assert "somebody@contoso.com, subscription Contoso try-out" in found(guide, "login").detail
    assert found(guide, "names").state == "not asked for"
    assert {method for method, _ in azure.requests} == {"GET"}
    assert azure.state.resources == {}


def test_an_installation_that_stands_in_nobody_s_way_passes_every_check(ready: Guide) -> None:
    assert not ready.check().require().failed


def test_no_login_says_how_to_sign_in(guide: Guide, azure: ArmService) -> None:
    azure.signed_in = False
    with pytest.raises(SetupError, match=r"no login works. Fix: sign in with 'az login'"):
        guide.check()


def test_the_wrong_tenant_is_named_with_the_right_one(guide: Guide, azure: ArmService) -> None:
    azure.tenant = "00000000-0000-0000-0000-000000000999"
    with pytest.raises(
        SetupError, match=r"logged in to tenant .*999, but setup.tenant is .*bb. Fix: az login --tenant"
    ):
        guide.check()


def test_a_token_of_another_tenant_that_azure_refuses_says_how_to_sign_in(guide: Guide, azure: ArmService) -> None:
    refusal = {
        "error": {"code": "InvalidAuthenticationTokenTenant", "message": "The access token is from the wrong issuer."}
    }
    azure.faults.append(Fault("GET", "^/subscriptions/[^/]+$", 401, refusal))
    with pytest.raises(SetupError, match=r"wrong issuer. Fix: you are signed in to another tenant .*az login --tenant"):
        guide.check()


def test_a_subscription_that_is_not_visible_is_told_from_those_that_are(guide: Guide, azure: ArmService) -> None:
    azure.visible = ["00000000-0000-0000-0000-000000000777"]
    with pytest.raises(SetupError, match=r"is not visible to somebody@contoso.com .*visible: Contoso .*777"):
        guide.check()


def test_a_provider_that_is_not_registered_is_named_and_registered_by_prepare(guide: Guide, azure: ArmService) -> None:
    assert "Microsoft.ApiManagement is NotRegistered" in found(guide, "providers").detail
    guide.prepare()
    assert found(guide, "providers").state == "met"


def test_a_region_without_the_gateway_is_named(ready: Guide, azure: ArmService) -> None:
    azure.regions["Microsoft.ApiManagement"] = ["West US 3"]
    finding = found(ready, "region")
    assert "Microsoft.ApiManagement/service is not offered in eastus2" in finding.detail
    assert "another location" in finding.way_on


@pytest.mark.parametrize(
    ("offered", "words"),
    [
        ([], "gpt-5.4-mini 2026-03-17 as GlobalStandard in eastus2: it does not offer that model"),
        ([model("gpt-5.4-mini", "2025-01-01", GlobalStandard="x")], "it offers the versions 2025-01-01"),
        ([model("gpt-5.4-mini", "2026-03-17", Standard="x")], "it offers that version as Standard"),
    ],
)
def test_a_region_without_the_model_says_what_it_has(
    ready: Guide, azure: ArmService, offered: list, words: str
) -> None:
    azure.offers["eastus2"] = offered
    assert words in found(ready, "models").detail


def test_a_list_of_models_is_read_to_its_last_page(ready: Guide, azure: ArmService) -> None:
    azure.offers["eastus2"] = [model(f"other-{n}", "1", Standard="x") for n in range(9)] + azure.offers["eastus2"]
    assert found(ready, "models").state == "met"


def test_missing_quota_is_counted_over_accounts_of_a_region(ready: Guide, azure: ArmService) -> None:
    azure.quota["OpenAI.GlobalStandard.gpt-5.4-mini"] = (90, 100)
    finding = found(ready, "quota")
    assert "eastus2: OpenAI.GlobalStandard.gpt-5.4-mini: 30 more needed, 10 of 100 free" in finding.detail
    assert "westus3: OpenAI.GlobalStandard.gpt-5.4-mini: 60 more needed" in finding.detail
    assert "ask for quota" in finding.way_on


def test_quota_that_the_installation_has_already_is_not_needed_again(guide: Guide, azure: ArmService) -> None:
    install(azure, guide)
    azure.quota["OpenAI.GlobalStandard.gpt-5.4-mini"] = (100, 100)
    assert found(guide, "quota").state == "met"
    guide.parameters["openAIAccounts"][0]["deployments"][0]["capacity"] = 40
    assert "10 more needed, 0 of 100 free" in found(guide, "quota").detail


def test_a_name_that_somebody_has_is_said(ready: Guide, azure: ArmService) -> None:
    azure.taken = {GATEWAY}
    finding = found(ready, "names")
    assert f"{GATEWAY} (Microsoft.ApiManagement/service) is taken in all of Azure: AlreadyExists" in finding.detail
    assert "choose another 'name'" in finding.way_on


def test_a_name_of_this_installation_s_own_is_not_taken(guide: Guide, azure: ArmService) -> None:
    install(azure, guide)
    azure.taken = {GATEWAY, EAST, VAULT}
    assert found(guide, "names").state == "met"


def test_a_soft_deleted_account_can_be_recovered_or_purged(ready: Guide, azure: ArmService) -> None:
    azure.deleted = {EAST: f"{DELETED}deletedAccounts/{EAST}"}
    finding = found(ready, "names")
    assert f"{EAST} (Microsoft.CognitiveServices/accounts) was deleted lately" in finding.detail
    assert "restore = true at the account aoai-eastus2" in finding.way_on
    assert f"aoai setup purge {EAST}" in finding.way_on
    ready.parameters["openAIAccounts"][0]["restore"] = True
    assert found(ready, "names").state == "met"


def test_a_soft_deleted_vault_cannot_be_purged(ready: Guide, azure: ArmService) -> None:
    azure.deleted_vaults = {VAULT}
    assert "restoreKeyVault = true to recover it; it cannot be purged" in found(ready, "names").way_on


def test_restoring_what_was_never_deleted_is_said(ready: Guide) -> None:
    ready.parameters["restoreGateway"] = True
    finding = found(ready, "names")
    assert f"{GATEWAY} is to be restored, but nothing of that name was deleted" in finding.detail


def test_a_right_that_is_missing_is_named(ready: Guide, azure: ArmService) -> None:
    azure.actions = ["Microsoft.Resources/*", "Microsoft.CognitiveServices/*", "Microsoft.ApiManagement/*"]
    finding = found(ready, "rights")
    assert finding.detail == "you lack Microsoft.Authorization/roleAssignments/write"
    assert "Role Based Access Control Administrator" in finding.way_on


def test_a_group_that_is_being_deleted_is_said(ready: Guide, azure: ArmService) -> None:
    azure.state.resources[GROUP.lower()]["properties"]["provisioningState"] = "Deleting"
    assert "rg-aoai-try is being deleted" in found(ready, "group").detail


def test_names_are_computed_again_when_an_account_is_added(ready: Guide, azure: ArmService, config: Path) -> None:
    # As recorded with two accounts; a third one is none that the record knows.
    assert ready.installation().names["accounts"] == [EAST, "aoai-westus3-7vewmkzu47642"]
    before = len(azure.deployments.made)
    assert ready.installation().names["gateway"] == GATEWAY
    assert len(azure.deployments.made) == before
    guide = open_setup(config, say=lambda line: None)
    guide.parameters["openAIAccounts"].pop()
    azure.deployments.recorded["00-start"]["outputs"]["accounts"] = [EAST]
    assert list(guide.installation().account_ids) == ["aoai-eastus2"]
    assert len(azure.deployments.made) == before + 1


@pytest.mark.parametrize(
    ("stage", "ends", "words"),
    [
        ("GenerallyAvailable", "2026-10-01T00:00:00Z", "gpt-5.4-mini 2026-03-17 was retired on 2026-10-01"),
        ("Deprecated", "2099-01-01T00:00:00Z", "gpt-5.4-mini 2026-03-17 is deprecated and retires on 2099-01-01"),
        ("Deprecating", "", "gpt-5.4-mini 2026-03-17 is deprecated;"),
    ],
)
def test_a_model_that_ends_is_named_with_those_that_stay(
    ready: Guide, azure: ArmService, stage: str, ends: str, words: str
) -> None:
    quota = "OpenAI.GlobalStandard.gpt-5.4-mini"
    azure.offers["eastus2"][0] = model("gpt-5.4-mini", "2026-03-17", stage=stage, ends=ends, GlobalStandard=quota)
    azure.offers["eastus2"] = [
        *azure.offers["eastus2"],
        model("gpt-5.4-mini", "2026-03-17", ends="2099-09-21T00:00:00Z", GlobalStandard="x"),
        model("gpt-6-preview", "2026-11-01", stage="Preview", GlobalStandard="x"),
        model("text-embedding-9", "1", GlobalStandard="x"),
        model("gpt-5.4", "2026-03-05", DataZoneStandard="x"),
    ]
    finding = found(ready, "lifecycle")
    assert finding.state == "not met"
    assert words in finding.detail
    assert finding.detail.endswith("eastus2 offers as GlobalStandard: gpt-5.4-mini 2026-03-17")


def test_a_model_that_ends_within_90_days_is_named(ready: Guide, azure: ArmService) -> None:
    soon, later = (f"{datetime.now(UTC) + timedelta(days=days):%Y-%m-%d}" for days in (80, 100))
    for account, ends in (("eastus2", soon), ("westus3", later)):
        azure.offers[account] = [model("gpt-5.4-mini", "2026-03-17", ends=ends, GlobalStandard="x")]
    assert found(ready, "lifecycle").detail == (
        f"gpt-5.4-mini 2026-03-17 retires on {soon}; eastus2 offers as GlobalStandard: nothing else"
    )


def test_a_read_that_azure_refuses_is_not_asked_and_names_its_permission(ready: Guide, azure: ArmService) -> None:
    azure.group_only = True
    findings = {finding.check: finding for finding in ready.check().findings}
    refused = {name for name, finding in findings.items() if finding.state == "not asked for"}
    assert refused == {"login", "providers", "region", "models", "lifecycle", "quota", "names"}
    assert not [name for name, finding in findings.items() if finding.state == "not met"]
    assert "needs Microsoft.CognitiveServices/locations/models/read on the subscription" in findings["models"].detail
    assert ready.prepare().rows


def test_throttled_reads_are_repeated(ready: Guide, azure: ArmService) -> None:
    azure.faults.append(Fault("GET", "/locations/eastus2/models", 429, {}, {"Retry-After": "0"}, times=2))
    assert found(ready, "models").state == "met"


def test_a_foundry_resource_is_asked_about_models_of_its_own_kind(ready: Guide, azure: ArmService) -> None:
    """The region's list has a model once for each kind of account that can have it, with its maker as format."""
    grok = model("grok-4", "1", GlobalStandard="AIServices.GlobalStandard.grok-4")
    grok |= {"kind": "AIServices"}
    grok["model"] |= {"format": "xAI"}
    azure.offers["eastus2"] = [*azure.offers["eastus2"], grok]
    deployment = {"name": "chat", "model": "grok-4", "version": "1", "sku": "GlobalStandard", "capacity": 1}

    def said(kind: str, form: str) -> str:
        account = {"name": "a", "kind": kind, "location": "eastus2", "deployments": [{**deployment, "format": form}]}
        before = Before(ready.arm, {**ready.parameters, "openAIAccounts": [account]})
        return "; ".join(what for what, _ in before.missing_models())

    assert said("AIServices", "xAI") == ""
    assert "its format is xAI, not OpenAI" in said("AIServices", "OpenAI")
    assert "it does not offer that model" in said("OpenAI", "xAI")
