"""Problems that the doctor cannot detect, because no gateway log shows them."""

from __future__ import annotations

LIMITS = (
    "Ingestion delay: records in a lake have no arrival time. In Log Analytics, run "
    "ApiManagementGatewayLogs | summarize percentile(ingestion_time() - TimeGenerated, 95).",
    "Sampling that was always on: it drops a request's records from both logs and leaves no trace. "
    "Only a change shows, compared with the same hours of other weeks (at least two weeks of logs, better three).",
    "Rows that restricted access hides: a table, or some of its rows, is silently missing.",
    "Calls that bypass the gateway and go straight to a model endpoint.",
)
