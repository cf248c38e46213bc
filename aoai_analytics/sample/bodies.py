"""Request and response bodies, and where their usage object ends.

Field names are from the services' public API references. A body much longer than the
gateway's limit is built only up to the limit, but counted in full.
"""

from __future__ import annotations

import base64
import json
from dataclasses import dataclass
from random import Random
from typing import Any

import orjson

from aoai_analytics.sample.vocabulary import Text

_NOISE = Random(20261115).randbytes(96_000)
_BASE64 = base64.b64encode(_NOISE).decode()
_SAFE = (
    '{"hate":{"filtered":false,"severity":"safe"},"self_harm":{"filtered":false,"severity":"safe"},'
    '"sexual":{"filtered":false,"severity":"safe"},"violence":{"filtered":false,"severity":"safe"}}'
)
_PROMPT_FILTER = f'[{{"prompt_index":0,"content_filter_results":{_SAFE}}}]'

TOOLS = [
    {
        "type": "function",
        "function": {
            "name": "find_order",
            "description": "Look up an order by its number and say where it is.",
            "parameters": {"type": "object", "properties": {"number": {"type": "string"}}, "required": ["number"]},
        },
    }
]
TOOLS_TOKENS = 58
TOOL_CALL_TOKENS = 19


@dataclass(frozen=True, slots=True)
class Body:
    """The beginning of a body (at least as much as is logged), its full size in bytes, and where its usage ends."""

    text: str
    size: int
    usage_end: int | None = None


@dataclass(frozen=True, slots=True)
class Usage:
    """Tokens of one response; cached ones are part of the prompt, reasoning ones of the completion."""

    prompt: int = 0
    cached: int = 0
    completion: int = 0
    reasoning: int = 0

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    def chat(self) -> str:
        return (
            f'{{"completion_tokens":{self.completion},"completion_tokens_details":'
            f'{{"reasoning_tokens":{self.reasoning}}},"prompt_tokens":{self.prompt},"prompt_tokens_details":'
            f'{{"cached_tokens":{self.cached}}},"total_tokens":{self.total}}}'
        )

    def responses(self) -> str:
        return (
            f'{{"input_tokens":{self.prompt},"input_tokens_details":{{"cached_tokens":{self.cached}}},'
            f'"output_tokens":{self.completion},"output_tokens_details":{{"reasoning_tokens":{self.reasoning}}},'
            f'"total_tokens":{self.total}}}'
        )

    def plain(self) -> str:
        return f'{{"prompt_tokens":{self.prompt},"completion_tokens":{self.completion},"total_tokens":{self.total}}}'


@dataclass(frozen=True, slots=True)
class Answered:
    """The fields of a response's envelope: the ID, the time, the model, and the finish reason."""

    answer_id: str
    created: int
    model: str
    usage: Usage
    finish: str = "stop"


def quoted(text: str) -> str:
    """A text as JSON."""
    return orjson.dumps(text).decode()


def written(value: object, *, escapes: bool) -> str:
    """JSON as clients write it: compact UTF-8, or like Python's ``json.dumps`` (spaces, ``\\uXXXX``)."""
    return json.dumps(value) if escapes else orjson.dumps(value).decode()


def json_request(fields: dict[str, Any], *, escapes: bool) -> Body:
    text = written(fields, escapes=escapes)
    return Body(text, len(text.encode()))


def image_url(rng: Random, *, inline: bool) -> str:
    """An image in a chat message: its URL, or the image itself as a data URL."""
    if not inline:
        return f"https://contoso.blob.core.windows.net/photos/{rng.getrandbits(48):012x}.jpg"
    start = rng.randrange(0, 60_000, 4)
    return "data:image/jpeg;base64," + _BASE64[start : start + rng.randrange(16_000, 52_000, 4)]


def audio_request(size: int, limit: int) -> Body:
    """A multipart upload of a recording; non-text bytes appear as U+FFFD in a log."""
    start = (
        '--b0undary\r\nContent-Disposition: form-data; name="model"\r\n\r\ndictation\r\n--b0undary\r\n'
        'Content-Disposition: form-data; name="file"; filename="memo.wav"\r\nContent-Type: audio/wav\r\n\r\n'
        "RIFF\ufffd\ufffd\ufffdWAVEfmt "
    )
    return _filled(start, "", size, limit)


