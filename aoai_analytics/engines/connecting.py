"""From the name of a source to the engine that answers it."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import settings
from ..errors import SourceError
from .protocol import Engine


def connect(
    source: str | Path,
    *,
    credential: Any = None,
    endpoint: str | None = None,
    functions: Mapping[str, str] | None = None,
) -> Engine:
    """The engine for *source*: a lake's folder, ``log-analytics://WORKSPACE-ID`` or ``kusto://CLUSTER/DATABASE``.

    ``log-analytics://ID1,ID2`` reads several workspaces as one, ``log-analytics:///subscriptions/…`` the logs of one
    resource. *credential* is an azure-identity credential or the name of one (None: the setting ``credential``, else
    DefaultAzureCredential); *endpoint* another URL of the service (sovereign clouds; loopback, where alone it may be
    plain HTTP). They mean nothing to a folder. *functions* (name -> KQL) replace the package's functions of those
    names, as ``dimensions.own_functions()`` does. Of a function that a lake stores as a table, stages that follow the
    package's own text are applied to the stored rows.

    Raises SourceError for a source of an unknown kind, WrongUse for a malformed one, LakeError for a folder that is not
    a lake. Cheap: no data is read, no service asked.
    """
    text = str(source)
    credential = credential or settings().credential
    scheme, separator, _ = text.partition("://")
    if separator and scheme == "log-analytics":
        from .log_analytics import LogAnalyticsEngine

        return LogAnalyticsEngine.open(text, credential=credential, endpoint=endpoint, functions=functions)
    if separator and scheme == "kusto":
        from .kusto import KustoEngine

        return KustoEngine.open(text, credential=credential, endpoint=endpoint, functions=functions)
    if separator and scheme != "file":
        raise SourceError(
            f"unknown source '{scheme}://…': use a lake folder (created by 'aoai ingest LOGS --lake DIR'), "
            "log-analytics://WORKSPACE-ID or kusto://CLUSTER/DATABASE"
        )
    from .local import LocalEngine

    return LocalEngine.open(text.removeprefix("file://"), functions)
