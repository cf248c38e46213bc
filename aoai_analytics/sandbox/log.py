"""The sandbox's logs, in the layout that a diagnostic setting writes to a storage account.

Records are made by the sample's record builders. As in a storage account, some are written twice and some late.
"""

from __future__ import annotations

import json
from collections import defaultdict
from dataclasses import replace
from datetime import UTC, datetime
from pathlib import Path
from random import Random
from typing import Any

from ..errors import AoaiError
from ..sample import records
from ..sample.flaws import ENTRY_LIMIT, FLAWS, Flaws
from ..sample.mcp import MCP_LOGS, mcp_line
from . import media
from .call import Call
from .policies import MCP

Json = dict[str, Any]

GATEWAY_LOGS, LLM_LOGS = "insights-logs-gatewaylogs", "insights-logs-gatewayllmlogs"
_MCP_HOST = "docs-mcp.contoso.example"
#: What the log keeps of the messages of a side, as ``gateway-logging.bicep`` asks for.
_MESSAGE_BYTES = 262_144
#: Rows that are late come so many seconds after the others.
_LATE = (20, 90)

#: Nothing is lost; a few records come twice or late.
FLAWS_OF_SANDBOX = replace(
    FLAWS["complete"],
    entry_limit=ENTRY_LIMIT,
    gateway_twice=Flaws.gateway_twice,
    llm_row_twice=Flaws.llm_row_twice,
    llm_row_late=Flaws.llm_row_late,
)


