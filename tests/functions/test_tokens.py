"""The token rules of the semantic layer: what is known is right, and what is not known is not made up."""

from __future__ import annotations

import json
import random

import pandas as pd
import pytest

from .bodies import ANSWERS, CHAT, EMBEDDING, STREAM, TRAP
from .raw_logs import answered, llm, messages, request

LOGGED = "AoaiRequestsLogged"
TOKENS = ["PromptTokens", "CompletionTokens", "TotalTokens"]


@pytest.fixture(scope="module")
def cut(tmp_path_factory):
    """Every answer cut behind every byte, each a request: name and length -> the row made of it."""
    rows = []
    for answer in ANSWERS:
        body = answer.body.encode()
        rows += [
            request(f"{answer.name}|{end}", ResponseBody=body[:end].decode(errors="ignore"), ResponseSize=len(body))
            for end in range(len(body) + 1)
        ]
    return answered(tmp_path_factory.mktemp("cut"), LOGGED, rows)


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_a_body_cut_behind_any_byte_gives_the_true_tokens_or_none(cut, answer):
    of_answer = cut[cut.index.str.startswith(f"{answer.name}|")]
    known = of_answer[of_answer.TotalTokens.notna()]
    assert set(known.PromptTokens) <= {answer.prompt}
    assert set(known.CompletionTokens) <= {answer.completion}
    assert set(known.TotalTokens) <= {answer.total}
    assert set(known.CachedTokens.dropna()) <= {answer.cached}
    assert set(known.ReasoningTokens.dropna()) <= {answer.reasoning}
    unknown = of_answer[of_answer.TotalTokens.isna()]
    assert set(unknown.TokenSource) == {"none"}
    assert set(known.TokenSource) <= {"usage", "usage-fragment"}


@pytest.mark.parametrize("answer", ANSWERS, ids=lambda answer: answer.name)
def test_a_whole_body_gives_its_usage(cut, answer):
    row = cut.loc[f"{answer.name}|{len(answer.body.encode())}"]
    assert row.TokenSource == "usage"
    assert row.BodyState == "full"
    assert (row.PromptTokens, row.CompletionTokens) == (answer.prompt, answer.completion)


def test_a_usage_object_that_is_whole_in_a_cut_body_is_a_fragment(cut):
    fragments = cut[cut.TokenSource == "usage-fragment"]
    assert (fragments.BodyState == "truncated").all()
    assert fragments.index.str.startswith("usage before the answer|").sum() > 200
    assert fragments.index.str.startswith("stream|").any()


def test_a_number_whose_end_is_not_seen_is_not_read(tmp_path):
    body = '{"usage": {"prompt_tokens": 12, "completion_tokens": 34, "total_tokens": 46'
    rows = answered(tmp_path, LOGGED, [request("open", ResponseBody=body), request("shut", ResponseBody=body + ", ")])
    assert rows.loc["shut", "TotalTokens"] == 46
    assert rows.loc["open", "TotalTokens"] == 46  # of both its parts, whose ends are seen


def _usage(**fields: object) -> str:
    return json.dumps({"choices": [], "usage": fields})


EMPTY_USAGES = dict(
    [
        ("null", '{"choices": [], "usage": null}'),
        ("empty", _usage()),
        ("null numbers", _usage(prompt_tokens=None, completion_tokens=None, total_tokens=None)),
        ("one null", _usage(prompt_tokens=5, completion_tokens=None, total_tokens=9)),
        ("absent completion", _usage(prompt_tokens=5, total_tokens=9)),
        ("absent prompt", _usage(completion_tokens=5, total_tokens=9)),
        ("negative", _usage(prompt_tokens=-5, completion_tokens=9, total_tokens=4)),
        ("all zero", _usage(prompt_tokens=0, completion_tokens=0, total_tokens=0)),
        ("text", _usage(prompt_tokens="many", completion_tokens="few", total_tokens="some")),
        ("not an object", '{"choices": [], "usage": 17}'),
        ("quoted in the answer alone", json.dumps({"choices": [{"message": {"content": TRAP}}]})),
        (
            "quoted in a stream alone",
            f"data: {json.dumps({'choices': [{'delta': {'content': TRAP}}]})}\n\ndata: [DONE]",
        ),
        ("stream with null alone", 'data: {"choices": [], "usage": null}\n\ndata: [DONE]\n\n'),
    ]
)


def test_a_usage_that_says_nothing_leaves_the_tokens_unknown(tmp_path):
    rows = answered(tmp_path, LOGGED, [request(name, ResponseBody=body) for name, body in EMPTY_USAGES.items()])
    told = rows[(rows.TokenSource != "none") | rows[TOKENS].notna().any(axis=1)]
    assert len(rows) == len(EMPTY_USAGES)
    assert told.empty, told[["TokenSource", *TOKENS]]


def test_a_usage_object_in_the_prompt_is_not_usage(tmp_path):
    body = json.dumps({"messages": [{"role": "user", "content": TRAP}], "usage": {"prompt_tokens": 1}})
    row = answered(tmp_path, LOGGED, [request("x", RequestBody=body, ResponseBody="")]).loc["x"]
    assert row.TokenSource == "none"


def test_the_llm_log_comes_first_and_the_body_adds_cached_and_reasoning_tokens(tmp_path):
    row = answered(tmp_path, LOGGED, [request("x", ResponseBody=CHAT.body)], [llm("x")]).loc["x"]
    assert row.TokenSource == "llm-log"
    assert tuple(row[TOKENS]) == (100, 20, 120)
    assert (row.CachedTokens, row.ReasoningTokens) == (CHAT.cached, CHAT.reasoning)


