"""The sandbox's MCP server: the messages of the specification, and their records in the MCP log and in AoaiMcp."""

from __future__ import annotations

import asyncio
import json
import urllib.error
import urllib.request
from pathlib import Path
from typing import Any

from aoai_analytics.engines import connect
from aoai_analytics.sandbox.mcp import SESSION_HEADER
from aoai_analytics.sandbox.policies import MCP
from aoai_analytics.sandbox.serve import make, running
from tests.clients.conftest import needs
from tests.lakes import lake_of

Json = dict[str, Any]


class Client:
    """A client of the protocol's 2025-06-18 revision, without streams."""

    def __init__(self, url: str, key: str) -> None:
        self.address, self.session = url + MCP, ""
        self.headers = {
            "api-key": key,
            "Content-Type": "application/json",
            "Accept": "application/json, text/event-stream",
        }
        self.number = 0

    def send(self, method: str, parameters: Json | None = None, *, notification: bool = False) -> tuple[int, Json]:
        message: Json = {"jsonrpc": "2.0", "method": method, "params": parameters or {}}
        if not notification:
            self.number += 1
            message["id"] = self.number
        headers = self.headers | ({SESSION_HEADER: self.session} if self.session else {})
        request = urllib.request.Request(self.address, json.dumps(message).encode(), headers)
        try:
            with urllib.request.urlopen(request) as answer:
                self.session = answer.headers.get(SESSION_HEADER) or self.session
                text = answer.read()
                return answer.status, json.loads(text) if text else {}
        except urllib.error.HTTPError as refused:
            with refused:
                return refused.code, json.loads(refused.read())

    def begin(self) -> Json:
        about = {
            "protocolVersion": "2025-06-18",
            "capabilities": {},
            "clientInfo": {"name": "try-out", "version": "3.1"},
        }
        status, found = self.send("initialize", about)
        assert status == 200 and self.session
        assert self.send("notifications/initialized", notification=True) == (202, {})
        result: Json = found["result"]
        return result


async def library(url: str) -> None:
    """The protocol's own client, as a second caller."""
    mcp, http = needs("mcp"), needs("mcp.client.streamable_http")
    web = http.create_mcp_http_client(headers={"api-key": "key-of-sub-hr"})
    async with web, mcp.Client(http.streamable_http_client(url + MCP, http_client=web)) as client:
        assert [tool.name for tool in (await client.list_tools()).tools] == ["search", "fetch_page"]
        found = await client.call_tool("search", {"query": "orders"})
        assert not found.is_error and found.content[0].text
        assert (await client.call_tool("fetch_page", {"number": 99})).is_error


def test_tools_are_listed_called_and_logged_with_who_called(tmp_path: Path) -> None:
    with running(make(tmp_path / "logs")) as url:
        client = Client(url, "key-of-sub-finance")
        assert client.begin()["protocolVersion"] == "2025-06-18"
        tools = client.send("tools/list")[1]["result"]["tools"]
        assert [tool["name"] for tool in tools] == ["search", "fetch_page"]
        found = client.send("tools/call", {"name": "search", "arguments": {"query": "orders"}})[1]["result"]
        assert found["isError"] is False and found["content"][0]["text"]
        assert client.send("tools/call", {"name": "fetch_page", "arguments": {"number": 99}})[1]["result"]["isError"]
        assert client.send("tools/call", {"name": "no-such-tool"})[1]["error"]["code"] == -32602
        assert client.send("resources/list")[1]["error"]["code"] == -32601
        asyncio.run(library(url))

    engine = connect(lake_of(tmp_path / "lake", tmp_path / "logs"))
    rows = engine.query("AoaiMcp | where SubscriptionId == 'sub-finance' | sort by TimeGenerated asc").frame
    columns = ["Method", "ToolName", "ToolCount", "IsError", "ErrorCode"]
    assert [tuple(row) for row in rows[columns].itertuples(index=False)] == [
        ("initialize", "", 0, False, ""),
        ("notifications/initialized", "", 0, False, ""),
        ("tools/list", "", 2, False, ""),
        ("tools/call", "search", 0, False, ""),
        ("tools/call", "fetch_page", 0, True, "ToolError"),
        ("tools/call", "no-such-tool", 0, True, "InvalidParams"),
        ("resources/list", "", 0, True, "MethodNotFound"),
    ]
    theirs = engine.query("AoaiMcp | where SubscriptionId == 'sub-hr' | sort by TimeGenerated asc").frame
    assert set(theirs["ClientName"]) == {"mcp"} and theirs["HasGatewayRow"].all()
    assert list(theirs["Method"])[:2] == ["initialize", "notifications/initialized"]
    calls = theirs[theirs["Method"].eq("tools/call")]
    assert list(calls["ToolName"]) == ["search", "fetch_page"] and list(calls["IsError"]) == [False, True]
    assert set(rows["SubscriptionId"]) == {"sub-finance"} and set(rows["ServerName"]) == {"docs-mcp"}
    assert set(rows["ClientName"]) == {"try-out"} and rows["HasGatewayRow"].all()
    assert set(rows["SessionId"]) == {client.session}


def test_who_has_no_key_or_no_session_is_refused(tmp_path: Path) -> None:
    with running(make(tmp_path)) as url:
        assert Client(url, "wrong").send("initialize")[0] == 401
        client = Client(url, "key-of-sub-hr")
        assert client.send("tools/list")[0] == 400
        client.session = "of another server"
        assert client.send("tools/list")[0] == 404
        request = urllib.request.Request(client.address, headers=client.headers)
        try:
            urllib.request.urlopen(request)
        except urllib.error.HTTPError as refused:
            with refused:
                assert (refused.code, refused.headers["Allow"]) == (405, "POST")
