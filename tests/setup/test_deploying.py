"""Deployments: the same twice, broken off, skipped, throttled, in conflict, failing; and what is said of each."""

from __future__ import annotations

from typing import Any

import pytest

from aoai_analytics.errors import SetupError, UnknownName
from aoai_analytics.sandbox.azure.deployments import Failure
from aoai_analytics.setup import Guide
from tests.setup.arm_service import GROUP, ArmService, Fault

THROTTLED = {"error": {"code": "TooManyRequests", "message": "The request is being throttled."}}
DEPLOYMENTS = f"{GROUP}/providers/Microsoft.Resources/deployments"


@pytest.fixture
def prepared(guide: Guide) -> Guide:
    guide.prepare()
    return guide


def test_a_step_run_twice_changes_nothing_the_second_time(prepared: Guide, azure: ArmService) -> None:
    prepared.deploy("01-openai")
    before = dict(azure.state.resources)
    changes = prepared.what_if("01-openai")
    assert changes.rows == [("leave", "6 resources as they are", "")]
    prepared.deploy("01")
    assert {key: value for key, value in azure.state.resources.items() if "/operations/" not in key} == {
        key: value for key, value in before.items() if "/operations/" not in key
    }


def test_properties_that_a_deployment_would_not_change_are_no_change(prepared: Guide, azure: ArmService) -> None:
    """What-if calls a resource changed for a property without effect, and lists what the template does not name."""
    prepared.deploy("01-openai")
    account = next(path for path in azure.state.resources if path.endswith("/accounts/aoai-eastus2-7vewmkzu47642"))
    azure.noise[account] = [{"path": "properties.sku", "propertyChangeType": "NoEffect", "after": {"name": "S0"}}]
    assert prepared.what_if("01-openai").rows == [("leave", "6 resources as they are", "")]
    azure.noise[account] += [{"path": "properties.restore", "propertyChangeType": "Delete", "before": False}]
    rows = prepared.what_if("01-openai").rows
    assert rows[0][0] == "change" and rows[0][2] == "properties.restore"
    assert rows[-1] == ("leave", "5 resources as they are", "")


def test_what_if_makes_nothing_and_names_what_would_be_made(prepared: Guide, azure: ArmService) -> None:
    before = set(azure.state.resources)
    table = prepared.what_if("02-gateway")
    assert ("create", "Microsoft.ApiManagement/service/apim-aoai-try-7vewmkzu47642", "") in table.rows
    assert set(azure.state.resources) == before


def test_a_step_that_was_skipped_is_named_before_anything_is_deployed(prepared: Guide, azure: ArmService) -> None:
    prepared.deploy("01-openai")
    made = len(azure.deployments.made)
    with pytest.raises(SetupError, match=r"03-api needs 02-gateway, .*run notebooks/setup/02-gateway \(or aoai"):
        prepared.deploy("03-api")
    assert len(azure.deployments.made) == made


def test_without_the_group_the_first_notebook_is_named(guide: Guide) -> None:
    with pytest.raises(SetupError, match=r"ResourceGroupNotFound.*run the notebook 00-start first"):
        guide.deploy("01-openai")


def test_progress_is_said_module_by_module(prepared: Guide, said: list[str]) -> None:
    prepared.deploy("01-openai")
    assert [line.partition(" after")[0] for line in said[-2:]] == ["openAI-0: succeeded", "openAI-1: succeeded"]


def test_a_failed_deployment_is_unfolded_to_its_innermost_cause(prepared: Guide, azure: ArmService) -> None:
    quota = '{"error": {"code": "InsufficientQuota", "message": "This operation requires 30 new capacity."}}'
    azure.deployments.failures.append(Failure("openAI", {"code": "BadRequest", "message": quota}))
    with pytest.raises(SetupError) as raised:
        prepared.deploy("01-openai")
    said = str(raised.value)
    assert said.startswith("01-openai: Microsoft.CognitiveServices/accounts/")
    assert "InsufficientQuota: This operation requires 30 new capacity. Fix: lower 'capacity'" in said
    assert "DeploymentFailed" not in said and "\n" not in said


