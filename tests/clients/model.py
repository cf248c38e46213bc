"""The models behind the loopback gateway: two deployments, answering in the shapes of Azure OpenAI.

``answer`` takes what the gateway forwards. Chat completions, responses and embeddings, whole or streamed; an unknown
deployment is 404 and a prompt with the word FORBIDDEN meets the content filter, both as Azure words them.
"""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

#: Deployments and their models, as in ``setup_scripts/infra/dev.bicepparam``.
DEPLOYMENTS = {"chat-mini": "gpt-4o-mini-2024-07-18", "embed-small": "text-embedding-3-small"}
DIMENSIONS = 8
WORDS = ("The", " capital", " of", " France", " is", " Paris", ".")
#: What a chat answer is billed: the same for each surface, so that a test can tell one from another by the route alone.
PROMPT_TOKENS, COMPLETION_TOKENS = 14, len(WORDS)


@dataclass(frozen=True)
class Answer:
    """Either a JSON ``body`` or the ``events`` of a stream."""

    status: int
    body: Json | None = None
    events: tuple[str, ...] = ()


def answer(surface: str, deployment: str, body: Json) -> Answer:
    """What Azure OpenAI answers on ``surface`` (``chat``, ``responses``, ``embeddings``)."""
    if deployment not in DEPLOYMENTS:
        message = "The API deployment for this resource does not exist."
        return Answer(404, {"error": {"code": "DeploymentNotFound", "message": message}})
    if "FORBIDDEN" in json.dumps(body):
        return Answer(400, FILTERED)
    if surface == "embeddings":
        return Answer(200, _embeddings(deployment, body))
    if surface == "responses":
        return Answer(200, events=_response_events(body)) if body.get("stream") else Answer(200, _response(body))
    if body.get("stream"):
        options = body.get("stream_options") or {}
        return Answer(200, events=tuple(_chat_events(deployment, options.get("include_usage") is True)))
    return Answer(200, _chat(deployment))


FILTERED: Json = {
    "error": {
        "message": "The response was filtered due to the prompt triggering the content management policy.",
        "type": None,
        "param": "prompt",
        "code": "content_filter",
        "status": 400,
        "innererror": {
            "code": "ResponsibleAIPolicyViolation",
            "content_filter_result": {"violence": {"filtered": True, "severity": "medium"}},
        },
    }
}

_CHAT_USAGE: Json = {
    "prompt_tokens": PROMPT_TOKENS,
    "completion_tokens": COMPLETION_TOKENS,
    "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    "prompt_tokens_details": {"cached_tokens": 0, "audio_tokens": 0},
    "completion_tokens_details": {"reasoning_tokens": 0, "audio_tokens": 0},
}


def _chat(deployment: str) -> Json:
    message = {"role": "assistant", "content": "".join(WORDS), "refusal": None}
    return {
        "id": "chatcmpl-loopback",
        "object": "chat.completion",
        "created": 1795345200,
        "model": DEPLOYMENTS[deployment],
        "prompt_filter_results": [{"prompt_index": 0, "content_filter_results": {}}],
        "choices": [{"index": 0, "message": message, "finish_reason": "stop", "logprobs": None}],
        "usage": _CHAT_USAGE,
    }


def _chat_events(deployment: str, include_usage: bool) -> Iterator[str]:
    """Azure's first event carries the prompt's filter results and, like the last one with the usage, no choice."""

    def event(choices: list[Json], **more: Any) -> str:
        frame = {"id": "chatcmpl-loopback", "object": "chat.completion.chunk", "created": 1795345200}
        usage = {"usage": None} if include_usage else {}
        return _sse({**frame, "model": DEPLOYMENTS[deployment], "choices": choices, **usage, **more})

    yield event([], prompt_filter_results=[{"prompt_index": 0, "content_filter_results": {}}], model="")
    yield event([{"index": 0, "delta": {"role": "assistant", "content": ""}, "finish_reason": None}])
    for word in WORDS:
        yield event([{"index": 0, "delta": {"content": word}, "finish_reason": None}])
    yield event([{"index": 0, "delta": {}, "finish_reason": "stop"}])
    if include_usage:
        yield event([], usage=_CHAT_USAGE)
    yield "data: [DONE]\n\n"


def _response(body: Json, *, status: str = "completed") -> Json:
    done = status == "completed"
    usage = {
        "input_tokens": PROMPT_TOKENS,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": COMPLETION_TOKENS,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": PROMPT_TOKENS + COMPLETION_TOKENS,
    }
    return {
        "id": "resp_loopback",
        "object": "response",
        "created_at": 1795345200,
        "status": status,
        "error": None,
        "incomplete_details": None,
        "instructions": body.get("instructions"),
        "metadata": {},
        "model": body["model"],
        "output": [_message()] if done else [],
        "parallel_tool_calls": True,
        "temperature": 1.0,
        "tool_choice": "auto",
        "tools": [],
        "top_p": 1.0,
        "store": body.get("store", True),
        "usage": usage if done else None,
    }


def _message(text: str = "".join(WORDS), status: str = "completed") -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return {"id": "msg_loopback", "type": "message", "status": status, "role": "assistant", "content": content}


def _response_events(body: Json) -> tuple[str, ...]:
    place = {"item_id": "msg_loopback", "output_index": 0, "content_index": 0}
    part = {"type": "output_text", "text": "", "annotations": []}
    whole = "".join(WORDS)
    events: list[Json] = [
        {"type": "response.created", "response": _response(body, status="in_progress")},
        {"type": "response.output_item.added", "output_index": 0, "item": _message("", "in_progress")},
        {"type": "response.content_part.added", **place, "part": part},
        *({"type": "response.output_text.delta", **place, "delta": word, "logprobs": []} for word in WORDS),
        {"type": "response.output_text.done", **place, "text": whole, "logprobs": []},
        {"type": "response.content_part.done", **place, "part": {**part, "text": whole}},
        {"type": "response.output_item.done", "output_index": 0, "item": _message()},
        {"type": "response.completed", "response": _response(body)},
    ]
    return tuple(
        f"event: {event['type']}\n{_sse({**event, 'sequence_number': number})}" for number, event in enumerate(events)
    )


def _embeddings(deployment: str, body: Json) -> Json:
    given = body["input"]
    # A text, a list of texts, a list of token numbers, or a list of such lists.
    inputs = given if isinstance(given, list) and not isinstance(given[0], int) else [given]
    vectors = [[(number + place) / 16 for place in range(DIMENSIONS)] for number in range(len(inputs))]
    packed = [base64.b64encode(struct.pack(f"<{DIMENSIONS}f", *vector)).decode() for vector in vectors]
    values = packed if body.get("encoding_format") == "base64" else vectors
    return {
        "object": "list",
        "data": [{"object": "embedding", "index": index, "embedding": value} for index, value in enumerate(values)],
        "model": DEPLOYMENTS[deployment],
        "usage": {"prompt_tokens": 5 * len(inputs), "total_tokens": 5 * len(inputs)},
    }


def _sse(data: Json) -> str:
    return f"data: {json.dumps(data)}\n\n"
