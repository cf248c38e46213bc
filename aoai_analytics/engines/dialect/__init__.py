"""What duckdb-kql lacks of KQL that people use, and where its answer is not Kusto's.

``functions`` holds functions as data, ``computed`` and ``series`` those that Python computes; ``rewriting`` and
``preparing`` say in KQL that duckdb-kql knows what it does not know; ``stages`` computes the ``operators`` and
``windows`` that it lacks; ``adapter`` and ``rendering`` alone touch duckdb-kql.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..kql.functions import shipped_functions
from . import adapter, computed, macros, operators, unions, windows
from .adapter import computing, install
from .dynamics import dynamic_names
from .expanding import expanded, present
from .preparing import prepared
from .rewriting import rewritten
from .stages import Stages, apart
from .stages import staged as _staged

if TYPE_CHECKING:
    import duckdb

__all__ = [
    "computing",
    "connection",
    "dynamic_names",
    "expanded",
    "install",
    "prepared",
    "present",
    "register",
    "staged",
]


def connection() -> duckdb.DuckDBPyConnection:
    """A database in memory that runs what is translated, and reads no Python variable."""
    import duckdb

    connection = duckdb.connect(config={"python_enable_replacements": "false"})
    connection.execute("SET TimeZone='UTC'")
    # It begins anew below each SELECT that only names columns, of which a translated query has dozens: a fifth of the
    # time of most questions.
    connection.execute("SET disabled_optimizers='projection_pullup'")
    register(connection)
    return connection


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Let *connection* run what is translated."""
    computed.register(connection)
    macros.define(connection, adapter.macros())


def staged(kql: str, stages: Stages) -> str:
    """*kql* with what DuckDB cannot do in one statement computed as *stages*. Raises QueryError."""
    handlers = operators.HANDLERS | windows.HANDLERS

    def in_stages(text: str) -> str:
        return _staged(text, stages, handlers, lambda node: operators.needs(node) or windows.needs(node))

    kql = unions.typed(rewritten(kql), stages, in_stages)
    return in_stages(apart(kql, stages, shipped_functions(), in_stages))