class Log:
    """Collects records and writes them to a folder when ``flush`` is called. Not thread-safe."""

    def __init__(self, folder: Path, *, body_bytes: int, flaws: Flaws = FLAWS_OF_SANDBOX, seed: int = 1) -> None:
        self.folder = folder
        self.written = 0
        self.keeps_bodies = body_bytes > 0
        self._body_bytes = body_bytes
        self._flaws = flaws
        self._rng = Random(f"log {seed}")
        self._waiting: list[tuple[float, str, bytes]] = []

    def add(self, call: Call) -> None:
        """Note what the gateway logs of a call."""
        rng, flaws = self._rng, self._flaws
        now = datetime.now(UTC)
        line = self._gateway_line(call)
        for _ in range(2 if rng.random() < flaws.gateway_twice else 1):
            self._waiting.append((0.0, records.blob_folder(GATEWAY_LOGS, records.hour_of(call.moment)), line))
        if call.mcp:
            self._waiting.append((0.0, records.blob_folder(MCP_LOGS, records.hour_of(call.moment)), _mcp_line(call)))
        rows = self._llm_rows(call, now)
        lost = rng.random() < flaws.llm_rows_lost
        due = now.timestamp() + rng.uniform(*_LATE) if rng.random() < flaws.llm_row_late else 0.0
        for row in () if lost else rows:
            for _ in range(2 if rng.random() < flaws.llm_row_twice else 1):
                self._waiting.append((due, records.blob_folder(LLM_LOGS, records.hour_of(now)), row))

    def flush(self, *, late: bool = False) -> None:
        """Append what is due to the blobs; *late*: also what would only come later.

        Raises AoaiError; what could not be written is written by the next call that can.
        """
        now = datetime.now(UTC).timestamp()
        by_blob: dict[str, list[tuple[float, str, bytes]]] = defaultdict(list)
        for each in self._waiting:
            if late or each[0] <= now:
                by_blob[each[1]].append(each)
        for blob, rows in by_blob.items():
            file = self.folder / blob / "PT1H.json"
            try:
                file.parent.mkdir(parents=True, exist_ok=True)
                with file.open("ab") as opened:
                    opened.write(b"".join(line + b"\n" for _, _, line in rows))
            except OSError as error:
                raise AoaiError(f"cannot write the sandbox's logs to {file}: {error.strerror}") from error
            done = {id(row) for row in rows}
            self._waiting = [each for each in self._waiting if id(each) not in done]
            self.written += len(rows)

    def _gateway_line(self, call: Call) -> bytes:
        properties = self._properties(call)
        if self._body_bytes and self._rng.random() >= self._flaws.bodies_lost:
            properties["requestBody"] = records.cut(call.text, self._body_bytes)
            properties["responseBody"] = records.cut(call.response, self._body_bytes)
        line, _ = records.gateway_line(
            call.moment,
            call.correlation_id,
            duration=round(1000 * call.seconds),
            caller=call.address,
            success=call.status < 400 and not call.gone,
            properties=properties,
            limit=self._flaws.entry_limit,
        )
        return line

    def _properties(self, call: Call) -> Json:
        route, answered = call.route, call.answered
        properties: Json = {
            "method": call.method,
            "url": call.url,
            "responseCode": 499 if call.gone else call.status,
            "responseSize": call.response_bytes,
            "cache": "none",
            "requestSize": sum(len(name) + len(value) + 4 for name, value in call.headers.items())
            + len(call.text.encode()),
            "apiId": route.api if route else "",
            "operationId": route.operation if route else "",
            "clientProtocol": "HTTP/1.1",
            "apiRevision": "1",
            "clientTime": round(1000 * max(0.0, call.seconds - call.backend_seconds)),
        }
        if call.subscription:
            properties |= {"apimSubscriptionId": call.subscription, "productId": call.product}
        if answered:
            path = call.url.split("/", 3)[3]
            # A Foundry resource has Claude at another host (openai-account.bicep).
            host = "services.ai.azure.com" if call.is_claude else "openai.azure.com"
            properties |= {
                "backendUrl": f"https://{answered.backend}.{host}/{path}",
                "backendMethod": call.method,
                "backendProtocol": "HTTP/1.1",
                "backendTime": round(1000 * call.backend_seconds),
                "backendId": call.pool,
            }
            if answered.status is not None:
                properties["backendResponseCode"] = answered.status
        if call.mcp:
            properties |= {"backendUrl": f"https://{_MCP_HOST}{MCP}", "backendMethod": call.method, "backendTime": 0}
            properties |= {"backendResponseCode": call.status, "backendId": call.mcp.server[0]}
        if call.traces:
            properties["traceRecords"] = call.traces
        if call.last_error:
            source, reason, message, section = call.last_error
            error = {"elapsed": round(1000 * call.seconds), "source": source, "reason": reason, "message": message,
                     "section": section}  # fmt: skip
            properties |= {"lastError": error, "errors": [error]}
        return properties

    def _llm_rows(self, call: Call, moment: datetime) -> list[bytes]:
        answered = call.answered
        if not answered or answered.status in (None, 404) or call.surface in ("models", "other", *media.MODELS):
            return []
        reply = answered.reply
        served = None
        if reply:
            usage = reply.usage
            # Of Claude's prompts the log leaves out what the cache read and wrote.
            prompt = usage.prompt - (usage.cached + usage.written if call.surface == "messages" else 0)
            counts = (prompt, usage.completion) if call.counts_in_log else (0, 0)
            served = (reply.deployment, reply.model, *counts)
        text = reply.text if reply and not call.gone else ""
        return records.llm_lines(
            moment,
            call.correlation_id,
            request_id=reply.answer_id if reply else "",
            api_version=call.api_version,
            stream=call.is_stream,
            served=served,
            request_messages=records.cut(_json(_messages(call)), _MESSAGE_BYTES),
            response_messages=records.cut(_json([{"role": "assistant", "content": text}]), _MESSAGE_BYTES)
            if text
            else "",
        )


def _mcp_line(call: Call) -> bytes:
    exchange = call.mcp
    assert exchange is not None
    return mcp_line(
        call.moment,
        call.correlation_id,
        method=exchange.method,
        endpoint=call.url,
        server=exchange.server,
        client=exchange.client,
        session=exchange.session,
        tool=exchange.tool,
        tools=exchange.tools,
        error=exchange.error,
        authentication="entra" if call.caller else "subscriptionKey",
    )


def _messages(call: Call) -> list[Any]:
    """What was asked, as messages."""
    body = call.body
    if isinstance(body.get("messages"), list):
        system = [{"role": "system", "content": body["system"]}] if body.get("system") else []
        return [*system, *body["messages"]]
    given = body.get("input", body.get("prompt"))
    first = [{"role": "system", "content": body["instructions"]}] if body.get("instructions") else []
    if call.surface == "responses" and isinstance(given, list):
        return [*first, *given]
    return [*first, {"role": "user", "content": given}]


def _json(data: Any) -> str:
    # Half of a surrogate pair, which JSON can escape, is no text.
    text = json.dumps(data, ensure_ascii=False, separators=(",", ":"))
    return text.encode("utf-8", "replace").decode()
