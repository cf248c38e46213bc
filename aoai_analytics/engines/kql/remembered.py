"""What reading and translating queries gave, remembered in this process, and in files for the next one.

A result follows from the text of the query and of the functions, and from the versions of this package, duckdb-kql and
DuckDB alone. A query's results are one file, sealed with the query's own text: its literals may be someone's words, and
only who knows the text can read them. A file that is damaged, or of another version, is none. One lies beside the lake,
for all who read it, and one in the user's cache, for the next lake.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import zlib
from collections import OrderedDict
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from contextvars import ContextVar
from functools import cache, lru_cache, wraps
from importlib.metadata import version
from pathlib import Path
from threading import Lock
from typing import Any, TypeVar, cast

from ...config import shipped
from ...lake import translations

F = TypeVar("F", bound=Callable[..., Any])

#: Characters that this process remembers at most.
_MOST_CHARACTERS = 64 * 2**20
_SALT, _CHECK = 16, 32

#: From the function's name and its arguments to the result as JSON.
_known: OrderedDict[str, str] = OrderedDict()
_size = 0
_lock = Lock()
#: What each ``beside`` around the present call has used; a query in another thread has its own.
_recordings: ContextVar[tuple[dict[str, str], ...]] = ContextVar("recordings", default=())


def remembered(
    to: Callable[[Any], Any] = lambda value: value, back: Callable[[Any], Any] = lambda value: value
) -> Callable[[F], F]:
    """Remembers a function of texts alone. *to* makes JSON of its result, *back* the result again."""

    def decorate(function: F) -> F:
        name = f"{function.__module__}.{function.__qualname__}"

        @lru_cache(maxsize=512)
        def found(*arguments: Any) -> tuple[str, str, Any]:
            digest = _digest(repr((name, *map(_steady, arguments))))
            text = _known.get(digest)
            if text is None:
                text = json.dumps(to(function(*arguments)))
            return digest, text, back(json.loads(text))

        @wraps(function)
        def call(*arguments: Any) -> Any:
            digest, text, value = found(*arguments)
            _note({digest: text})
            return value

        call.forget = found.cache_clear  # type: ignore[attr-defined]
        return cast(F, call)

    return decorate


def recalled(key: tuple[Any, ...], compute: Callable[[], Any], keep: Callable[[], bool] = lambda: True) -> Any:
    """What *compute* gives, which is JSON and follows from *key* alone; not remembered unless *keep* afterwards."""
    digest = _digest(repr(key))
    text = _known.get(digest)
    if text is None:
        text = json.dumps(compute())
        if not keep():
            return json.loads(text)
    _note({digest: text})
    return json.loads(text)


def _steady(argument: Any) -> Any:
    """The same for equal arguments: a set has no order."""
    return sorted(argument) if isinstance(argument, frozenset) else argument


def _note(entries: dict[str, str]) -> None:
    global _size
    with _lock:
        for recording in _recordings.get():
            recording.update(entries)
        for key, text in entries.items():
            if key not in _known:
                _known[key] = text
                _size += len(text)
        while _size > _MOST_CHARACTERS:
            _size -= len(_known.popitem(last=False)[1])


@contextmanager
def beside(text: str, folder: Path | None = None) -> Iterator[None]:
    """Remembers what is found out inside about the query *text* in the user's cache, and in *folder*, a lake's.

    Either may be read-only.
    """
    name = f"{versions()}-{_digest('name', text)[:32]}"
    home = translations.of_user()
    stored = _read(folder / name, text) if folder else {}
    known = stored or (_read(home / name, text) if home else {})
    _note(known)
    recording: dict[str, str] = {}
    before = _recordings.set((*_recordings.get(), recording))
    try:
        yield
    finally:
        _recordings.reset(before)
    if folder and not recording.keys() <= stored.keys():
        with suppress(OSError):
            _write(folder / name, text, known | recording)
    if home and not recording.keys() <= known.keys():
        with suppress(OSError):
            home.mkdir(mode=0o700, parents=True, exist_ok=True)
            _write(home / name, text, known | recording)


@cache
def versions() -> str:
    """Changes with whatever a translation, and so an answer, depends on; in a working copy too."""
    package = Path(__file__).parents[2]
    files = [*package.glob("engines/**/*.py"), *package.glob("schema/*.py"), *shipped("kql").glob("**/*.kql")]
    parts = [version(name) for name in ("duckdb-kql", "duckdb")]
    for path in sorted(files):
        found = path.stat()
        parts.append(f"{path.name} {found.st_size} {found.st_mtime_ns}")
    return _digest(*parts)[:12]


def _digest(*parts: str) -> str:
    return hashlib.sha256("\0".join(parts).encode()).hexdigest()


def _read(path: Path, text: str) -> dict[str, str]:
    """The entries of a file; none where it is not there, damaged, or of another text."""
    try:
        sealed = path.read_bytes()
        salt, check = sealed[:_SALT], sealed[_SALT : _SALT + _CHECK]
        content = _sealed(sealed[_SALT + _CHECK :], salt, text)
        if not hmac.compare_digest(check, _check(content, salt, text)):
            return {}
        found: dict[str, str] = json.loads(zlib.decompress(content))
        return found
    except OSError:
        return {}


def _write(path: Path, text: str, entries: dict[str, str]) -> None:
    path.parent.mkdir(mode=0o700, exist_ok=True)
    salt = os.urandom(_SALT)
    content = zlib.compress(json.dumps(entries).encode(), 1)
    beside = path.with_name(f"{path.name}.{os.urandom(6).hex()}.new")
    try:
        descriptor = os.open(beside, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
        with open(descriptor, "wb") as stream:
            stream.write(salt + _check(content, salt, text) + _sealed(content, salt, text))
        os.replace(beside, path)
    finally:
        beside.unlink(missing_ok=True)
    if sum(1 for _ in path.parent.iterdir()) > translations.MOST_FILES * 1.1:
        translations.remove_old(path.parent)


def _check(content: bytes, salt: bytes, text: str) -> bytes:
    return hmac.digest(salt + text.encode(), content, "sha256")


def _sealed(content: bytes, salt: bytes, text: str) -> bytes:
    """*content* with a stream over it that only *text* gives; twice is *content* again."""
    stream = hashlib.shake_256(b"seal\0" + salt + text.encode()).digest(len(content))
    return (int.from_bytes(content) ^ int.from_bytes(stream)).to_bytes(len(content))
