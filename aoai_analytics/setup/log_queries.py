"""Questions to the workspace: did rows arrive, and what became of the requests of a test."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..errors import SetupError
from .arm import Arm
from .faults import translated
from .findings import Table

#: A table that nothing was written to yet may not exist, which is no error here.
_ARRIVED = """union isfuzzy=true
    (ApiManagementGatewayLogs | summarize Rows = count() | extend Name = "ApiManagementGatewayLogs"),
    (ApiManagementGatewayLlmLog | summarize Rows = count() | extend Name = "ApiManagementGatewayLlmLog")
| project Name, Rows"""
_BECAME = """AoaiRequests
| summarize Requests = count(), Attempts = sum(Attempts), FailedOver = countif(FailedOver)
    by Outcome, BackendHost
| order by Requests desc"""


def ask(arm: Arm, workspace: str, kql: str, span: timedelta | tuple[datetime, datetime]) -> Table:
    """The rows of a query of the workspace with that id, over that span of time. Raises SetupError."""
    from azure.core.exceptions import AzureError
    from azure.monitor.query import LogsQueryClient, LogsQueryResult

    endpoint = arm.configuration.logs_endpoint
    # The configuration lets only this machine's own addresses have plain HTTP.
    options: dict[str, Any] = {} if endpoint.startswith("https") else {"enforce_https": False}
    doing = f"asking workspace {workspace}"
    try:
        with LogsQueryClient(arm.credential, endpoint=endpoint) as client:
            result = client.query_workspace(workspace, kql, timespan=span, **options)
    except AzureError as error:
        raise translated(error, doing) from error
    if not isinstance(result, LogsQueryResult):
        raise SetupError(f"{doing}: only part of the rows were returned; choose a shorter period")
    (table,) = result.tables
    return Table(table.columns, [["" if cell is None else str(cell) for cell in row] for row in table.rows])


def rows_of_a_day(arm: Arm, workspace: str) -> dict[str, int]:
    """Rows that came to each of the two tables within the last day."""
    counted = {name: int(rows) for name, rows in ask(arm, workspace, _ARRIVED, timedelta(days=1)).rows}
    return {name: counted.get(name, 0) for name in ("ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog")}


def requests_between(arm: Arm, workspace: str, start: datetime, end: datetime) -> Table:
    """What became of the requests of a span: a row for each outcome and backend, with attempts and failovers."""
    return ask(arm, workspace, _BECAME, (start, end))
