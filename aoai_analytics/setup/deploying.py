"""Preview and deploy a step: ARM's what-if and incremental deployments."""

from __future__ import annotations

import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from ..errors import SetupError
from .arm import Arm
from .faults import causes, translated
from .steps import Step, modules_of, step_that_deploys
from .template import deployment_name, part

#: Kinds of change in display order; NoChange is only counted, and Ignore is what the template does not name.
CHANGES = {
    "Delete": "delete",
    "Create": "create",
    "Modify": "change",
    "Deploy": "deploy",
    "Unsupported": "cannot be told before",
}


@dataclass(frozen=True)
class Change:
    """The effect of a deployment on one resource: ``kind`` of CHANGES; ``properties`` that would change."""

    kind: str
    resource: str
    properties: tuple[str, ...] = ()


@dataclass(frozen=True)
class Plan:
    """The effect of a step; ``unchanged`` counts resources that would not change."""

    changes: tuple[Change, ...]
    unchanged: int


def record_name(arm: Arm, step: Step) -> str:
    """Name of the step's deployment."""
    return deployment_name(arm.configuration.name, step.name)


def _body(modules: tuple[str, ...], parameters: Mapping[str, Any]) -> dict[str, Any]:
    template = part(modules)
    values = {name: {"value": value} for name, value in parameters.items() if name in template["parameters"]}
    return {"properties": {"mode": "Incremental", "template": template, "parameters": values}}


def what_if(arm: Arm, step: Step, parameters: Mapping[str, Any]) -> Plan:
    """Preview what deploying the step would change. Creates nothing. Raises SetupError if ARM refuses."""
    from azure.core.exceptions import AzureError
    from azure.mgmt.resource.deployments.models import DeploymentWhatIf

    group = arm.configuration.resource_group
    try:
        result = arm.deployments_client.deployments.begin_what_if(
            group, record_name(arm, step), DeploymentWhatIf(_body(modules_of(step), parameters))
        ).result()
    except AzureError as error:
        raise translated(error, f"what-if of {step.name}") from error
    if result.error is not None:
        found = causes(result.error.as_dict())
        raise SetupError(f"what-if of {step.name}: " + "; ".join(map(str, found)))
    changes, unchanged = [], 0
    order = list(CHANGES)
    # Hide the module deployments: nobody looks for these resources.
    listed = [c for c in result.changes or [] if "/Microsoft.Resources/deployments/" not in (c.resource_id or "")]
    for change in listed:
        # The SDK returns known kinds as an enumeration, newer ones as text.
        kind = str(getattr(change.change_type, "value", change.change_type))
        if kind in CHANGES:
            deltas = change.delta or []
            # What-if also lists properties that a deployment would not change.
            real = [
                d for d in deltas if str(getattr(d.property_change_type, "value", d.property_change_type)) != "NoEffect"
            ]
            if deltas and not real:
                unchanged += 1
            else:
                changes.append(Change(kind, str(change.resource_id), tuple(sorted(str(delta.path) for delta in real))))
        elif kind != "Ignore":
            unchanged += 1
    changes.sort(key=lambda change: (order.index(change.kind), change.resource))
    return Plan(tuple(changes), unchanged)


def outputs(arm: Arm, name: str) -> dict[str, Any] | None:
    """Outputs of a successful deployment, by name; None if there is none."""
    found = arm.get(f"{arm.configuration.group_id}/providers/Microsoft.Resources/deployments/{name}")
    if found is None or found["properties"].get("provisioningState") != "Succeeded":
        return None
    return {key: output.get("value") for key, output in (found["properties"].get("outputs") or {}).items()}


def require_earlier_steps(arm: Arm, step: Step) -> None:
    """Raise SetupError, naming the steps to run, if a step that *step* builds on has not succeeded."""
    accounts = len(arm.configuration.parameters["openAIAccounts"])
    missing: dict[str, None] = {}
    for module in step.builds_on:
        name = deployment_name(arm.configuration.name, module)
        rounds = [f"{name}-{number}" for number in range(accounts)] if module == "openAI" else [name]
        if any(outputs(arm, each) is None for each in rounds):
            missing[step_that_deploys(module).name] = None
    if missing:
        raise SetupError(
            f"{step.name} needs {', '.join(sorted(missing))}, which has not succeeded yet in "
            f"{arm.configuration.resource_group}. Fix: run "
            + ", then ".join(f"notebooks/setup/{name}" for name in sorted(missing))
            + f" (or aoai setup run --from {min(missing)})"
        )


