"""Whether a query can run, and where: read without being run."""

from __future__ import annotations

from .dialect.adapter import function_names
from .kql.flow import catalogue, checked
from .kql.functions import shipped_functions
from .kql.tree import read

#: Operators and sources of KQL that the local engine lacks, by their grammar rule.
_NOT_LOCAL = {
    "ExternalDataExpression": "externaldata (add the file with: aoai lake table NAME FILE)",
    "FacetByOperator": "facet",
    "ForkOperator": "fork",
    "GraphMatchOperator": "graph-match",
    "MacroExpandOperator": "macro-expand",
    "ReduceByOperator": "reduce",
    "ScanOperator": "scan",
}
#: Functions that reach beyond one workspace or database.
_ELSEWHERE = frozenset(("adx", "app", "arg", "cluster", "database", "resource", "workspace"))


def findings(kql: str) -> list[str]:
    """What in *kql* runs in Azure and not on a lake, each with its place; [] where it runs everywhere.

    Raises QueryError for what runs nowhere: a syntax error, or a column, table or function that is not there.
    """
    found = []
    for node in read(kql).walk():
        line, column = node.place
        if node.kind in _NOT_LOCAL:
            found.append(f"line {line}, column {column}: a lake cannot run {_NOT_LOCAL[node.kind]}")
        elif node.kind == "NamedFunctionCallExpression" and node.rules[0].name in _ELSEWHERE:
            found.append(f"line {line}, column {column}: a lake has no {node.rules[0].name}()")
    if not found:
        checked(kql, catalogue(shipped_functions()), function_names())
    return found
