"""An MCP server behind the gateway, over streamable HTTP without streams: ``docs-mcp``, with two tools.

Message shapes: the Model Context Protocol's specification, revision 2025-06-18. A session's client is remembered from
its ``initialize``, because later messages do not name it.
"""

from __future__ import annotations

import json
import uuid
from random import Random
from typing import Any

from .. import __version__
from ..sample.vocabulary import compose, kinds
from .call import Call, Exchange

Json = dict[str, Any]

NAME = "docs-mcp"
SERVER = (NAME, __version__)
PROTOCOLS = ("2025-06-18", "2025-03-26")
SESSION_HEADER = "mcp-session-id"

_TEXT = {"type": "object", "properties": {"query": {"type": "string"}}, "required": ["query"]}
_PAGE = {"type": "object", "properties": {"number": {"type": "integer"}}, "required": ["number"]}
TOOLS: tuple[Json, ...] = (
    {"name": "search", "description": "Search the sandbox's made-up documents.", "inputSchema": _TEXT},
    {"name": "fetch_page", "description": "Get a page, 1 to 9, of a made-up document.", "inputSchema": _PAGE},
)
_SESSIONS = 1000


class McpServer:
    """Answers messages; its sessions are in memory."""

    def __init__(self) -> None:
        self._clients: dict[str, tuple[str, str, str]] = {}

    def answer(self, call: Call) -> tuple[int, Json | None, dict[str, str], Exchange | None]:
        """Status, body, headers and what is logged of a message."""
        if call.method != "POST":
            return 405, _error(None, -32600, "Method Not Allowed"), {"Allow": "POST"}, None
        message = call.body
        session, method = call.headers.get(SESSION_HEADER, ""), str(message.get("method") or "")
        number = message.get("id")
        if message.get("jsonrpc") != "2.0" or not method:
            return 400, _error(number, -32600, "Invalid Request"), {}, None
        given = message.get("params")
        parameters: Json = given if isinstance(given, dict) else {}
        if method == "initialize":
            return self._begin(number, parameters)
        client = self._clients.get(session)
        if client is None:
            status = 404 if session else 400
            return status, _error(number, -32600, "Unknown session: send initialize first."), {}, None
        exchange = Exchange(method, SERVER, client, session)
        if number is None:
            return 202, None, {}, exchange
        if method == "ping":
            return 200, _result(number, {}), {}, exchange
        if method == "tools/list":
            exchange = Exchange(method, SERVER, client, session, tools=len(TOOLS))
            return 200, _result(number, {"tools": list(TOOLS)}), {}, exchange
        if method == "tools/call":
            return 200, *_called(number, parameters, client, session)
        failed = ("MethodNotFound", "Method not found")
        exchange = Exchange(method, SERVER, client, session, error=failed)
        return 200, _error(number, -32601, failed[1]), {}, exchange

    def _begin(self, number: Any, parameters: Json) -> tuple[int, Json | None, dict[str, str], Exchange | None]:
        info = parameters.get("clientInfo")
        named: Json = info if isinstance(info, dict) else {}
        asked = str(parameters.get("protocolVersion") or "")
        protocol = asked if asked in PROTOCOLS else PROTOCOLS[0]
        client = (str(named.get("name") or ""), str(named.get("version") or ""), protocol)
        session = str(uuid.uuid4())
        if len(self._clients) >= _SESSIONS:
            self._clients.pop(next(iter(self._clients)))
        self._clients[session] = client
        result = {
            "protocolVersion": protocol,
            "capabilities": {"tools": {}},
            "serverInfo": {"name": NAME, "version": __version__},
        }
        return 200, _result(number, result), {SESSION_HEADER: session}, Exchange("initialize", SERVER, client, session)


def _called(
    number: Any, parameters: Json, client: tuple[str, str, str], session: str
) -> tuple[Json, dict[str, str], Exchange]:
    name, given = str(parameters.get("name") or ""), parameters.get("arguments")
    arguments: Json = given if isinstance(given, dict) else {}
    if name not in {tool["name"] for tool in TOOLS}:
        exchange = Exchange("tools/call", SERVER, client, session, name, error=("InvalidParams", "Unknown tool"))
        return _error(number, -32602, f"Unknown tool: {name}"), {}, exchange
    wrong = name == "fetch_page" and arguments.get("number") not in range(1, 10)
    text = "There is no such page." if wrong else _text(json.dumps(arguments, sort_keys=True))
    error = ("ToolError", "The tool reported an error.") if wrong else ("", "")
    result = {"content": [{"type": "text", "text": text}], "isError": wrong}
    return _result(number, result), {}, Exchange("tools/call", SERVER, client, session, name, error=error)


def _text(asked: str) -> str:
    return compose(kinds()["engineering"], 40, Random(asked)).text


def _result(number: Any, result: Json) -> Json:
    return {"jsonrpc": "2.0", "id": number, "result": result}


def _error(number: Any, code: int, message: str) -> Json:
    return {"jsonrpc": "2.0", "id": number, "error": {"code": code, "message": message}}
