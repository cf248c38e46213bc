"""Every model's API behind the same gateway: what its published answers say, and nothing that they do not."""

from __future__ import annotations

import json
from typing import Any

import pandas as pd
import pytest

from .raw_logs import answered, llm, request

HOST = "https://gateway.example"
CLAUDE = f"{HOST}/anthropic/v1/messages"
RESPONSES = f"{HOST}/openai/v1/responses"
GEMINI = f"{HOST}/gemini/v1beta/models/gemini-2.5-pro:generateContent"
BEDROCK = f"{HOST}/model/eu.anthropic.claude-sonnet-4-5-20250929-v1%3A0/converse"


def sse(*events: dict[str, Any], named: bool = True, start: str = "", space: str = " ", end: str = "") -> str:
    """A stream of server-sent events."""
    lines = [
        (f"event: {event['type']}\n" if named and "type" in event else "") + f"data:{space}{json.dumps(event)}\n\n"
        for event in events
    ]
    return start + "".join(lines) + end


def chunk(content: str, finish: str | None = None, **more: object) -> dict[str, Any]:
    return {"choices": [{"index": 0, "delta": {"content": content}, "finish_reason": finish}], **more}


USAGE = {"prompt_tokens": 12, "completion_tokens": 5, "total_tokens": 17}
CHAT_STREAM = (chunk("Fine", model="gpt-4o-2024-08-06"), chunk("", "stop"), {"choices": [], "usage": USAGE})
CLAUDE_USAGE = {
    "input_tokens": 20,
    "cache_creation_input_tokens": 300,
    "cache_read_input_tokens": 4000,
    "output_tokens": 7,
}
CLAUDE_ANSWER = {
    "type": "message",
    "model": "claude-haiku-4-5-20251001",
    "content": [{"type": "text", "text": 'He said "usage": {"input_tokens": 9}'}],
    "stop_reason": "end_turn",
    "usage": CLAUDE_USAGE | {"service_tier": "priority"},
}
CLAUDE_STREAM = (
    {"type": "message_start", "message": {"model": "claude-opus-5", "usage": CLAUDE_USAGE | {"output_tokens": 1}}},
    {"type": "ping"},
    {"type": "content_block_delta", "index": 0, "delta": {"type": "text_delta", "text": "Hi"}},
    {"type": "message_delta", "delta": {"stop_reason": "max_tokens"}, "usage": {"output_tokens": 49}},
    {"type": "message_stop"},
)
# Claude on a Foundry resource behind the gateway of setup_scripts: API, operation, pool and traces as they are logged.
OF_GATEWAY = {
    "Url": CLAUDE,
    "ApiId": "anthropic",
    "OperationId": "CreateMessage",
    "BackendId": "claude-pool",
    "BackendUrl": "https://foundry-c-x1y2.services.ai.azure.com/anthropic/v1/messages",
}


def traced(*messages: str) -> str:
    """Trace records of an answered message."""
    first = "InferenceAttempt|attempt=1|backend=foundry-c-x1y2|code=200"
    return json.dumps([{"source": "aoai-gateway", "message": message} for message in (first, *messages)])


REFUSED = {"code": "content_filter", "innererror": {"code": "ResponsibleAIPolicyViolation"}}
OWN_LIST = {"custom_blocklists": [{"filtered": True, "id": "b"}], "hate": {"filtered": False, "severity": "safe"}}
DONE = "data: [DONE]\n\n"

