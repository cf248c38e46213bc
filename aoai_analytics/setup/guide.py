"""The API of the setup notebooks and ``aoai setup``: an installation, step by step."""

from __future__ import annotations

import time
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..config import found
from ..errors import SetupError
from . import cleaning, exercises, log_queries
from .arm import Arm
from .before import Before
from .configuration import Configuration, read_configuration
from .deploying import CHANGES, deploy, outputs, record_name, what_if
from .faults import Refused
from .findings import MET, NOT_ASKED, Finding, Findings, Table
from .installation import Installation
from .parameters import checked, for_step, left_for_later
from .requirements import find, requirements_of
from .steps import STEPS, Step, modules_of, step_named
from .subscriptions import suspend_removed

#: Seconds to wait for a provider's registration before it is reported as unfinished.
REGISTERING = 600


def open_setup(config: str | Path = "aoai.toml", *, say: Callable[[str], None] = print) -> Guide:
    """The installation in the table ``[setup]`` of *config*; *say* gets progress, line by line.

    A relative *config* is looked for upwards to the project's root.

    Raises WrongUse if the file or a setting in it is wrong. Sends no requests to Azure.
    """
    configuration = read_configuration(found(config))
    return Guide(configuration, checked(configuration.parameters, configuration.exports), say=say)


