"""What no log of the gateway tells, so that the doctor cannot find it either."""

from __future__ import annotations

LIMITS = (
    "How late records come: a lake's records carry no time of arrival. In Log Analytics, "
    "ApiManagementGatewayLogs | summarize percentile(ingestion_time() - TimeGenerated, 95) tells.",
    "Sampling that was always on: it drops both logs' records of a request together, and leaves no trace. "
    "Only a change of it shows, against the same hours of other weeks (three weeks of logs are best, two the least).",
    "Rows that restricted access keeps from you: a table, or some of its rows, are silently not there.",
    "Calls that go past the gateway, straight to a model's own endpoint.",
)
