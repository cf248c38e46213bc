"""Requests to models, directly and through the gateway, as clients send them. Response text is never shown or kept."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from typing import Any
from urllib.parse import urlsplit

from ..errors import SetupError

API_VERSION = "2024-10-21"
#: Of Anthropic's API: https://platform.claude.com/docs/en/api/versioning
ANTHROPIC_VERSION = "2023-06-01"
PROMPT = "Answer with the one word: ready"
#: Signs of models without chat; embeddings are tested separately.
_EMBEDDINGS = ("embedding",)
_NO_CHAT = (*_EMBEDDINGS, "dall-e", "image", "sora", "whisper", "tts", "audio", "realtime", "transcribe", "codex")
#: Models that accept max_tokens; later ones accept only max_completion_tokens.
_OLDER = ("gpt-35", "gpt-3.5", "gpt-4")


@dataclass(frozen=True)
class Answer:
    """A response: status (0: no response), headers in lower case, the JSON body or, for a stream, its events."""

    status: int
    headers: Mapping[str, str]
    body: Any = None
    events: tuple[Any, ...] = ()

    @property
    def code(self) -> str:
        """The error's code, as the OpenAI libraries read it; '' if there is none."""
        error = self.body.get("error") if isinstance(self.body, dict) else None
        return str(error.get("code") or "") if isinstance(error, dict) else ""

    @property
    def tokens(self) -> int | None:
        """Total tokens in the response's usage; None if it has none."""
        for part in (self.body, *reversed(self.events)):
            usage = part.get("usage") if isinstance(part, dict) else None
            if isinstance(usage, dict) and "total_tokens" in usage:
                return int(usage["total_tokens"])
        of_claude = claude_usage(self)
        return None if of_claude is None else sum(of_claude)


@dataclass(frozen=True)
class Model:
    """A deployment that answers conversations: at OpenAI's API, or Claude at Anthropic's."""

    name: str
    model: str
    claude: bool = False

    def url(self, base: str) -> str:
        """Where it is asked; *base* ends in ``/openai``, and Claude's API is beside it."""
        return f"{claude_base(base)}/v1/messages" if self.claude else chat_url(base, self.name)

    def body(self, prompt: str = PROMPT) -> dict[str, Any]:
        """A request with one user message."""
        return {"model": self.name, "max_tokens": 16, **chat_body(prompt)} if self.claude else chat_body(prompt)

    def headers(self, key: str) -> dict[str, str]:
        """The headers with a subscription's *key*; '' for none."""
        version = {"anthropic-version": ANTHROPIC_VERSION} if self.claude else {}
        return {**version, **({"x-api-key" if self.claude else "api-key": key} if key else {})}


def claude_base(base: str) -> str:
    """Where Claude's API is, beside OpenAI's, whose *base* ends in ``/openai``."""
    return base.removesuffix("/openai") + "/anthropic"


def claude_usage(answer: Answer) -> tuple[int, int] | None:
    """Prompt and completion tokens of an answer of Anthropic's API, where cached tokens are counted apart.

    A stream has the prompt's in its first event and the completion's in a later one. None if it has none.
    """
    parts = [answer.body, *answer.events]
    parts += [part["message"] for part in parts if isinstance(part, dict) and isinstance(part.get("message"), dict)]
    usage: dict[str, int] = {}
    for part in parts:
        found = part.get("usage") if isinstance(part, dict) else None
        if isinstance(found, dict):
            new = {name: value for name, value in found.items() if isinstance(value, int)}
            usage |= {name: max(value, usage.get(name, 0)) for name, value in new.items()}
    if "input_tokens" not in usage or "output_tokens" not in usage:
        return None
    cached = ("cache_read_input_tokens", "cache_creation_input_tokens")
    return usage["input_tokens"] + sum(usage.get(name, 0) for name in cached), usage["output_tokens"]


