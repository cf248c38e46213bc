"""Log files in Azure Storage, read in place: list the blobs by name, then fetch only the bytes that are needed.

A diagnostic setting appends to the blob of the hour; as with a local file, an ingest reads on from where the last one
ended. An account without a container stands for the containers that Azure itself writes gateway logs to.
"""

from __future__ import annotations

import io
import re
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any, BinaryIO, cast
from urllib.parse import unquote, urlsplit

from aoai_analytics.errors import LogsError, SourceError, WrongUse
from aoai_analytics.schema.tables import READ_TABLES

if TYPE_CHECKING:
    from azure.storage.blob import BlobClient

#: Containers of diagnostic settings and of Log Analytics data export, as Azure names them.
CONTAINERS = (
    "insights-logs-gatewaylogs",
    "insights-logs-gatewayllmlogs",
    "insights-logs-gatewaymcplogs",
    "insights-logs-websocketconnectionlogs",
    *(f"am-{name.lower()}" for name in READ_TABLES),
)
#: Bytes asked for at once while a blob is read.
RANGE = 4 << 20
#: What Azure Storage's hosts end with, in each cloud: a token is sent to no other.
HOST_SUFFIXES = (
    ".blob.core.windows.net",
    ".blob.core.usgovcloudapi.net",
    ".blob.core.chinacloudapi.cn",
    ".blob.storage.azure.net",
    ".blob.fabric.microsoft.com",
)
_LAKE_SCHEMES = ("abfss", "abfs", "wasbs", "wasb")
_LOOPBACK = ("127.0.0.1", "localhost", "::1")


@dataclass(frozen=True)
class Place:
    """A location in Azure Storage: blob endpoint, container ('' for the ones that Azure writes), prefix."""

    endpoint: str
    account: str
    container: str = ""
    prefix: str = ""

    def __str__(self) -> str:
        return "/".join(part for part in (self.account, self.container, self.prefix) if part)


def place_of(text: str) -> Place | None:
    """The location in a URL; None if it is not an Azure Storage URL. Raises WrongUse for a malformed one.

    ``https://ACCOUNT.blob.core.windows.net[/CONTAINER[/PREFIX]]``, another cloud's too; ``abfss://CONTAINER@ACCOUNT.dfs.…``;
    plain HTTP only to an emulator on this machine, whose account is the path's first part.
    """
    scheme = text.partition("://")[0].lower()
    if "://" not in text or scheme not in ("https", "http", *_LAKE_SCHEMES):
        return None
    parts = urlsplit(text)
    host = parts.hostname or ""
    names = [unquote(name) for name in parts.path.split("/") if name]
    if parts.query or parts.password is not None:
        raise WrongUse(
            "the URL of the logs contains a key or SAS: remove everything from '?' on, "
            "and sign in with the role Storage Blob Data Reader (see --credential)"
        )
    if scheme in _LAKE_SCHEMES:
        if not parts.username:
            raise WrongUse(f"{text}: write {scheme}://CONTAINER@ACCOUNT.dfs.core.windows.net/PREFIX")
        host = re.sub(r"\.dfs\.", ".blob.", host, count=1)
        _refuse_strange(text, host)
        return Place(f"https://{host}", host.partition(".")[0], parts.username, "/".join(names))
    if host in _LOOPBACK:
        account, *names = names or [""]
        if not account:
            raise WrongUse(
                f"{text}: add the emulator's account name after the port, as in {text.rstrip('/')}/devstoreaccount1"
            )
        endpoint = f"{scheme}://{parts.netloc}/{account}"
    elif scheme == "http":
        raise WrongUse(f"{text} would send a token unencrypted: use https://")
    else:
        _refuse_strange(text, host)
        account, endpoint = host.partition(".")[0], f"https://{host}"
    return Place(endpoint, account, names[0] if names else "", "/".join(names[1:]))


