"""Where a lake takes values of a type that Azure refuses: ``TotalTokens > "5"``, ``where Model``, ``strlen(5)``.

DuckDB casts where Kusto does not. The types of expressions are the local engine's; what is refused is what Microsoft's
language service refuses (``tests/engines/test_lenient.py`` asks it).
"""

from __future__ import annotations

from collections.abc import Callable, Iterator

from .dialect.adapter import is_aggregate
from .kql.tree import Node, call, operations, operator, read, statements
from .kql.words import listed

#: The columns and types of a query; None where the local engine cannot tell.
Types = Callable[[str], dict[str, str] | None]

_NUMBERS = frozenset(("int", "long", "real", "decimal"))
_ORDERED = frozenset((*_NUMBERS, "datetime", "timespan", "bool"))
_RELATIONS = listed("RelationalExpression AdditiveExpression MultiplicativeExpression")
_CHAINS = _RELATIONS | listed(
    "StringBinaryOperatorExpression BetweenEqualityExpression LogicalAndExpression LogicalOrExpression"
)
#: Whose argument, counted from 0 or from the end, is a condition.
_CONDITIONS = {"not": 0, "iff": 0, "iif": 0, **dict.fromkeys(listed("countif sumif avgif dcountif maxif minif"), -1)}
#: What is computed of numbers, or of times where these can be added up.
_OF_NUMBERS = listed("abs ceiling exp floor log log10 log2 pow round sign sqrt bin")
_OF_SUMS = listed("sum sumif avg avgif stdev stdevif variance varianceif")
_OF_ONE_TYPE = listed("coalesce max_of min_of")
_CALLS = {*_CONDITIONS, *_OF_NUMBERS, *_OF_SUMS, *_OF_ONE_TYPE, "strlen"}
_TEXT_SIGNS = ("=~", "!~", "matches regex")


def refused(kql: str, types: Types) -> Iterator[tuple[Node, str]]:
    """Each place of *kql* that Azure refuses for its types, with what is wrong there. Raises QueryError."""
    root = read(kql)
    functions = list(root.find("LetFunctionDeclaration", "LetViewDeclaration"))
    for statement in statements(root):
        lets = kql[: statement.start]
        for pipe in statement.find("PipeExpression"):
            if any(one.start <= pipe.start < one.end for one in functions):
                continue
            for piped in pipe.rules[1:]:
                node = operator(piped)
                before = kql[pipe.start : piped.start].rstrip()
                yield from _of_operator(node, f"{lets}{before}", types)


def _of_operator(node: Node, prefix: str, types: Types) -> Iterator[tuple[Node, str]]:
    places = list(_places(node))
    wanted = {one.text: one for _, operands in places for one in operands if not _has_aggregate(one)}
    known = _typed(list(wanted), prefix, types)
    for place, operands in places:
        kinds = [known.get(one.text, "") for one in operands]
        if what := _wrong(place, kinds):
            yield place, what


def _typed(texts: list[str], prefix: str, types: Types) -> dict[str, str]:
    """The types of expressions over the rows of *prefix*: of all at once, else of each that can be told."""
    if not texts:
        return {}
    names = [f"Type{place}__" for place in range(len(texts))]
    cells = ", ".join(f"{name} = ({text})" for name, text in zip(names, texts, strict=True))
    found = types(f"{prefix} | project {cells}")
    if found is not None:
        return {text: found.get(name, "") for name, text in zip(names, texts, strict=True)}
    if len(texts) == 1:
        return {}
    half = len(texts) // 2
    return _typed(texts[:half], prefix, types) | _typed(texts[half:], prefix, types)


def _has_aggregate(node: Node) -> bool:
    return any(inner.kind == "CountExpression" or is_aggregate(call(inner)) for inner in node.walk())


