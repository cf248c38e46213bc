"""A collection of reports in an Azure Storage container, as a static website serves it.

One delivery at a time writes: it holds a lease on the index, which nobody else can then write. All files of a report
are staged first, which changes nothing that can be read, and then committed in a moment: what pages need, the pages,
the report's index, its manifest. The index of all reports, made from the manifests in the container, comes after them,
and what no report needs any more goes last. A blob that we did not write is never written over and never deleted.
"""

from __future__ import annotations

import hashlib
import threading
import time
from collections.abc import Iterable, Iterator, Mapping
from concurrent.futures import ThreadPoolExecutor
from contextlib import contextmanager, suppress
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import TYPE_CHECKING, Any
from urllib.parse import urlsplit

from ...config import settings
from ...engines.credentials import credential_for
from ...errors import ReportError, WrongUse
from ...lake.containers import Place, place_of
from ..manifest import MANIFEST, Manifest, expired, made, parsed
from ..render.overview import index_page
from .collection import INDEX, NAME, free_name
from .outgoing import Delivered, Finished

if TYPE_CHECKING:
    from azure.storage.blob import BlobLeaseClient, BlobProperties, ContainerClient

#: In the metadata of each blob that we wrote.
OURS = {"writtenby": "aoai_analytics"}
#: What a browser is told a file is.
CONTENT_TYPES = {
    ".html": "text/html; charset=utf-8",
    ".js": "text/javascript; charset=utf-8",
    ".css": "text/css; charset=utf-8",
    ".json": "application/json",
    ".csv": "text/csv; charset=utf-8",
    ".txt": "text/plain; charset=utf-8",
    ".kql": "text/plain; charset=utf-8",
    ".svg": "image/svg+xml",
    ".png": "image/png",
    ".woff2": "font/woff2",
}
#: A page made again has its old address: browsers ask each time, and get 304 where nothing changed.
CACHE_CONTROL = "no-cache"
#: Bytes of a block; blobs are sent in blocks so that they appear when all of them are there.
BLOCK = 8 << 20
#: How azure-storage-blob asks again where the service is busy or the line breaks: after 2, 4, 6, 10 and 18 s.
RETRIES: dict[str, Any] = {"retry_total": 5, "initial_backoff": 2, "increment_base": 2}
#: Seconds of a lease (15 to 60), after which a delivery that died is out of the way, and between its renewals.
LEASE, RENEWAL = 60, 20
#: Seconds for which a delivery waits for another one to end, and between two looks.
PATIENCE, POLL = 600.0, 3.0


