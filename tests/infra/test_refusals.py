"""Parameters that cannot work, and those that can."""

from __future__ import annotations

import pytest

from tests.infra.conftest import Bicep
from tests.infra.snapshots import SETTLED


@pytest.mark.parametrize("example", SETTLED)
def test_a_snapshot_has_no_diagnostics(bicep: Bicep, example: str) -> None:
    assert bicep.snapshot(example)["diagnostics"] == []


@pytest.mark.parametrize(
    ("variant", "says"),
    [
        ("uneven-deployments", ["aoai-b offers the deployments other, but aoai-a offers chat", "of the same names"]),
        ("spillover-from-standard", ["deployment chat cannot spill over", "Only a Provisioned deployment can"]),
        ("cache-without-embeddings", ["no account has a deployment named embed", "Name an embeddings deployment"]),
        ("entrance-without-network", ["applicationGateway: it stands before a private gateway", "privateNetwork"]),
        ("name-ai_dev", ["name: ai_dev cannot be part of resource names", "single hyphens"]),
        ("name-a--b", ["name: a--b cannot be part of resource names"]),
        ("name-ai.prod", ["name: ai.prod cannot be part of resource names"]),
        ("account-name", ["openAIAccounts: aoai_East cannot be part of a host name"]),
        ("account-called-like-the-pool", ["aoai-pool is the gateway's own backend"]),
        ("two-accounts-of-a-name", ["aoai-a is the gateway's own backend for something else, or the name of two"]),
        ("others-at-openai", ["aoai-a is an Azure OpenAI account, which has no models of xAI", "kind to AIServices"]),
        ("claude-of-openai", ["aoai-a is an Azure OpenAI account, which has no models of Anthropic", "AIServices"]),
        ("claude-of-nobody", ["claude is a model of Anthropic, and Azure asks who uses it", "Set claudeCustomer"]),
        ("claude-uneven", ["foundry-d offers the models of Anthropic other, but foundry-c offers claude"]),
        ("team-of-unlimited", ["sub-a has limits, but the product unlimited has none", "bronze, silver or gold"]),
        ("team-with-unknown-model", ["sub-a may use chatt, which no account has"]),
        ("brought-something-else", ["existingWorkspaceId:", "is not the resource id of a workspace"]),
        ("brought-a-name", ["existingGatewayId: apim-hub is not the resource id of an API Management service"]),
        ("subnets-in-the-open", ["subnets: they are used in a private network only"]),
        ("two-regions-of-a-small-tier", ["gatewayRegions: StandardV2 has one region", "gatewayTier to Premium"]),
        ("deployment-name", ["openAIAccounts: chat/prod cannot be the name of a deployment"]),
        ("subscription-master", ["subscriptions: Master cannot be the name", "master is the gateway's own"]),
        ("too-many-units", ["gatewayCapacity: StandardV2 has at most 10 units, not 20"]),
        ("gateway-name", ["gatewayName: 1_gateway cannot be a host name"]),
        ("tokens-without-audience", ["entra: set audience to the application ID", "there is none"]),
        ("audience-that-cannot-be", ["aoai-gateway is no application ID", "docs/setup.md"]),
        ("private-on-a-small-tier", ["BasicV2 cannot join a virtual network", "StandardV2 or PremiumV2"]),
    ],
)
def test_parameters_that_cannot_work_are_refused_with_what_to_do(bicep: Bicep, variant: str, says: list[str]) -> None:
    ran = bicep.said[f"snapshot {variant}"]
    assert ran.code == 1
    assert all(words in ran.errors for words in says), ran.errors
