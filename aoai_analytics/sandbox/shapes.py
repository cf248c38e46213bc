"""A reply in the shape of each surface: a JSON body, or the events of a stream, as the API references show them."""

from __future__ import annotations

import base64
import json
import struct
from collections.abc import Iterator
from typing import Any

from . import media
from .model import Reply, Usage

Json = dict[str, Any]

_SAFE: Json = {name: {"filtered": False, "severity": "safe"} for name in ("hate", "self_harm", "sexual", "violence")}


def usage_of(surface: str, reply: Reply) -> Json:
    """The usage object of a whole answer."""
    usage = reply.usage
    if surface == "images":
        return media.image_usage(usage.prompt, usage.completion)
    if surface == "transcriptions":
        return media.transcript_usage(usage.prompt, usage.completion)
    if surface == "embeddings":
        return {"prompt_tokens": usage.prompt, "total_tokens": usage.prompt}
    if surface == "messages":
        return _claude(reply)
    reads: Json = {"cached_tokens": usage.cached}
    if usage.written:
        reads["cache_write_tokens"] = usage.written
    thoughts = {"reasoning_tokens": usage.reasoning}
    if surface == "responses":
        return {
            "input_tokens": usage.prompt,
            "input_tokens_details": reads,
            "output_tokens": usage.completion,
            "output_tokens_details": thoughts,
            "total_tokens": usage.total,
        }
    return {
        "prompt_tokens": usage.prompt,
        "completion_tokens": usage.completion,
        "total_tokens": usage.total,
        "prompt_tokens_details": reads | {"audio_tokens": 0},
        "completion_tokens_details": thoughts | {"audio_tokens": 0},
    }


def _claude(reply: Reply) -> Json:
    """Claude's input tokens leave out what the cache read and wrote."""
    usage: Usage = reply.usage
    return {
        "input_tokens": usage.prompt - usage.cached - usage.written,
        "cache_creation_input_tokens": usage.written,
        "cache_read_input_tokens": usage.cached,
        "cache_creation": {
            "ephemeral_5m_input_tokens": usage.written - usage.written_hour,
            "ephemeral_1h_input_tokens": usage.written_hour,
        },
        "output_tokens": usage.completion,
        "service_tier": reply.tier,
    }


def whole(surface: str, reply: Reply, asked: Json) -> Json:
    """The JSON body of an answer."""
    if surface == "images":
        found = [{"b64_json": each} for each in reply.images]
        return {"created": reply.created, "data": found, "usage": usage_of(surface, reply)}
    if surface == "transcriptions":
        return {"text": reply.text, "usage": usage_of(surface, reply)}
    if surface == "embeddings":
        packed = asked.get("encoding_format") == "base64"
        return {
            "object": "list",
            "data": [
                {"object": "embedding", "index": index, "embedding": _packed(vector) if packed else vector}
                for index, vector in enumerate(reply.vectors)
            ],
            "model": reply.model,
            "usage": usage_of(surface, reply),
        }
    if surface == "responses":
        return _response(reply, asked, "incomplete" if reply.finish == "length" else "completed")
    if surface == "messages":
        return _message(reply) | {"usage": _claude(reply)}
    frame = _frame(surface, reply, "text_completion" if surface == "completions" else "chat.completion")
    if surface == "completions":
        choice: Json = {"index": 0, "text": reply.text, "finish_reason": reply.finish, "logprobs": None}
    else:
        message: Json = {"role": "assistant", "content": None if reply.tool else reply.text, "refusal": None}
        if reply.tool:
            message["tool_calls"] = [_call(reply)]
        choice = {
            "index": 0,
            "message": message,
            "finish_reason": reply.finish,
            "logprobs": None,
            "content_filter_results": _SAFE,
        }
    filters = [{"prompt_index": 0, "content_filter_results": _SAFE}]
    return frame | {"prompt_filter_results": filters, "choices": [choice], "usage": usage_of(surface, reply)}


