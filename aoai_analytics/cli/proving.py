"""What ``aoai setup prove`` asks: the library, the alerts and the workbook, in the workspace and in the archive."""

from __future__ import annotations

import json
import tempfile
import urllib.request
import uuid
from contextlib import ExitStack, closing
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..library import library
from .alert_records import made

if TYPE_CHECKING:
    from ..engines.protocol import Engine
    from ..setup import Guide
    from ..setup.proving import Ask, Row

#: Storage Blob Data Reader: the archive is read with the login of whoever proves.
_BLOB_READER = "2a2b9908-6ea1-4ae2-8e65-a410df84e7d1"
_CONTAINERS = ("insights-logs-gatewaylogs", "insights-logs-gatewayllmlogs", "insights-logs-gatewaymcplogs")

#: Alert -> thresholds that the run's own calls pass. The others need what no run can cause; ``alert_records`` has
#: records for them.
_FIRING: dict[str, dict[str, Any]] = {
    "alerts/throttling": {"maxShare": 0, "minRequests": 1},
    "alerts/error-budget": {
        "slo": 100,
        "countGatewayThrottling": True,
        "minFailures": 1,
        "longWindow": "1d",
        "shortWindow": "1d",
    },
    "alerts/budget-pace": {"budgets": ["(all)=0.000001"]},
    "alerts/new-caller": {"history": "0d", "minTokens": 0},
    "alerts/logs-stopped": {"minRecords": 1, "weekends": True},
}


class LogQuestions:
    """See ``setup.proving.Questions``. *only*: names of library queries; None: all.

    *stored*: the workbook's queries without the tables that a lake stores, which the local engine reads for seconds.
    """

    def __init__(self, only: list[str] | None = None, *, stored: bool = False) -> None:
        self._stored = stored
        chosen = [library().get(name) for name in only] if only else list(library())
        self.library = {query.name: query.bind() for query in chosen if query.section != "alerts"}
        alerts = [query for query in chosen if query.section == "alerts"] if only else library().section("alerts")
        self.alerts = {query.name: query.bind() for query in alerts}
        self.made_alerts = made(self.alerts)
        self._only = set(self.library) if only else None
        self._made = ExitStack()
        self._folder = self._made.enter_context(tempfile.TemporaryDirectory(prefix="aoai-prove-"))

    def firing(self, until: datetime) -> dict[str, str]:
        """The alerts that any run of calls, failures and used-up limits must fire, once their thresholds are low."""
        wanted = dict(_FIRING, **{"alerts/logs-stopped": _FIRING["alerts/logs-stopped"] | {"until": until}})
        return {name: library().get(name).bind(**values) for name, values in wanted.items() if name in self.alerts}

    def workspace(self, guide: Guide) -> Ask:
        """Asks the workspace through the package's own engine."""
        from ..engines import connect

        workspace = guide.arm.get(guide.installation().id_of("workspace"))
        assert workspace, "the step that makes it has succeeded"
        source = f"log-analytics://{workspace['properties']['customerId']}"
        engine = connect(source, credential=guide.arm.credential, endpoint=guide.configuration.logs_endpoint)
        return asking(self._made.enter_context(closing(engine)))

    def lake(self, guide: Guide) -> Ask:
        """Asks a lake made from the storage account, or from the sandbox's logs."""
        from ..engines import connect
        from ..lake.delta import Lake
        from ..lake.ingest import ingest
        from ..lake.recompute import recompute

        values = {row[0]: row[1] for row in guide.connection().rows}
        if guide.configuration.sandbox:
            logs = [_logs_of_sandbox(values["apiUrl"])]
        else:
            _let_me_read(guide)
            logs = [f"{values['logStorageEndpoint'].rstrip('/')}/{name}" for name in _CONTAINERS[:2]]
        lake = Lake.create(Path(self._folder) / "lake")
        ingest(logs, lake, credential=guide.arm.credential)
        recompute(lake)
        return asking(self._made.enter_context(closing(connect(str(lake.path)))))

    def workbook(self, start: datetime, end: datetime) -> dict[str, str]:
        """The workbook's tables and charts, with its own defaults; of *only*, those that show one of its queries."""
        from ..export.workbook import workbook
        from ..export.workbook.filling import Chosen, filled, parameters, steps

        built = workbook()
        chosen = Chosen(start, end, {}, stored=self._stored, computed=self._stored)
        found = {}
        for step in steps(built["items"]):
            name = str(step.get("name"))
            if step["type"] == 3 and (self._only is None or self._only & set(name.split())):
                found[name] = filled(step["content"]["query"], parameters(built), chosen)
        return found

    def close(self) -> None:
        """Close the engines, and delete the lake."""
        self._made.close()


def asking(engine: Engine) -> Ask:
    """Rows as the engine gives them, prompts among them: the proof counts and compares them, and shows none."""

    def asked(kql: str, start: datetime, end: datetime) -> list[Row]:
        frame = engine.query(kql, start=start, end=end).frame
        rows = frame.astype(object).where(frame.notna(), None)
        return [dict(zip(rows.columns, row, strict=True)) for row in rows.itertuples(index=False, name=None)]

    return asked


def _logs_of_sandbox(api: str) -> str:
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    with opener.open(api.removesuffix("/openai") + "/sandbox/state", timeout=10) as answer:
        return str(json.load(answer)["logs"])


def _let_me_read(guide: Guide) -> None:
    """Assign the signed-in identity the role to read the archive, on its storage account."""
    account = guide.installation().id_of("storage")
    who = guide.arm.who()["object"]
    roles = f"/subscriptions/{guide.configuration.subscription}/providers/Microsoft.Authorization/roleDefinitions/"
    name = uuid.uuid5(uuid.NAMESPACE_URL, f"{account.lower()}/{who}/{_BLOB_READER}")
    properties = {"roleDefinitionId": roles + _BLOB_READER, "principalId": who}
    guide.arm.put(f"{account}/providers/Microsoft.Authorization/roleAssignments/{name}", {"properties": properties})
