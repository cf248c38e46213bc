"""What ``join`` and ``lookup`` do to the columns they are given, and what is wrong with how they are written.

Sources: https://learn.microsoft.com/kusto/query/join-operator and .../lookup-operator.
"""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING

from .rows import UNKNOWN, Rows, Scope
from .tree import Node
from .words import listed, nearest

if TYPE_CHECKING:
    from .flow import Flow

_PATH = "FunctionCallOrPathPathExpression"
_JOINS = listed(
    """anti fullouter inner innerunique leftanti leftantisemi leftouter leftsemi rightanti rightantisemi rightouter
    rightsemi"""
)
#: Kinds of other languages -> Kusto's.
_LIKE = {"full": "fullouter", "left": "leftouter", "outer": "fullouter", "right": "rightouter", "semi": "leftsemi"}


def join(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    """The columns after a ``join`` or ``lookup``; notes a kind that is not there, and keys that are none."""
    kind = next(
        (rule.words[-1] if not rule.rules else rule.rules[-1].text for rule in node.rules if _is_kind(rule)), ""
    )
    _check_join(flow, node, kind)
    on = node.child("JoinOperatorOnClause") or node.child("LookupOperatorOnClause")
    right_node = next((r for r in node.rules if r is not on and not r.kind.endswith(("Parameter", "Clause"))), None)
    if right_node is None:
        return UNKNOWN
    right = flow.rows(right_node, scope)
    keys: set[str] = set()
    for condition in on.rules if on else ():
        if condition.name:
            keys.add(condition.name)
            flow.text(condition, rows, Scope())
            flow.text(condition, right, Scope())
        else:
            flow.text(condition, Rows(), replace(scope, sides={"$left": rows, "$right": right}))
            keys |= {path.rules[-1].rules[-1].name for path in condition.walk() if _of_right(path)}
    if kind in ("leftanti", "leftsemi", "anti", "leftantisemi"):
        return rows
    if kind in ("rightanti", "rightsemi", "rightantisemi"):
        return right
    added = {name: text for name, text in right.columns.items() if node.kind == "JoinOperator" or name not in keys}
    columns = dict(rows.columns)
    for name, text in added.items():
        new = name
        number = 0
        while new in columns:
            number += 1
            new = f"{name}{number}"
        columns[new] = text
    return Rows(columns, rows.opened or right.opened, rows.rest or right.rest)


def _check_join(flow: Flow, node: Node, kind: str) -> None:
    """Notes a kind that is not there, and keys that are not columns of the two tables."""
    kinds = _JOINS if node.kind == "JoinOperator" else listed("inner leftouter")
    if kind and kind not in kinds:
        rule = next(rule for rule in node.rules if _is_kind(rule))
        word = rule.rules[-1] if rule.rules else rule.children[-1]
        like = _LIKE.get(kind, "")
        hint = f"; did you mean '{like}'?" if like in kinds else nearest(kind, kinds)
        flow.unknown.append((word, f"there is no kind '{kind}' of {node.text.split()[0]}{hint}"))
    on = next((rule for rule in node.rules if rule.kind.endswith("OnClause")), None)
    how = "'on COLUMN' or 'on $left.A == $right.B'"
    if on is None or not on.rules:
        flow.unknown.append((node, f"a {node.text.split()[0]} needs its keys: {how}"))
        return
    for condition in on.rules:
        sides = sorted(path.rules[0].text for path in condition.walk() if path.kind == _PATH)
        if not condition.name and (sides != ["$left", "$right"] or "==" not in condition.text):
            flow.unknown.append((condition, f"write the key as {how}"))


def _of_right(node: Node) -> bool:
    return node.kind == "FunctionCallOrPathPathExpression" and node.rules[0].text == "$right"


def _is_kind(rule: Node) -> bool:
    return rule.kind.endswith("Parameter") and rule.text.split("=")[0].strip() == "kind"
