"""Library questions as one would write them by hand in DuckDB's SQL, on the stored ``AoaiRequests``."""

from __future__ import annotations

_TOKENS = """count(*) AS "Requests", sum("PromptTokens") AS "PromptTokens",
    sum("CompletionTokens") AS "CompletionTokens", sum("TotalTokens") AS "TotalTokens",
    sum("TotalTokens") FILTER ("TokenSource" = 'estimated') AS "EstimatedTokens",
    round(sqrt(sum("TokensOwnVariance") + sum("TokensSharedError") ^ 2), 1) AS "TokensError",
    count(*) FILTER ("TokenSource" = 'none') AS "UnknownRequests\""""
_SHARE = """round(100.0 * "TotalTokens" / (SELECT sum("TotalTokens") FROM requests), 1) AS "Share\""""
_DAY = "date_trunc('day', \"TimeGenerated\" AT TIME ZONE 'UTC')"

#: Query of the library -> SQL over ``requests`` with the same rows, and all or most of the columns.
HAND_SQL = {
    "tokens/by-subscription": f"""SELECT *, {_SHARE} FROM (
        SELECT "SubscriptionId", count(DISTINCT "CallerIpAddress") AS "Users", {_TOKENS} FROM requests GROUP BY ALL)
        ORDER BY "TotalTokens" DESC, "SubscriptionId" LIMIT 20""",
    "tokens/by-day": f"""SELECT {_DAY} AS "Day", count(DISTINCT "CallerIpAddress") AS "Callers", {_TOKENS}
        FROM requests GROUP BY ALL ORDER BY 1""",
    "tokens/by-caller-and-model": f"""SELECT "CallerIpAddress", "ModelName", {_TOKENS}
        FROM requests GROUP BY ALL ORDER BY "TotalTokens" DESC NULLS LAST, "CallerIpAddress", "ModelName" LIMIT 20""",
    "models/usage": f"""SELECT *, {_SHARE} FROM (SELECT "ModelName", "ModelVersion",
        count(DISTINCT "DeploymentName") FILTER ("DeploymentName" <> '') AS "Deployments", {_TOKENS}
        FROM requests GROUP BY ALL) ORDER BY "TotalTokens" DESC NULLS LAST, "ModelName\"""",
    "reliability/outcomes": """SELECT "Outcome", count(*) AS "Requests",
        round(100.0 * count(*) / (SELECT count(*) FROM requests), 1) AS "Share",
        count(DISTINCT "CallerIpAddress") AS "Callers",
        count(DISTINCT "SubscriptionId") FILTER ("SubscriptionId" <> '') AS "Subscriptions",
        quantile_disc("TotalTime", 0.5) AS "P50Time", quantile_disc("TotalTime", 0.95) AS "P95Time"
        FROM requests GROUP BY ALL ORDER BY "Requests" DESC, "Outcome\"""",
    "reliability/latency-over-time": """SELECT date_trunc('hour', "TimeGenerated") AS "TimeGenerated", "ModelName",
        count(*) AS "Requests", quantile_disc("TotalTime", 0.5) AS "P50", quantile_disc("TotalTime", 0.95) AS "P95",
        quantile_disc("TotalTime", 0.99) AS "P99" FROM requests
        WHERE "Outcome" = 'success' AND "TotalTime" IS NOT NULL GROUP BY ALL ORDER BY 1, 2""",
    "reliability/success-rate": """SELECT "DeploymentName", count(*) AS "Requests",
        count(*) FILTER ("Outcome" IN ('success', 'cache-hit', 'server-error', 'throttled-backend'))
            AS "CountedRequests",
        count(*) FILTER ("Outcome" IN ('server-error', 'throttled-backend')) AS "FailedRequests"
        FROM requests GROUP BY ALL""",
}
