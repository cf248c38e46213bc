"""Mixed calls, most through OpenAI's own library, and what the client was told: the truth that logs are compared with.

Each call has its number in the query of its URL, where the gateway's log shows it; the gateway's policy removes it.
"""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from random import Random
from typing import Any

from . import calls
from .exercises import Gateway

_QUESTIONS = ("What is the capital of France?", "Name three rivers.", "Write one sentence about the sea.")
#: Query parameter with a call's number.
NUMBER = "proof"
_WRONG_KEY = "0" * 32


@dataclass(frozen=True)
class Told:
    """What the client was told of a call. Tokens are None for a failure; a status of 0: no answer came."""

    subscription: str
    surface: str
    deployment: str
    status: int = 200
    prompt: int | None = None
    completion: int | None = None
    number: int = 0


@dataclass
class Total:
    """Requests and tokens of calls that ended alike."""

    requests: int = 0
    prompt: int = 0
    completion: int = 0


#: Subscription, surface, deployment ('' for a failure) and status of calls -> their total.
Totals = dict[tuple[str, str, str, int], Total]


def totals(told: Sequence[Told]) -> Totals:
    """The calls by how they ended."""
    found: Totals = defaultdict(Total)
    for each in told:
        total = found[each.subscription, each.surface, each.deployment if each.status == 200 else "", each.status]
        total.requests += 1
        total.prompt += each.prompt or 0
        total.completion += each.completion or 0
    return dict(found)


def call_many(
    gateways: Mapping[str, Gateway], accounts: Sequence[Mapping[str, Any]], count: int, *, at_once: int = 4
) -> list[Told]:
    """So many calls as the subscriptions of *gateways*: chat, streams, Responses, embeddings, Claude, and failures."""
    models = {model.claude: model for model in calls.first_models(accounts)}
    embed = calls.embeddings_deployment(accounts)
    any_base = next(iter(gateways.values())).base
    keys = {"": _WRONG_KEY, **{name: gateway.key for name, gateway in gateways.items()}}
    # Claude is called without a library.
    clients = {name: _client(any_base, key) for name, key in keys.items()} if False in models else {}
    kinds = [
        *(["chat", "chat", "stream", "stream", "responses"] if False in models else []),
        *(["embeddings"] if embed else []),
        *(["messages", "messages-stream"] if True in models else []),
    ]

    def one(number: int) -> Told:
        rng = Random(number)
        subscription = "" if number % 50 == 49 else rng.choice(sorted(gateways))
        kind = kinds[number % len(kinds)]
        missing, question = number % 40 == 39, rng.choice(_QUESTIONS)
        if kind.startswith("messages"):
            model = replace(models[True], name="no-such-deployment") if missing else models[True]
            return replace(
                _message(any_base, keys[subscription], subscription, kind, model, question, number), number=number
            )
        chat = models[False].name if False in models else ""
        deployment = "no-such-deployment" if missing else embed if kind == "embeddings" else chat
        told = _call(
            clients[subscription].with_options(default_query={NUMBER: str(number)}),
            subscription,
            kind,
            str(deployment),
            question,
        )
        return replace(told, number=number)

    with ThreadPoolExecutor(at_once) as pool:
        return list(pool.map(one, range(count)))


def _client(base: str, key: str) -> Any:
    from openai import OpenAI

    # No retries: each request must be told.
    return OpenAI(base_url=f"{base}/v1", api_key=key, default_headers={"api-key": key}, max_retries=0)


def _message(base: str, key: str, subscription: str, kind: str, model: calls.Model, question: str, number: int) -> Told:
    """A call of Anthropic's API, whose own library the setup does not need otherwise."""
    told = Told(subscription, "messages", model.name)
    body = {**model.body(question), "stream": kind == "messages-stream"}
    answer = calls.send(f"{model.url(base)}?{NUMBER}={number}", body, model.headers(key))
    usage = calls.claude_usage(answer) if answer.status == 200 else None
    prompt, completion = usage or (None, None)
    return replace(told, status=answer.status, prompt=prompt, completion=completion)


def _call(client: Any, subscription: str, kind: str, deployment: str, question: str) -> Told:
    from openai import APIConnectionError, APIStatusError

    surface = {"stream": "chat"}.get(kind, kind)
    told = Told(subscription, surface, deployment)
    messages = [{"role": "user", "content": question}]
    try:
        if kind == "embeddings":
            usage = client.embeddings.create(model=deployment, input=question).usage
            return replace(told, prompt=usage.prompt_tokens, completion=0)
        if kind == "responses":
            usage = client.responses.create(model=deployment, input=question, store=False).usage
            return replace(told, prompt=usage.input_tokens, completion=usage.output_tokens)
        if kind == "chat":
            usage = client.chat.completions.create(model=deployment, messages=messages).usage
            return replace(told, prompt=usage.prompt_tokens, completion=usage.completion_tokens)
        for event in client.chat.completions.create(model=deployment, messages=messages, stream=True):
            if event.usage:
                usage = event.usage
                told = replace(told, prompt=usage.prompt_tokens, completion=usage.completion_tokens)
        return told
    except APIStatusError as error:
        return replace(told, status=error.status_code)
    except APIConnectionError:
        return replace(told, status=0)