def _refuse_strange(text: str, host: str) -> None:
    """Raises WrongUse unless *host* is an Azure Storage host: account name, optional zone, known suffix."""
    suffix = next((suffix for suffix in HOST_SUFFIXES if host.endswith(suffix)), "")
    account = host.removesuffix(suffix).removesuffix("-secondary")
    if not suffix or not re.fullmatch(r"[a-z0-9-]+(?:\.z\d+)?", account):
        raise WrongUse(f"{text}: not an Azure Storage URL; use https://ACCOUNT.blob.core.windows.net/CONTAINER")


@dataclass(frozen=True)
class StoredFile:
    """A blob from a listing; ``modified`` is in nanoseconds since 1970, as for a file."""

    path: PurePosixPath
    size: int
    modified: int
    client: BlobClient = field(compare=False, repr=False)

    def open(self) -> BinaryIO:
        """Its bytes as they were listed; raises OSError while they are read."""
        return cast(BinaryIO, io.BufferedReader(_Bytes(self.client, self.size), RANGE))


def stored_files(place: Place, credential: Any) -> Iterator[StoredFile]:
    """The blobs at *place*, each container's by name. Raises LogsError, SourceError where they cannot be listed."""
    from azure.core.exceptions import ResourceNotFoundError
    from azure.storage.blob import BlobServiceClient

    with _said(place):
        service = BlobServiceClient(place.endpoint, credential=credential)
        found = False
        for name in (place.container,) if place.container else CONTAINERS:
            container = service.get_container_client(name)
            try:
                for blob in container.list_blobs(name_starts_with=place.prefix or None):
                    path = PurePosixPath(place.account, name, blob.name)
                    modified = int(blob.last_modified.timestamp()) * 1_000_000_000
                    yield StoredFile(path, blob.size, modified, container.get_blob_client(blob.name))
                found = True
            except ResourceNotFoundError:
                if place.container:
                    raise
        if not found:
            raise LogsError(f"{place}: this account has no container {' or '.join(CONTAINERS)}; add yours to the URL")


@contextmanager
def _said(place: Place) -> Iterator[None]:
    """Faults of the service in one line: what, where, what to do."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError, ResourceNotFoundError

    try:
        yield
    except ResourceNotFoundError as error:
        raise LogsError(
            f"{place}: container not found; the diagnostic setting creates it with the first log"
        ) from error
    except ClientAuthenticationError as error:
        raise SourceError(f"{place}: not signed in to Azure; run 'az login' or set --credential") from error
    except HttpResponseError as error:
        if error.status_code == 403:
            raise SourceError(
                f"{place}: access denied; you need the role Storage Blob Data Reader and network access"
            ) from error
        raise SourceError(f"{place}: storage returned {_reason(error)}; run again") from error
    except AzureError as error:
        raise SourceError(f"{place}: cannot reach the storage account ({_reason(error)})") from error


def _reason(error: Exception) -> str:
    """What went wrong in a few words; the service's own text may quote the request."""
    status = getattr(error, "status_code", None)
    code = getattr(error, "error_code", None)
    return " ".join(str(part) for part in (status, code) if part) or type(error).__name__


class _Bytes(io.RawIOBase):
    """A blob's first *size* bytes, fetched in ranges as they are read."""

    def __init__(self, client: BlobClient, size: int):
        self._client = client
        self._size = size
        self._at = 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._at

    def seek(self, offset: int, whence: int = io.SEEK_SET) -> int:
        base = {io.SEEK_SET: 0, io.SEEK_CUR: self._at, io.SEEK_END: self._size}[whence]
        self._at = max(0, base + offset)
        return self._at

    def readinto(self, buffer: Any) -> int:
        from azure.core.exceptions import AzureError

        wanted = min(len(buffer), self._size - self._at)
        if wanted <= 0:
            return 0
        try:
            got = self._client.download_blob(offset=self._at, length=wanted).readall()
        except AzureError as error:
            raise OSError(None, f"storage returned {_reason(error)}") from error
        buffer[: len(got)] = got
        self._at += len(got)
        return len(got)
