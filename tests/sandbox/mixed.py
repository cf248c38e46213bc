"""Mixed calls by the real client libraries, and what each was told."""

from __future__ import annotations

from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from typing import Any

import anthropic
import openai
from openai import AzureOpenAI, OpenAI

from aoai_analytics.sandbox.app import CORRELATION_HEADER
from aoai_analytics.sandbox.model import FORBIDDEN

SUBSCRIPTIONS = ("sub-hr", "sub-finance", "sub-legal", "sub-support", "sub-platform")
#: A document long enough for the prompt cache.
DOCUMENT = "The quarterly figures of the northern branch are in the second table of the annex. " * 110


@dataclass(frozen=True)
class Told:
    """What a client was told of one call. Tokens are None where it was not told; cached ones are part of the prompt."""

    correlation_id: str
    subscription: str
    surface: str
    deployment: str
    stream: bool
    status: int
    code: str = ""
    message: str = ""
    prompt: int | None = None
    completion: int | None = None
    cached: int = 0
    written: int = 0
    reasoning: int = 0
    tier: str = ""
    finish: str = ""
    left_early: bool = False


class Caller:
    """The clients of one subscription."""

    def __init__(self, url: str, subscription: str, key: str | None = None) -> None:
        self.subscription = subscription
        given = key or f"key-of-{subscription}"
        headers = {"api-key": given}
        self.v1 = OpenAI(base_url=f"{url}/openai/v1", api_key=given, default_headers=headers, max_retries=0)
        self.azure = AzureOpenAI(azure_endpoint=url, api_key=given, api_version="2024-10-21", max_retries=0)
        self.claude = anthropic.AnthropicFoundry(base_url=f"{url}/anthropic", api_key=given, max_retries=0)

    def call(self, kind: str, rng: Random) -> Told:
        """One call of a kind of ``KINDS``."""
        surface, deployment, stream = KINDS[kind]
        told = Told("", self.subscription, surface, deployment, stream, 200)
        try:
            return getattr(self, f"_{surface}")(told, kind, rng)
        except (openai.APIStatusError, anthropic.APIStatusError) as error:
            body = error.body if isinstance(error.body, dict) else {}
            inner = body.get("error", body)
            named = error.response.headers[CORRELATION_HEADER]
            code, message = str(inner.get("code") or ""), str(inner.get("message") or "")
            return replace(told, correlation_id=named, status=error.status_code, code=code, message=message)

    def _chat(self, told: Told, kind: str, rng: Random) -> Told:
        client = self.azure if "azure" in kind else self.v1
        asked: dict[str, Any] = {
            "model": told.deployment if rng.random() > 0.1 or "azure" in kind else "no-such-deployment",
            "messages": [{"role": "system", "content": "Answer briefly."}, {"role": "user", "content": _text(rng)}],
        }
        told = replace(told, deployment=asked["model"])
        if rng.random() < 0.3:
            asked["service_tier"] = rng.choice(("flex", "priority", "default"))
        if rng.random() < 0.3:
            asked["reasoning_effort"] = rng.choice(("low", "medium"))
        if rng.random() < 0.15:
            asked["max_completion_tokens"] = rng.choice((12, 40))
        if not told.stream:
            raw = client.chat.completions.with_raw_response.create(**asked)
            answer = raw.parse()
            choice = answer.choices[0]
            told = replace(told, correlation_id=raw.headers[CORRELATION_HEADER], finish=choice.finish_reason)
            return _openai(told, answer.usage, answer.service_tier)
        if rng.random() < 0.1:
            asked["stream_options"] = {"include_usage": False}
        raw = client.chat.completions.with_raw_response.create(**asked, stream=True)
        told = replace(told, correlation_id=raw.headers[CORRELATION_HEADER])
        leaves, events = rng.random() < 0.12, raw.parse()
        with events:
            for number, event in enumerate(events):
                if leaves and number == 3:
                    return replace(told, left_early=True)
                for choice in event.choices:
                    told = replace(told, finish=choice.finish_reason or told.finish)
                if event.usage:
                    told = _openai(told, event.usage, event.service_tier)
        return told

    def _responses(self, told: Told, kind: str, rng: Random) -> Told:
        asked: dict[str, Any] = {"model": told.deployment, "input": _text(rng), "instructions": "Answer briefly."}
        if rng.random() < 0.4:
            asked["reasoning"] = {"effort": "medium"}
        if rng.random() < 0.2:
            asked["max_output_tokens"] = 32
        if not told.stream:
            raw = self.v1.responses.with_raw_response.create(**asked)
            return _response(replace(told, correlation_id=raw.headers[CORRELATION_HEADER]), raw.parse())
        raw = self.v1.responses.with_raw_response.create(**asked, stream=True)
        told = replace(told, correlation_id=raw.headers[CORRELATION_HEADER])
        with raw.parse() as events:
            for event in events:
                if event.type in ("response.completed", "response.incomplete"):
                    told = _response(told, event.response)
        return told

    def _embeddings(self, told: Told, kind: str, rng: Random) -> Told:
        client = self.azure if "azure" in kind else self.v1
        raw = client.embeddings.with_raw_response.create(model=told.deployment, input=[_text(rng), _text(rng)])
        usage = raw.parse().usage
        told = replace(told, correlation_id=raw.headers[CORRELATION_HEADER])
        return replace(told, prompt=usage.prompt_tokens, completion=0)

    def _messages(self, told: Told, kind: str, rng: Random) -> Told:
        text: Any = _text(rng)
        if "cached" in kind:
            text = [
                {"type": "text", "text": DOCUMENT, "cache_control": {"type": "ephemeral"}},
                {"type": "text", "text": text},
            ]
        asked: dict[str, Any] = {
            "model": told.deployment,
            "max_tokens": rng.choice((30, 2000)),
            "messages": [{"role": "user", "content": text}],
        }
        if not told.stream:
            raw = self.claude.messages.with_raw_response.create(**asked)
            return _claude(replace(told, correlation_id=raw.headers[CORRELATION_HEADER]), raw.parse())
        raw = self.claude.messages.with_raw_response.create(**asked, stream=True)
        told = replace(told, correlation_id=raw.headers[CORRELATION_HEADER])
        with raw.parse() as events:
            for event in events:
                if event.type == "message_start":
                    told = _claude(told, event.message)
                elif event.type == "message_delta":
                    finish = _CLAUDE_ENDS[event.delta.stop_reason]
                    told = replace(told, completion=event.usage.output_tokens, finish=finish)
        return told


