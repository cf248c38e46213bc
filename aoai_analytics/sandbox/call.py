"""One request to the sandbox: what came in, what was decided, and what went out. The log is written from it."""

from __future__ import annotations

import uuid
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

from .policies import CLAUDE, Route, named_value
from .pool import BackendAnswer

Json = dict[str, Any]


@dataclass(frozen=True)
class Exchange:
    """What the MCP log has of one message: its client's name, version and protocol, and the error's type and text."""

    method: str
    server: tuple[str, str]
    client: tuple[str, str, str]
    session: str
    tool: str = ""
    tools: int = 0
    error: tuple[str, str] = ("", "")


@dataclass
class Call:
    """Filled in as the request goes through the gateway. ``gone``: the client disconnected before its answer's end."""

    method: str
    url: str
    address: str
    headers: dict[str, str]
    text: str
    body: Json
    moment: datetime = field(default_factory=lambda: datetime.now(UTC))
    correlation_id: str = field(default_factory=lambda: str(uuid.uuid4()))
    route: Route | None = None
    api_version: str = ""
    subscription: str = ""
    product: str = ""
    #: Object id of a token's caller.
    caller: str = ""
    #: What is sent to the model.
    sent: Json = field(default_factory=dict)
    attempts: list[BackendAnswer] = field(default_factory=list)
    traces: list[Json] = field(default_factory=list)
    #: Source, reason, message and section of the gateway's own error.
    last_error: tuple[str, str, str, str] | None = None
    status: int = 0
    response: str = ""
    response_bytes: int = 0
    gone: bool = False
    mcp: Exchange | None = None
    backend_seconds: float = 0.0
    seconds: float = 0.0

    @property
    def surface(self) -> str:
        """The API surface, '' where the gateway has no such operation."""
        return self.route.surface if self.route else ""

    @property
    def is_claude(self) -> bool:
        """Whether it came by Claude's API."""
        return self.route is not None and self.route.api == CLAUDE

    @property
    def pool(self) -> str:
        """The id of the pool that it goes to."""
        return named_value("claude-pool" if self.is_claude else "backend-pool")

    @property
    def deployment(self) -> str:
        """The deployment that was asked for."""
        return (self.route.deployment if self.route else "") or str(self.body.get("model") or "")

    @property
    def is_stream(self) -> bool:
        """Whether the client asked for a stream."""
        silent = ("embeddings", "models", "images", "speech", "other", "mcp", "")
        return self.body.get("stream") is True and self.surface not in silent

    @property
    def answered(self) -> BackendAnswer | None:
        """The last attempt, if a backend was asked."""
        return self.attempts[-1] if self.attempts and self.attempts[-1].backend else None

    @property
    def counts_in_log(self) -> bool:
        """Whether the gateway saw the answer's usage: a stream only has it where somebody asked for it."""
        if not self.is_stream or self.surface in ("responses", "messages", "transcriptions"):
            return not self.gone
        return (self.sent.get("stream_options") or {}).get("include_usage") is True and not self.gone
