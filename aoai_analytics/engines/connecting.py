"""From the name of a source to the engine that answers it."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from ..errors import SourceError
from .protocol import Engine


def connect(source: str | Path, *, credential: Any = None, endpoint: str | None = None) -> Engine:
    """The engine for *source*: a lake's folder, today the only kind.

    *credential* (an azure-identity credential) and *endpoint* (sovereign clouds, loopback) are for the
    services and mean nothing to a folder. Raises SourceError for a source of an unknown kind, LakeError
    for a folder that is no lake. Cheap: no data is read.
    """
    text = str(source)
    scheme, separator, _ = text.partition("://")
    if separator and scheme != "file":
        raise SourceError(
            f"unknown source '{scheme}://…': give the folder of a lake (made by 'aoai ingest LOGS --lake DIR')"
        )
    from .local import LocalEngine

    return LocalEngine.open(text.removeprefix("file://"))