#: Kind of call -> surface, deployment, stream.
KINDS = {
    "chat": ("chat", "chat-mini", False),
    "chat azure": ("chat", "chat-prod", False),
    "chat stream": ("chat", "chat-mini", True),
    "chat azure stream": ("chat", "chat-prod", True),
    "chat writes": ("chat", "chat-sol", False),
    "responses": ("responses", "chat-prod", False),
    "responses stream": ("responses", "chat-mini", True),
    "embeddings": ("embeddings", "embed-small", False),
    "embeddings azure": ("embeddings", "embed-small", False),
    "messages": ("messages", "claude", False),
    "messages cached": ("messages", "claude", False),
    "messages stream": ("messages", "claude", True),
}

_CLAUDE_ENDS = {"end_turn": "stop", "max_tokens": "length"}


def _text(rng: Random) -> str:
    if rng.random() < 0.03:
        return f"Tell me about {FORBIDDEN} things."
    start = DOCUMENT if rng.random() < 0.25 else ""
    return start + f"Question {rng.randrange(10_000)}: " + "what do the figures say about it? " * rng.randrange(1, 12)


def _openai(told: Told, usage: Any, tier: str | None) -> Told:
    reads = usage.prompt_tokens_details
    return replace(
        told,
        prompt=usage.prompt_tokens,
        completion=usage.completion_tokens,
        cached=reads.cached_tokens,
        written=getattr(reads, "cache_write_tokens", None) or 0,
        reasoning=usage.completion_tokens_details.reasoning_tokens,
        tier=tier or "",
    )


def _response(told: Told, response: Any) -> Told:
    usage, reads = response.usage, response.usage.input_tokens_details
    return replace(
        told,
        prompt=usage.input_tokens,
        completion=usage.output_tokens,
        cached=reads.cached_tokens,
        written=getattr(reads, "cache_write_tokens", None) or 0,
        reasoning=usage.output_tokens_details.reasoning_tokens,
        tier=response.service_tier or "",
        finish="stop" if response.status == "completed" else "length",
    )


def _claude(told: Told, message: Any) -> Told:
    usage = message.usage
    return replace(
        told,
        prompt=usage.input_tokens + usage.cache_read_input_tokens + usage.cache_creation_input_tokens,
        completion=usage.output_tokens,
        cached=usage.cache_read_input_tokens,
        written=usage.cache_creation_input_tokens,
        tier=usage.service_tier or "",
        finish=_CLAUDE_ENDS.get(message.stop_reason, ""),
    )


def drive(url: str, calls: int, seed: int = 1, *, workers: int = 4) -> list[Told]:
    """So many mixed calls, several at a time."""
    callers = [Caller(url, name) for name in SUBSCRIPTIONS]
    wrong = Caller(url, "", key="not-a-key")

    def some(worker: int) -> Iterator[Told]:
        rng = Random(f"{seed} {worker}")
        for _ in range(worker, calls, workers):
            caller = wrong if rng.random() < 0.02 else rng.choice(callers)
            yield caller.call(rng.choice(list(KINDS)), rng)

    with ThreadPoolExecutor(workers) as pool:
        return [told for found in pool.map(lambda worker: list(some(worker)), range(workers)) for told in found]
