"""A gateway on loopback, an environment in which the documentation's programs find it, and clocks that do not wait."""

from __future__ import annotations

import asyncio
import importlib
import os
import threading
import time
from collections.abc import Iterator
from typing import Any

import pytest

from aoai_analytics.sandbox.issuer import IDENTITY_HEADER
from tests.clients.gateway import KEY, Gateway

#: Settings that the libraries read by themselves, and that would lead them somewhere else.
FOREIGN = ("ANTHROPIC_", "AZURE_", "OPENAI_", "LANGCHAIN_", "LANGSMITH_", "IDENTITY_", "MSI_")
PROXIES = ("http_proxy", "https_proxy", "all_proxy")


def needs(module: str) -> Any:
    """A module of a client library, imported late because it is heavy. Where it is absent the test skips, but in CI."""
    if os.environ.get("CI"):
        return importlib.import_module(module)
    return pytest.importorskip(module, reason=f"needs {module}: pip install 'aoai-analytics[clients]'")


@pytest.fixture
def gateway(monkeypatch: pytest.MonkeyPatch) -> Iterator[Gateway]:
    """A fresh gateway; the environment names it, a key of it, and an identity that gets tokens from it."""
    for name in [name for name in os.environ if name.upper().startswith(FOREIGN) or name.lower() in PROXIES]:
        monkeypatch.delenv(name)
    with Gateway() as served:
        for name, value in {
            "GATEWAY_URL": served.url,
            "GATEWAY_KEY": KEY,
            # A managed identity, as App Service has one: the real DefaultAzureCredential asks there.
            "IDENTITY_ENDPOINT": f"{served.url}/identity",
            "IDENTITY_HEADER": IDENTITY_HEADER,
            "AZURE_TOKEN_CREDENTIALS": "ManagedIdentityCredential",
            "LANGSMITH_TRACING": "false",
        }.items():
            monkeypatch.setenv(name, value)
        yield served


@pytest.fixture
def waits(monkeypatch: pytest.MonkeyPatch) -> list[float]:
    """Seconds that a library would have waited; nothing waits."""
    found: list[float] = []
    pause = asyncio.sleep

    async def asleep(seconds: float, *arguments: object) -> None:
        if threading.current_thread() is not threading.main_thread():
            await pause(seconds)  # the gateway's own
            return
        if seconds:
            found.append(seconds)
        await pause(0)

    monkeypatch.setattr(time, "sleep", found.append)
    monkeypatch.setattr(asyncio, "sleep", asleep)
    return found
