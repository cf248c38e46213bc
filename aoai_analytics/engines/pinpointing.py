"""Where in a query the local engine's complaint belongs, and what is wrong there in KQL's terms.

DuckDB says little of the KQL that its SQL was made of. So parts of the query are tried: first the operators of each
pipeline, one after another, then the expressions of the first one that fails, the inner before the outer. What fails
while all that is in it works is the place.
"""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from ..errors import QueryError
from .dialect.adapter import is_aggregate
from .kql.operators import SOURCES
from .kql.tree import NAMES, Node, bare, call, operations, operator, read, statements
from .kql.words import listed, usage

#: The columns' types of a query, without running it or after a run; None where it fails.
Try = Callable[[str, bool], dict[str, str] | None]
_COLUMN = "Tried__"
#: How long to look, in seconds.
_SECONDS = 5.0
_LITERALS = {
    "DateTimeLiteralExpression": "datetime",
    "DecimalLiteralExpression": "decimal",
    "GuidLiteralExpression": "guid",
    "IntLiteralExpression": "int",
    "LongLiteralExpression": "long",
    "RealLiteralExpression": "real",
    "TimeSpanLiteralExpression": "timespan",
    "BooleanLiteralExpression": "bool",
}
_AGGREGATING = listed(
    """EvaluateOperator MakeSeriesOperator MvapplyOperator PartitionOperator SummarizeOperator TopHittersOperator
    TopNestedOperator"""
)
_CHAINS = listed(
    """AdditiveExpression EqualityExpression LogicalAndExpression LogicalOrExpression MultiplicativeExpression
    RelationalExpression StringBinaryOperatorExpression"""
)
_PATTERNS = listed("extract extract_all indexof_regex replace_regex")


@dataclass
class _Search:
    attempt: Try
    until: float

    def types(self, kql: str) -> dict[str, str] | None:
        """The columns of *kql*; none are known once time is up."""
        if time.monotonic() > self.until:
            raise TimeoutError
        return self.attempt(kql, self.running)

    running: bool = False


def pinpointed(kql: str, attempt: Try, fallback: str, *, certain: bool = False) -> QueryError:
    """What is wrong with *kql*, at its place; *fallback* where that is not found, or where that is *certain*."""
    search = _Search(attempt, time.monotonic() + _SECONDS)
    for running in (False, True):
        search.running = running
        try:
            found = _of_query(kql, search)
        except (TimeoutError, QueryError):
            break
        if found is not None:
            node, what = found
            return _error(node, fallback if certain else what)
    root = read(kql)
    return _error(root, fallback)


def _error(node: Node, what: str) -> QueryError:
    line, column = node.place
    return QueryError(f"line {line}, column {column}: {what}", line=line, column=column)


def _of_query(kql: str, search: _Search) -> tuple[Node, str] | None:
    for part in statements(read(kql)):
        body = part.rules[-1] if part.kind.startswith("Let") else part
        if part.kind in ("LetFunctionDeclaration", "LetViewDeclaration") or part.kind.endswith("Statement"):
            continue
        lets = kql[: part.start]
        if _is_rows(body):
            found = _of_rows(bare(body), lets, search)
        else:
            inner = (_of_rows(rows, lets, search) for rows in _inner_rows(body))
            found = next(filter(None, inner), None) or _of_value(body, f"{lets}print ", search)
        if found:
            return found
    return None


def _is_rows(node: Node) -> bool:
    node = bare(node)
    return node.kind in SOURCES or node.kind in ("PipeExpression", "Query", *NAMES)


def _of_rows(node: Node, lets: str, search: _Search) -> tuple[Node, str] | None:
    """The wrong place in rows: the first operator that fails."""
    if node.kind != "PipeExpression":
        if node.kind in NAMES or search.types(lets + node.text) is not None:
            return None
        return _within(node, lets, "", search) or (node, _of_source(node))
    head = bare(node.rules[0])
    if found := _of_rows(head, lets, search) if _is_rows(head) else None:
        return found
    before = node.rules[0].text
    for piped in node.rules[1:]:
        text = node.source[node.start : piped.end]
        if search.types(lets + text) is None:
            after = operator(piped)
            return _within(after, lets, before, search) or (after, _of_operator(after))
        before = text
    return None


def _within(node: Node, lets: str, before: str, search: _Search) -> tuple[Node, str] | None:
    """The wrong place in an operator: rows in brackets first, then expressions."""
    for inner in _inner_rows(node):
        if found := _of_rows(inner, lets, search):
            return found
    if node.kind in ("JoinOperator", "LookupOperator"):
        return _of_keys(node, lets, before, search)
    prefix = f"{lets}{before} | " if before else f"{lets}print "
    for expression in _expressions(node):
        if node.kind not in _AGGREGATING and (aggregate := _aggregate(expression)):
            return aggregate, f"{call(aggregate) or 'count'}() is of several rows: use it in 'summarize'"
        if found := _of_value(expression, prefix, search):
            return found
        if node.kind == "WhereOperator" and (kind := _type(expression, prefix, search)) not in ("bool", ""):
            return expression, f"a condition is true or false, and this is {_a(kind)}"
    return None


