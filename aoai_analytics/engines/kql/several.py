"""Operators that give several tables, ``fork`` and ``facet``: an engine here answers with one, the first.

That is what a client of Azure Data Explorer shows too where it reads the first table of an answer.
"""

from __future__ import annotations

from .literals import blank
from .tree import Node, edited, operator, read


def first_table(kql: str) -> tuple[str, tuple[str, ...]]:
    """*kql* with the first table of each such operator, and what its reader should know. Raises QueryError."""
    if "fork" not in kql and "facet" not in kql:
        return kql, ()
    edits, said = [], []
    for node in read(kql).find("ForkOperator", "FacetByOperator"):
        edits.append((node.start, node.end, _first(node)))
        word = node.text.split()[0]
        count = len([rule for rule in node.rules if not rule.kind.endswith(("Parameter", "Clause"))])
        count += node.kind == "FacetByOperator" and node.rules[-1].kind.endswith("Clause")
        if count > 1:
            said.append(f"{word} gives {count} tables, and this is the first; run each other one as its own query")
    return edited(kql, edits), tuple(said)


def _first(node: Node) -> str:
    """The operators of the first table, on as many lines."""
    first = next(rule for rule in node.rules if not rule.kind.endswith("Parameter"))
    if node.kind == "FacetByOperator":
        name = first.name or "column"
        made = f"summarize count_{name} = count() by {first.text}"
    else:
        inner = first.rules[-1]
        made = inner.text if inner.kind.endswith("Expression") else operator(inner).text
    return made + "".join(line for line in blank(node.text) if line == "\n")[made.count("\n") :]
