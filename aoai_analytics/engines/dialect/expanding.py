"""What looks into several tables at once, written out as the tables it means: KQL to KQL, before tables are shown."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from fnmatch import fnmatchcase

from ...schema.tables import TABLES
from ..kql.literals import blank
from ..kql.tree import Node, edited, read, statements

#: The column that names each row's table.
_SOURCE = {"FindOperator": "source_", "SearchOperator": "$table"}


def expanded(kql: str, tables: Iterable[str]) -> str:
    """*kql* with wildcards of a ``union``, and ``search`` and ``find`` over tables, as unions of those of *tables*.

    Raises QueryError where it does not parse.
    """
    views = [node.rules[0].name for node in read(kql).find("LetViewDeclaration")] if "view" in kql else []
    tables = [*views, *tables]
    edits = []
    for node in read(kql).walk():
        if node.kind == "UnionOperator":
            for rule in node.rules:
                if rule.kind.startswith("Wildcarded"):
                    found = [name for name in tables if fnmatchcase(name, rule.text.strip())]
                    edits.append((rule.start, rule.end, ", ".join(found) or rule.text))
    starts = {stage.start for statement in statements(read(kql)) for stage in _heads(statement)}
    for node in read(kql).walk():
        if node.kind in _SOURCE and node.start in starts:
            edits.append((node.start, node.end, _union(node, tables)))
    return edited(kql, edits)


def present(kql: str, known: Callable[[str], object]) -> str:
    """*kql* without the tables of its ``union isfuzzy=true`` that are not there; blanks take their places.

    *known* gives None for a table that is not there. Raises QueryError where it does not parse.
    """
    if "isfuzzy" not in kql:
        return kql
    root = read(kql)
    lets = {statement.rules[0].name for statement in statements(root) if statement.kind.startswith("Let")}
    named = [*lets, *TABLES]
    edits = []
    for union in root.find("UnionOperator"):
        fuzzy = any(rule.text.replace(" ", "").lower() == "isfuzzy=true" for rule in union.rules)
        tables = [rule for rule in union.rules if not rule.kind.endswith("Parameter")]
        missing = [
            rule
            for rule in tables
            if ((name := _head(rule)) and name not in lets and known(name) is None)
            or (rule.kind.startswith("Wildcarded") and not any(fnmatchcase(one, rule.text.strip()) for one in named))
        ]
        if not fuzzy or len(missing) == len(tables):
            continue
        for rule in missing:
            after = union.children[union.children.index(rule) + 1 :]
            before = union.children[: union.children.index(rule)]
            start, end = rule.start, rule.end
            if after and after[0].text == ",":
                end = after[0].end
            elif before and before[-1].text == ",":
                start = before[-1].start
            edits.append((start, end, blank(kql[start:end])))
    return edited(kql, edits)


def _head(node: Node) -> str:
    """The name of the table that a pipeline begins with; '' where it begins with none."""
    while node.kind in ("ParenthesizedExpression", "PipeExpression"):
        node = node.rules[0]
    return node.name


def _heads(node: Node) -> Iterable[Node]:
    """What every pipeline below *node* begins with."""
    yield node
    for inner in node.walk():
        if inner.kind == "PipeExpression":
            yield inner.rules[0]


def _union(node: Node, tables: list[str]) -> str:
    within = next(node.find("SearchOperatorInClause", "FindOperatorInClause"), None)
    named = [rule.text for rule in within.rules] if within else tables
    found = [name for name in tables if any(name == one or fnmatchcase(name, one) for one in named)] or named
    union = f"union withsource={_SOURCE[node.kind]} {', '.join(found)}"
    condition = next(rule for rule in node.rules if not rule.kind.endswith(("Clause", "Parameter"))).text
    if node.kind == "SearchOperator":
        return f"{union} | search {condition}"
    shown = node.child("FindOperatorProjectClause")
    columns = ", ".join(rule.text for rule in shown.rules if "pack" not in rule.text) if shown else ""
    return f"{union} | where {condition}" + (f" | project source_, {columns}" if columns else "")
