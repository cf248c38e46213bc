"""The ways to count tokens that are compared, each a query over a lake, a row for each request that it counts."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from aoai_analytics.engines.local import LocalEngine

from .cases import Counted

if TYPE_CHECKING:
    import pandas as pd

# What the two published samples compute, in our own words: tokens from the answer's JSON body …
_BODIES = """
ApiManagementGatewayLogs
| where ResponseCode == 200
| extend Usage = parse_json(ResponseBody).usage
| project CorrelationId, Tokens = tolong(Usage.total_tokens)
| where Tokens > 0
"""
_BODIES_OF_OPERATION = _BODIES.replace("| extend", "| where OperationId == 'completions_create'\n| extend", 1)
# … and from the LLM log's row that names a deployment, joined to the gateway's row for the caller.
_LLM_LOG = """
ApiManagementGatewayLlmLog
| where isnotempty(DeploymentName)
| join kind=inner (ApiManagementGatewayLogs | project CorrelationId, ApimSubscriptionId) on CorrelationId
| project CorrelationId, Tokens = tolong(TotalTokens)
| where Tokens > 0
"""
_OURS = """
AoaiRequests
| where isnotnull(TotalTokens)
| project CorrelationId, Tokens = TotalTokens, IsEstimated = TokenSource == "estimated",
    Own = TokensOwnVariance, Shared = TokensSharedError
"""
_LOGGED = _OURS.replace("| where", '| where TokenSource != "estimated"\n| where', 1)


@dataclass(frozen=True)
class Method:
    """``delivered``: it counts the records as they came, duplicates twice, as the published queries do."""

    name: str
    kql: str
    delivered: bool = False


OURS = Method("ours", _OURS)
METHODS = (
    Method("bodies", _BODIES, delivered=True),
    Method("bodies, one OperationId", _BODIES_OF_OPERATION, delivered=True),
    Method("LLM log", _LLM_LOG, delivered=True),
    Method("ours without estimates", _LOGGED),
    OURS,
)


def count(method: Method, counted: Counted) -> pd.DataFrame:
    """``CorrelationId`` and ``Tokens`` of every row the method counts; of ours also the parts of the stated error."""
    lake = counted.delivered if method.delivered else counted.lake
    engine = LocalEngine(lake, str(lake.path))
    try:
        return engine.query(method.kql).frame
    finally:
        engine.close()