def events(surface: str, reply: Reply, asked: Json) -> Iterator[str]:
    """The server-sent events of an answer."""
    if surface == "responses":
        yield from _response_events(reply, asked)
    elif surface == "messages":
        yield from _message_events(reply)
    elif surface == "transcriptions":
        yield from media.transcript_events(reply.pieces, usage_of(surface, reply))
    else:
        yield from _chunks(surface, reply, (asked.get("stream_options") or {}).get("include_usage") is True)


def _frame(surface: str, reply: Reply, kind: str) -> Json:
    frame: Json = {"id": reply.answer_id, "object": kind, "created": reply.created, "model": reply.model}
    return frame if surface == "completions" else frame | {"service_tier": reply.tier, "system_fingerprint": None}


def _call(reply: Reply) -> Json:
    name, arguments = reply.tool or ("", "")
    function = {"name": name, "arguments": arguments}
    return {"id": f"call_{reply.answer_id[-20:]}", "type": "function", "function": function}


def _chunks(surface: str, reply: Reply, include_usage: bool) -> Iterator[str]:
    """Azure's first event carries the prompt's filter results and, like the last one with the usage, no choice."""
    frame = _frame(surface, reply, "text_completion" if surface == "completions" else "chat.completion.chunk")
    if include_usage:
        frame["usage"] = None

    def event(choices: list[Json], **more: Any) -> str:
        return f"data: {_json(frame | {'choices': choices} | more)}\n\n"

    def choice(part: Json, finish: str | None = None) -> list[Json]:
        return [{"index": 0, **part, "finish_reason": finish, "logprobs": None}]

    if surface == "completions":
        for piece in reply.pieces:
            yield event(choice({"text": piece}))
        yield event(choice({"text": ""}, reply.finish))
    else:
        filters = [{"prompt_index": 0, "content_filter_results": _SAFE}]
        yield event([], prompt_filter_results=filters, model="")
        yield event(choice({"delta": {"role": "assistant", "content": None if reply.tool else ""}}))
        if reply.tool:
            yield event(choice({"delta": {"tool_calls": [{"index": 0, **_call(reply)}]}}))
        for piece in reply.pieces:
            yield event(choice({"delta": {"content": piece}}))
        yield event(choice({"delta": {}}, reply.finish))
    if include_usage:
        yield event([], usage=usage_of(surface, reply))
    yield "data: [DONE]\n\n"


def _response(reply: Reply, asked: Json, status: str) -> Json:
    done = status != "in_progress"
    return {
        "id": reply.answer_id,
        "object": "response",
        "created_at": reply.created,
        "status": status,
        "error": None,
        "incomplete_details": {"reason": "max_output_tokens"} if status == "incomplete" else None,
        "instructions": asked.get("instructions"),
        "metadata": asked.get("metadata") or {},
        "model": reply.model,
        "output": _output(reply, status) if done else [],
        "parallel_tool_calls": True,
        "previous_response_id": asked.get("previous_response_id"),
        "service_tier": reply.tier if done else "auto",
        "temperature": 1.0,
        "tool_choice": asked.get("tool_choice") or "auto",
        "tools": asked.get("tools") or [],
        "top_p": 1.0,
        "store": asked.get("store", True),
        "usage": usage_of("responses", reply) if done else None,
    }


def _output(reply: Reply, status: str) -> list[Json]:
    number = reply.answer_id.rpartition("_")[2]
    thought: list[Json] = [{"id": f"rs_{number}", "type": "reasoning", "summary": []}] if reply.usage.reasoning else []
    if reply.tool:
        name, arguments = reply.tool
        call = {"id": f"fc_{number}", "type": "function_call", "call_id": f"call_{number}", "status": "completed"}
        return [*thought, call | {"name": name, "arguments": arguments}]
    return [*thought, _said(number, reply.text, status)]


def _said(number: str, text: str, status: str) -> Json:
    content = [{"type": "output_text", "text": text, "annotations": []}] if text else []
    return {"id": f"msg_{number}", "type": "message", "status": status, "role": "assistant", "content": content}


