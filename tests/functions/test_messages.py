"""AoaiMessages: the text of prompts and answers, put together from pieces and bodies."""

from __future__ import annotations

import json

import pytest

from .raw_logs import answered, llm, messages, request

HOSTILE = (
    'Ünï "quoted" \\ back\n<script>alert(1)</script> =HYPERLINK("x") 東京 🚀 \t tab {"role": "user", "content": "no"}'
)
LONG = "".join(f"word{number} " for number in range(9000))


def _pieces(text: str, size: int = 32_768) -> list[str]:
    return [text[start : start + size] for start in range(0, len(text), size)]


def _events(*deltas: str) -> str:
    chunks = [{"choices": [{"index": 0, "delta": {"content": delta}}]} for delta in deltas]
    return "".join(f"data: {json.dumps(chunk)}\n\n" for chunk in chunks)


def _asked(*messages: dict) -> str:
    return json.dumps({"messages": list(messages), "stream": True})


def _parts(*texts: str) -> list[dict]:
    picture = {"type": "image_url", "image_url": {"url": "https://pictures.example/1.png"}}
    return [*({"type": "text", "text": text} for text in texts), picture]


def _with_files(text: str) -> list[dict]:
    """A message in parts, with pictures, a recording and files in it, as the services' APIs take them."""
    data = "iVBORw0KGgo" + "Ab+/9z" * 9000 + "=="
    url = f"data:image/png;base64,{data}"
    return [
        {"type": "image_url", "image_url": {"url": url, "detail": "high"}},
        {"type": "input_image", "image_url": url},
        {"type": "text", "text": text},
        {"type": "input_audio", "input_audio": {"data": data, "format": "wav"}},
        {"type": "file", "file": {"filename": "a.pdf", "file_data": f"data:application/pdf;base64,{data}"}},
        {"type": "image", "source": {"type": "base64", "media_type": "image/png", "data": data}},
        {"type": "text", "text": "two"},
    ]


#: Text that only looks as if a picture were in it.
CODED = 'How do I read {"url": "data:image/png;base64,' + "Ab+/9z" * 100 + '"} and ' + "QUJD" * 200 + "?"
SYSTEM = {"role": "system", "content": "Be brief."}
USER = {"role": "user", "content": HOSTILE}
EMBEDDINGS = "https://gateway.example/openai/deployments/embed/embeddings"
RESPONSES = "https://gateway.example/openai/v1/responses"
# name -> gateway columns, LLM rows, expected prompt, response, prompt complete, response complete
CASES = {
    "llm log": (
        {},
        [(1, "RequestMessages", json.dumps([SYSTEM, USER])), (2, "ResponseMessages", messages("assistant", HOSTILE))],
        HOSTILE, HOSTILE, True, True,
    ),
    "files among the parts": (
        {},
        [(1, "RequestMessages", json.dumps([SYSTEM, {"role": "user", "content": _with_files(CODED)}]))],
        CODED + "\ntwo", "", True, False,
    ),
    "files of earlier turns, in two pieces": (
        {},
        [(1, "RequestMessages", piece) for piece in
         _pieces(json.dumps([{"role": "user", "content": _with_files(HOSTILE)}, USER]), 190_000)],
        HOSTILE, "", True, False,
    ),
    "a text that looks like a file": (
        {},
        [(1, "RequestMessages", messages("user", CODED)), (2, "ResponseMessages", messages("assistant", CODED))],
        CODED, CODED, True, True,
    ),
    "two pieces, the last first": (
        {},
        [(1, "RequestMessages", piece) for piece in reversed(_pieces(messages("user", LONG[:50_000])))],
        LONG[:50_000], "", True, False,
    ),
    "three pieces, the first twice": (
        {},
        [(1, "RequestMessages", _pieces(messages("user", LONG))[number]) for number in (2, 0, 1, 0)],
        LONG, "", True, False,
    ),
    "answer in pieces, out of order": (
        {},
        [(2 + number, "ResponseMessages", piece) for number, piece in
         reversed(list(enumerate(_pieces(messages("assistant", LONG)))))],
        "", LONG, False, True,
    ),
    "a lost piece": (
        {},
        [(1, "RequestMessages", _pieces(messages("user", LONG))[0])],
        LONG[: 32_768 - len('[{"role": "user", "content": "')], "", False, False,
    ),
    "text in parts": (
        {"RequestBody": _asked(SYSTEM, {"role": "user", "content": _parts("one", HOSTILE)})},
        [], "one\n" + HOSTILE, "", True, False,
    ),
    "the last user message": (
        {"RequestBody": _asked({"role": "user", "content": "first"}, {"role": "assistant", "content": "a"}, USER)},
        [], HOSTILE, "", True, False,
    ),
    "a cut request": (
        {"RequestBody": _asked(SYSTEM, {"role": "user", "content": LONG})[:8192]},
        [], LONG[: 8192 - len(_asked(SYSTEM, {"role": "user", "content": "X"}).split("X")[0])], "", False, False,
    ),
    "a stream": (
        {"RequestBody": _asked(USER), "ResponseBody": _events("Fi", "ne", HOSTILE) + "data: [DONE]\n\n"},
        [], HOSTILE, "Fine" + HOSTILE, True, True,
    ),
    "a cut stream": (
        {"RequestBody": _asked(USER), "ResponseBody": _events("Fi", "ne") + 'data: {"choices": [{"index": 0, "del'},
        [], HOSTILE, "Fine", True, False,
    ),
    "embeddings of a list": (
        {"Url": EMBEDDINGS, "RequestBody": json.dumps({"input": ["one", HOSTILE]})},
        [], "one\n" + HOSTILE, "", True, False,
    ),
    "responses": (
        {"Url": RESPONSES, "RequestBody": json.dumps({"model": "chat", "input": HOSTILE}),
         "ResponseBody": json.dumps({"output": [{"content": [{"type": "output_text", "text": HOSTILE}]}]})},
        [], HOSTILE, HOSTILE, True, True,
    ),
    "a body without an answer's text": (
        {"RequestBody": _asked(USER), "ResponseBody": json.dumps({"error": {"code": "content_filter"}})},
        [], HOSTILE, "", True, True,
    ),
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory):
    gateway = [request(name, **case[0]) for name, case in CASES.items()]
    llm_rows = [llm(name, number, **{side: text}) for name, case in CASES.items() for number, side, text in case[1]]
    gateway.append(request("nothing"))
    return answered(tmp_path_factory.mktemp("messages"), "AoaiMessages", gateway, llm_rows)


