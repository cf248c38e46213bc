"""A query in the part of KQL that duckdb-kql knows, with the same answer."""

from __future__ import annotations

from collections.abc import Callable, Mapping

from ..kql.flow import Flow, catalogue
from ..kql.functions import shipped_functions
from ..kql.parameters import literal
from ..kql.rows import Rows
from ..kql.tree import Node, bare, call, read, string_value
from .levels import levels
from .naming import kql_name
from .rewriting import rewritten


def prepared(kql: str, known: Callable[[str], Rows | None] | None = None) -> str:
    """*kql* as duckdb-kql can read it.

    *known* gives the columns of a table or function, by default of the package's. Raises QueryError.
    """
    kql = rewritten(kql)
    flow = Flow(known or catalogue(shipped_functions()))
    flow.query(kql)
    root = read(kql)
    return kql[: root.start] + Rewriter(flow).text(root)


class Rewriter:
    """Writes a query's tree out again, other words for what duckdb-kql does not know."""

    def __init__(self, flow: Flow):
        self.flow = flow
        root_lets = [node for node in flow.lets if node.kind == "LetVariableDeclaration"]
        #: Values that a ``let`` gives a name, as they are written.
        self.values = {node.rules[0].name: node.rules[-1] for node in root_lets}

    def text(self, node: Node) -> str:
        """*node* as duckdb-kql can read it."""
        handler = _REWRITES.get(node.kind)
        return handler(self, node) if handler else self.inner(node)

    def inner(self, node: Node) -> str:
        """*node* as it is, but for what is in it."""
        parts, done = [], node.start
        for child in node.children:
            parts += [node.source[done : child.start], self.text(child)]
            done = child.end
        return "".join([*parts, node.source[done : node.end]])


def _string(rewriter: Rewriter, node: Node) -> str:
    r"""duckdb-kql 1.1 reads ``\u0041`` as ``u0041``, and no string of several lines."""
    if not any(escape in node.text for escape in ("\\u", "\\x", "\\U", "```", "~~~")):
        return node.text
    value = string_value(node.text)
    for character, escaped in (("\\", "\\\\"), ('"', '\\"'), ("\n", "\\n"), ("\r", "\\r")):
        value = value.replace(character, escaped)
    return f'"{value}"'


def _called(rewriter: Rewriter, node: Node) -> str:
    name, arguments = call(node), node.rules[1:]
    if name in shipped_functions() and not arguments:
        return name
    if node in rewriter.flow.exists:
        # A lake has every column it knows.
        return string_value(bare(arguments[0]).text) if rewriter.flow.exists[node] else rewriter.text(arguments[1])
    if node in rewriter.flow.packed and not rewriter.flow.packed[node].opened:
        pairs = (f"{literal(column, 'string')}, {kql_name(column)}" for column in rewriter.flow.packed[node].columns)
        packed = f"bag_pack({', '.join(pairs)})"
        return f"bag_without_empty({packed})" if arguments and arguments[0].text.lower() == "true" else packed
    return rewriter.inner(node)


def _counted(rewriter: Rewriter, node: Node) -> str:
    """``take n`` and ``top n by``: Kusto takes any constant for n, duckdb-kql 1.1 a literal only."""
    count = node.rules[0]
    value = rewriter.values.get(count.name)
    written = rewriter.inner(node)
    if value is None:
        return written
    start = count.start - node.start
    return written[:start] + value.text + written[start + len(count.text) :]


def _piped(rewriter: Rewriter, node: Node) -> str:
    """duckdb-kql 1.1 knows no query that begins with brackets: ``(T | where …) | take 1``. It takes fewer steps."""
    if not node.rules:
        return rewriter.inner(node)
    fewer = {run[0]: (run[-1].end, placed) for run, placed in levels(node)} if node.kind == "PipeExpression" else {}
    parts, done = [], node.start
    for child in node.children:
        if child.start < done:
            continue  # within a run of extend
        if child in fewer:
            end, placed = fewer[child]
            for level in placed:
                parts += ["\n| extend ", ", ".join(map(rewriter.text, level))]
            done = end
            continue
        heads = child is node.rules[0] or node.kind == "Query"
        shown = bare(child) if heads and child.kind == "ParenthesizedExpression" else child
        parts += [node.source[done : child.start], rewriter.text(shown)]
        done = child.end
    return "".join([*parts, node.source[done : node.end]])


_REWRITES: Mapping[str, Callable[[Rewriter, Node], str]] = {
    "StringLiteralExpression": _string,
    "JsonString": _string,
    "NamedFunctionCallExpression": _called,
    "PipeExpression": _piped,
    "Query": _piped,
    "TakeOperator": _counted,
    "TopOperator": _counted,
}
