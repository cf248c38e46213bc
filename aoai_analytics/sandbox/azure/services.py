"""What is behind the loopback Azure's resources: the sandbox's models and keys, and its logs."""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import replace
from typing import Any

from .. import shapes
from ..installation import Installation, Subscription, read_installation
from ..model import Model, Refused
from .arm import Answer
from .record import CONFIG

#: Answers a query of a timespan with columns, their types, and rows.
Ask = Callable[[str, str], tuple[dict[str, str], list[list[Any]]]]
#: The gateway's built-in subscription for all APIs.
ALL_ACCESS = "master"


def gateway_installation() -> Installation:
    """The recorded installation as the sandbox's gateway takes it, with the subscription that each gateway has."""
    found = read_installation(CONFIG)
    master = Subscription(ALL_ACCESS, "", f"key-of-{ALL_ACCESS}")
    return replace(found, subscriptions={**found.subscriptions, ALL_ACCESS: master})


class SandboxServices:
    """See ``arm.Services``. Models are asked directly here, as at an account's own endpoint: nothing is logged."""

    def __init__(self, installation: Installation, ask: Ask) -> None:
        self.role = False
        self._installation, self._ask = installation, ask
        self._models = {each.name: Model(each) for each in installation.accounts}

    def key(self, subscription: str) -> str:
        """The key of a subscription."""
        return self._installation.subscriptions[subscription].key

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        """A chat completion of one account, for who has the role."""
        if not headers.get("authorization", "").startswith("Bearer ") or not self.role:
            return 401, {}, _error("PermissionDenied", "The principal lacks the required data action.")
        asked = re.fullmatch(r"/model/([\w-]+)-\w{13}/openai/deployments/([\w.-]+)/chat/completions", path)
        if not asked or asked[1] not in self._models:
            return 404, {}, _error("404", "Resource not found")
        try:
            reply = self._models[asked[1]].answer("chat", asked[2], body, "direct")
        except Refused as refused:
            return refused.status, {}, {"error": refused.error}
        return 200, {}, shapes.whole("chat", reply, body)

    def logs(self, query: str, timespan: str) -> tuple[dict[str, str], list[list[Any]]]:
        """The answer to a query of the sandbox's logs."""
        return self._ask(query, timespan)


def _error(code: str, message: str) -> dict[str, Any]:
    return {"error": {"code": code, "message": message}}