def _filled(start: str, end: str, size: int, limit: int) -> Body:
    """A body of ``size`` bytes: start, noise, end; only the first ``limit`` bytes are needed."""
    noise = size - len(start.encode()) - len(end.encode())
    wanted = min(noise, limit)
    filler = (_BASE64 * (wanted // len(_BASE64) + 1))[:wanted]
    return Body(start + filler + (end if wanted == noise else ""), size, size if "usage" in end else None)


def chat_answer(answered: Answered, content: str) -> Body:
    """``content``: the message's ``content`` and the fields after it, as JSON."""
    text = (
        f'{{"choices":[{{"content_filter_results":{_SAFE},"finish_reason":"{answered.finish}","index":0,'
        f'"logprobs":null,"message":{{"content":{content},"role":"assistant"}}}}],"created":{answered.created},'
        f'"id":"{answered.answer_id}","model":"{answered.model}","object":"chat.completion",'
        f'"prompt_filter_results":{_PROMPT_FILTER},"system_fingerprint":null,"usage":{answered.usage.chat()}}}\n'
    )
    return _ending_in_usage(text)


def tool_call(rng: Random) -> str:
    """A tool call as a message's ``content`` and the fields after it, as JSON."""
    arguments = quoted(f'{{"number": "{rng.randrange(10_000, 99_999)}"}}')
    call = f'{{"id":"call_{rng.getrandbits(60):015x}","type":"function","function":'
    return f'null,"tool_calls":[{call}{{"name":"find_order","arguments":{arguments}}}}}]'


def completion_answer(answered: Answered, answer: str) -> Body:
    text = (
        f'{{"id":"{answered.answer_id}","object":"text_completion","created":{answered.created},'
        f'"model":"{answered.model}","choices":[{{"text":{quoted(answer)},"index":0,'
        f'"finish_reason":"{answered.finish}","logprobs":null}}],"usage":{answered.usage.plain()}}}'
    )
    return _ending_in_usage(text)


def responses_answer(answered: Answered, answer: str) -> Body:
    """The Responses API indents its JSON."""
    thought = '\n    {"type": "reasoning", "summary": []},' if answered.usage.reasoning else ""
    text = (
        f'{{\n  "id": "{answered.answer_id}",\n  "object": "response",\n  "created_at": {answered.created},\n'
        f'  "status": "{_status(answered)}",\n  "model": "{answered.model}",\n  "output": [{thought}\n'
        f'    {{\n      "type": "message",\n      "role": "assistant",\n      "content": [\n'
        f'        {{\n          "type": "output_text",\n          "text": {quoted(answer)}\n        }}\n      ]\n'
        f'    }}\n  ],\n  "usage": {answered.usage.responses().replace(":", ": ").replace(",", ", ")}\n}}'
    )
    return _ending_in_usage(text)


def _status(answered: Answered) -> str:
    return "completed" if answered.finish == "stop" else "incomplete"


def embeddings_answer(usage: Usage, model: str, rng: Random, *, dimensions: int, usage_first: bool, limit: int) -> Body:
    """A vector in base64, as the OpenAI libraries request it: four bytes per number."""
    tokens = f'"usage":{{"prompt_tokens":{usage.prompt},"total_tokens":{usage.prompt}}}'
    item = '"data":[{"object":"embedding","index":0,"embedding":"'
    if usage_first:
        start, end = f'{{"object":"list","model":"{model}",{tokens},{item}', '"}]}'
    else:
        start, end = f'{{"object":"list",{item}', f'"}}],"model":"{model}",{tokens}}}'
    length = (dimensions * 4 + 2) // 3 * 4
    at = rng.randrange(0, 60_000, 4)
    size = len(start) + length + len(end)
    vector = (_BASE64[at:] + _BASE64)[: min(length, limit)]
    usage_end = start.index(item) if usage_first else size
    return Body(start + vector + (end if len(vector) == length else ""), size, usage_end)


def image_answer(usage: Usage, created: int, size: int, limit: int) -> Body:
    end = (
        f'"}}],"usage":{{"input_tokens":{usage.prompt},"output_tokens":{usage.completion},'
        f'"total_tokens":{usage.total}}}}}'
    )
    return _filled(f'{{"created":{created},"data":[{{"b64_json":"', end, size, limit)


def linked_image_answer(created: int, rng: Random, limit: int) -> Body:
    """An image by its URL, like dall-e-3: such a response has no usage."""
    place = f"https://images.example/{rng.getrandbits(64):016x}.png"
    return _filled(f'{{"created":{created},"data":[{{"url":"{place}","revised_prompt":"', '"}]}', 420, limit)


def transcription_answer(usage: Usage, answer: str) -> Body:
    text = (
        f'{{"text":{quoted(answer)},"usage":{{"type":"tokens","input_tokens":{usage.prompt},'
        f'"output_tokens":{usage.completion},"total_tokens":{usage.total}}}}}'
    )
    return _ending_in_usage(text)


def _ending_in_usage(text: str) -> Body:
    size = len(text.encode())
    return Body(text, size, size)


def chat_stream(answered: Answered, answer: Text, *, with_usage: bool, complete: bool, limit: int) -> Body:
    """Server-sent events: each token's event repeats the envelope, which is why streams are so much longer."""
    head = (
        f'data: {{"id":"{answered.answer_id}","object":"chat.completion.chunk","created":{answered.created},'
        f'"model":"{answered.model}","choices":'
    )
    first = (
        f'data: {{"id":"","object":"","created":0,"model":"","choices":[],"prompt_filter_results":{_PROMPT_FILTER}}}'
        f'\n\n{head}[{{"index":0,"delta":{{"role":"assistant","content":""}},"finish_reason":null}}]}}\n\n'
    )
    before, after = f'{head}[{{"index":0,"delta":{{"content":"', '"},"finish_reason":null}]}\n\n'
    last = ""
    if complete:
        last = f'{head}[{{"index":0,"delta":{{}},"finish_reason":"{answered.finish}"}}]}}\n\n'
        if with_usage:
            last += f'{head}[],"usage":{answered.usage.chat()}}}\n\n'
        last += "data: [DONE]\n\n"
    body = _stream(first, before, after, last, answer, limit)
    done = len("\n\ndata: [DONE]\n\n")
    return Body(body.text, body.size, body.size - done if complete and with_usage else None)


def responses_stream(answered: Answered, answer: Text, *, complete: bool, limit: int) -> Body:
    """Events of the Responses API; the last one repeats the whole answer and always has the usage."""
    first = (
        f'event: response.created\ndata: {{"type":"response.created","response":{{"id":"{answered.answer_id}",'
        f'"model":"{answered.model}","usage":null}}}}\n\n'
    )
    before = 'event: response.output_text.delta\ndata: {"type":"response.output_text.delta","delta":"'
    last = ""
    if complete:
        last = (
            f'event: response.completed\ndata: {{"type":"response.completed","response":{{"id":"{answered.answer_id}",'
            f'"object":"response","created_at":{answered.created},"status":"{_status(answered)}",'
            f'"model":"{answered.model}","output":[{{"type":"message","role":"assistant","content":'
            f'[{{"type":"output_text","text":{quoted(answer.text)}}}]}}],"usage":{answered.usage.responses()}}}}}\n\n'
        )
    body = _stream(first, before, '"}\n\n', last, answer, limit)
    return Body(body.text, body.size, body.size if complete else None)


def _stream(first: str, before: str, after: str, last: str, answer: Text, limit: int) -> Body:
    size = len(first) + answer.event_count * (len(before) + len(after)) + answer.json_bytes + len(last.encode())
    parts, length, each = [first], len(first), len(before) + len(after)
    for event in answer.events():
        parts.append(before + event + after)
        length += each + len(event)
        if length > limit:
            break
    else:
        parts.append(last)
    return Body("".join(parts), size)


def error_answer(code: str, message: str, *, inner: str = "") -> Body:
    error: dict[str, object] = {"code": code, "message": message}
    if inner:
        error |= {"param": "prompt", "status": 400, "innererror": {"code": inner}}
    text = orjson.dumps({"error": error}).decode()
    return Body(text, len(text.encode()))