def _aggregate(expression: Node) -> Node | None:
    calls = (node for node in expression.walk() if node.kind == "CountExpression" or is_aggregate(call(node)))
    return next(calls, None)


def _of_keys(node: Node, lets: str, before: str, search: _Search) -> tuple[Node, str] | None:
    """The first key of a join whose two columns have different types."""
    on = next((rule for rule in node.rules if rule.kind.endswith("OnClause")), None)
    right = next((rule for rule in node.rules if not rule.kind.endswith(("Parameter", "Clause"))), None)
    tables = [search.types(lets + before), search.types(lets + right.text) if right else None]
    if on is None or None in tables:
        return None
    for condition in on.rules:
        names = [inner.name for inner in condition.walk() if inner.name and not inner.name.startswith("$")]
        kinds = [(table or {}).get(name, "") for table, name in zip(tables, (names[0], names[-1]), strict=True)]
        if kinds[0] != kinds[1] and all(kinds):
            return condition, f"the keys of a join have one type, and these are {_a(kinds[0])} and {_a(kinds[1])}"
    return None


def _inner_rows(node: Node) -> Iterator[Node]:
    for child in node.rules:
        if child.kind == "PipeExpression" or (child.kind in SOURCES and child.kind != "WildcardedEntityExpression"):
            yield child
        else:
            yield from _inner_rows(child)


def _expressions(node: Node) -> Iterator[Node]:
    """The outermost expressions of an operator."""
    for rule in node.rules:
        if rule.kind.endswith(("Clause", "NamedExpression")) or rule.kind == "OrderedExpression":
            yield from _expressions(rule)
        elif not rule.kind.endswith(("Parameter", "Ordering", "NameClause")):
            yield rule


def _of_value(node: Node, prefix: str, search: _Search) -> tuple[Node, str] | None:
    """The innermost expression that fails, with what is wrong with it."""
    if node.kind == "PipeExpression" or node.kind in NAMES or _type(node, prefix, search):
        return None
    for operand in _operands(node):
        if found := _of_value(operand, prefix, search):
            return found
    return node, _of_expression(node, prefix, search)


def _operands(node: Node) -> tuple[Node, ...]:
    if node.kind in _CHAINS and len(node.rules) > 1:
        first, following = operations(node)
        return (first, *(operand for _, operands in following for operand in operands))
    if call(node):
        return node.rules[1:]
    return tuple(inner for rule in node.rules for inner in (rule.rules if rule.kind.endswith("Operation") else (rule,)))


def _type(node: Node, prefix: str, search: _Search) -> str:
    """The type of an expression over the rows of *prefix*; '' where it fails."""
    aggregates = any(is_aggregate(call(inner)) or inner.kind == "CountExpression" for inner in node.walk())
    verb = "summarize" if aggregates and not prefix.endswith("print ") else "extend"
    verb = "" if prefix.endswith("print ") else f"{verb} "
    types = search.types(f"{prefix}{verb}{_COLUMN} = {node.text}")
    return "" if types is None else types.get(_COLUMN, "dynamic")


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "int" else f"a {kind}"


def _of_expression(node: Node, prefix: str, search: _Search) -> str:
    if node.kind in _LITERALS:
        return f"this is not a valid {_LITERALS[node.kind]}"
    kinds = [_type(operand, prefix, search) for operand in _operands(node)]
    if name := call(node):
        if name in _PATTERNS and all(kind in ("string", "long") for kind in kinds):
            return f"the pattern of {name}() is not a valid regular expression"
        given = ", ".join(kinds)
        return f"{name}() does not take ({given})" if all(kinds) and kinds else f"{name}() is not written like this"
    if node.kind in _CHAINS:
        sign = operations(node)[1][0][0]
        if sign == "matches regex":
            return "the pattern is not a valid regular expression"
        if all(kinds) and len(kinds) > 1:
            other = next((kind for kind in kinds[1:] if kind != kinds[0]), kinds[1])
            return f"'{sign}' does not take {_a(kinds[0])} with {_a(other)}"
    if node.words[:1] == ("-",) and all(kinds):
        return f"'-' does not take {_a(kinds[0])}"
    if node.kind == "FunctionCallOrPathPathExpression" and kinds and kinds[0]:
        return f"{_a(kinds[0])} has no parts: parse_json() makes a dynamic value of it"
    return "this is not written as KQL expects"


def _of_operator(node: Node) -> str:
    word = node.text.split(maxsplit=1)[0] if node.text.strip() else "this"
    return usage(word)


def _of_source(node: Node) -> str:
    if node.kind == "DataTableExpression":
        return "a value of this datatable is not of its column's type, or one is missing"
    return _of_operator(node)
