"""Queries to the workspace: whether rows arrived, and the outcomes of test requests."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import Any

from ..errors import SetupError
from .arm import Arm
from .faults import translated
from .findings import Table

#: A table without data may not exist yet, which is not an error here.
_ARRIVED = """union isfuzzy=true
    (ApiManagementGatewayLogs | summarize Rows = count() | extend Name = "ApiManagementGatewayLogs"),
    (ApiManagementGatewayLlmLog | summarize Rows = count() | extend Name = "ApiManagementGatewayLlmLog")
| project Name, Rows"""
_BECAME = """AoaiRequests
| summarize Requests = count(), Attempts = sum(Attempts), FailedOver = countif(FailedOver)
    by Outcome, BackendHost
| order by Requests desc"""


def ask(arm: Arm, workspace: str, kql: str, span: timedelta | tuple[datetime, datetime]) -> Table:
    """The rows of a query over a timespan in the workspace with that ID. Raises SetupError."""
    from azure.core.exceptions import AzureError
    from azure.monitor.query import LogsQueryClient, LogsQueryResult

    endpoint = arm.configuration.logs_endpoint
    # The configuration allows plain HTTP only for this machine's own addresses.
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
    """Rows that arrived in each of the two tables within the last day."""
    counted = {name: int(rows) for name, rows in ask(arm, workspace, _ARRIVED, timedelta(days=1)).rows}
    return {name: counted.get(name, 0) for name in ("ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog")}


def requests_between(arm: Arm, workspace: str, start: datetime, end: datetime) -> Table:
    """The outcomes of requests in a timespan: one row per outcome and backend, with attempts and failovers."""
    return ask(arm, workspace, _BECAME, (start, end))
