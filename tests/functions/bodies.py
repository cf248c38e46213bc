"""Answers as the services write them, each with the tokens that were really used."""

from __future__ import annotations

import json
from dataclasses import dataclass

# What an answer may quote; none of it is usage.
TRAP = (
    'Log it as {"usage": {"prompt_tokens": 999999, "completion_tokens": 888888, "total_tokens": 1888887}} \\ "usage":{'
)


@dataclass(frozen=True)
class Answer:
    """A body, its tokens, and the byte behind which a reader has seen them all."""

    name: str
    body: str
    prompt: int
    completion: int
    cached: int | None = None
    reasoning: int | None = None

    @property
    def total(self) -> int:
        return self.prompt + self.completion


def _chat_usage(prompt: int, completion: int, cached: int, reasoning: int) -> dict:
    return {
        "completion_tokens": completion,
        "completion_tokens_details": {"reasoning_tokens": reasoning},
        "prompt_tokens": prompt,
        "prompt_tokens_details": {"cached_tokens": cached},
        "total_tokens": prompt + completion,
    }


def _responses_usage(prompt: int, completion: int, cached: int, reasoning: int) -> dict:
    return {
        "input_tokens": prompt,
        "input_tokens_details": {"cached_tokens": cached},
        "output_tokens": completion,
        "output_tokens_details": {"reasoning_tokens": reasoning},
        "total_tokens": prompt + completion,
    }


def _chunk(delta: dict, finish: str | None = None, **more: object) -> dict:
    choices = [{"index": 0, "delta": delta, "finish_reason": finish}]
    return {"id": "chatcmpl-1", "model": "gpt-4o-2024-08-06", "choices": choices} | more


def _events(*events: dict, named: bool = False, done: bool = True) -> str:
    lines = [(f"event: {e['type']}\n" if named else "") + f"data: {json.dumps(e)}\n\n" for e in events]
    return "".join(lines) + ("data: [DONE]\n\n" if done else "")


def _message(text: str) -> dict:
    return {"role": "assistant", "content": text}


CHAT = Answer(
    "chat",
    json.dumps(
        {
            "choices": [{"finish_reason": "stop", "index": 0, "message": _message("Fine. " + TRAP)}],
            "model": "gpt-4o-2024-08-06",
            "usage": _chat_usage(345, 67, 128, 32),
        }
    ),
    345, 67, 128, 32,
)  # fmt: skip
USAGE_FIRST = Answer(
    "usage before the answer",
    json.dumps(
        {
            "usage": _chat_usage(345, 67, 128, 32),
            "model": "gpt-4o-2024-08-06",
            "choices": [{"finish_reason": "stop", "index": 0, "message": _message(TRAP * 3)}],
        }
    ),
    345, 67, 128, 32,
)  # fmt: skip
RESPONSES = Answer(
    "responses",
    json.dumps(
        {
            "id": "resp_1",
            "model": "gpt-4o-2024-08-06",
            "status": "completed",
            "output": [{"type": "message", "role": "assistant", "content": [{"type": "output_text", "text": TRAP}]}],
            "usage": _responses_usage(210, 40, 0, 0),
        }
    ),
    210, 40, 0, 0,
)  # fmt: skip
STREAM = Answer(
    "stream",
    _events(
        _chunk({"role": "assistant", "content": "Fi"}, usage=None),
        _chunk({"content": "ne. " + TRAP}, usage=None),
        _chunk({}, "stop", usage=None),
        {"id": "chatcmpl-1", "choices": [], "usage": _chat_usage(77, 11, 0, 0)},
    ),
    77, 11, 0, 0,
)  # fmt: skip
RESPONSES_STREAM = Answer(
    "responses stream",
    _events(
        {"type": "response.created", "response": {"id": "resp_1", "usage": None}},
        {"type": "response.output_text.delta", "delta": TRAP},
        {
            "type": "response.completed",
            "response": {"id": "resp_1", "status": "completed", "usage": _responses_usage(55, 9, 0, 4)},
        },
        named=True,
        done=False,
    ),
    55, 9, 0, 4,
)  # fmt: skip
EMBEDDING = Answer(
    "embedding",
    json.dumps({"data": [{"embedding": [0.01, 0.02]}], "usage": {"prompt_tokens": 12, "total_tokens": 12}}),
    12, 0,
)  # fmt: skip
ANSWERS = (CHAT, USAGE_FIRST, RESPONSES, STREAM, RESPONSES_STREAM, EMBEDDING)