def test_a_step_that_failed_goes_on_from_what_stands(prepared: Guide, azure: ArmService) -> None:
    prepared.deploy("01-openai")
    azure.deployments.failures.append(Failure("gateway", {"code": "SkuNotAvailable", "message": "Not in this region."}))
    with pytest.raises(SetupError, match="SkuNotAvailable"):
        prepared.deploy("02-gateway")
    rows = {row[0]: row for row in prepared.status().rows}
    assert rows["01-openai"][2] == "Succeeded" and rows["02-gateway"][2] == "Failed"
    prepared.deploy("02-gateway")
    assert prepared.verify("02", wait=5)


@pytest.mark.parametrize("method", ["GET", "PUT"])
def test_throttling_is_waited_out(prepared: Guide, azure: ArmService, method: str) -> None:
    azure.faults.append(Fault(method, "setup-aoai-try-01-openai$", 429, THROTTLED, {"Retry-After": "0"}, times=2))
    prepared.deploy("01-openai")
    assert prepared.verify("01-openai", wait=5)


def test_throttling_of_what_if_is_waited_out(prepared: Guide, azure: ArmService) -> None:
    azure.faults.append(Fault("POST", "whatIf$", 429, THROTTLED, {"Retry-After": "0"}))
    assert prepared.what_if("02-gateway").rows


def test_a_deployment_under_way_is_waited_for_and_said(prepared: Guide, azure: ArmService, said: list[str]) -> None:
    name = "setup-aoai-try-01-openai"
    record: dict[str, Any] = {"id": f"{DEPLOYMENTS}/{name}", "name": name, "running": 3}
    azure.state.resources[f"{DEPLOYMENTS}/{name}".lower()] = {**record, "properties": {"provisioningState": "Running"}}
    prepared.deploy("01-openai")
    assert said.count(f"{name} is being deployed by another run already: waiting for it") == 1
    assert [made for made, _ in azure.deployments.made][-1] == name


def test_a_conflict_that_comes_in_between_says_what_to_do(prepared: Guide, azure: ArmService) -> None:
    conflict = {"error": {"code": "DeploymentActive", "message": "The deployment is still active."}}
    azure.faults.append(Fault("PUT", "setup-aoai-try-01-openai$", 409, conflict))
    with pytest.raises(SetupError, match=r"DeploymentActive.*Fix: this step is being deployed by another run"):
        prepared.deploy("01-openai")


def test_what_is_seen_late_is_looked_for_again(prepared: Guide, azure: ArmService) -> None:
    azure.state.lag = 2
    prepared.deploy("01-openai")
    with pytest.raises(SetupError, match="account aoai-eastus2 does not exist"):
        prepared.verify("01-openai", wait=0)
    assert not prepared.verify("01-openai", wait=5).failed


def test_options_that_come_later_are_left_out_and_said(guide: Guide, azure: ArmService, said: list[str]) -> None:
    guide.parameters["privateNetwork"] = True
    guide.prepare()
    sent: list[dict[str, Any]] = []
    create = azure.deployments.create
    azure.deployments.create = lambda name, body: (sent.append(body), create(name, body))[1]  # type: ignore[method-assign]
    guide.deploy("01-openai")
    assert "privateNetwork" not in sent[-1]["properties"]["parameters"]
    assert "privateNetwork: left for 07-network-and-key-vault" in said


def test_an_early_step_never_opens_what_was_closed(guide: Guide, azure: ArmService) -> None:
    guide.parameters["privateNetwork"] = True
    guide.prepare()
    azure.state.put(f"{GROUP}/providers/Microsoft.Network/virtualNetworks/vnet-aoai-try", {"properties": {}})
    sent: list[dict[str, Any]] = []
    create = azure.deployments.create
    azure.deployments.create = lambda name, body: (sent.append(body), create(name, body))[1]  # type: ignore[method-assign]
    guide.deploy("01-openai")
    assert sent[-1]["properties"]["parameters"]["privateNetwork"] == {"value": True}


def test_a_step_of_no_such_name_is_told_the_nearest(guide: Guide) -> None:
    with pytest.raises(UnknownName, match="did you mean 03-api"):
        guide.deploy("03-apis")


def test_a_step_without_modules_has_nothing_to_deploy(guide: Guide) -> None:
    with pytest.raises(SetupError, match="08-clients deploys nothing"):
        guide.deploy("08")