@dataclass(frozen=True)
class Website:
    """The container, and the prefix in it that the reports have, '' or ending in '/'."""

    place: Place
    container: ContainerClient
    prefix: str

    @classmethod
    def open(cls, to: str, credential: Any = None) -> Website:
        """The website that the URL *to* names; asks no service. Raises WrongUse."""
        from azure.storage.blob import BlobServiceClient

        place = _place(to)
        asked_by = credential_for(credential or settings().credential)
        service = BlobServiceClient(place.endpoint, credential=asked_by, **RETRIES)
        return cls(place, service.get_container_client(place.container), f"{place.prefix}/" if place.prefix else "")

    def manifests(self) -> dict[str, Manifest]:
        """The manifests of the reports that are there, by the name of their folder. Raises ReportError."""
        with self._one_line_faults():
            return self._manifests(self._listed())

    def deliver(self, found: Iterable[Finished], keep: timedelta | None, now: datetime) -> Delivered:
        """Send what is new of *found*, rewrite the index, and remove what is older than *keep*.

        Raises WrongUse where blobs that we did not write are in the way, ReportError.
        """
        with self._one_line_faults():
            self._create_container()
            with self._alone() as lease:
                return self._deliver(found, keep, now, lease)

    def _deliver(self, found: Iterable[Finished], keep: timedelta | None, now: datetime, lease: _Lease) -> Delivered:
        blobs = self._listed()
        there = self._manifests(blobs)
        sent: list[str] = []
        unchanged: list[str] = []
        size = 0
        for report in found:
            name = free_name(report.name, report.manifest.get("source"), there)
            known = there.get(name)
            if known and made(known) > made(report.manifest):
                unchanged.append(name)
                continue
            written = self._send(name, report.files(), blobs, lease)
            (sent if written else unchanged).append(name)
            size += written
            there[name] = report.manifest
        gone = {name for name, manifest in there.items() if keep is not None and expired(manifest, keep, now)}
        staying = {name: manifest for name, manifest in sorted(there.items()) if name not in gone}
        self._write_index(index_page(list(staying.items())), blobs, lease)
        self._remove_leftovers(staying, gone, blobs, lease)
        return Delivered(str(self.place), tuple(sent), tuple(unchanged), tuple(sorted(gone)), size)

    def _send(self, name: str, files: Mapping[str, bytes], blobs: Mapping[str, BlobProperties], lease: _Lease) -> int:
        """Write the *files* that differ from what is there; how many bytes that were."""
        changed = {}
        for file in sorted(files, key=_order):
            path = f"{self.prefix}{name}/{file}"
            if not _same(blobs.get(path), files[file]):
                self._check_ours(blobs.get(path))
                changed[path] = files[file]
        with ThreadPoolExecutor(4) as pool:
            blocks = dict(zip(changed, pool.map(self._stage, changed, changed.values()), strict=True))
        for path in changed:
            lease.check()
            self.container.get_blob_client(path).commit_block_list(blocks[path], **_properties(path, changed[path]))
        return sum(map(len, changed.values()))

    def _stage(self, path: str, content: bytes) -> list[Any]:
        from azure.storage.blob import BlobBlock

        client = self.container.get_blob_client(path)
        blocks = []
        for at in range(0, len(content), BLOCK):
            piece = content[at : at + BLOCK]
            # Two deliveries that stage the same blob must not mix their blocks: each is named by what it holds.
            blocks.append(BlobBlock(f"{at:012}-{hashlib.md5(piece, usedforsecurity=False).hexdigest()}"))
            client.stage_block(blocks[-1].id, piece, validate_content=True)
        return blocks

    def _write_index(self, page: str, blobs: Mapping[str, BlobProperties], lease: _Lease) -> None:
        path, content = self.prefix + INDEX, page.encode()
        lease.check()
        if not _same(blobs.get(path), content):
            self.container.get_blob_client(path).upload_blob(
                content, overwrite=True, lease=lease.client, **_properties(path, content)
            )

    def _remove_leftovers(
        self, staying: Mapping[str, Manifest], expired: set[str], blobs: Mapping[str, BlobProperties], lease: _Lease
    ) -> None:
        """Delete our blobs that no report needs any more; a manifest last, so that what is broken off is done again."""
        needed = {f"{self.prefix}{name}/{file}" for name, manifest in staying.items() for file in manifest["files"]}
        folders = {*staying, *expired}
        leftovers = [
            path
            for path, blob in blobs.items()
            if blob.metadata == OURS and path not in needed and self._folder(path) in folders
        ]
        for path in sorted(leftovers, key=lambda path: (PurePosixPath(path).name == MANIFEST, path)):
            lease.check()
            self.container.delete_blob(path)

    def _folder(self, path: str) -> str:
        """The name of the report that the blob at *path* is part of, '' for none."""
        first, separator, _ = path.removeprefix(self.prefix).partition("/")
        return first if separator else ""

    def _manifests(self, blobs: Mapping[str, BlobProperties]) -> dict[str, Manifest]:
        paths = {
            name: path
            for path, blob in blobs.items()
            if NAME.fullmatch(name := self._folder(path))
            and blob.metadata == OURS
            and path == f"{self.prefix}{name}/{MANIFEST}"
        }
        with ThreadPoolExecutor(8) as pool:
            texts = pool.map(lambda path: self.container.download_blob(path).readall(), paths.values())
            read = {name: parsed(text) for name, text in zip(paths, texts, strict=True)}
        return {name: manifest for name, manifest in sorted(read.items()) if manifest is not None}

    def _listed(self) -> dict[str, BlobProperties]:
        from azure.core.exceptions import ResourceNotFoundError

        try:
            found = self.container.list_blobs(name_starts_with=self.prefix or None, include=["metadata"])
            return {str(blob.name): blob for blob in found}
        except ResourceNotFoundError:
            return {}

    def _create_container(self) -> None:
        from azure.core.exceptions import ResourceExistsError

        if not self.container.exists():
            with suppress(ResourceExistsError):
                self.container.create_container()

    def _check_ours(self, blob: BlobProperties | None) -> None:
        if blob is not None and (blob.metadata or {}) != OURS:
            raise WrongUse(
                f"{self.place} has other files ({blob.name}): deliver the reports to a separate prefix, "
                f"such as {self.place}/reports"
            )

    @contextmanager
    def _alone(self) -> Iterator[_Lease]:
        """Hold the index, which is made where there is none, against other deliveries. Raises ReportError."""
        from azure.core.exceptions import HttpResponseError, ResourceExistsError

        path = self.prefix + INDEX
        index = self.container.get_blob_client(path)
        content = index_page([]).encode()
        try:
            index.upload_blob(content, overwrite=False, **_properties(path, content))
        except ResourceExistsError:
            self._check_ours(index.get_blob_properties())
        until = time.monotonic() + PATIENCE
        while True:
            try:
                client = index.acquire_lease(LEASE)
                break
            except HttpResponseError as error:
                if error.status_code != 409 or time.monotonic() > until:
                    raise
                time.sleep(POLL)
        lease = _Lease(client)
        try:
            yield lease
        finally:
            lease.end()

    @contextmanager
    def _one_line_faults(self) -> Iterator[None]:
        """Faults of the service in one line: what, where, what to do."""
        from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

        try:
            yield
        except ClientAuthenticationError as error:
            raise ReportError(f"{self.place}: not signed in to Azure; run 'az login' or set --credential") from error
        except HttpResponseError as error:
            if error.status_code == 403:
                raise ReportError(
                    f"{self.place}: access denied; you need the role Storage Blob Data Contributor and network access"
                ) from error
            if error.status_code == 409:
                raise ReportError(f"{self.place}: another delivery is running; try again later") from error
            code = " ".join(str(part) for part in (error.status_code, getattr(error, "error_code", None)) if part)
            raise ReportError(f"{self.place}: storage returned {code}; run again to continue") from error
        except AzureError as error:
            raise ReportError(f"{self.place}: cannot reach the storage account ({type(error).__name__})") from error


