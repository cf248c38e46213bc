"""Names that Azure would refuse are refused before anything is asked, each with its place."""

from __future__ import annotations

import copy
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.errors import WrongUse
from aoai_analytics.sandbox.azure.record import setup_table
from aoai_analytics.setup.names import name_faults
from aoai_analytics.setup.parameters import checked
from tests.infra.conftest import INFRA

PARAMETERS: dict[str, Any] = setup_table()["parameters"]


def with_account(**changes: Any) -> dict[str, Any]:
    changed = copy.deepcopy(PARAMETERS)
    changed["openAIAccounts"][0] |= changes
    return changed


def named(deployment: str) -> dict[str, Any]:
    changed = copy.deepcopy(PARAMETERS)
    changed["openAIAccounts"][0]["deployments"][0]["name"] = deployment
    return changed


@pytest.mark.parametrize(
    ("parameters", "said"),
    [
        (PARAMETERS | {"name": "ai_dev"}, r"parameters\.name: ai_dev cannot be part of resource names"),
        (PARAMETERS | {"name": "a--b"}, r"a--b cannot be part"),
        (PARAMETERS | {"name": "ai.prod"}, r"ai\.prod cannot be part"),
        (PARAMETERS | {"name": "-ab"}, r"-ab cannot be part"),
        (PARAMETERS | {"gatewayName": "1-gateway"}, r"gatewayName: 1-gateway cannot be a host name"),
        (PARAMETERS | {"gatewayName": "gateway-"}, r"gateway- cannot be a host name"),
        (PARAMETERS | {"gatewayName": "g" * 51}, r"gatewayName: must be at least 1 characters and at most 50"),
        (PARAMETERS | {"gatewayTier": "StandardV2", "gatewayCapacity": 20}, "StandardV2 has at most 10 units, not 20"),
        (PARAMETERS | {"gatewayTier": "Developer", "gatewayCapacity": 2}, "Developer has at most 1 units, not 2"),
        (
            PARAMETERS | {"gatewayRegions": [{"location": "westus3", "capacity": 1}]},
            "has one region: use the tier Premium",
        ),
        (with_account(name="aoai_East"), r"openAIAccounts\[0\]\.name: aoai_East cannot be part of a host name"),
        (with_account(name="aoai-pool"), "aoai-pool is the gateway's own backend"),
        (with_account(name="content-safety"), "content-safety is the gateway's own backend"),
        (with_account(name="embeddings"), "embeddings is the gateway's own backend"),
        (with_account(name=PARAMETERS["openAIAccounts"][1]["name"]), "two accounts are called"),
        (named("chat/prod"), r"deployments\[0\]\.name: chat/prod cannot be the name of a deployment"),
        (PARAMETERS | {"gold": {"subscriptions": ["master"]}}, r"gold\.subscriptions: master is the gateway's own"),
        (PARAMETERS | {"gold": {"subscriptions": ["a b"]}}, r"gold\.subscriptions: a b cannot be the name"),
        (PARAMETERS | {"unlimitedSubscriptions": ["x" * 81]}, "cannot be the name of a subscription"),
        (PARAMETERS | {"gold": {"subscriptions": ["A"]}, "silver": {"subscriptions": ["a"]}}, "the subscription a"),
    ],
)
def test_a_name_that_azure_would_refuse_is_said_with_its_place(parameters: dict[str, Any], said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        checked(parameters)


def test_the_sandboxs_own_names_are_good() -> None:
    assert list(name_faults(PARAMETERS)) == []


@given(st.text("ab1-", min_size=3, max_size=12))
def test_a_name_that_is_taken_makes_names_that_azure_takes(name: str) -> None:
    """The longest name with Azure's own 13 characters: Microsoft Learn, "Naming rules and restrictions"."""
    if list(name_faults(PARAMETERS | {"name": name})):
        return
    suffix = "z" * 13
    assert len(f"apim-{name}-{suffix}") <= 50 and f"apim-{name}-{suffix}".replace("-", "").isalnum()
    assert len(f"log-{name}-{suffix}") <= 63
    assert len(f"evhns-{name}-{suffix}") <= 50
    assert f"st{name.replace('-', '')}{suffix}"[:24].isalnum()
    vault = f"kv-{name}-{suffix}"[:24]
    assert "--" not in vault and not vault.endswith("-")
    text = (INFRA / "main.bicep").read_text("utf-8")
    for shape in (
        "'log-${checkedName}-${suffix}'",
        "'evhns-${checkedName}-${suffix}'",
        "'kv-${checkedName}-${suffix}'",
    ):
        assert shape in text