def chat_model(account: Mapping[str, Any]) -> Model | None:
    """An account's first deployment for chat, None if it has none."""
    for deployment in account["deployments"]:
        if deployment.get("format") != "Anthropic" and not any(w in deployment["model"].lower() for w in _NO_CHAT):
            return Model(deployment["name"], deployment["model"])
    return None


def claude_model(account: Mapping[str, Any]) -> Model | None:
    """An account's first deployment of Claude, None if it has none."""
    for deployment in account["deployments"]:
        if deployment.get("format") == "Anthropic":
            return Model(deployment["name"], deployment["model"], claude=True)
    return None


def first_models(accounts: Sequence[Mapping[str, Any]]) -> list[Model]:
    """The first chat model and the first Claude, as far as there are any. Raises SetupError if there is neither."""
    found = [
        next((model for account in accounts if (model := kind(account))), None) for kind in (chat_model, claude_model)
    ]
    if models := [model for model in found if model]:
        return models
    raise SetupError(
        "no deployment of a chat model or of Claude, which the tests need: add one to setup.parameters.openAIAccounts"
    )


def embeddings_deployment(accounts: Sequence[Mapping[str, Any]]) -> str | None:
    """Name of the first embeddings deployment, None if there is none."""
    deployments = (deployment for account in accounts for deployment in account["deployments"])
    return next((d["name"] for d in deployments if any(word in d["model"] for word in _EMBEDDINGS)), None)


def chat_url(base: str, deployment: str) -> str:
    """The deployment-style route; *base* ends in ``/openai``."""
    return f"{base}/deployments/{deployment}/chat/completions?api-version={API_VERSION}"


def chat_body(prompt: str = PROMPT) -> dict[str, Any]:
    """A request with one user message."""
    return {"messages": [{"role": "user", "content": prompt}]}


def reserving(model: str, tokens: int) -> dict[str, int]:
    """The setting that reserves *tokens* of the deployment's rate for the response, whatever its actual length."""
    return {"max_tokens" if model.startswith(_OLDER) else "max_completion_tokens": tokens}


def send(url: str, body: Any, headers: Mapping[str, str], *, method: str = "POST", timeout: float = 120) -> Answer:
    """Send one request without retries: the tests look for throttling. Status 0 if there is no response."""
    from azure.core import PipelineClient
    from azure.core.exceptions import AzureError
    from azure.core.pipeline.policies import UserAgentPolicy
    from azure.core.rest import HttpRequest

    parts = urlsplit(url)
    if parts.scheme != "https" and parts.hostname not in ("127.0.0.1", "localhost", "::1"):
        raise SetupError(f"{parts.scheme}://{parts.netloc}: credentials are only sent over HTTPS")
    request = HttpRequest(method, url, json=body, headers=dict(headers))
    client: Any = PipelineClient(f"{parts.scheme}://{parts.netloc}", policies=[UserAgentPolicy("aoai-analytics")])
    with client:
        try:
            response = client.send_request(request, stream=True, read_timeout=timeout)
            with response:
                raw = response.read()
        except AzureError:
            return Answer(0, {})
        received = {name.lower(): value for name, value in response.headers.items()}
        if "text/event-stream" in received.get("content-type", ""):
            return Answer(response.status_code, received, events=tuple(_events(raw)))
        return Answer(response.status_code, received, body=_parsed(raw))


def send_many(url: str, body: Any, headers: Mapping[str, str], *, count: int, at_once: int = 8) -> list[Answer]:
    """Send the same request *count* times, some concurrently."""
    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(lambda _: send(url, body, headers), range(count)))


def _events(raw: bytes) -> Iterator[Any]:
    for line in raw.decode("utf-8", "replace").splitlines():
        text = line.removeprefix("data:").strip()
        if line.startswith("data:") and text != "[DONE]":
            yield _parsed(text.encode())


def _parsed(raw: bytes) -> Any:
    try:
        return json.loads(raw)
    except ValueError:
        return None
