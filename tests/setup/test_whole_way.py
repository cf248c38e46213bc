"""From nothing to a verified installation, step by step, against an Azure on loopback."""

from __future__ import annotations

from aoai_analytics.sandbox.azure.state import WORKSPACE
from aoai_analytics.setup import Guide
from aoai_analytics.setup.steps import STEPS, modules_of
from tests.setup.arm_service import ArmService


def test_every_step_deploys_verifies_and_can_be_tried(guide: Guide, azure: ArmService) -> None:
    azure.state.lag = 1
    guide.prepare()
    for step in STEPS:
        if modules_of(step):
            guide.what_if(step.name)
            guide.deploy(step.name)
            guide.verify(step.name)
    guide.let_me_ask()
    assert not guide.try_models().failed
    assert not guide.try_api().failed
    assert not guide.use_up_a_limit().failed
    azure.models.capacity = 30_000
    assert not guide.fail_over().failed
    assert guide.logged(wait_minutes=0).state == "met"
    states = {finding.check: finding.state for finding in guide.verify().findings}
    assert {check for check, state in states.items() if state != "met"} == {"closed", "private-endpoints"}
    met = [row[-1] for row in guide.status().rows if row[-1]]
    assert met == ["3 of 3", "3 of 3", "8 of 8", "11 of 11", "2 of 2", "2 of 2", "3 of 3"]
    connection = dict(guide.connection().rows)
    assert connection["apiUrl"] == f"{azure.url}/gateway/openai"
    assert connection["source"] == f"log-analytics://{WORKSPACE}"
    logged = {row[-1] for row in guide.requests_logged().rows}
    assert {"aoai-eastus2", "aoai-westus3"} <= logged
    assert {made_by for _, made_by in guide.inventory().rows} == {"this installation"}
