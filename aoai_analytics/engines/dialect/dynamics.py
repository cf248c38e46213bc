"""Which columns of a query hold dynamic values, as far as its text tells.

duckdb-kql translates without types, and DuckDB does not compute with JSON. Where a query fails for a type, these are
the columns whose values arithmetic has to read as numbers.
"""

from __future__ import annotations

from ...schema.tables import TABLES
from ..kql.tree import Node, bare, call, named, read
from .adapter import DYNAMIC_FUNCTIONS

_AGGREGATES = frozenset(
    ("make_bag", "make_list", "make_set", "bag_pack", "pack", "pack_array", "pack_all", "bag_merge")
)


def dynamic_names(kql: str) -> frozenset[str]:
    """The names of such columns. Raises QueryError where *kql* does not parse."""
    root = read(kql)
    names = {name for table in TABLES.values() for name, kind in table.columns.items() if kind == "dynamic"}
    for column in root.find("RowSchemaColumnDeclaration"):
        if column.rules[-1].text == "dynamic":
            names.add(next(inner.name for inner in column.walk() if inner.name))
    for expand in root.find("MvexpandOperator", "MvapplyOperator"):
        for rule in expand.rules:
            given, value = named(rule.rules[0] if rule.kind.endswith("OperatorExpression") else rule)
            if "typeof" not in rule.text:
                names |= set(given) or ({value.name} if value.name else set())
    for _ in range(3):  # a column may be made of one that is found later in the text
        for assigned in root.find("NamedExpression"):
            given, value = named(assigned)
            if len(given) == 1 and _is_dynamic(bare(value), names):
                names.add(given[0])
    return frozenset(names)


def _is_dynamic(node: Node, names: set[str]) -> bool:
    if node.kind == "FunctionCallOrPathPathExpression":
        return not node.text.startswith("$")
    return (
        node.name in names or node.kind == "DynamicLiteralExpression" or call(node) in DYNAMIC_FUNCTIONS | _AGGREGATES
    )