class Guide:
    """One installation. Every method reads Azure again; each raises SetupError with Azure's reason in one line."""

    def __init__(
        self,
        configuration: Configuration,
        parameters: dict[str, Any],
        *,
        credential: Any = None,
        say: Callable[[str], None] = print,
    ) -> None:
        self.configuration, self.parameters, self.say = configuration, parameters, say
        self.arm = Arm(configuration, credential)

    def installation(self) -> Installation:
        """A new read of Azure."""
        return Installation(self.arm, self.parameters)

    # ---- before

    def check(self) -> Findings:
        """Checks before anything is created. Creates no resource."""
        return Findings(Before(self.arm, self.parameters).findings())

    def prepare(self) -> Table:
        """Register Azure's services, create the resource group, and compute all other names."""
        before = Before(self.arm, self.parameters)
        for name in before.register():
            self.say(f"{name}: asked to be registered, which may take minutes")
        self._wait_for_providers(REGISTERING)
        group = self.configuration.group_id
        if self.arm.get(group) is None:
            self.arm.put(group, {"location": self.configuration.location, "tags": self.parameters.get("tags", {})})
            self.say(f"{self.configuration.resource_group}: created in {self.configuration.location}")
        names = self.installation().names
        accounts = [(f"account {number}", name) for number, name in enumerate(names["accounts"], 1)]
        return Table(("What", "Name"), [*accounts, *((k, str(v)) for k, v in names.items() if k != "accounts")])

    def _wait_for_providers(self, seconds: float) -> None:
        until = time.monotonic() + seconds
        while wrong := _unregistered(Before(self.arm, self.parameters)):
            if time.monotonic() >= until:
                raise SetupError(f"{'; '.join(wrong)} after {seconds / 60:.0f} minutes: run again later")
            time.sleep(self.configuration.poll_seconds)

    # ---- steps

    def _parameters(self, step: Step) -> dict[str, Any]:
        standing = self.installation().standing()
        used = for_step(self.parameters, final=step.final, readers=step.readers, standing=standing)
        for name in left_for_later(self.parameters, used) if modules_of(step) else ():
            where = "07-network-and-key-vault" if not step.final else "a second run, once the vault has its secret"
            self.say(f"{name}: left for {where}")
        # Not the resource group's location: an existing group may be anywhere.
        return {"location": self.configuration.location, **used}

    def what_if(self, step: str) -> Table:
        """Preview what deploying the step would change. Creates nothing."""
        chosen = step_named(step)
        plan = what_if(self.arm, chosen, self._parameters(chosen))
        rows = [
            (
                CHANGES[change.kind],
                change.resource.partition("/providers/")[2] or change.resource,
                ", ".join(change.properties),
            )
            for change in plan.changes
        ]
        rows.append(("leave", f"{plan.unchanged} resources as they are", ""))
        return Table(("Would", "Resource", "Properties"), rows)

    def deploy(self, step: str) -> Table:
        """Deploy the step and wait, reporting its modules' progress; return its outputs. Safe to run again."""
        chosen = step_named(step)
        if not modules_of(chosen):
            raise SetupError(f"{chosen.name} deploys nothing: open notebooks/setup/{chosen.name}")
        if "products" in modules_of(chosen):
            # Before the deployment: its record then no longer names them.
            suspend_removed(self.installation(), self.say)
        found = deploy(self.arm, chosen, self._parameters(chosen), self.say)
        return Table(
            ("Output", "Value"), [(name, str(value)) for name, value in found.items() if value not in ("", [])]
        )

    def verify(self, step: str | None = None, *, wait: float = 120) -> Findings:
        """Check every requirement of the step (None: of all steps); return the findings if all are met.

        Azure may show new resources some seconds late: unmet requirements are checked again for *wait* seconds.
        Logs take longer to arrive: ``logged`` waits for them. Raises SetupError with the requirements still unmet.
        """
        found = self.findings(step, wait=wait, arriving=step is None)
        if found.failed:
            self.say(str(found))
        return found.require()

    def findings(self, step: str | None = None, *, wait: float = 0, arriving: bool = True) -> Findings:
        """``verify`` without raising for unmet requirements."""
        chosen = [r for r in requirements_of(step and step_named(step).name) if arriving or r.name != "logs-arrive"]
        until = time.monotonic() + wait
        while True:
            found = Findings(find(self.installation(), chosen))
            if not found.failed or time.monotonic() >= until:
                return found
            time.sleep(self.configuration.poll_seconds)

    def status(self) -> Table:
        """Each step: its last deployment, as recorded by Azure, and how many of its requirements are met now."""
        group = self.arm.get(self.configuration.group_id)
        rows = []
        for step in STEPS:
            state, when = self._deployed(step) if group else ("", "")
            met = self._met(step) if group and state else ""
            rows.append((step.name, step.title, state or ("not yet" if modules_of(step) else ""), when, met))
        return Table(("Step", "What", "Deployed", "When", "Requirements met"), rows)

    def _deployed(self, step: Step) -> tuple[str, str]:
        path = f"{self.configuration.group_id}/providers/Microsoft.Resources/deployments/{record_name(self.arm, step)}"
        found = self.arm.get(path)
        if found is None:
            return "", ""
        when = str(found["properties"].get("timestamp", ""))[:16].replace("T", " ")
        return str(found["properties"]["provisioningState"]), when

    def _met(self, step: Step) -> str:
        found = self.findings(step.name, arriving=False).findings
        asked = [finding for finding in found if finding.state != NOT_ASKED]
        return f"{sum(finding.state == MET for finding in asked)} of {len(asked)}" if asked else ""

    # ---- trying it out

    def try_models(self) -> Findings:
        """One short chat with each account, with your own identity."""
        return Findings(exercises.try_models(self.installation())).require()

    def let_me_ask(self) -> Table:
        """Give yourself the role to call the models directly."""
        return Table(("Account", "Role"), list(exercises.let_me_ask(self.installation()).items()))

    def try_api(self) -> Findings:
        """The API as clients use it."""
        return Findings(exercises.try_api(self.installation())).require()

    def limits(self) -> Table:
        """Each product's limits, as requested."""
        rows = [
            (name, f"{minute:,}", f"{month:,}")
            for name, (minute, month) in exercises.limits_of(self.parameters).items()
        ]
        return Table(("Product", "Tokens/min", "Tokens/month"), rows)

    def use_up_a_limit(self) -> Findings:
        """Send requests with the most limited subscription until the gateway refuses."""
        return Findings(exercises.use_up_a_limit(self.installation())).require()

    def fail_over(self) -> Findings:
        """A burst that throttles the first account, so that the others respond."""
        return Findings(exercises.fail_over(self.installation())).require()

    def logged(self, *, wait_minutes: float = 120) -> Finding:
        """Wait until rows of both logs arrive from the last day. Raises SetupError if none arrive in time."""
        (requirement,) = [r for r in requirements_of(None) if r.name == "logs-arrive"]
        start = time.monotonic()
        said = False
        while (found := requirement.find(self.installation())).state != MET:
            if time.monotonic() - start >= wait_minutes * 60:
                Findings([found]).require()
            if not said:
                self.say(f"no rows yet: waiting for them, {wait_minutes:.0f} minutes at most")
                said = True
            time.sleep(min(60, self.configuration.poll_seconds * 6))
        return found

    def requests_logged(self, *, minutes: float = 60) -> Table:
        """The outcomes of requests in the last *minutes*: outcome, backend, attempts, failovers."""
        workspace = self.arm.get(self.installation().id_of("workspace"))
        if workspace is None:
            raise SetupError("no workspace yet: run notebooks/setup/04-diagnostics-and-test")
        end = datetime.now(UTC)
        return log_queries.requests_between(
            self.arm, workspace["properties"]["customerId"], end - timedelta(minutes=minutes), end
        )

    def failovers_logged(self, *, wait_minutes: float = 20, minutes: float = 60) -> Table:
        """Wait until a failover of the last *minutes* is in the logs; return the outcomes of that time.

        With one account there is no failover to wait for. Raises SetupError if none arrives within *wait_minutes*.
        """
        if len(self.parameters["openAIAccounts"]) < 2:
            return Table(("Failover",), [("not asked for: aoai.toml names one account",)])
        until = time.monotonic() + wait_minutes * 60
        while True:
            found = self.requests_logged(minutes=minutes)
            place = found.headings.index("FailedOver")
            if any(int(row[place] or 0) for row in found.rows):
                return found
            if time.monotonic() >= until:
                raise SetupError(
                    f"no failover in the logs of the last {minutes:.0f} minutes. Fix: wait, rows take some 15 minutes; "
                    "or trigger the failover again (notebooks/setup/06-high-availability)"
                )
            time.sleep(min(60, self.configuration.poll_seconds * 6))

    def connection(self) -> Table:
        """Values that clients and analyses need, never a key."""
        found = outputs(self.arm, record_name(self.arm, step_named("07"))) or {}
        for step in ("02", "04"):
            found = {**(outputs(self.arm, record_name(self.arm, step_named(step))) or {}), **found}
        names = ("apiUrl", "source", "logStorageEndpoint", "keyVaultUri", "publicIpAddress")
        return Table(("What", "Value"), [(name, str(found[name])) for name in names if found.get(name)])

    # ---- removing it

    def inventory(self) -> Table:
        """Everything in the resource group, and whether this installation created it."""
        return cleaning.inventory(self.installation()).table()

    def delete(self, resource_group: str, *, erase_logs: bool = False) -> Table:
        """Delete the resource group and its contents. Its exact name is the confirmation; '' deletes nothing.

        The table ends with what remains: soft-deleted resources, PTU charges until they are purged, recoverable logs.
        *erase_logs* deletes the workspace for good.
        """
        if not resource_group:
            return Table(("Deleted",), [("nothing: no resource group was named",)])
        return cleaning.delete_group(self.installation(), resource_group, erase_logs=erase_logs).table()

    def purge(self, name: str, confirmed: str) -> Table:
        """Purge one soft-deleted account or gateway; *confirmed* repeats its name. '' purges nothing."""
        if not name:
            return Table(("Purged",), [("nothing: nothing was named",)])
        cleaning.purge(self.arm, name, confirmed)
        return Table(("Purged",), [(name,)])


def _unregistered(before: Before) -> list[str]:
    """Providers known to be unregistered; none if the login may not read them."""
    try:
        return [said for said, _ in before.unregistered()]
    except Refused:
        return []
