"""No credential of a client or a backend is stored: not in a table, not in the quarantine, in no spelling."""

from __future__ import annotations

import json
import time
from pathlib import Path

import pyarrow as pa
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.secrets import redact, redact_columns
from aoai_analytics.schema.tables import LLM_LOG
from tests.lake.gateway_logs import gateway, lines, llm, rows

KEY = "0123456789abcdef0123456789abcdef"
JWT = f"eyJhbGciOiJIUzI1NiJ9.eyJzdWIiOiIxMjM0NTY3ODkwIn0.{KEY}"

#: In the spellings that API Management, clients and proxies write them: header objects, lists of name and value,
#: JSON within JSON, URLs as they are, encoded and within JSON, and headers as text.
SECRETS = [
    f"https://gw/openai/v1/responses?subscription-key={KEY}&api-version=1",
    f"https://gw/openai?key={KEY}",
    f"https://store.blob.core.windows.net/c/b?sv=2024-11-04&sig={KEY}%3D&se=2026",
    f"https://app.azurewebsites.net/api/f?code={KEY}==",
    f"url=https%3A%2F%2Fgw%3Fapi-key%3D{KEY}%26b%3D1",
    json.dumps({"u": f"https://gw/?a=1\\u0026api-key={KEY}"}),
    json.dumps({"api-key": KEY, "content-type": "x"}),
    json.dumps({"Ocp-Apim-Subscription-Key": [KEY]}),
    json.dumps({"X-API-KEY": KEY}),
    json.dumps({"Authorization": [f"Bearer {KEY}"], "Set-Cookie": [f"a={KEY}; path=/", "c=d"]}),
    json.dumps({"cookie": f'a="quoted"; {KEY}'}),
    json.dumps({"headers": json.dumps({"api-key": KEY, "z": 1})}),
    json.dumps(json.dumps(json.dumps({"api-key": KEY}))),
    json.dumps([{"name": "api-key", "value": KEY}, {"name": "b", "value": "c"}]),
    json.dumps([{"value": KEY, "name": "api-key"}]),
    json.dumps(json.dumps([{"name": "Authorization", "value": f"Basic {KEY}"}])),
    f"Authorization: Bearer {KEY}\nAccept: */*",
    f"api-key: {KEY}",
    f"{{'api-key': '{KEY}'}}",
    f'{{"api_key":"{KEY}',
    f"Cookie: session={KEY}; a=b\nAccept: */*",
    f"DefaultEndpointsProtocol=https;AccountName=a;AccountKey={KEY};EndpointSuffix=core.windows.net",
    f"said 'Bearer {JWT}'",
    f"token {JWT} in a text",
    f'{{"X-Auth-Token": "{KEY}"}}',
    f'{{"primaryKey": "{KEY}"}}',
    f'{{"api\\u002dkey": "{KEY}"}}',
    f"https://user:{KEY}@host/path",
    f"https://host/back#access_token={KEY}&a=b",
    f"https://host/x?X-Amz-Signature={KEY}&X-Amz-Date=20261101T000000Z",
    f"Authorization: AWS4-HMAC-SHA256 Credential={KEY}/bedrock/aws4_request, SignedHeaders=host, Signature={KEY}",
    f"Authorization: ApiKey {KEY}",
    f"PRIVATE-TOKEN: {KEY}",
    f'os.environ["AZURE_OPENAI_API_KEY"] = "{KEY}"',
    f"grant_type=authorization_code&code={KEY}",
    f"api-key%3A%20{KEY}",
    f'<set-header name="api-key" exists-action="override"><value>{KEY}</value></set-header>',
]


@pytest.mark.parametrize("text", SECRETS)
def test_the_value_goes_and_what_is_around_it_stays(text):
    clean = redact(text)
    assert KEY not in clean
    assert "REDACTED" in clean
    assert clean[:3] == text[:3]
    assert redact(clean) == clean
    column, changed = redact_columns(pa.table({"Url": ["plain", text, None]}))
    assert (column["Url"].to_pylist(), changed) == (["plain", clean, None], [1])
    if text.startswith("{") and text.endswith('"}'):
        json.loads(clean)


