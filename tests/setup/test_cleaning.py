"""Nothing is deleted without being named and confirmed, and nothing that is somebody else's."""

from __future__ import annotations

from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.errors import SetupError
from aoai_analytics.setup import Guide
from aoai_analytics.setup.cleaning import delete_group
from aoai_analytics.setup.installation import Installation
from tests.setup.arm_service import GROUP, SUBSCRIPTION, ArmService
from tests.setup.conftest import install

EAST = "aoai-eastus2-7vewmkzu47642"


@pytest.fixture
def standing(guide: Guide, azure: ArmService) -> Guide:
    install(azure, guide)
    return guide


def deleted(azure: ArmService) -> list[str]:
    return [path for method, path in azure.requests if method == "DELETE"]


@pytest.mark.parametrize("named", ["rg-aoai", "RG-AOAI-TRY", "rg-aoai-try "])
def test_another_name_deletes_nothing(standing: Guide, azure: ArmService, named: str) -> None:
    with pytest.raises(SetupError, match="nothing was deleted: to delete the resource group rg-aoai-try"):
        standing.delete(named)
    assert deleted(azure) == []


def test_no_name_deletes_nothing(standing: Guide, azure: ArmService) -> None:
    assert standing.delete("").rows == [("nothing: no resource group was named",)]
    assert deleted(azure) == []


def test_the_exact_name_deletes_the_group_and_waits(standing: Guide, azure: ArmService) -> None:
    gone = standing.delete("rg-aoai-try")
    assert ("Microsoft.ApiManagement/service/apim-aoai-try-7vewmkzu47642",) in gone.rows
    assert deleted(azure)[-1] == GROUP
    assert azure.state.get(GROUP) is None
    assert standing.inventory().rows == []


def test_deployments_are_deleted_before_their_group_and_ptu_charges_are_said(
    standing: Guide, azure: ArmService
) -> None:
    chat = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/{EAST}/deployments/chat-mini"
    azure.state.resources[chat.lower()]["sku"] = {"name": "GlobalProvisionedManaged", "capacity": 50}
    said = "\n".join(row[0] for row in standing.delete("rg-aoai-try").rows)
    order = deleted(azure)
    assert order[-1] == GROUP and all("/deployments/" in path for path in order[:-1])
    assert len(order) == 5
    assert f"'aoai setup purge {EAST}' frees its name: PTU charges of chat-mini go on until then" in said
    assert "'aoai setup purge aoai-westus3-7vewmkzu47642' frees its name\n" in said + "\n"
    assert "'aoai setup purge apim-aoai-try-7vewmkzu47642'" in said
    assert "the vault kv-aoai-try-7vewmkzu4764 keeps its name for 90 days" in said
    assert "the logs of log-aoai-try-7vewmkzu47642, prompts among them, can be recovered for 14 days" in said
    standing.purge(EAST, EAST)
    assert EAST not in azure.deleted


def test_the_logs_can_be_deleted_for_good(standing: Guide, azure: ArmService) -> None:
    said = str(standing.delete("rg-aoai-try", erase_logs=True))
    assert any(path.endswith("/workspaces/log-aoai-try-7vewmkzu47642") for path in deleted(azure)[:-1])
    assert "can be recovered" not in said


def test_what_remains_is_said_to_be_unknown_where_the_subscription_may_not_be_read(
    standing: Guide, azure: ArmService
) -> None:
    chat = f"{GROUP}/providers/Microsoft.CognitiveServices/accounts/{EAST}/deployments/chat-mini"
    azure.state.resources[chat.lower()]["sku"] = {"name": "ProvisionedManaged", "capacity": 50}
    standing.installation()
    azure.group_only = True
    said = str(standing.delete("rg-aoai-try"))
    assert "PTU charges of chat-mini end only when it is purged" in " ".join(said.split())
    assert "could not be read" in " ".join(said.split())


def test_a_group_with_somebody_else_s_resources_is_not_deleted(standing: Guide, azure: ArmService) -> None:
    azure.state.put(f"{GROUP}/providers/Microsoft.Sql/servers/payroll", {"type": "Microsoft.Sql/servers"})
    assert ("Microsoft.Sql/servers/payroll", "somebody else") in standing.inventory().rows
    with pytest.raises(
        SetupError, match=r"resources that this installation did not create: Microsoft.Sql/servers/payroll"
    ):
        standing.delete("rg-aoai-try")
    assert deleted(azure) == []


