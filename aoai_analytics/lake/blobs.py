"""Log files: finding them, naming them independently of where their folder is, and reading their uncompressed bytes.

A file's kind is told by its content: gzip, Parquet, JSON (a record a line, or ``{"records": [...]}``), CSV.
``pieces`` makes records of them.
"""

from __future__ import annotations

import hashlib
import os
import re
import stat
import zlib
from collections.abc import Callable, Iterator, Sequence
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path, PurePath
from typing import Any, BinaryIO

from aoai_analytics.errors import LogsError, WrongUse
from aoai_analytics.lake.containers import place_of, stored_files
from aoai_analytics.schema.table import Table
from aoai_analytics.schema.tables import READ_TABLES

BLOCK = 4 << 20
#: How much of a file's beginning tells its kind, and identifies a blob.
HEAD = 64 << 10

SUFFIXES = (".json", ".jsonl", ".ndjson", ".log", ".csv", ".parquet", ".avro")

# From here on a path is the same in every copy of a container.
_CANONICAL = re.compile(r"(?:^|/)((?:insights-logs-|am-)[^/]+/.*)$", re.IGNORECASE)
_HOUR = re.compile(r"y=(\d+)/m=(\d+)/d=(\d+)/h=(\d+)(?:/m=(\d+))?", re.IGNORECASE)
BOM = b"\xef\xbb\xbf"


class Unreadable(Exception):
    """A file that cannot be read, or not further; the message says why without quoting it."""


@dataclass(frozen=True)
class Blob:
    """A log file. ``key`` stays the same if its folder is copied elsewhere; ``hint`` is the table its folder suggests.

    ``problem`` is why a folder, which then stands for its files, could not be listed; ``opened`` opens a file that
    is not on this machine, whose path is ACCOUNT/CONTAINER/NAME.
    """

    path: PurePath
    key: str
    size: int
    modified: int
    hint: Table | None = field(default=None, compare=False)
    problem: str = ""
    opened: Callable[[], BinaryIO] | None = field(default=None, compare=False, repr=False)

    @property
    def name(self) -> str:
        """The path as text that any terminal and any JSON takes: bytes that are not UTF-8 are written ``\\xff``."""
        return shown(self.path)

    def open(self) -> BinaryIO:
        """The stored bytes; raises OSError, a stored file's also while they are read."""
        if self.problem:
            raise OSError(None, self.problem)
        return self.opened() if self.opened else _open_regular(self.path)


def shown(path: PurePath | str) -> str:
    """A path as printable text; a printable one is unchanged."""
    text = os.fsencode(path).decode("utf-8", "backslashreplace")
    return "".join(c if c.isprintable() else c.encode("unicode_escape").decode() for c in text)


def _open_regular(path: PurePath) -> BinaryIO:
    """A file opened for reading; a pipe, which would be waited for, or a device is refused as an OSError."""

    def opener(name: str, flags: int) -> int:
        # A file can be replaced by a pipe after it was listed, so what was opened is looked at.
        descriptor = os.open(name, flags | getattr(os, "O_NONBLOCK", 0))
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise OSError(None, "not a regular file")
        return descriptor

    return open(path, "rb", opener=opener)


def find_blobs(logs: Sequence[str | Path], credential: Any = None) -> list[Blob]:
    """The log files under *logs* (files, folders, places in Azure Storage), oldest hour first, each once.

    In a folder or container every file counts that is named like a log (SUFFIXES, also with ``.gz``), but hidden ones
    and those of a lake. *credential*, of azure-identity, reads Azure Storage. Raises WrongUse where nothing is given,
    LogsError for a path that does not exist, or when no file is found, SourceError where a storage cannot be read.
    """
    if not logs:
        raise WrongUse("no logs given; give the folder with the gateway's logs")
    found: dict[Path, str] = {}
    stored: dict[str, Blob] = {}
    for given in logs:
        if place := place_of(str(given)):
            for file in stored_files(place, credential):
                if is_log_name(file.path.name):
                    key = blob_key(file.path)
                    stored[key] = Blob(file.path, key, file.size, file.modified, _hint(file.path), opened=file.open)
            continue
        root = Path(given)
        if root.is_dir():
            found.update(_walk(root.absolute()))
        elif root.exists():
            found[root.absolute()] = ""
        else:
            raise LogsError(f"{given}: no such file or folder; give the folder with the gateway's logs")
    if not found and not stored:
        names = ", ".join(f"*{suffix}" for suffix in SUFFIXES)
        places = ", ".join(str(given) for given in logs)
        raise LogsError(f"no logs in {places}: searched all subfolders for {names}, with or without .gz")
    blobs = list(stored.values())
    for path, problem in found.items():
        size, modified = (0, 0) if problem else _stat(path)
        blobs.append(Blob(path, blob_key(path), size, modified, _hint(path), problem))
    return sorted(blobs, key=lambda blob: (_hour(blob.key), blob.key))


def _walk(root: Path) -> Iterator[tuple[Path, str]]:
    """The log files below a folder, and with why the folders that cannot be listed."""
    refused: list[tuple[Path, str]] = []

    def refuse(error: OSError) -> None:
        refused.append((Path(error.filename), error.strerror or type(error).__name__))

    for folder, subfolders, names in os.walk(root, onerror=refuse):
        if "_aoai" in subfolders or "_delta_log" in subfolders:
            subfolders.clear()
            continue
        subfolders[:] = sorted(name for name in subfolders if not name.startswith("."))
        for name in sorted(names):
            if is_log_name(name):
                yield Path(folder, name), ""
    yield from refused


def is_log_name(name: str) -> bool:
    """Whether a file is named like a log."""
    return not name.startswith(".") and name.lower().removesuffix(".gz").endswith(SUFFIXES)


