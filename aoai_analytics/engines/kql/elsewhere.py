"""Prefixes that name another place: ``workspace("…").T``, ``cluster("…").database("…").T``.

A lake is one place, so a query reads its table there.
"""

from __future__ import annotations

from collections.abc import Iterator

from .literals import blank
from .tree import Node, bare, call, edited, read, string_value
from .words import listed

#: Functions that reach beyond one workspace or database.
ELSEWHERE = listed("adx app arg cluster database resource workspace")


def prefixes(kql: str) -> Iterator[tuple[Node, Node]]:
    """Each such prefix: the whole path, and the table's name at its end. Raises QueryError where it does not parse."""
    for node in read(kql).walk():
        if node.kind in ("FunctionCallOrPathPathExpression", "WildcardedPathExpression"):
            root = node.rules[0]
            called = root.rules[0] if root.kind == "DotCompositeFunctionCallExpression" else root
            if call(called) in ELSEWHERE:
                last = node.rules[-1]
                yield node, last.rules[-1] if last.kind.endswith("Operation") else last
        elif node.kind == "DotCompositeFunctionCallExpression" and call(node.rules[0]) in ELSEWHERE:
            last = node.rules[-1].rules[-1]
            if call(last) == "table":
                yield node, last


def here(kql: str) -> tuple[str, tuple[str, ...]]:
    """*kql* without such prefixes, blanks in their places, and what its reader should know.

    Of a union's tables that then are the same, one stays. Raises QueryError where it does not parse.
    """
    if not any(name in kql for name in ELSEWHERE):
        return kql, ()
    found = list(prefixes(kql))
    if not found:
        return kql, ()
    edits = [(path.start, path.end, _alone(path, table)) for path, table in found]
    local = edited(kql, edits)
    named = {table.start for _, table in found}
    again = []
    for union in read(local).find("UnionOperator"):
        arms: dict[str, list[Node]] = {}
        for rule in union.rules:
            if not rule.kind.endswith("Parameter"):
                arms.setdefault(bare(rule).text.strip(), []).append(rule)
        for same in arms.values():
            if any(bare(rule).start in named for rule in same):
                for rule in same[1:]:
                    before = union.children[union.children.index(rule) - 1]
                    start = before.start if before.text == "," else rule.start
                    again.append((start, rule.end, blank(local[start : rule.end])))
    said = ", ".join(dict.fromkeys(kql[path.start : table.start].rstrip(". \n") for path, table in found))
    return edited(local, again), (f"{said}: a lake is one source, so the query reads its tables there",)


def _alone(path: Node, table: Node) -> str:
    """The table's name at the end of *path*, on the line where it is, and blanks before it."""
    literal = table.rules[1] if call(table) == "table" and len(table.rules) == 2 else None
    name = string_value(literal.text) if literal is not None else table.text
    return blank(path.text[: len(path.text) - len(name)]) + name
