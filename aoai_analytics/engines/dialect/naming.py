"""Names as KQL and SQL write them, and how an operator refuses what it is given."""

from __future__ import annotations

import re

from ...errors import QueryError
from ...schema.sql import quoted
from ..kql.tree import NAMES, Node


def kql_name(name: str) -> str:
    """*name* as KQL writes it."""
    return name if re.fullmatch(r"[A-Za-z_]\w*", name) else "['" + name.replace("\\", "\\\\").replace("'", "\\'") + "']"


#: A name as SQL writes it.
sql_name = quoted


def listed(names: list[str]) -> str:
    """Names as KQL lists them."""
    return ", ".join(map(kql_name, names))


def refused(node: Node, what: str) -> QueryError:
    """What is wrong with *node*, at its place."""
    line, column = node.place
    return QueryError(f"line {line}, column {column}: {what}", line=line, column=column)


def column(node: Node) -> str:
    """The first name in *node*, or its text."""
    return next((name.name for name in node.walk() if name.kind in NAMES), node.text.strip())