@pytest.mark.parametrize(
    "form",
    [
        f"AIza{'Sy1' * 12}"[:39],
        "AKIAIOSFODNN7EXAMPLE",
        f"ghp_{'a1B2' * 9}",
        f"github_pat_{'1A' * 40}",
        f"xoxb-{'12345-' * 4}abcdef",
        f"hf_{'aB' * 17}",
        f"{'A1' * 26}JQQJ99BAACYeBjFXJ3w3AAABACOGabcd",
        f"-----BEGIN RSA PRIVATE KEY-----\n{'MIIE' * 16}\n{'abcd' * 9}==\n-----END RSA PRIVATE KEY-----",
        f"-----BEGIN PRIVATE KEY-----\\n{'MIIE' * 16}\\nabcd",
    ],
)
def test_a_credential_is_known_by_its_form_alone(form):
    for text in (form, f"this one: {form}", json.dumps({"a": form})):
        clean = redact(text)
        assert form[12:19] not in clean.replace("BEGIN", "") and "REDACTED" in clean
        assert redact_columns(pa.table({"Url": [text]}))[0]["Url"][0].as_py() == clean


@pytest.mark.parametrize(
    "text",
    [
        "see https://host:8443/path and mail a@b.example, code=internationalization",
        '{"logprobs": [{"token": " hello", "logprob": -0.1}], "task": "sk-"}',
        '{"max_tokens": 5, "usage": {"prompt_tokens": 3, "completion_tokens": 4}}',
        "https://gw/openai/deployments/chat/chat/completions?api-version=2024-10-21",
        "What is an api-key: a secret? The authorization: process of things.",
        "a basic understanding of bearer tokens, cookies and keys",
        '{"role": "user", "content": "password: what makes a good one?"}',
    ],
)
def test_what_only_speaks_of_credentials_stays(text):
    assert redact(text) == text


@given(st.text(max_size=200), st.sampled_from(SECRETS), st.text(max_size=200))
def test_a_credential_is_found_in_any_text_and_by_the_columns_too(before, secret, after):
    text = f"{before} {secret} {after}"
    assert KEY not in redact(text)
    column, _ = redact_columns(pa.table({"Url": [text]}))
    assert KEY not in column["Url"][0].as_py()


@pytest.mark.parametrize("unit", ['"api-key":"', '\\"', "api-key: ", "?key=", '{"name":"cookie","value":"', "a-"])
def test_hostile_texts_take_no_longer_than_their_length_allows(unit):
    began = time.process_time()
    redact(unit * (100_000 // len(unit)))
    assert time.process_time() - began < 10


def test_none_is_left_in_the_lakes_files_and_a_record_read_again_is_a_duplicate(tmp_path):
    logs = tmp_path / "logs"
    logs.mkdir()
    headers = {"api-key": KEY, "Cookie": KEY, "Accept": "*/*"}
    records = [
        gateway(1, requestHeaders=headers, url=f"https://gw/openai?subscription-key={KEY}&a=b"),
        gateway(2, traceRecords=[{"name": "api-key", "value": KEY}], backendUrl=f"https://b/?sig={KEY}"),
        gateway(3, requestBody=json.dumps({"api_key": KEY}), lastError={"message": f"Bearer {KEY}"}),
        gateway(4, responseCode=f"?key={KEY}"),
        llm(1, 1, requestMessages=[{"role": "user", "content": f"my api-key={KEY}"}]),
    ]
    (logs / "a.json").write_bytes(lines(*records, f'junk "api-key":"{KEY}"'.encode()))
    lake = Lake.create(tmp_path / "lake")
    summary = ingest([logs], lake)
    assert (summary.new, summary.quarantined) == (4, 2)
    found = rows(lake)
    assert found[0]["Url"] == "https://gw/openai?subscription-key=REDACTED&a=b"
    assert json.loads(found[0]["RequestHeaders"]) == {"api-key": "REDACTED", "Cookie": "REDACTED", "Accept": "*/*"}
    assert KEY not in str(found) + str(rows(lake, LLM_LOG.name))
    (logs / "b.json").write_bytes(lines(*records))
    assert ingest([logs], lake).duplicate == 4
    for path in Path(lake.path).rglob("*"):
        assert path.is_dir() or KEY.encode() not in path.read_bytes(), path
