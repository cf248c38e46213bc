"""Which columns of a query's answer add up over its rows: its text says whether the rows are parts of a whole."""

from __future__ import annotations

import re

from ..engines.kql.flow import sources
from ..engines.kql.parameters import declared
from ..engines.kql.tree import Node, bare, named, read, stages, statements
from ..errors import QueryError

#: Functions of the semantic layer with a row for each request or call.
_A_ROW_EACH = {"AoaiRequests", "AoaiCosts", "AoaiMessages", "AoaiMcp"}
#: Operators that give no row twice, and other rules of the grammar that are called so.
_ONCE = {
    *("WhereOperator", "ExtendOperator", "ProjectOperator", "ProjectAwayOperator", "ProjectKeepOperator"),
    *("ProjectReorderOperator", "SortOperator", "SummarizeOperator", "TakeOperator", "TopOperator"),
    *("CountOperator", "DistinctOperator", "PipedOperator", "StringBinaryOperator"),
}
_LIMITS = ("TakeOperator", "TopOperator")
#: A sum or count, null where the values are.
_SUM = re.compile(r"\s*(?:round\()?\s*(?:sum|sumif|count|countif)\s*(?P<arguments>\(.*)", re.DOTALL)
#: What leaves a value as it is, but rounded, or null where a condition says so.
_KEPT = tuple(
    re.compile(form, re.DOTALL)
    for form in (
        r"(?P<name>\w+)",
        r"round\((?P<name>\w+)(?:, *\d+)?\)",
        r"iff\(.*, *(?P<name>\w+), *\w+\(null\)\)",
        r"iff\(.*, *\w+\(null\), *(?P<name>\w+)\)",
    )
)


def summed(kql: str, rows: int) -> frozenset[str]:
    """The columns of *kql*'s answer, of *rows* rows, whose sum over these is that of all that the query reads.

    They are sums and counts of the last ``summarize … by``, which puts each request into one group: the query reads
    only functions with a row for each, and has no ``join``, ``mv-expand`` or other operator that could give a row
    twice. None where that cannot be seen, or where ``take`` or ``top`` may have left rows out.
    """
    try:
        root = read(kql)
        if not sources(kql) <= _A_ROW_EACH:
            return frozenset()
    except QueryError:
        return frozenset()
    if any(node.kind.endswith("Operator") and node.kind not in _ONCE for node in root.walk()):
        return frozenset()
    operators = stages(statements(root)[-1])[1:]
    last = max((place for place, stage in enumerate(operators) if stage.kind == "SummarizeOperator"), default=-1)
    if last < 0 or operators[last].child("SummarizeOperatorByClause") is None:
        return frozenset()
    if any(
        stage.kind in _LIMITS and not _is_below(stage, kql, rows, place > last) for place, stage in enumerate(operators)
    ):
        return frozenset()
    found = {name for name, value in _given(operators[last]) if _is_sum(value)}
    for stage in operators[last + 1 :]:
        found = _after(stage, found)
    return frozenset(found)


def _is_below(stage: Node, kql: str, rows: int, at_end: bool) -> bool:
    """Whether *rows* are fewer than ``take`` or ``top`` lets through."""
    word = stage.rules[0].text
    parameter = declared(kql).get(word)
    most = parameter.default.strip() if parameter else word
    return at_end and most.isdigit() and rows < int(most)


def _given(stage: Node) -> list[tuple[str, str]]:
    """The names that ``summarize``, ``extend`` or ``project`` gives, each with the text of its value."""
    pairs = []
    for rule in stage.rules:
        names, value = named(rule)
        pairs += [(name, bare(value).text) for name in names]
    return pairs


def _is_sum(value: str) -> bool:
    """Whether *value* is ``sum(…)`` or the like, or that and ``0 * …``, which makes it null where nothing is known."""
    match = _SUM.fullmatch(value)
    if not match:
        return False
    depth, text = 0, match["arguments"]
    for place, sign in enumerate(text):
        depth += (sign == "(") - (sign == ")")
        if not depth:
            rest = text[place + 1 :].strip()
            return not rest or re.match(r"\+ 0(?:\.0)? \*|, \d+\)$|\)$", rest) is not None
    return False


def _after(stage: Node, found: set[str]) -> set[str]:
    """The sums after an ``extend`` or ``project``, which may round and rename them, and put others in their place."""
    given = dict(_given(stage))
    matches = ((name, form.fullmatch(value.strip())) for name, value in given.items() for form in _KEPT)
    kept = {name for name, match in matches if match and match["name"] in found}
    if stage.kind == "ProjectOperator":
        return kept | (found & {rule.name for rule in stage.rules if rule.name})
    return kept | (found - given.keys())