def test_what_was_brought_is_never_deleted_also_not_from_the_same_group(standing: Guide, azure: ArmService) -> None:
    """Even where Azure's record says that a deployment made it."""
    (mine,) = [
        row[0] for row in standing.inventory().rows if row[0].startswith("Microsoft.OperationalInsights/workspaces/")
    ]
    brought = Installation(standing.arm, standing.parameters | {"existingWorkspaceId": f"{GROUP}/providers/{mine}"})
    for erase in (False, True):
        with pytest.raises(SetupError, match=f"did not create: {mine}"):
            delete_group(brought, "rg-aoai-try", erase_logs=erase)
    assert deleted(azure) == []


def test_what_stays_in_a_gateway_of_ones_own_elsewhere_is_said(standing: Guide, azure: ArmService) -> None:
    service = "/subscriptions/2/resourceGroups/hub/providers/Microsoft.ApiManagement/service/apim-hub"
    gone = delete_group(Installation(standing.arm, standing.parameters | {"existingGatewayId": service}), "rg-aoai-try")
    assert any(said.startswith("your gateway apim-hub keeps this installation's APIs") for said in gone.remains)
    assert not [path for path in deleted(azure) if "apim-hub" in path]


def test_the_interface_that_azure_makes_for_an_endpoint_belongs_to_it(standing: Guide, azure: ArmService) -> None:
    operations = f"{GROUP}/providers/Microsoft.Resources/deployments/setup-aoai-try-02-gateway/operations/1"
    endpoint = f"{GROUP}/providers/Microsoft.Network/privateEndpoints/pe-aoai-try-gateway"
    properties = {"provisioningOperation": "Create", "targetResource": {"id": endpoint}}
    azure.state.resources[operations.lower()] = {"id": operations, "properties": properties}
    interfaces = {
        "pe-aoai-try-gateway-nic": endpoint.upper(),
        "gateway-of-payroll-nic": f"{endpoint}-payroll",
        "own": "",
    }
    for name, owner in interfaces.items():
        about = {"properties": {"privateEndpoint": {"id": owner}} if owner else {}}
        azure.state.put(f"{GROUP}/providers/Microsoft.Network/networkInterfaces/{name}", about)
    made = dict(standing.inventory().rows)
    assert made["Microsoft.Network/networkInterfaces/pe-aoai-try-gateway-nic"] == "this installation"
    assert made["Microsoft.Network/networkInterfaces/gateway-of-payroll-nic"] == "somebody else"
    assert made["Microsoft.Network/networkInterfaces/own"] == "somebody else"


def test_purging_asks_for_the_name_twice(standing: Guide, azure: ArmService) -> None:
    path = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/locations/eastus2/resourceGroups/g"
    azure.deleted = {EAST: f"{path}/deletedAccounts/{EAST}"}
    azure.deleted_vaults = {"kv-old"}
    with pytest.raises(SetupError, match=f"nothing was purged: to purge {EAST} permanently"):
        standing.purge(EAST, "")
    with pytest.raises(SetupError, match=f"there is no deleted account or gateway named other; found: {EAST}, kv-old"):
        standing.purge("other", "other")
    with pytest.raises(SetupError, match="kv-old is a vault with purge protection"):
        standing.purge("kv-old", "kv-old")
    assert deleted(azure) == []
    standing.purge(EAST, EAST)
    assert azure.deleted == {}


def test_the_command_lists_and_deletes_only_what_is_typed_again(
    standing: Guide,
    azure: ArmService,
    config: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
) -> None:
    arguments = ["setup", "clean-up", "--config", str(config)]
    assert main(arguments) == 0
    assert "vaults/kv-aoai-try-7vewmkzu4764" in capsys.readouterr().out
    monkeypatch.setattr("typer.prompt", lambda *words, **options: "no")
    assert main([*arguments, "--delete", "rg-aoai-try"]) == 1
    assert "nothing was deleted: the name you typed does not match" in capsys.readouterr().err
    assert deleted(azure) == []
    monkeypatch.setattr("typer.prompt", lambda *words, **options: "rg-aoai-try")
    assert main([*arguments, "--delete", "rg-aoai-try"]) == 0
    assert deleted(azure)[-1] == GROUP
    assert "remains:" in capsys.readouterr().out
