"""The sample's records have the shape that diagnostic settings give them."""

from __future__ import annotations

import json
from collections import Counter

ENVELOPE = {
    "DeploymentVersion", "Level", "Sku", "isRequestSuccess", "time", "operationName", "category", "durationMs",
    "callerIpAddress", "correlationId", "location", "resultType", "resourceId", "properties", "truncated",
}  # fmt: skip
ALWAYS = {
    "method", "url", "responseCode", "responseSize", "cache", "requestSize", "apiId", "operationId", "clientProtocol",
    "apiRevision", "clientTlsVersion", "clientTime",
}  # fmt: skip
SUBSCRIBER = {"apimSubscriptionId", "productId"}
BACKEND = {"backendUrl", "backendMethod", "backendResponseCode", "backendProtocol", "backendTime", "backendId"}
BODIES = {"requestBody", "responseBody", "backendRequestBody", "backendResponseBody"}
LLM_ENVELOPE = {
    "time", "operationName", "category", "correlationId", "resourceId", "location", "DeploymentVersion", "Level",
    "callerIpAddress", "truncated", "properties",
}  # fmt: skip
LLM_ALWAYS = {"requestId", "sequenceNumber", "apiVersion", "deploymentName", "modelName", "isStreamCompletion"}
LLM_TOKENS = {"promptTokens", "completionTokens", "totalTokens"}


def test_every_gateway_record_has_the_documented_keys_and_no_others(sample):
    optional = SUBSCRIBER | BACKEND | BODIES | {"userId", "traceRecords", "lastError", "errors"}
    for _, record in sample.gateway:
        properties = set(record["properties"])
        assert set(record) == ENVELOPE
        assert properties >= ALWAYS
        assert properties <= ALWAYS | optional
        for together in (SUBSCRIBER, BACKEND, {"lastError", "errors"}, {"requestBody", "responseBody"}):
            assert not properties & together or properties >= together
        assert ("apimSubscriptionId" in properties) == (record["properties"]["responseCode"] != 401)
        assert record["isRequestSuccess"] == (record["properties"]["responseCode"] < 400)


def test_every_llm_record_has_the_documented_keys_and_no_others(sample):
    for _, record in sample.llm:
        properties = record["properties"]
        extra = {0: LLM_TOKENS, 1: {"requestMessages"}}.get(properties["sequenceNumber"], {"responseMessages"})
        assert set(record) == LLM_ENVELOPE
        assert set(properties) == LLM_ALWAYS | extra
        assert bool(properties["modelName"]) == (properties["sequenceNumber"] == 0)


def test_bodies_and_entries_keep_within_the_limits_of_the_gateway(sample):
    for blob in sample.folder.glob("logs/insights-logs-gatewaylogs/**/PT1H.json"):
        assert max(len(line) for line in blob.read_bytes().split(b"\n")) <= 32_768
    sizes = [len(record["properties"][name].encode()) for _, record in sample.gateway
             for name in BODIES & set(record["properties"])]  # fmt: skip
    assert max(sizes) == 8192


def test_sizes_count_whole_messages_with_headers_also_where_the_body_is_cut(sample):
    for row, record in sample.requests():
        properties = record["properties"]
        if row["BodyState"] == "full":
            assert 400 < properties["requestSize"] - len(properties["requestBody"].encode()) < 900
            assert 700 < properties["responseSize"] - len(properties["responseBody"].encode()) < 900
        elif row["BodyState"] == "truncated":
            assert max(properties["requestSize"] - 400, properties["responseSize"] - 700) > 8192


def test_a_stream_is_many_times_as_long_as_its_text(sample):
    ratios = [
        record["properties"]["responseSize"] / len(row["ResponseText"].encode())
        for row, record in sample.requests()
        if row["Surface"] == "chat" and row["Stream"] == "1" and row["Outcome"] == "success" and row["ResponseText"]
    ]
    assert min(ratios) > 15


def test_a_message_in_pieces_can_be_put_together_and_parsed(sample):
    in_pieces = Counter()
    for row, _ in sample.requests():
        rows = sample.llm_rows.get(row["CorrelationId"], [])
        for field, numbers in (("requestMessages", (1,)), ("responseMessages", range(2, 99))):
            pieces = [r[field] for r in rows if r["sequenceNumber"] in numbers]
            if pieces:
                assert all(len(piece.encode()) <= 32_768 for piece in pieces)
                messages = json.loads("".join(pieces))
                assert isinstance(messages[0]["role"], str)
                in_pieces[field] += len(pieces) > 1
    assert in_pieces["requestMessages"] >= sample.count("requests-in-pieces") > 0
    assert in_pieces["responseMessages"] >= sample.count("answers-in-pieces") > 0