# name -> (the gateway row, its LLM rows, what is to be read from them)
CASES: dict[str, tuple[dict[str, Any], list[dict[str, Any]], dict[str, Any]]] = {
    # Claude
    "claude": (
        {"Url": CLAUDE, "ResponseBody": json.dumps(CLAUDE_ANSWER)},
        [],
        {"Surface": "messages", "PromptTokens": 4320, "CachedTokens": 4000, "CacheWriteTokens": 300,
         "TotalTokens": 4327, "ModelName": "claude-haiku-4-5", "ModelVersion": "20251001", "ServiceTier": "priority",
         "FinishReason": "stop"},
    ),
    "claude writes to the cache for an hour": (
        {"Url": CLAUDE, "ResponseBody": json.dumps(CLAUDE_ANSWER | {"usage": CLAUDE_USAGE | {"cache_creation": {
            "ephemeral_5m_input_tokens": 100, "ephemeral_1h_input_tokens": 200}}})},
        [],
        {"CacheWriteTokens": 300, "CacheWriteHourTokens": 200, "PromptTokens": 4320},
    ),
    "claude streams what it wrote to the cache for an hour": (
        {"Url": CLAUDE, "ResponseBody": sse({"type": "message_start", "message": {"usage": CLAUDE_USAGE | {
            "cache_creation": {"ephemeral_1h_input_tokens": 300, "ephemeral_5m_input_tokens": 0}}}},
            *CLAUDE_STREAM[1:])},
        [],
        {"CacheWriteTokens": 300, "CacheWriteHourTokens": 300, "PromptTokens": 4320, "CompletionTokens": 49},
    ),
    "claude does not say how long": (
        {"Url": CLAUDE, "ResponseBody": json.dumps(CLAUDE_ANSWER)},
        [],
        {"CacheWriteTokens": 300, "CacheWriteHourTokens": None},
    ),
    "claude stream": (
        {"Url": CLAUDE, "ResponseBody": sse(*CLAUDE_STREAM)},
        [],
        {"PromptTokens": 4320, "CompletionTokens": 49, "BodyState": "full", "TokenSource": "usage", "IsStream": True,
         "FinishReason": "length", "ModelName": "claude-opus-5"},
    ),
    "claude stream cut": (
        {"Url": CLAUDE, "ResponseBody": sse(*CLAUDE_STREAM[:3])},
        [],
        {"TokenSource": "none", "PromptTokens": 4320, "CompletionTokens": None, "TotalTokens": None},
    ),
    "claude of the LLM log, cache in the body": (
        {"Url": CLAUDE, "ResponseBody": json.dumps(CLAUDE_ANSWER)},
        [{"PromptTokens": 20, "CompletionTokens": 7, "TotalTokens": 27, "ModelName": "claude-haiku-4-5"}],
        {"TokenSource": "llm-log", "PromptTokens": 4320, "TotalTokens": 4327},
    ),
    "claude of the LLM log, cache in its record": (
        {"Url": CLAUDE},
        [{"PromptTokens": 26, "CompletionTokens": 85, "TotalTokens": 111, "PromptCachedTokens": 48854}],
        {"TokenSource": "llm-log", "PromptTokens": 48880, "CachedTokens": 48854, "TotalTokens": 48965},
    ),
    "cached tokens of OpenAI's prompts are part of them": (
        {},
        [{"PromptTokens": 2000, "CompletionTokens": 20, "TotalTokens": 2020, "PromptCachedTokens": 1920,
          "CompletionReasoningTokens": 8}],
        {"PromptTokens": 2000, "CachedTokens": 1920, "ReasoningTokens": 8, "TotalTokens": 2020},
    ),
    # As the gateway of setup_scripts logs it, with bodies off: the usage of an answer is traced, and of a stream that
    # marks nothing for the cache, that it used none.
    "claude through the shipped gateway": (
        OF_GATEWAY | {"TraceRecords": traced(
            "InferenceUsage|cached=48854|written=300|reasoning=|finish=stop|tier=standard|written1h=200")},
        [{"PromptTokens": 26, "CompletionTokens": 85, "TotalTokens": 111, "ModelName": "claude-sonnet-4-6"}],
        {"Surface": "messages", "TokenSource": "llm-log", "PromptTokens": 49180, "CachedTokens": 48854,
         "CacheWriteTokens": 300, "CacheWriteHourTokens": 200, "CompletionTokens": 85, "FinishReason": "stop",
         "ModelName": "claude-sonnet-4-6", "BackendHost": "foundry-c-x1y2", "Attempts": 1, "ServiceTier": "standard"},
    ),
    "claude streams through it": (
        OF_GATEWAY | {"TraceRecords": traced("InferenceUsage|cached=0|written=0|reasoning=|finish=|tier=")},
        [{"PromptTokens": 26, "CompletionTokens": 85, "TotalTokens": 111, "ModelName": "claude-sonnet-4-6",
          "IsStreamCompletion": True}],
        {"TokenSource": "llm-log", "PromptTokens": 26, "CachedTokens": 0, "CacheWriteTokens": 0, "TotalTokens": 111,
         "IsStream": True, "FinishReason": "", "ServiceTier": ""},
    ),
    "claude streams through it and may have read the cache": (
        OF_GATEWAY | {"TraceRecords": traced()},
        [{"PromptTokens": 26, "CompletionTokens": 85, "TotalTokens": 111, "IsStreamCompletion": True}],
        {"TokenSource": "none", "PromptTokens": None, "TotalTokens": None},
    ),
    "claude counts tokens": (
        {"Url": f"{CLAUDE}/count_tokens", "ResponseBody": '{"input_tokens": 2095}'},
        [],
        {"TokenSource": "not-billed", "TotalTokens": 0},
    ),
    "claude is overloaded": (
        {"Url": CLAUDE, "ResponseCode": 529, "BackendResponseCode": 529,
         "ResponseBody": '{"type": "error", "error": {"type": "overloaded_error", "message": "m"}}'},
        [],
        {"Outcome": "server-error", "ErrorCode": "overloaded_error", "TokenSource": "not-billed"},
    ),
    # Other services
    "gemini": (
        {"Url": GEMINI, "ResponseBody": json.dumps({
            "candidates": [{"finishReason": "MAX_TOKENS"}], "modelVersion": "gemini-2.5-pro",
            "usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 5, "thoughtsTokenCount": 30,
                              "cachedContentTokenCount": 4, "totalTokenCount": 45}})},
        [],
        {"Surface": "chat", "PromptTokens": 10, "CompletionTokens": 35, "ReasoningTokens": 30, "CachedTokens": 4,
         "TotalTokens": 45, "ModelName": "gemini-2.5-pro", "FinishReason": "length"},
    ),
    "gemini as a list": (
        {"Url": GEMINI.replace("generate", "streamGenerate"), "ResponseBody": json.dumps([
            {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 1, "totalTokenCount": 11}},
            {"usageMetadata": {"promptTokenCount": 10, "candidatesTokenCount": 8, "totalTokenCount": 18}}])},
        [],
        {"TotalTokens": 18, "IsStream": True, "DeploymentName": "gemini-2.5-pro"},
    ),
    "gemini is throttled": (
        {"Url": GEMINI, "ResponseCode": 429, "BackendResponseCode": 429,
         "ResponseBody": '{"error": {"code": 429, "message": "m", "status": "RESOURCE_EXHAUSTED"}}'},
        [],
        {"Outcome": "throttled-backend", "ErrorCode": "RESOURCE_EXHAUSTED", "TotalTokens": 0},
    ),
    "bedrock": (
        {"Url": BEDROCK, "ResponseBody": json.dumps({
            "output": {"message": {"role": "assistant"}}, "stopReason": "end_turn",
            "usage": {"inputTokens": 10, "outputTokens": 20, "totalTokens": 30, "cacheReadInputTokens": 100}})},
        [],
        {"Surface": "chat", "PromptTokens": 110, "CachedTokens": 100, "TotalTokens": 130,
         "ModelName": "claude-sonnet-4-5", "ModelVersion": "20250929", "FinishReason": "stop"},
    ),
    "deepseek without v1": (
        {"Url": f"{HOST}/ds/chat/completions", "BackendUrl": "https://api.deepseek.com/chat/completions",
         "ResponseBody": json.dumps({"choices": [], "usage": USAGE | {"prompt_cache_hit_tokens": 3}})},
        [],
        {"Surface": "chat", "TotalTokens": 17, "CachedTokens": 3, "BackendHost": "api.deepseek.com"},
    ),
    "grok counts reasoning apart": (
        {"ResponseBody": json.dumps({"choices": [], "usage": {
            "prompt_tokens": 37, "completion_tokens": 9, "total_tokens": 185,
            "completion_tokens_details": {"reasoning_tokens": 139}}})},
        [{"PromptTokens": 37, "CompletionTokens": 9, "TotalTokens": 46}],
        {"CompletionTokens": 148, "ReasoningTokens": 139, "TotalTokens": 185, "TokenSource": "usage"},
    ),
    "realtime": (
        {"Method": "GET", "Url": "wss://gateway.example/openai/realtime?api-version=2025-04-01&deployment=rt",
         "ResponseCode": 101, "BackendResponseCode": 101},
        [],
        {"Surface": "realtime", "Outcome": "success", "TokenSource": "none", "TotalTokens": None,
         "DeploymentName": "rt", "ApiVersion": "2025-04-01"},
    ),
    # Streams
    "comment first": ({"ResponseBody": sse(*CHAT_STREAM, start=": keep-alive\n\n", end=DONE)}, [], {"TotalTokens": 17}),
    "mark first": ({"ResponseBody": "\ufeff" + sse(*CHAT_STREAM, end=DONE)}, [],
                   {"TotalTokens": 17, "BodyState": "full"}),
    "retry first": ({"ResponseBody": sse(*CHAT_STREAM, start="retry: 10\n", end=DONE)}, [], {"TotalTokens": 17}),
    "no blank": ({"ResponseBody": sse(*CHAT_STREAM, space="", end="data:[DONE]")}, [],
                 {"TotalTokens": 17, "BodyState": "full"}),
    "carriage returns": ({"ResponseBody": sse(*CHAT_STREAM, end=DONE).replace("\n", "\r\n")}, [],
                         {"TotalTokens": 17, "BodyState": "full", "IsStream": True}),
    "image stream": (
        {"Url": f"{HOST}/openai/v1/images/edits", "ResponseBody": sse(
            {"type": "image_edit.completed", "usage": {"input_tokens": 5, "output_tokens": 6, "total_tokens": 11}})},
        [],
        {"Surface": "images", "TotalTokens": 11, "IsStream": True, "BodyState": "full"},
    ),
    "usage so far": (
        {"ResponseBody": sse(chunk("a", usage={"prompt_tokens": 12, "completion_tokens": 1, "total_tokens": 13}))},
        [],
        {"TokenSource": "none", "TotalTokens": None},
    ),
    # Failures inside HTTP 200
    "response failed": (
        {"Url": RESPONSES, "ResponseBody": sse({"type": "response.failed", "response": {
            "status": "failed", "error": {"code": "rate_limit_exceeded", "message": "m"}}})},
        [],
        {"Outcome": "throttled-backend", "ErrorCode": "rate_limit_exceeded", "BodyState": "full"},
    ),
    "error as data, then the end": (
        {"ResponseBody": sse(chunk("a"), {"error": {"code": "content_filter", "message": "m"}}, end=DONE)},
        [],
        {"Outcome": "content-filter", "ErrorCode": "content_filter", "TokenSource": "none"},
    ),
    "flat error event": (
        {"Url": RESPONSES, "ResponseBody": sse({"type": "error", "code": "server_error", "message": "boom"})},
        [],
        {"Outcome": "server-error", "ErrorCode": "server_error", "ErrorMessage": "boom"},
    ),
    "traced, no body": (
        {"TraceRecords": json.dumps([{"message": "InferenceError|code=server_error"}])},
        [],
        {"Outcome": "server-error", "ErrorCode": "server_error"},
    ),
    "completed": (
        {"Url": RESPONSES, "ResponseBody": json.dumps({
            "status": "completed", "error": None, "service_tier": "flex",
            "usage": {"input_tokens": 75, "input_tokens_details": {"cached_tokens": 64, "cache_write_tokens": 5},
                      "output_tokens": 9, "total_tokens": 84}})},
        [],
        {"Outcome": "success", "CacheWriteTokens": 5, "CachedTokens": 64, "PromptTokens": 75, "ServiceTier": "flex"},
    ),
    "cut before its tier": (
        {"Url": RESPONSES, "ResponseBody": sse(
            {"type": "response.created", "response": {"status": "in_progress", "service_tier": "auto", "usage": None}},
            {"type": "response.output_text.delta", "delta": "Fine"})},
        [{}], {"BodyState": "truncated", "ServiceTier": "", "TotalTokens": 120},
    ),
    # The content filter, and what is charged
    "refused prompt": (
        {"ResponseCode": 400, "BackendResponseCode": 400, "ResponseBody": json.dumps({"error": REFUSED})},
        [],
        {"Outcome": "content-filter", "TokenSource": "none", "PromptTokens": None, "CompletionTokens": 0},
    ),
    "own blocklist": (
        {"ResponseCode": 400, "BackendResponseCode": 400, "ResponseBody": json.dumps({"error": REFUSED | {
            "innererror": REFUSED["innererror"] | {"content_filter_result": OWN_LIST}}})},
        [],
        {"Outcome": "content-filter", "TokenSource": "not-billed", "TotalTokens": 0},
    ),
    "blocklist and category": (
        {"ResponseCode": 400, "BackendResponseCode": 400, "ResponseBody": json.dumps({"error": REFUSED | {
            "innererror": {"content_filter_result": OWN_LIST | {"hate": {"filtered": True}}}}})},
        [],
        {"TokenSource": "none"},
    ),
    "content_policy_violation": (
        {"ResponseCode": 400, "BackendResponseCode": 400,
         "ResponseBody": '{"error": {"code": "content_policy_violation"}}'},
        [], {"Outcome": "content-filter"},
    ),
    "moderation_blocked": (
        {"ResponseCode": 400, "BackendResponseCode": 400, "ResponseBody": '{"error": {"code": "moderation_blocked"}}'},
        [], {"Outcome": "content-filter"},
    ),
    "inner_error": (
        {"ResponseCode": 400, "BackendResponseCode": 400,
         "ResponseBody": '{"error": {"code": "BadRequest", "inner_error": {"code": "ResponsibleAIPolicyViolation"}}}'},
        [], {"Outcome": "content-filter"},
    ),
    "refused by the gateway": (
        {"ResponseCode": 403, "BackendUrl": "", "BackendResponseCode": None, "LastErrorSource": "llm-content-safety"},
        [], {"Outcome": "content-filter", "TokenSource": "not-billed"},
    ),
    "timed out": (
        {"ResponseCode": 408, "BackendResponseCode": 408},
        [], {"Outcome": "client-error", "TokenSource": "none", "TotalTokens": None},
    ),
    # An LLM row without completion
    "no completion, no body": (
        {}, [{"PromptTokens": 26, "CompletionTokens": 0, "TotalTokens": 26}],
        {"TokenSource": "none", "PromptTokens": 26, "CompletionTokens": None, "TotalTokens": None},
    ),
    "no completion in the body either": (
        {"ResponseBody": json.dumps({"choices": [], "usage": {"prompt_tokens": 26, "completion_tokens": 0,
                                                             "total_tokens": 26}})},
        [{"PromptTokens": 26, "CompletionTokens": 0, "TotalTokens": 26}],
        {"TokenSource": "llm-log", "TotalTokens": 26},
    ),
    "no completion of an embedding": (
        {"Url": f"{HOST}/openai/v1/embeddings"}, [{"PromptTokens": 26, "CompletionTokens": 0, "TotalTokens": 26}],
        {"TokenSource": "llm-log", "TotalTokens": 26},
    ),
    # Traces and headers
    "another gateway's attempts": (
        {"TraceRecords": json.dumps([{"message": f"InferenceAttempt|attempt={n}/3|backendId=b{n}|backend=https://b{n}.x/|code=429"}
                                     for n in (1, 2)])},
        [], {"Attempts": 2, "FailedOver": True},
    ),
    "traced usage": (
        {"TraceRecords": json.dumps([
            {"message": "InferenceUsage|cached=9|written=4|reasoning=3|finish=length|tier=priority"}])},
        [{}],
        {"CachedTokens": 9, "CacheWriteTokens": 4, "ReasoningTokens": 3, "FinishReason": "length",
         "ServiceTier": "priority", "TotalTokens": 120},
    ),
    "claude code": (
        {"Url": CLAUDE, "RequestHeaders": '{"User-Agent": "claude-cli/2.0.1 (external, cli)"}',
         "RequestBody": '{"metadata": {"user_id": "user_9_session_0a-1b"}}'},
        [], {"ClientName": "Claude Code", "EndUserId": "user_9"},
    ),
    "openai-python": (
        {"RequestHeaders": '{"user-agent": "AsyncAzureOpenAI/Python 1.99.1"}'}, [], {"ClientName": "openai-python"},
    ),
    "copilot-finops": (
        {"TraceRecords": '[{"source": "copilot-finops", "metadata": {"oid": "o-1", "developerName": "ada"}}]'},
        [], {"EndUserId": "ada"},
    ),
    # What is no answer
    "cancel": ({"Url": f"{RESPONSES}/resp_1/cancel", "ResponseBody": json.dumps({"usage": USAGE})}, [],
               {"TokenSource": "not-billed", "TotalTokens": 0}),
    "upload": ({"Url": f"{HOST}/openai/v1/uploads/u/parts"}, [], {"TokenSource": "not-billed"}),
    "thread": ({"Url": f"{HOST}/openai/threads/t/messages"}, [], {"TokenSource": "not-billed"}),
    "input_tokens": ({"Url": f"{RESPONSES}/input_tokens", "ResponseBody": '{"input_tokens": 7}'}, [],
                     {"TokenSource": "not-billed"}),
}  # fmt: skip