def test_an_llm_row_without_tokens_leaves_the_word_to_the_body(tmp_path):
    nothing = {"PromptTokens": 0, "CompletionTokens": 0, "TotalTokens": 0}
    nulls = dict.fromkeys(nothing)
    rows = answered(
        tmp_path,
        LOGGED,
        [request(name, ResponseBody=STREAM.body) for name in ("zero", "null", "negative")],
        [llm("zero", **nothing), llm("null", **nulls), llm("negative", **dict.fromkeys(nothing, -1))],
    )
    assert set(rows.TokenSource) == {"usage"}
    assert set(rows.TotalTokens) == {STREAM.total}


def test_records_delivered_three_times_and_out_of_order_count_once(tmp_path):
    gateway = [request("x", ResponseBody=CHAT.body)] * 3 + [request("y")] * 2
    llm_rows = [llm(name, number) for name in ("x", "y") for number in (0, 1, 2, 0, 3, 1, 0)]
    random.Random(5).shuffle(llm_rows)
    rows = answered(tmp_path, LOGGED, gateway, llm_rows)
    assert sorted(rows.index) == ["x", "y"]
    assert list(rows.TotalTokens) == [120, 120]


NO_ANSWERS = [
    ({"Cache": "hit", "BackendUrl": None, "BackendResponseCode": None, "ResponseBody": CHAT.body}, "cache-hit"),
    ({"BackendUrl": None, "BackendResponseCode": None, "ResponseBody": CHAT.body}, "cache-hit"),
    ({"ResponseCode": 429, "BackendUrl": None, "BackendResponseCode": None}, "throttled-gateway"),
    ({"ResponseCode": 403, "BackendUrl": None, "BackendResponseCode": None, "LastErrorReason": "QuotaExceeded"},
     "throttled-gateway"),
    ({"ResponseCode": 429, "BackendResponseCode": 429}, "throttled-backend"),
    ({"ResponseCode": 400, "BackendUrl": None, "BackendResponseCode": None, "LastErrorSource": "llm-content-safety"},
     "content-filter"),
    ({"ResponseCode": 400, "BackendResponseCode": 400}, "client-error"),
    ({"ResponseCode": 401, "BackendUrl": None, "BackendResponseCode": None}, "unauthorized"),
    ({"ResponseCode": 404, "BackendResponseCode": 404}, "not-found"),
    ({"ResponseCode": 503, "BackendResponseCode": 503}, "server-error"),
    ({"ResponseCode": 500, "BackendUrl": None, "BackendResponseCode": None}, "server-error"),
    ({"ResponseCode": 499, "BackendUrl": None, "BackendResponseCode": None}, "client-closed"),
]  # fmt: skip


def test_where_no_model_answered_nothing_was_billed(tmp_path):
    rows = answered(tmp_path, LOGGED, [request(str(n), **columns) for n, (columns, _) in enumerate(NO_ANSWERS)])
    for number, (columns, outcome) in enumerate(NO_ANSWERS):
        row = rows.loc[str(number)]
        assert row.Outcome == outcome, columns
        assert row.TokenSource == "not-billed", columns
        assert (row.PromptTokens, row.CompletionTokens, row.TotalTokens, row.CachedTokens) == (0, 0, 0, 0), columns
        assert row.CacheHit == (outcome == "cache-hit"), columns


def test_a_client_that_left_midway_is_billed_for_what_the_model_wrote(tmp_path):
    gateway = [request(name, ResponseCode=499, BackendResponseCode=200) for name in ("logged", "unlogged")]
    rows = answered(tmp_path, LOGGED, gateway, [llm("logged")])
    assert list(rows.loc[["logged", "unlogged"], "TokenSource"]) == ["llm-log", "none"]
    assert pd.isna(rows.loc["unlogged", "TotalTokens"])


def test_asking_for_a_stored_response_again_bills_nothing(tmp_path):
    url = "https://gateway.example/openai/v1/responses/resp_1"
    row = answered(tmp_path, LOGGED, [request("x", Method="GET", Url=url, ResponseBody=EMBEDDING.body)]).loc["x"]
    assert (row.Surface, row.TokenSource, row.TotalTokens) == ("other", "not-billed", 0)


def test_the_same_prompt_in_pieces_is_one_prompt_however_the_pieces_come(tmp_path):
    text = messages("user", "word " * 14_000)
    pieces = [text[:32_768], text[32_768:65_536], text[65_536:]]
    rows = [llm("x", 1, RequestMessages=piece) for piece in (pieces[2], pieces[0], pieces[1], pieces[0])]
    row = answered(tmp_path, LOGGED, [request("x")], [llm("x"), *rows]).loc["x"]
    assert row.PromptBytes == len(text)


def test_a_picture_within_a_prompt_does_not_count_by_its_bytes(tmp_path):
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64," + "iVBORw0KGgo" * 900}}
    content = [{"type": "text", "text": "What is this?"}, picture]
    body = json.dumps({"messages": [{"role": "user", "content": content}]})
    whole, cut = request("whole", RequestBody=body), request("cut", RequestBody=body[:8192])
    rows = answered(tmp_path, LOGGED, [whole, cut], [llm("logged", 1, RequestMessages=body)])
    assert set(rows.PromptKind) == {"image"}
    assert (rows.PromptBytes < 200).all()
