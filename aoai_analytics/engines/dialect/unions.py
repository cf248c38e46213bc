"""A ``union`` of tables that have a column of one name and several types: Kusto makes a column of each type.

Source: https://learn.microsoft.com/kusto/query/union-operator.
"""

from __future__ import annotations

from collections.abc import Callable

from ...schema.tables import TABLES
from ..kql.functions import shipped_functions
from ..kql.tree import Node, bare, edited, read, statements
from .naming import kql_name
from .stages import Stages, within_function

_LET = "LetVariableDeclaration"
#: Types that are one here: an engine without Kusto's types may take one for the other.
_ALIKE = {"int": "long"}


def typed(kql: str, stages: Stages, staged: Callable[[str], str]) -> str:
    """*kql* with such columns renamed ``name_type`` in each table of the union. Raises QueryError."""
    if "union" not in kql or any(let.rules[0].name in shipped_functions() for let in read(kql).find(_LET)):
        return kql
    for place in range(len(list(read(kql).find("UnionOperator"))) - 1, -1, -1):  # the innermost before the outer
        union = list(read(kql).find("UnionOperator"))[place]
        if edits := _renamed(kql, union, stages, staged):
            kql = edited(kql, edits)
    return kql


def _renamed(kql: str, union: Node, stages: Stages, staged: Callable[[str], str]) -> list[tuple[int, int, str]]:
    root = read(kql)
    arms = [rule for rule in union.rules if not rule.kind.endswith("Parameter")]
    if within_function(root, union) or any(arm.kind.startswith("Wildcarded") for arm in arms):
        return []
    piped = _piped(root, union)
    if all(arm.name in TABLES for arm in arms) and piped is None and not _differ([_table(arm.name) for arm in arms]):
        return []
    lets = kql[: next(part.start for part in statements(root) if part.start <= union.start < part.end)]
    texts = [kql[piped[0] : piped[1]]] if piped else []
    texts += [bare(arm).text for arm in arms]
    columns = [stages.columns[stages.made(stages.sql(staged(lets + text)))] for text in texts]
    names = _differ(columns)
    edits = []
    nodes: list[Node | None] = [None, *arms] if piped else [*arms]
    for text, kinds, arm in zip(texts, columns, nodes, strict=True):
        given = ", ".join(f"{kql_name(f'{name}_{kinds[name]}')} = {kql_name(name)}" for name in names if name in kinds)
        if given and arm is None and piped:
            edits.append((piped[1], piped[1], f"| project-rename {given} "))
        elif given and arm is not None:
            edits.append((arm.start, arm.end, f"({text} | project-rename {given})"))
    return edits


def _table(name: str) -> dict[str, str]:
    return dict(TABLES[name].columns)


def _differ(columns: list[dict[str, str]]) -> list[str]:
    """The columns that have several types."""
    kinds: dict[str, set[str]] = {}
    for table in columns:
        for name, kind in table.items():
            kinds.setdefault(name, set()).add(_ALIKE.get(kind, kind))
    return [name for name, found in kinds.items() if len(found) > 1]


def _piped(root: Node, union: Node) -> tuple[int, int] | None:
    """Where the rows before ``| union`` stand."""
    for pipe in root.find("PipeExpression"):
        for piped in pipe.rules[1:]:
            if any(node is union for node in piped.walk()) and piped.rules[0] is union:
                return pipe.start, piped.start
    return None