@pytest.mark.parametrize("name", CASES)
def test_text_is_put_together_whole_and_said_to_be_so_only_then(rows, name):
    _, _, prompt, response, prompt_complete, response_complete = CASES[name]
    row = rows.loc[name]
    assert row.Prompt == prompt
    assert row.Response == response
    assert (row.PromptComplete, row.ResponseComplete) == (prompt_complete, response_complete)


def test_a_request_without_any_text_has_no_row(rows):
    assert "nothing" not in rows.index
    assert len(rows) == len(CASES)


def test_the_source_of_the_text_is_named(rows):
    assert rows.loc["llm log", "MessageSource"] == "llm-log"
    assert rows.loc["a stream", "MessageSource"] == "body"


CLAUDE = "https://gateway.example/anthropic/v1/messages"
CLAUDE_EVENTS = (
    {"type": "message_start", "message": {"content": []}},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": HOSTILE}},
    {"type": "message_stop"},
)


def test_claude_s_texts_are_read_from_a_whole_body_and_from_a_stream(tmp_path):
    asked = json.dumps({"model": "claude-opus-5", "system": "Be brief.", "messages": [USER]})
    whole = json.dumps({"type": "message", "content": [{"type": "text", "text": HOSTILE}]})
    stream = "".join(f"event: {event['type']}\ndata: {json.dumps(event)}\n\n" for event in CLAUDE_EVENTS)
    rows = answered(
        tmp_path,
        "AoaiMessages",
        [
            request(name, Url=CLAUDE, RequestBody=asked, ResponseBody=body)
            for name, body in (("w", whole), ("s", stream))
        ],
    )
    assert set(rows.Prompt) == set(rows.Response) == {HOSTILE}
    assert rows.PromptComplete.all() and rows.ResponseComplete.all()


ASKED_PARTS = {"contents": [{"role": "user", "parts": [{"text": HOSTILE}]}]}
ANSWER_PARTS = {"content": {"role": "model", "parts": [{"text": HOSTILE}]}, "finishReason": "STOP"}
BLOCKS = [{"text": HOSTILE}]
GEMINI = "https://gateway.example/v1beta/models/gemini-2.5-pro:generateContent"
# service -> URL, backend, request, answer
SERVICES = {
    "gemini": (GEMINI, "", ASKED_PARTS, {"candidates": [ANSWER_PARTS]}),
    "bedrock": (
        "https://gateway.example/model/amazon.nova-pro-v1:0/converse", "",
        {"messages": [{"role": "user", "content": BLOCKS}]}, {"output": {"message": {"content": BLOCKS}}},
    ),
    "cohere": (
        "https://gateway.example/v2/chat", "https://api.cohere.com/v2/chat",
        {"messages": [USER]}, {"message": {"role": "assistant", "content": [{"type": "text", "text": HOSTILE}]}},
    ),
}  # fmt: skip


@pytest.mark.parametrize("mark", ["", "\ufeff"])
def test_texts_of_other_services_are_read(tmp_path, mark):
    rows = answered(
        tmp_path,
        "AoaiMessages",
        [
            request(
                name, Url=url, BackendUrl=backend, RequestBody=json.dumps(asked), ResponseBody=mark + json.dumps(answer)
            )
            for name, (url, backend, asked, answer) in SERVICES.items()
        ],
    )
    assert set(rows.index) == set(SERVICES)
    assert set(rows.Prompt) == set(rows.Response) == {HOSTILE}
    assert rows.PromptComplete.all() and rows.ResponseComplete.all()
