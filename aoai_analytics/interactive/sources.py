"""The sources that ``%%kql`` has opened, and the one it used last."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import default_source, found
from ..dimensions import own_functions
from ..engines import Engine, connect

#: By source and the functions that own prices and dimensions replace.
_engines: dict[tuple[str, ...], Engine] = {}
_last: list[str] = []


def source_of(given: str | None) -> str:
    """*given*, else the last one, else the default source. A relative folder is looked for upwards."""
    if given is None:
        return _last[0] if _last else default_source()
    return given if "://" in given else str(found(given))


def engine_of(source: str, only: Sequence[str] = ()) -> Engine:
    """The engine of *source*, opened once, which later cells then use. Raises what ``connect`` does.

    *only* (``COLUMN=VALUE``) narrows it to some requests, in place of the setting.
    """
    own = own_functions(only)
    key = (source, *own.values())
    if key not in _engines:
        _engines[key] = connect(source, functions=own)
    _last[:] = [source]
    return _engines[key]


def close_all() -> None:
    """Close what was opened, and forget the last source."""
    _last.clear()
    while _engines:
        _engines.popitem()[1].close()
