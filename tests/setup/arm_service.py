"""The product's Azure on loopback, with what tests need besides: faults, a record of requests, and models to bend."""

from __future__ import annotations

import re
from dataclasses import dataclass, field
from typing import Any

from aoai_analytics.sandbox.azure import arm
from aoai_analytics.sandbox.azure.arm import GROUP, PROVIDERS, SUBSCRIPTION, TENANT, USER, Answer, model
from tests.setup.model_service import KEYS, Models

__all__ = ["GROUP", "PROVIDERS", "SUBSCRIPTION", "TENANT", "USER", "ArmService", "Fault", "model"]


@dataclass
class Fault:
    """An answer to give instead, a number of times, to requests that match."""

    method: str
    path: str
    status: int
    body: Any
    headers: dict[str, str] = field(default_factory=dict)
    times: int = 1


class _Services(Models):
    """The bent models, and logs with as many rows as they were asked."""

    logged_rows = True

    def key(self, subscription: str) -> str:
        return KEYS[subscription]

    def logs(self, query: str, timespan: str) -> tuple[dict[str, str], list[list[Any]]]:
        if query.startswith("union isfuzzy=true"):
            rows: list[list[Any]] = [["ApiManagementGatewayLogs", len(self.asked) if self.logged_rows else 0]]
            rows.append(["ApiManagementGatewayLlmLog", 3 * rows[0][1]])
            return {"Name": "string", "Rows": "long"}, rows
        count = self.asked.count
        rows = [
            [count(each), each[2] * count(each), int(each[2] > 1), each[0], each[1]] for each in sorted(set(self.asked))
        ]
        columns = {"Requests": "long", "Attempts": "long", "FailedOver": "long"}
        return {**columns, "Outcome": "string", "BackendHost": "string"}, rows


class ArmService(arm.ArmService):
    """The service; its fields are what a test sets and looks at."""

    def __init__(self, recorded: dict[str, dict[str, Any]]) -> None:
        self.models = _Services()
        self.faults: list[Fault] = []
        self.requests: list[tuple[str, str]] = []
        super().__init__(recorded, self.models)

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any) -> Answer:
        place = path.replace("/resourcegroups/", "/resourceGroups/")
        self.requests.append((method, place))
        for fault in self.faults:
            if fault.times and fault.method == method and re.search(fault.path, place):
                fault.times -= 1
                return fault.status, fault.headers, fault.body
        return super().answer(method, path, query, headers, body)