def _response_events(reply: Reply, asked: Json) -> Iterator[str]:
    number, status = reply.answer_id.rpartition("_")[2], "incomplete" if reply.finish == "length" else "completed"
    output = _output(reply, status)
    at = len(output) - 1
    place = {"item_id": output[-1]["id"], "output_index": at}
    found: list[Json] = [{"type": "response.created", "response": _response(reply, asked, "in_progress")}]
    for index, item in enumerate(output[:-1]):
        found.append({"type": "response.output_item.added", "output_index": index, "item": item})
        found.append({"type": "response.output_item.done", "output_index": index, "item": item})
    if reply.tool:
        name, arguments = reply.tool
        begun = output[-1] | {"arguments": "", "status": "in_progress"}
        found.append({"type": "response.output_item.added", "output_index": at, "item": begun})
        found.append({"type": "response.function_call_arguments.delta", **place, "delta": arguments})
        found.append({"type": "response.function_call_arguments.done", **place, "name": name, "arguments": arguments})
    else:
        spot = place | {"content_index": 0}
        part: Json = {"type": "output_text", "text": "", "annotations": []}
        text = {"text": reply.text}
        found += [
            {"type": "response.output_item.added", "output_index": at, "item": _said(number, "", "in_progress")},
            {"type": "response.content_part.added", **spot, "part": part},
            *({"type": "response.output_text.delta", **spot, "delta": piece, "logprobs": []} for piece in reply.pieces),
            {"type": "response.output_text.done", **spot, **text, "logprobs": []},
            {"type": "response.content_part.done", **spot, "part": part | text},
        ]
    found.append({"type": "response.output_item.done", "output_index": at, "item": output[-1]})
    found.append({"type": f"response.{status}", "response": _response(reply, asked, status)})
    for sequence, event in enumerate(found):
        yield f"event: {event['type']}\ndata: {_json(event | {'sequence_number': sequence})}\n\n"


def _message(reply: Reply) -> Json:
    ends = {"length": "max_tokens", "tool_calls": "tool_use"}
    content: list[Json] = [{"type": "text", "text": reply.text}]
    if reply.tool:
        name, arguments = reply.tool
        call = {"type": "tool_use", "id": f"toolu_{reply.answer_id[-20:]}", "name": name}
        content = [call | {"input": json.loads(arguments)}]
    return {
        "id": reply.answer_id,
        "type": "message",
        "role": "assistant",
        "model": reply.model,
        "content": content,
        "stop_reason": ends.get(reply.finish, "end_turn"),
        "stop_sequence": None,
    }


def _message_events(reply: Reply) -> Iterator[str]:
    """The first event has the input's tokens, the last but one those of the answer."""
    message, usage = _message(reply), _claude(reply)
    started = message | {"content": [], "stop_reason": None, "usage": usage | {"output_tokens": 1}}
    block = message["content"][0]
    blank: Json = {"input": {}} if reply.tool else {"text": ""}
    empty = block | blank
    pieces: list[Json] = [{"type": "text_delta", "text": piece} for piece in reply.pieces]
    if reply.tool:
        pieces = [{"type": "input_json_delta", "partial_json": reply.tool[1]}]
    found: list[Json] = [
        {"type": "message_start", "message": started},
        {"type": "content_block_start", "index": 0, "content_block": empty},
        *({"type": "content_block_delta", "index": 0, "delta": piece} for piece in pieces),
        {"type": "content_block_stop", "index": 0},
        {
            "type": "message_delta",
            "delta": {"stop_reason": message["stop_reason"], "stop_sequence": None},
            "usage": {"output_tokens": usage["output_tokens"]},
        },
        {"type": "message_stop"},
    ]
    for event in found:
        yield f"event: {event['type']}\ndata: {_json(event)}\n\n"


def _packed(vector: tuple[float, ...]) -> str:
    return base64.b64encode(struct.pack(f"<{len(vector)}f", *vector)).decode()


def _json(data: Json) -> str:
    return json.dumps(data, ensure_ascii=False, separators=(",", ":"))
