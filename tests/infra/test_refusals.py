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
        ("private-on-a-small-tier", ["BasicV2 cannot join a virtual network", "StandardV2 or PremiumV2"]),
    ],
)
def test_parameters_that_cannot_work_are_refused_with_what_to_do(bicep: Bicep, variant: str, says: list[str]) -> None:
    ran = bicep.said[f"snapshot {variant}"]
    assert ran.code == 1
    assert all(words in ran.errors for words in says), ran.errors
