"""The steps of the guided setup, as data: what each deploys, its notebook, and the steps before it."""

from __future__ import annotations

import difflib
from dataclasses import dataclass

from ..errors import UnknownName
from .template import referenced, whole


@dataclass(frozen=True)
class Step:
    """One step: its notebook is ``notebooks/setup/NAME.ipynb``; ``requirements`` has its checks under its name."""

    name: str
    title: str
    #: Modules of main.json that the step deploys; empty: it deploys nothing.
    modules: tuple[str, ...] = ()
    #: Deploys all of main.json, with every option in force.
    final: bool = False
    #: Whether it assigns readers of the logs their roles: their workspace must exist first.
    readers: bool = True

    @property
    def builds_on(self) -> tuple[str, ...]:
        """Modules of earlier steps that must exist: those whose outputs it reads and those it must follow."""
        logs = {"workspace", "archive", "eventHub"}
        return tuple(module for module in _builds_on(self.modules) if self.readers or module not in logs)


#: Modules in every installation, whatever its options.
ALWAYS = ("openAI", "gateway", "roles", "backends", "namedValues", "api", "products", "workspace", "gatewayLogging")

STEPS = (
    Step("00-start", "Look before: sign-in, rights, quota, regions, names"),
    Step("01-openai", "Azure OpenAI accounts and model deployments", ("openAI", "contentSafetyAccount")),
    Step("02-gateway", "The API Management gateway", ("gateway", "ownGateway")),
    Step(
        "03-api",
        "The API with its key header, credential and backends",
        ("roles", "namedValues", "backends", "api"),
        readers=False,
    ),
    Step(
        "04-diagnostics-and-test",
        "Diagnostics, and a test of the API that is seen in the logs",
        (
            "workspace",
            "archive",
            "eventHub",
            "roles",
            "gatewayLogging",
            "gatewayWorkbook",
            "queries",
            "history",
            "alertRules",
        ),
    ),
    Step("05-access-and-throttling", "Products, subscriptions and limits", ("products",)),
    Step("06-high-availability", "A pool over regions, and a failover", ("openAI", "roles", "backends", "namedValues")),
    Step("07-network-and-key-vault", "Key Vault, private network, and the whole in its final form", final=True),
    Step("08-clients", "Clients"),
    Step("09-clean-up", "Remove the installation"),
)


def step_named(name: str) -> Step:
    """The step with a name, or a number (``3``, ``03``). Raises UnknownName."""
    for step in STEPS:
        if name == step.name or (name.isdigit() and int(name) == int(step.name[:2])):
            return step
    near = difflib.get_close_matches(name, [step.name for step in STEPS], n=1, cutoff=0.3)
    raise UnknownName(f"unknown step {name!r}" + (f"; did you mean {near[0]}?" if near else ""))


def modules_of(step: Step) -> tuple[str, ...]:
    """The modules of main.json that the step deploys."""
    return tuple(whole()["resources"]) if step.final else step.modules


def step_that_deploys(module: str) -> Step:
    """The first step that deploys a module."""
    return next(step for step in STEPS if module in modules_of(step))


def _builds_on(modules: tuple[str, ...]) -> tuple[str, ...]:
    resources = whole()["resources"]
    before: set[str] = set()
    for module in modules:
        before |= referenced(resources[module]["properties"].get("parameters", {}))
        before |= set(resources[module].get("dependsOn", []))
    return tuple(name for name in resources if name in before - set(modules) and name in ALWAYS)