def deploy(
    arm: Arm,
    step: Step,
    parameters: Mapping[str, Any],
    say: Callable[[str], None] = lambda line: None,
    *,
    clock: Callable[[], float] = time.monotonic,
) -> dict[str, Any]:
    """Deploy the step's modules and wait; return its outputs. *say* gets a line for each change of a module's state.

    If a run of the same step is in progress, wait for it, then deploy the step again,
    so that the current parameters apply. Raises SetupError with the innermost cause of a failure.
    """
    from azure.core.exceptions import AzureError
    from azure.mgmt.resource.deployments.models import Deployment

    require_earlier_steps(arm, step)
    group, name = arm.configuration.resource_group, record_name(arm, step)
    operations = arm.deployments_client.deployments
    _wait_for_running(arm, name, say)
    watch = _Watch(arm, name, say, clock)
    try:
        poller = operations.begin_create_or_update(group, name, Deployment(_body(modules_of(step), parameters)))
        while not poller.done():
            poller.wait(arm.configuration.poll_seconds)
            watch.look()
        poller.result()
    except AzureError as error:
        watch.look()
        raise (watch.failure(step) or translated(error, step.name)) from error
    watch.look()
    return outputs(arm, name) or {}


def _wait_for_running(arm: Arm, name: str, say: Callable[[str], None]) -> None:
    said = False
    path = f"{arm.configuration.group_id}/providers/Microsoft.Resources/deployments/{name}"
    while (found := arm.get(path)) and found["properties"]["provisioningState"] in ("Running", "Accepted"):
        if not said:
            say(f"{name} is being deployed by another run already: waiting for it")
            said = True
        time.sleep(arm.configuration.poll_seconds)


class _Watch:
    """Follows the modules of a deployment through its operations."""

    def __init__(self, arm: Arm, name: str, say: Callable[[str], None], clock: Callable[[], float]) -> None:
        self.arm, self.name, self.say, self.clock = arm, name, say, clock
        self.start = clock()
        self.states: dict[str, str] = {}

    def look(self) -> None:
        """Report modules that changed their state. Unreadable ones are skipped: this is only progress."""
        try:
            found = self._operations(self.name)
        except SetupError:
            return
        prefix = deployment_name(self.arm.configuration.name, "")
        for operation in found:
            properties = operation["properties"]
            module = _target(properties).rpartition("/")[2].removeprefix(prefix)
            state = properties.get("provisioningState", "")
            if module and self.states.get(module) != state:
                self.states[module] = state
                self.say(f"{module}: {state.lower()} after {self._elapsed()}")

    def failure(self, step: Step) -> SetupError | None:
        """The failed resources' own causes, which the deployment's error may hide."""
        try:
            found = list(self._failed(self.name))
        except SetupError:
            return None
        return SetupError(f"{step.name}: " + "; ".join(dict.fromkeys(found))) if found else None

    def _failed(self, name: str) -> list[str]:
        found = []
        for operation in self._operations(name):
            properties = operation["properties"]
            if properties.get("provisioningState") != "Failed":
                continue
            target = _target(properties)
            inner = self._failed(target.rpartition("/")[2]) if "Microsoft.Resources/deployments" in target else []
            about = target.partition("/providers/")[2]
            found += inner or [
                f"{cause}" if cause.target else f"{about}: {cause}" for cause in causes(properties.get("statusMessage"))
            ]
        return found

    def _operations(self, name: str) -> list[dict[str, Any]]:
        group = self.arm.configuration.group_id
        return self.arm.list(f"{group}/providers/Microsoft.Resources/deployments/{name}/operations")

    def _elapsed(self) -> str:
        seconds = round(self.clock() - self.start)
        return f"{seconds} s" if seconds < 90 else f"{round(seconds / 60)} min"


def _target(properties: Mapping[str, Any]) -> str:
    return str((properties.get("targetResource") or {}).get("id", ""))


def made_by(arm: Arm, name: str) -> set[str]:
    """IDs, in lower case, of everything that a deployment and its nested ones created, as recorded by Azure."""
    return _made_by(arm, f"{arm.configuration.group_id}/providers/Microsoft.Resources/deployments/{name}")


def _made_by(arm: Arm, deployment: str) -> set[str]:
    found: set[str] = set()
    for operation in arm.list(f"{deployment}/operations"):
        target = _target(operation["properties"])
        if "/Microsoft.Resources/deployments/" in target:
            # In the group of what was brought, where the nested one is for that.
            found |= _made_by(arm, target)
        elif target and operation["properties"].get("provisioningOperation", "Create") == "Create":
            found.add(target.lower())
    return found