def _places(node: Node) -> Iterator[tuple[Node, tuple[Node, ...]]]:
    """The expressions of an operator whose types matter, each with the operands that decide."""
    if node.kind == "WhereOperator":
        yield from ((rule, (rule,)) for rule in node.rules if not rule.kind.endswith("Parameter"))
    waiting = list(node.rules)
    while waiting:
        inner = waiting.pop()
        if inner.kind in ("PipeExpression", "MvapplyOperator", "PartitionOperator"):
            continue  # looked at by itself, or of other rows
        waiting += inner.rules
        if inner.kind in _CHAINS:
            first, following = operations(inner)
            yield inner, (first, *(operand for _, operands in following for operand in operands))
        elif call(inner).lower() in _CALLS or (inner.words[:1] == ("-",) and len(inner.rules) == 1):
            yield inner, inner.rules[1:] if call(inner) else inner.rules


def _wrong(node: Node, kinds: list[str]) -> str:
    """What Azure refuses of operands of these types; '' where nothing, or where a type is not known."""
    given = [kind for kind in kinds if kind]
    name = call(node).lower()
    if not given:
        return ""
    if node.kind in _RELATIONS:
        return _wrong_pair(node, given) if len(given) == len(kinds) else ""
    if node.kind == "StringBinaryOperatorExpression":
        sign = operations(node)[1][0][0]
        if kinds[0] in _ORDERED and sign not in ("==", "!=", *_TEXT_SIGNS):
            return f"'{sign}' is of strings, and this is {_a(kinds[0])}: use tostring()"
        return ""
    if node.kind == "BetweenEqualityExpression":
        texts = "string" in given or len({_family(kind) for kind in given} - {"dynamic"}) > 1
        moved = _family(given[0]) == "datetime" and _family(given[-1]) == "timespan"
        return "'between' is of numbers and times of one type" if texts and not moved else ""
    if node.kind in ("LogicalAndExpression", "LogicalOrExpression"):
        other = next((kind for kind in given if kind not in ("bool", "dynamic")), "")
        return f"'and' and 'or' are of conditions, and this is {_a(other)}" if other else ""
    if node.words[:1] == ("-",) and len(node.rules) == 1:
        return f"'-' is of numbers, and this is {_a(given[0])}" if given[0] in ("string", "bool", "guid") else ""
    if not name:  # the condition of a where
        return "" if given[0] == "bool" else f"a condition is true or false, and this is {_a(given[0])}"
    return _wrong_call(name, kinds)


def _wrong_call(name: str, kinds: list[str]) -> str:
    if name in _CONDITIONS:
        condition = kinds[_CONDITIONS[name]]
        if condition not in ("", "bool"):
            return f"{name}() takes a condition, and this is {_a(condition)}"
    if name == "strlen" and kinds[0] in _ORDERED:
        return f"strlen() takes a string, and this is {_a(kinds[0])}: use tostring()"
    if name in _OF_NUMBERS | _OF_SUMS and kinds[0] in ("string", "guid"):
        return f"{name}() takes a number, and this is {_a(kinds[0])}: use toreal() or tolong()"
    if name in _OF_ONE_TYPE and len({_family(kind) for kind in kinds if kind} - {"dynamic"}) > 1:
        return f"{name}() takes values of one type, and these are {', '.join(filter(None, kinds))}"
    return ""


def _wrong_pair(node: Node, kinds: list[str]) -> str:
    sign = operations(node)[1][0][0]
    families = {_family(kind) for kind in kinds}
    if "dynamic" in families:
        return ""
    refused = "string" in families or "guid" in families
    if node.kind == "RelationalExpression":
        refused = refused or len(families) > 1
    else:
        refused = refused or "bool" in families or {"datetime", "number"} <= families
    if not refused:
        return ""
    return f"'{sign}' is not of {_a(kinds[0])} and {_a(kinds[1])}: convert one, as with tolong()"


def _family(kind: str) -> str:
    return "number" if kind in _NUMBERS else kind


def _a(kind: str) -> str:
    return f"an {kind}" if kind == "int" else f"a {kind}"
