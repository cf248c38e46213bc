"""Logs in Azure Storage are read where they lie; an address that cannot be one is said in a line."""

from __future__ import annotations

import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.errors import LogsError, SourceError, WrongUse
from aoai_analytics.lake import containers
from aoai_analytics.lake.containers import Place, place_of
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import IngestSummary, ingest
from tests.azurite import TokenCredential, azurite
from tests.lake.gateway_logs import gateway, lines

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
    "https://contoso.example.com/logs": "not an Azure Storage URL",
    "https://contoso.blob.example.com/logs": "not an Azure Storage URL",
    "https://a.blob.core.windows.net.example.com/logs": "not an Azure Storage URL",
    "https://evil.com/.blob.core.windows.net": "not an Azure Storage URL",
    "abfss://logs@contoso.dfs.example.com/x": "not an Azure Storage URL",
    "abfss://contoso.dfs.core.windows.net/logs": "CONTAINER@ACCOUNT",
    "http://localhost:10000": "account name after the port",
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


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def account(storage: tuple[str, Path], monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    """The emulator's blob endpoint; what a test leaves there is gone after it."""
    url, certificate = storage
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    yield url
    with service(url) as client:
        for container in client.list_containers():
            client.delete_container(container.name)


def service(url: str) -> Any:
    from azure.storage.blob import BlobServiceClient

    return BlobServiceClient(url, credential=TokenCredential())


def append(url: str, hour: int, *records: dict[str, Any], rest: bytes = b"") -> None:
    """Records put at the end of an hour's blob, as a diagnostic setting does, after *rest* of an unfinished line."""
    with service(url) as client:
        container = client.get_container_client("insights-logs-gatewaylogs")
        if not container.exists():
            container.create_container()
        blob = container.get_blob_client(f"resourceId=/SUBSCRIPTIONS/X/y=2026/m=11/d=02/h={hour:02}/m=00/PT1H.json")
        if not blob.exists():
            blob.create_append_blob()
        blob.append_block(rest + lines(*records))


def read(logs: str, lake: Lake, **more: Any) -> IngestSummary:
    return ingest([logs], lake, credential=TokenCredential(), **more)


def test_an_account_is_read_where_it_lies_and_then_only_what_is_new(account: str, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    append(account, 9, gateway(1), gateway(2))
    append(account, 10, gateway(3))
    first = read(account, lake)
    assert (first.files, first.new, first.duplicate) == (2, 3, 0)
    assert (read(account, lake).new, read(account, lake).bytes) == (0, 0)
    append(account, 10, gateway(4))
    later = read(f"{account}/insights-logs-gatewaylogs/resourceId=/SUBSCRIPTIONS/X/y=2026/m=11", lake)
    assert (later.files, later.new, later.duplicate) == (2, 1, 0)


def test_half_a_record_at_a_blob_s_end_waits_for_its_other_half(account: str, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    half, other = lines(gateway(2))[:50], lines(gateway(2))[50:]
    append(account, 9, gateway(1), rest=b"")
    append(account, 9, rest=half)
    first = read(account, lake)
    assert (first.new, first.pending) == (1, 1)
    append(account, 9, rest=other)
    second = read(account, lake)
    assert (second.new, second.pending, second.quarantined) == (1, 0, 0)


def test_a_copy_of_the_container_holds_nothing_new(account: str, tmp_path: Path) -> None:
    lake = Lake.create(tmp_path / "lake")
    append(account, 9, gateway(1), gateway(2))
    read(account, lake)
    with service(account) as client:
        container = client.get_container_client("insights-logs-gatewaylogs")
        for name in container.list_blob_names():
            copy = tmp_path / "copy/insights-logs-gatewaylogs" / name
            copy.parent.mkdir(parents=True)
            copy.write_bytes(container.download_blob(name).readall())
    assert ingest([tmp_path / "copy"], lake).new == 0


def test_a_long_blob_is_read_in_ranges_to_its_last_byte(
    account: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(containers, "RANGE", 1000)
    append(account, 9, *(gateway(number) for number in range(40)))
    lake = Lake.create(tmp_path / "lake")
    assert read(account, lake).new == 40


@pytest.mark.parametrize(
    ("below", "words"),
    [("", "this account has no container insights-logs-gatewaylogs"), ("/other", "container not found")],
)
def test_a_storage_without_logs_says_so(account: str, tmp_path: Path, below: str, words: str) -> None:
    with pytest.raises(LogsError, match=words):
        read(f"{account}{below}", Lake.create(tmp_path / "lake"))


def test_a_refusal_names_the_role_and_no_token(account: str, tmp_path: Path) -> None:
    class Elsewhere(TokenCredential):
        def get_token(self, *scopes: str, **more: Any) -> Any:
            return super().get_token(*scopes, **more)._replace(token="a.b.c")

    with pytest.raises(SourceError) as caught:
        ingest([account], Lake.create(tmp_path / "lake"), credential=Elsewhere())
    assert re.search("Storage Blob Data Reader|az login", str(caught.value))
    assert "a.b.c" not in str(caught.value)
    assert "\n" not in str(caught.value)
