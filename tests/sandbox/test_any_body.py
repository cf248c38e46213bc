"""Whatever JSON a client sends, it gets an answer in OpenAI's shape, and the call is logged."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.decide import parsed
from aoai_analytics.sandbox.serve import make

VALUES = st.recursive(
    st.none()
    | st.booleans()
    | st.integers(-5, 1 << 40)
    | st.floats()
    | st.text(max_size=5)
    | st.lists(st.integers(-2, 5) | st.integers((1 << 32) - 2, 1 << 65) | st.booleans(), max_size=3)
    | st.sampled_from(["auto", "required", "any", "\ud800", "tool", "function", "text", "image_url", "<|endoftext|>"]),
    lambda inner: (
        st.lists(inner, max_size=3)
        | st.dictionaries(
            st.sampled_from(["type", "text", "content", "role", "name", "function", "parameters", "properties"])
            | st.sampled_from(["cache_control", "ttl", "image_url", "detail", "items", "enum", "tool_calls", "effort"]),
            inner,
            max_size=3,
        )
    ),
    max_leaves=8,
)
MEMBERS = ["messages", "input", "prompt", "instructions", "system", "tools", "tool_choice", "stream", "stream_options"]
MEMBERS += ["reasoning", "reasoning_effort", "service_tier", "max_tokens", "max_output_tokens", "n", "dimensions"]
MEMBERS += ["encoding_format", "previous_response_id", "metadata", "data_sources", "store", "model"]
GOOD: dict[str, Any] = {"messages": [{"role": "user", "content": "a"}], "input": "a", "prompt": "a"}
PATHS = {
    "/openai/v1/chat/completions": "chat-mini",
    "/openai/v1/responses": "chat-mini",
    "/openai/v1/completions": "chat-mini",
    "/openai/v1/embeddings": "embed-small",
    "/anthropic/v1/messages": "claude",
    "/openai/v1/images/generations": "chat-mini",
}


@pytest.mark.parametrize("path", PATHS)
def test_any_json_is_answered_and_logged(tmp_path: Path, path: str) -> None:
    sandbox = make(tmp_path, body_bytes=8192)

    @settings(max_examples=150, suppress_health_check=[HealthCheck.too_slow], deadline=None)
    @given(st.dictionaries(st.sampled_from(MEMBERS), VALUES, max_size=4))
    def asked(members: dict[str, Any]) -> None:
        body = {"model": PATHS[path], **GOOD, **members}
        text = json.dumps(body)
        headers = dict.fromkeys(("api-key", "x-api-key"), "key-of-sub-platform")
        call = Call("POST", f"http://127.0.0.1{path}", "127.0.0.1", headers, text, parsed(text))
        answer = sandbox.deciding.answer(call, path, {})
        assert answer.status in (200, 400, 404)
        if answer.status != 200:
            error = answer.body["error"]
            assert isinstance(error["message"], str) and {"type", "param", "code"} <= set(error)
        sandbox.deciding.count(call)
        sandbox.log.add(call)

    asked()
    sandbox.log.flush(late=True)
    lines = [line for file in tmp_path.rglob("PT1H.json") for line in file.read_bytes().splitlines()]
    assert lines and all(json.loads(line)["correlationId"] for line in lines)


@pytest.mark.parametrize(
    "text",
    ["", "{", "[]", "1", '"a"', "\ufffd", '{"messages": ' + "[" * 3000, f'{{"messages": {"[" * 501}{"]" * 501}}}'],
)
def test_what_is_no_json_object_is_refused(tmp_path: Path, text: str) -> None:
    sandbox = make(tmp_path)
    path = "/openai/deployments/chat-mini/chat/completions"
    headers = {"api-key": "key-of-sub-platform"}
    call = Call("POST", f"http://127.0.0.1{path}", "127.0.0.1", headers, text, parsed(text))
    answer = sandbox.deciding.answer(call, path, {"api-version": "2024-10-21"})
    assert (answer.status, answer.body["error"]["param"]) == (400, "messages")
