"""From nothing to a verified installation, step by step, against an Azure on loopback."""

from __future__ import annotations

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
    print(guide.verify())
    print(guide.status(), guide.connection(), guide.requests_logged(), guide.inventory())