@pytest.fixture(scope="module")
def rows(tmp_path_factory: pytest.TempPathFactory) -> pd.DataFrame:
    gateway = [request(name, **columns) for name, (columns, _, _) in CASES.items()]
    records = [llm(name, **columns) for name, (_, llm_rows, _) in CASES.items() for columns in llm_rows]
    return answered(tmp_path_factory.mktemp("models"), "AoaiRequestsLogged", gateway, records)


@pytest.mark.parametrize("name", CASES)
def test_an_answer_is_read_as_its_service_writes_it(rows: pd.DataFrame, name: str) -> None:
    row = rows.loc[name]
    found = {column: None if pd.isna(row[column]) else row[column] for column in CASES[name][2]}
    assert found == CASES[name][2]


def test_an_answer_in_the_background_is_billed_once_to_who_asked(tmp_path) -> None:
    usage = {"input_tokens": 75, "output_tokens": 1186, "total_tokens": 1261}
    polled = json.dumps({"id": "resp_1", "status": "completed", "usage": usage})
    waiting = json.dumps({"id": "resp_1", "status": "queued", "usage": None})
    get = {"Method": "GET", "Url": f"{RESPONSES}/resp_1"}
    found = answered(
        tmp_path,
        "AoaiRequestsLogged",
        [
            request("asked", Url=RESPONSES, ResponseBody=waiting),
            request("early", **get, ResponseBody=waiting),
            request("late", **get, ResponseBody=polled),
            request("again", **get, ResponseBody=polled),
        ],
    )
    assert found.loc["asked", "TotalTokens"] == 1261
    assert found.TotalTokens.sum() == 1261
    assert set(found.loc[["early", "late", "again"], "TokenSource"]) == {"not-billed"}
