"""Logs in Azure Storage are read where they lie; an address that cannot be one is said in a line."""

from __future__ import annotations

import pytest

from aoai_analytics.errors import WrongUse
from aoai_analytics.logs.containers import Place, place_of

PLACES = {
    "https://contoso.blob.core.windows.net": Place("https://contoso.blob.core.windows.net", "contoso"),
    "https://contoso.blob.core.windows.net/logs/": Place("https://contoso.blob.core.windows.net", "contoso", "logs"),
    "https://contoso.blob.core.usgovcloudapi.net/logs/y=2026/m=11": Place(
        "https://contoso.blob.core.usgovcloudapi.net", "contoso", "logs", "y=2026/m=11"
    ),
    "https://contoso.blob.core.windows.net/logs/a%20b": Place(
        "https://contoso.blob.core.windows.net", "contoso", "logs", "a b"
    ),
    "abfss://logs@contoso.dfs.core.windows.net/y=2026": Place(
        "https://contoso.blob.core.windows.net", "contoso", "logs", "y=2026"
    ),
    "http://127.0.0.1:10000/devstoreaccount1/logs": Place(
        "http://127.0.0.1:10000/devstoreaccount1", "devstoreaccount1", "logs"
    ),
}
REFUSED = {
    "https://contoso.blob.core.windows.net/logs?sv=2025&sig=secret": "Storage Blob Data Reader",
    "https://user:secret@contoso.blob.core.windows.net/logs": "Storage Blob Data Reader",
    "http://contoso.blob.core.windows.net/logs": "unencrypted",
    "https://contoso.example.com/logs": "no address of Azure Storage",
    "abfss://contoso.dfs.core.windows.net/logs": "CONTAINER@ACCOUNT",
    "http://localhost:10000": "account follows its port",
}


@pytest.mark.parametrize("text", PLACES)
def test_a_url_names_account_container_and_prefix(text: str) -> None:
    assert place_of(text) == PLACES[text]


@pytest.mark.parametrize("text", ["logs", "/var/logs", "C:/logs", "C:\\logs", "log-analytics://workspace", "./https"])
def test_what_is_no_url_of_a_storage_is_left_to_others(text: str) -> None:
    assert place_of(text) is None


@pytest.mark.parametrize("text", REFUSED)
def test_a_url_that_cannot_be_read_says_why_and_no_secret(text: str) -> None:
    with pytest.raises(WrongUse) as caught:
        place_of(text)
    assert REFUSED[text] in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)