class _Lease:
    """A lease that is renewed until its end."""

    def __init__(self, client: BlobLeaseClient):
        self.client = client
        self._renewed = time.monotonic()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._renew, daemon=True)
        self._thread.start()

    def check(self) -> None:
        """Raises ReportError where the lease may have run out, so that another delivery may write."""
        if time.monotonic() - self._renewed >= LEASE:
            raise ReportError("the delivery took too long and lost its lease; run it again")

    def end(self) -> None:
        from azure.core.exceptions import AzureError

        self._ended.set()
        self._thread.join()
        try:
            self.client.release()
        except AzureError:
            return  # It runs out by itself.

    def _renew(self) -> None:
        from azure.core.exceptions import AzureError

        while not self._ended.wait(RENEWAL):
            began = time.monotonic()
            try:
                self.client.renew()
                self._renewed = began
            except AzureError:
                continue  # Tried again, until ``check`` says that it is too late.


def _place(to: str) -> Place:
    parts = urlsplit(to)
    if parts.query or parts.password is not None:
        raise WrongUse(
            "the delivery URL contains a key or SAS: remove everything from '?' on, "
            "and sign in with the role Storage Blob Data Contributor (see --credential)"
        )
    if ".web." in (parts.hostname or ""):
        raise WrongUse(f"{to} is the public website; deliver to https://ACCOUNT.blob.core.windows.net/$web")
    place = place_of(to)
    if place is None or not place.container:
        raise WrongUse(
            f"{to}: deliver to a folder, or to a container: https://ACCOUNT.blob.core.windows.net/$web[/PREFIX]"
        )
    return place


def _order(file: str) -> tuple[int, str]:
    """What pages need, the pages, the index that links to them, the manifest."""
    return (0 if not file.endswith(".html") else 1) + 2 * (file == INDEX) + 4 * (file == MANIFEST), file


def _same(blob: BlobProperties | None, content: bytes) -> bool:
    if blob is None or blob.metadata != OURS or blob.size != len(content):
        return False
    return bytes(blob.content_settings.content_md5 or b"") == hashlib.md5(content, usedforsecurity=False).digest()


def _properties(path: str, content: bytes) -> dict[str, Any]:
    from azure.storage.blob import ContentSettings

    kind = CONTENT_TYPES.get(PurePosixPath(path).suffix, "application/octet-stream")
    md5 = bytearray(hashlib.md5(content, usedforsecurity=False).digest())
    return {
        "content_settings": ContentSettings(content_type=kind, cache_control=CACHE_CONTROL, content_md5=md5),
        "metadata": OURS,
    }