def _stat(path: Path) -> tuple[int, int]:
    try:
        status = path.stat()
    except OSError:
        # Gone or forbidden since the folder was listed: reading it reports that.
        return 0, 0
    return status.st_size, status.st_mtime_ns


def blob_key(path: PurePath) -> str:
    """The path from its container (``insights-logs-...``, ``am-...``) on, else the absolute path; without ``.gz``."""
    text = shown((path.absolute() if isinstance(path, Path) else path).as_posix())
    found = _CANONICAL.search(text)
    key = found.group(1) if found else text
    return key[:-3] if key.lower().endswith(".gz") else key


def _hour(key: str) -> tuple[int, ...]:
    found = _HOUR.search(key)
    return tuple(int(part or 0) for part in found.groups()) if found else ()


def _hint(path: PurePath) -> Table | None:
    folders = {part.lower().removeprefix("am-") for part in path.parts}
    return next((table for name, table in READ_TABLES.items() if name.lower() in folders), None)


def _gunzip(stream: BinaryIO) -> Iterator[bytes]:
    """The uncompressed blocks of a gzip stream of any number of members; raises Unreadable where it breaks off."""
    inflate = zlib.decompressobj(wbits=31)
    waiting = b""
    begun = False
    while True:
        if not waiting:
            waiting = stream.read(1 << 18)
            if not waiting:
                if begun:
                    raise Unreadable("truncated gzip data")
                return
        try:
            block = inflate.decompress(waiting, BLOCK)
        except zlib.error:
            raise Unreadable("invalid gzip data") from None
        begun = True
        waiting = inflate.unconsumed_tail
        if inflate.eof:
            # Zero bytes may pad the end of a gzip file.
            waiting = inflate.unused_data.lstrip(b"\0")
            inflate = zlib.decompressobj(wbits=31)
            begun = False
        if block:
            yield block


def plain_blocks(stream: BinaryIO) -> Iterator[bytes]:
    """The remaining bytes of a stream in blocks of BLOCK bytes."""
    while block := stream.read(BLOCK):
        yield block


class Content:
    """The uncompressed bytes of a blob, read once from the beginning to the end; a context manager.

    ``kind`` is ``json``, ``csv``, ``parquet``, ``avro`` or ``unknown``; ``head`` the first HEAD bytes; ``stored``
    how many bytes of the file were consumed.
    """

    def __init__(self, blob: Blob):
        self.blob = blob
        self.stream = blob.open()
        magic = self.stream.read(2)
        self.stream.seek(0)
        self.gzipped = magic == b"\x1f\x8b"
        self._blocks = _gunzip(self.stream) if self.gzipped else plain_blocks(self.stream)
        self._broken: Unreadable | None = None
        parts: list[bytes] = []
        try:
            while sum(map(len, parts)) < HEAD and (block := next(self._blocks, b"")):
                parts.append(block)
        except Unreadable as error:
            if not parts:
                self.stream.close()
                raise
            self._broken = error
        self._first = b"".join(parts)
        self.head = self._first[:HEAD]
        self.kind = _kind(self.head, blob.path.name)
        #: What ends a line: a carriage return alone where no line feed is, as old exports have it.
        self.newline = b"\r" if b"\r" in self.head and b"\n" not in self.head else b"\n"

    def __enter__(self) -> Content:
        return self

    def __exit__(self, *_: object) -> None:
        self.stream.close()

    @property
    def stored(self) -> int:
        return self.stream.tell()

    def before(self, position: int, size: int) -> bytes:
        """The *size* bytes that end at *position*, fewer at the beginning; the content can still be read after."""
        if position <= len(self._first):
            return self._first[max(0, position - size) : position]
        start = position - size
        with self.blob.open() as stream:
            if not self.gzipped:
                stream.seek(start)
                return stream.read(size)
            found = b""
            at = 0
            # Content that breaks off before is simply shorter here; who reads it is told.
            with suppress(Unreadable):
                for block in _gunzip(stream):
                    found += block[max(0, start - at) : max(0, position - at)]
                    at += len(block)
                    if at >= position:
                        break
            return found

    def blocks(self, start: int = 0) -> Iterator[bytes]:
        """The bytes from *start* on, in blocks; raises Unreadable after the last good one of a broken gzip file."""
        if start and not self.gzipped:
            self.stream.seek(start)
            yield from plain_blocks(self.stream)
            return
        skip = start
        if self._first[skip:]:
            yield self._first[skip:]
        skip = max(0, skip - len(self._first))
        if self._broken:
            raise self._broken
        for block in self._blocks:
            if skip < len(block):
                yield block[skip:] if skip else block
            skip = max(0, skip - len(block))


def _kind(head: bytes, name: str) -> str:
    if head.startswith(b"PAR1"):
        return "parquet"
    if head.startswith(b"Obj\x01"):
        return "avro"
    text = head.removeprefix(BOM)
    lines = text.splitlines() or [b""]
    if any(line.lstrip()[:1] in (b"{", b"[") for line in lines):
        return "json"
    header = lines[0].lower()
    if b"," in header and (b"timegenerated" in header or b"timestamp" in header):
        return "csv"
    if len(lines) == 1 and b"\0" not in text and not name.lower().removesuffix(".gz").endswith(".csv"):
        # One line that has only begun: what it is shows when it ends.
        return "json"
    return "unknown"


def content_hash(blob: Blob) -> str:
    """A hash of the stored bytes."""
    digest = hashlib.blake2b(digest_size=16)
    with blob.open() as stream:
        for block in plain_blocks(stream):
            digest.update(block)
    return digest.hexdigest()
