"""Opening a workspace: what a source may say, who asks, and where a token may go."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

import pytest

from aoai_analytics.engines import connect
from aoai_analytics.engines.credentials import checked_endpoint, credential_for
from aoai_analytics.engines.log_analytics import LogAnalyticsEngine, path_of
from aoai_analytics.engines.log_analytics_api import answer_of, iso_interval, refusal
from aoai_analytics.errors import QueryError, SourceError, UnknownName, WrongUse


class Token:
    def get_token(self, *_: str, **__: Any) -> None:
        raise AssertionError("opening a source asks nothing")


@pytest.mark.parametrize(
    ("source", "path", "others"),
    [
        ("log-analytics://11111111-2222-3333-4444-555555555555", "workspaces/11111111-2222-3333-4444-555555555555", ()),
        ("log-analytics://a-1, b-2,c-3/", "workspaces/a-1", ("b-2", "c-3")),
        (
            "log-analytics:///subscriptions/s/resourceGroups/rg (x)/providers/Microsoft.ApiManagement/service/apim",
            "subscriptions/s/resourceGroups/rg (x)/providers/Microsoft.ApiManagement/service/apim",
            (),
        ),
    ],
)
def test_a_source_names_a_workspace_several_or_a_resource(source: str, path: str, others: tuple[str, ...]) -> None:
    assert path_of(source) == (path, others)


@pytest.mark.parametrize(
    "source",
    [
        "log-analytics://",
        "log-analytics://a,,b",
        "log-analytics://a b",
        "log-analytics://a/../b",
        "log-analytics:///etc/passwd",
        "log-analytics:///subscriptions/s?x=1",
        "log-analytics:///subscriptions/../x",
    ],
)
def test_a_malformed_source_is_wrong_use(source: str) -> None:
    with pytest.raises(WrongUse, match="log-analytics://"):
        connect(source, credential=Token())


def test_connect_opens_a_workspace_without_asking_anything() -> None:
    engine = connect("log-analytics://a-1", credential=Token())
    assert isinstance(engine, LogAnalyticsEngine) and engine.source == "log-analytics://a-1"
    engine.close()
    engine.close()


def test_a_credential_is_an_object_or_the_name_of_a_class() -> None:
    token = Token()
    assert credential_for(token) is token
    assert type(credential_for("AzureCliCredential")).__name__ == "AzureCliCredential"
    assert type(credential_for()).__name__ == "DefaultAzureCredential"


@pytest.mark.parametrize("name", ["AzureCliCredentials", "s3cr3t-t0ken", "TokenCachePersistenceOptions"])
def test_a_name_that_is_no_credential_is_not_repeated(name: str) -> None:
    with pytest.raises(UnknownName, match="is not an azure-identity class") as caught:
        credential_for(name)
    assert "s3cr3t" not in str(caught.value)


def test_a_credential_that_needs_arguments_says_so() -> None:
    with pytest.raises(WrongUse, match="ClientSecretCredential needs arguments"):
        credential_for("ClientSecretCredential")
    with pytest.raises(WrongUse, match="must be an azure-identity credential"):
        credential_for(42)


@pytest.mark.parametrize(
    ("given", "expected"),
    [
        ("https://api.loganalytics.us/", "https://api.loganalytics.us"),
        ("api.loganalytics.azure.cn", "https://api.loganalytics.azure.cn"),
        ("http://127.0.0.1:8080", "http://127.0.0.1:8080"),
        ("http://localhost:1", "http://localhost:1"),
        ("http://[::1]:80/", "http://[::1]:80"),
    ],
)
def test_plain_http_goes_to_this_machine_only(given: str, expected: str) -> None:
    assert checked_endpoint(given) == expected


@pytest.mark.parametrize(
    "endpoint",
    [
        "http://api.loganalytics.io",
        "http://127.0.0.1.example.com",
        "http://localhost.example.com",
        "http://0.0.0.0",
        "http://127.0.0.1@example.com",
        "http://example.com#127.0.0.1",
        "ftp://127.0.0.1",
        "https://user:secret@example.com",
        "https://",
        "https://[::1",
        "https://host:port",
    ],
)
@pytest.mark.parametrize("source", ["log-analytics://a-1", "kusto://contoso/Gateway"])
def test_any_other_endpoint_is_refused_in_one_line(source: str, endpoint: str) -> None:
    with pytest.raises(WrongUse) as caught:
        connect(source, credential=Token(), endpoint=endpoint)
    assert "\n" not in str(caught.value) and "secret" not in str(caught.value)


def test_an_open_end_of_a_range_becomes_one_that_no_log_reaches() -> None:
    moment = datetime(2026, 11, 1, 2, 3, 4, 5)
    assert iso_interval((None, None)) is None
    assert iso_interval((moment, None)) == "2026-11-01T02:03:04.000005Z/2100-01-01T00:00:00Z"
    assert iso_interval((None, moment.replace(tzinfo=UTC))) == "2000-01-01T00:00:00Z/2026-11-01T02:03:04.000005Z"


@pytest.mark.parametrize("content", [{}, {"tables": []}, {"tables": [{"columns": [{"name": "A"}], "rows": []}]}, []])
def test_an_answer_that_is_none_is_a_source_error(content: Any) -> None:
    with pytest.raises(SourceError, match="cannot read the response"):
        answer_of(content)


def test_as_many_rows_as_the_service_returns_may_not_be_all(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("aoai_analytics.engines.log_analytics_api.MAX_ROWS", 2)
    table = {"columns": [{"name": "A", "type": "long"}], "rows": [[1], [2]]}
    answer = answer_of({"tables": [table]})
    assert answer.by_limit and "there may be more" in (answer.cut or "")


def test_a_syntax_error_names_its_place() -> None:
    inner = {"code": "SYN0002", "message": "Query could not be parsed at '|'", "line": 2, "pos": 4}
    error = refusal(400, {"code": "BadArgumentError", "innererror": {"code": "SyntaxError", "innererror": inner}})
    assert isinstance(error, QueryError) and (error.line, error.column) == (2, 5)
    assert str(error) == "the query has a syntax error: line 2, column 5: Query could not be parsed at '|'"
