"""What a backend's answer comes to: the table ``backend-answers.json``, row by row, against the simulator."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.policies import gateway
from tests.policies.gateway import ANSWERS, attempt, error, messages

ATTEMPTS = 1 + int(gateway.NAMED_VALUES["backend-retries"]["value"])
DEFAULT_WAIT = gateway.NAMED_VALUES["retry-after-seconds"]["value"]
ROWS = pytest.mark.parametrize("row", ANSWERS["answers"], ids=lambda row: row["answer"])
GOOD = {
    "status": 200,
    "headers": {"Content-Type": "application/json"},
    "body": {"object": "chat.completion", "usage": {"prompt_tokens": 3, "completion_tokens": 5}},
}
BACKEND_ERROR = {"message": "From the account.", "code": "from-the-account", "innererror": {"detail": 1}}


def answer(row: gateway.Json) -> gateway.Json:
    if row["status"] is None:
        return {"error": "BackendConnectionFailure"}
    if row["status"] == 200:
        return GOOD
    headers = {"Content-Type": "application/json", **row.get("headers", {})}
    return {"status": row["status"], "headers": headers, "body": {"error": BACKEND_ERROR}}


def run(answers: list[gateway.Json]) -> gateway.Json:
    return gateway.send(gateway.effective("silver"), gateway.scenario({"backend": answers}))


@ROWS
def test_an_answer_given_on_every_attempt_reaches_the_caller_as_the_table_says(row):
    result = run([answer(row)] * ATTEMPTS)
    attempts = ATTEMPTS if row["retry"] else 1
    assert len(result["backend"]) == attempts
    assert all(sent["backendId"] == "aoai-pool" and sent["body"] for sent in result["backend"])
    coded = ["InferenceError|code=from-the-account"] if (row["status"] or 0) >= 400 else []
    assert messages(result) == [attempt(n + 1, row["status"] or 0) for n in range(attempts)] + coded

    client = result["client"]
    assert client["status"] == row["caller"]
    wait = {"backend": row.get("headers", {}).get("Retry-After"), "default": DEFAULT_WAIT, None: None}
    assert client["headers"].get("Retry-After") == wait[row["retryAfter"]]
    if row["status"] == 200:
        assert client["body"] == GOOD["body"]
    elif row["code"] == "backend":
        found = error(result)
        assert found.items() >= BACKEND_ERROR.items(), "the backend's own error is kept"
    else:
        found = error(result)
        assert found["code"] == row["code"] and found["type"] == "server_error"
        assert ("From the account" in str(client)) == (row["status"] is not None and row["status"] >= 500), (
            "the service's own text is kept, but not what it says of the gateway's identity"
        )


@pytest.mark.parametrize("row", [row for row in ANSWERS["answers"] if row["retry"]], ids=lambda row: row["answer"])
def test_an_answer_that_is_tried_again_is_made_good_by_the_next_backend(row):
    result = run([answer(row), GOOD])
    assert result["client"]["status"] == 200 and result["client"]["body"] == GOOD["body"]
    assert "Retry-After" not in result["client"]["headers"]
    assert messages(result) == [attempt(1, row["status"]), attempt(2, 200)]
    assert result["backend"][0]["body"] == result["backend"][1]["body"], "the retry carries the same body"
    assert result["waitedSeconds"] == 0, "the first retry is immediate"


@ROWS
def test_the_breaker_column_is_what_the_breaker_counts(row):
    breaker = ANSWERS["breaker"]
    counted = row["status"] is None and "BackendConnectionFailure" in breaker["errorReasons"]
    counted |= any(codes["min"] <= (row["status"] or 0) <= codes["max"] for codes in breaker["statusCodeRanges"])
    assert counted == row["breaker"]


def test_the_wait_that_an_earlier_backend_named_serves_where_the_last_one_names_none():
    throttled = {"status": 429, "body": {"error": {"message": "Slow down.", "code": "429"}}}
    result = run([{**throttled, "headers": {"Retry-After": "4"}}, throttled, throttled])
    assert result["client"]["headers"]["Retry-After"] == "4"
    assert error(result)["type"] == "rate_limit_error"


def test_an_error_that_is_no_json_gets_the_shape_all_the_same():
    result = run([{"status": 404, "headers": {"Content-Type": "text/html"}, "body": "<h1>Not here</h1>"}])
    assert result["client"]["status"] == 404
    assert error(result) == {
        "message": "The model's service answered 404.",
        "type": "invalid_request_error",
        "param": None,
        "code": None,
    }


def test_a_backend_that_falls_silent_on_a_retry_leaves_no_gap_in_the_traces():
    result = run([{"status": 429, "headers": {"Retry-After": "4"}}, {"error": "Timeout"}])
    assert messages(result) == [attempt(1, 429), attempt(2, 0)]
    assert result["client"]["status"] == 503


def with_members(folder: Path, members: list[str]) -> Path:
    """The fragments, with a line after <forward-request> that names the member in the URL, as the gateway does."""
    for file in gateway.FRAGMENTS.glob("*.xml"):
        (folder / file.name).write_text(file.read_text())
    fragment = folder / "backend-attempts.xml"
    forward = '<forward-request buffer-request-body="true" buffer-response="false" />'
    names = ", ".join(f'"{name}"' for name in members)
    member = (
        f'<set-url>@("https://" + new [] {{ {names} }}[(int)context.Variables["attempt"] - 1]'
        ' + ".openai.azure.com" + context.Request.Url.Path + context.Request.Url.QueryString)</set-url>'
    )
    assert forward in fragment.read_text()
    fragment.write_text(fragment.read_text().replace(forward, forward + member))
    return folder


def test_each_attempt_is_traced_with_the_pool_member_that_it_asked(tmp_path):
    """The simulator does not choose a member."""
    fragments = with_members(tmp_path, ["aoai-westus3", "aoai-eastus2"])
    result = gateway.send(
        gateway.effective("silver"), gateway.scenario({"backend": [{"status": 429}, GOOD]}), fragments=fragments
    )
    assert messages(result) == [attempt(1, 429, "aoai-westus3"), attempt(2, 200, "aoai-eastus2")]


def test_a_failed_message_for_claude_asks_the_member_that_was_not_tried_at_its_backend_for_claude(tmp_path):
    fragments = with_members(tmp_path, ["foundry-a-x1", "foundry-b-x1"])
    request = {"url": "https://apim.contoso.example/anthropic/v1/messages", "matchedParameters": {}}
    values = {"claude-pool": "claude-pool", "claude-members": "foundry-a foundry-b"}
    case = {"request": request, "namedValues": values, "backend": [{"status": 529}, GOOD]}
    result = gateway.send(gateway.effective("silver", options=["claude"]), gateway.scenario(case), fragments=fragments)
    assert [sent["backendId"] for sent in result["backend"]] == ["claude-pool", "foundry-b-claude"]
    assert messages(result)[:2] == [attempt(1, 529, "foundry-a-x1"), attempt(2, 200, "foundry-b-x1")]


@pytest.mark.parametrize("back_in", [100.0, 0.2, None], ids=["later", "soon", "unknown"])
def test_where_every_breaker_is_open_before_a_request_the_answer_comes_at_once_with_the_first_one_s_time(
    back_in: float | None,
) -> None:
    """An earlier caller's 429 of all members is in the cache; the pool has nobody to ask, so nothing is sent again."""
    start = time.time()
    at = {} if back_in is None else {"pool-back-at": round(1000 * (start + back_in))}
    request = gateway.scenario({"cache": at, "backend": [{"error": "BackendPoolUnavailable"}]})
    result = gateway.send(gateway.effective("silver"), request, recorded=False)
    passed = time.time() - start
    assert result["client"]["status"] == 503 and error(result)["code"] == "backend_unavailable"
    waits = int(DEFAULT_WAIT) if back_in is None else max(1, back_in)
    told = int(result["client"]["headers"]["Retry-After"])
    assert told == waits if waits < 100 else waits - passed <= told <= waits
    assert result["waitedSeconds"] == 0 and messages(result) == [attempt(1, 0)]
