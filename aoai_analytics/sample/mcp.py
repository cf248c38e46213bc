"""Calls of MCP servers behind the gateway: a record in the MCP log, and the gateway's own for caller and time.

Columns and category: Azure Monitor's table reference for ApiManagementGatewayMCPLog.
"""

from __future__ import annotations

import uuid
from datetime import datetime, timedelta
from random import Random
from typing import Any

import orjson

from aoai_analytics.sample import records
from aoai_analytics.sample.world import GATEWAY, RESOURCE_ID, Team, User

MCP_LOGS = "insights-logs-gatewaymcplogs"
#: Server -> its version, and its tools with the share of calls that fail and the usual milliseconds.
_SERVERS: dict[str, tuple[str, dict[str, tuple[float, int]]]] = {
    "orders-mcp": ("1.4.0", {"find_order": (0.02, 180), "cancel_order": (0.15, 420), "list_orders": (0.01, 350)}),
    "docs-mcp": ("0.9.2", {"search": (0.03, 640), "fetch_page": (0.08, 900)}),
}
_CLIENTS = (
    ("vscode", "1.106.0", "2025-06-18"),
    ("claude-code", "2.0.31", "2025-06-18"),
    ("agent-sdk", "0.4", "2025-03-26"),
)
_ERRORS = (("ToolError", "The tool reported an error."), ("Timeout", "The MCP server did not answer in time."))


class McpCalls:
    """Draws sessions of MCP clients: ``initialize``, ``tools/list``, then calls of tools."""

    def __init__(self, seed: int, teams: tuple[Team, ...], users: dict[str, list[User]]):
        self._seed, self._teams, self._users = seed, teams, users

    def of_hour(self, number: int, hour: datetime, calls: int) -> list[tuple[str, datetime, bytes]]:
        """The records of the *calls* of an hour: container, hour and line, in order of time."""
        rng = Random(f"{self._seed}/mcp/{number}")
        lines: list[tuple[datetime, str, bytes]] = []
        while calls > 0:
            length = min(calls, rng.randrange(3, 9))
            begin = hour + timedelta(seconds=rng.randrange(3000))
            lines += self._session(rng, begin, length)
            calls -= length
        return [(container, records.hour_of(moment), line) for moment, container, line in sorted(lines)]

    def _session(self, rng: Random, begin: datetime, length: int) -> list[tuple[datetime, str, bytes]]:
        team = rng.choice(self._teams)
        user = rng.choice(self._users[team.name])
        server = rng.choice(tuple(_SERVERS))
        client, session, address = rng.choice(_CLIENTS), _uuid(rng), rng.choice(user.addresses)
        lines = []
        for number in range(length):
            moment = begin + timedelta(seconds=number * rng.randrange(5, 60), microseconds=rng.randrange(1_000_000))
            method = ("initialize", "tools/list")[number] if number < 2 else "tools/call"
            tools = _SERVERS[server][1]
            tool = rng.choice(tuple(tools)) if method == "tools/call" else ""
            share, usual = tools.get(tool, (0.0, 40))
            error = rng.choice(_ERRORS) if rng.random() < share else ("", "")
            name = _uuid(rng)
            duration = max(5, round(usual * rng.lognormvariate(0, 0.5)))
            lines.append(
                (
                    moment,
                    "insights-logs-gatewaylogs",
                    _gateway(rng, moment, name, team, user, server, address, duration),
                )
            )
            line = mcp_line(
                moment,
                name,
                method=method,
                endpoint=f"{GATEWAY}/{server}/mcp",
                server=(server, _SERVERS[server][0]),
                client=client,
                session=session,
                tool=tool,
                tools=len(tools) if method == "tools/list" else 0,
                error=error,
            )
            lines.append((moment, MCP_LOGS, line))
        return lines


def _gateway(
    rng: Random, moment: datetime, name: str, team: Team, user: User, server: str, address: str, duration: int
) -> bytes:
    properties: dict[str, Any] = {
        "method": "POST", "url": f"{GATEWAY}/{server}/mcp", "responseCode": 200,
        "responseSize": rng.randrange(400, 6000),
        "cache": "none",
        "requestSize": user.header_bytes + rng.randrange(120, 500), "apiId": server, "operationId": "mcp",
        "clientProtocol": "HTTP/1.1", "apiRevision": "1", "clientTlsVersion": "1.3", "clientTime": rng.randrange(1, 30),
        "apimSubscriptionId": team.subscription, "productId": team.product,
        "backendUrl": f"https://{server}.contoso.example/mcp", "backendMethod": "POST", "backendResponseCode": 200,
        "backendProtocol": "HTTP/1.1", "backendTime": duration - 3, "backendId": server,
    }  # fmt: skip
    if user.registered:
        properties["userId"] = user.name
    line, _ = records.gateway_line(
        moment, name, duration=duration, caller=address, success=True, properties=properties, limit=32_768
    )
    return line


def mcp_line(
    moment: datetime,
    correlation_id: str,
    *,
    method: str,
    endpoint: str,
    server: tuple[str, str],
    client: tuple[str, str, str],
    session: str,
    tool: str = "",
    tools: int = 0,
    error: tuple[str, str] = ("", ""),
    authentication: str = "subscriptionKey",
) -> bytes:
    """A record of the MCP log. ``server``: name and version; ``client``: name, version and protocol; ``error``: type
    and message; ``tools``: how many a list of tools has."""
    properties = {
        "method": method,
        "serverName": server[0],
        "serverVersion": server[1],
        "mcpServerEndpoint": endpoint,
        "protocolVersion": client[2],
        "clientName": client[0],
        "clientVersion": client[1],
        "sessionId": session,
        "toolName": tool,
        "toolCount": tools,
        "apiType": "mcp",
        "authenticationMethod": authentication,
        "transportType": "streamable-http",
        "errorType": error[0],
        "error": error[1],
    }
    return orjson.dumps(
        {
            "time": records.log_time(moment),
            "operationName": "Microsoft.ApiManagement/GatewayMCPLogs",
            "category": "GatewayMCPLogs",
            "correlationId": correlation_id,
            "resourceId": RESOURCE_ID,
            "location": "East US 2",
            "properties": properties,
        }
    )


def _uuid(rng: Random) -> str:
    return str(uuid.UUID(int=rng.getrandbits(128), version=4))
