"""The operator ``top-nested``.

Source: https://learn.microsoft.com/kusto/query/top-nested-operator.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from itertools import takewhile

from ..kql.operators import unnamed
from ..kql.tree import Node, named
from .naming import sql_name
from .stages import Stage


@dataclass(frozen=True)
class _Level:
    """One clause: its columns' names, expressions in KQL, the number of values, and the name of all others."""

    key: str
    expression: str
    total: str
    aggregate: str
    ascending: bool
    limit: str
    others: str


def _level(part: Node, place: int) -> _Level:
    limit = [child for child in takewhile(lambda child: child.text != "of", part.children) if child.kind]
    others = part.child("TopNestedOperatorWithOthersClause")
    of, ordered = [rule for rule in part.rules if rule is not others][-2:]
    given, expression = named(of)
    key = given[0] if given else unnamed(expression) or f"Column{place}"
    names, aggregate = named(ordered.rules[0] if ordered.kind == "OrderedExpression" else ordered)
    return _Level(
        key,
        expression.text,
        names[0] if names else f"aggregated_{key}",
        re.sub(r"\s(asc|desc)\s*$", "", aggregate.text),
        bool(re.search(r"\basc\s*$", ordered.text)),
        limit[0].text if limit else "",
        others.rules[-1].text if others else "",
    )


def top_nested(node: Node, stage: Stage) -> str:
    """The best values of each level within those of the level before, and the others of each together."""
    parts = [rule for rule in node.rules if rule.kind == "TopNestedOperatorPart"] or [node]
    levels = [_level(part, place) for place, part in enumerate(parts, 1)]
    rows = stage.then(
        "| extend " + ", ".join(f"Key{place}__ = {level.expression}" for place, level in enumerate(levels, 1))
    )
    best: list[Stage] = []
    answers: list[str] = []
    for place, level in enumerate(levels, 1):
        keys = [f"Key{number}__" for number in range(1, place + 1)]
        totals = rows.then(f"| summarize Total{place}__ = {level.aggregate} by {', '.join(keys)}")
        within = f"PARTITION BY {', '.join(keys[:-1])} " if place > 1 else ""
        way = "ASC" if level.ascending else "DESC"
        rank = f"row_number() OVER ({within}ORDER BY Total{place}__ {way} NULLS LAST, {keys[-1]})"
        limited = f" QUALIFY {rank} <= {stage.value(level.limit)}" if level.limit else ""
        best.append(stage.sql(f'SELECT * FROM "{totals.name}"{limited}'))
        chosen = f'FROM "{rows.name}" r {{}} JOIN "{best[-1].name}" b ON {_same("r", "b", keys)}'
        if any(lower.others for lower in levels[place - 1 :]):
            rest = stage.sql("SELECT r.* " + chosen.format("ANTI"))
            answers.append(_others(rest, levels, best, place))
        rows = stage.sql("SELECT r.* " + chosen.format("SEMI"))
    columns = [cell for place, level in enumerate(levels, 1) for cell in _cells(level, place)]
    whole = f"SELECT {', '.join(columns)} FROM {_joined(best)}"
    return stage.sql(" UNION ALL ".join([whole, *answers])).name


def _same(one: str, other: str, keys: list[str]) -> str:
    return " AND ".join(f"{one}.{key} IS NOT DISTINCT FROM {other}.{key}" for key in keys) or "true"


def _cells(level: _Level, place: int) -> list[str]:
    return [
        f"l{place}.Key{place}__ AS {sql_name(level.key)}",
        f"l{place}.Total{place}__ AS {sql_name(level.total)}",
    ]


def _joined(best: list[Stage]) -> str:
    """The chosen values of each level beside those of the levels before."""
    sql = f'"{best[0].name}" l1'
    for place, found in enumerate(best[1:], 2):
        keys = [f"Key{number}__" for number in range(1, place)]
        sql += f' JOIN "{found.name}" l{place} ON {_same(f"l{place - 1}", f"l{place}", keys)}'
    return sql


def _others(rest: Stage, levels: list[_Level], best: list[Stage], place: int) -> str:
    """What did not make it at the level *place*: one row for each group of the levels before."""
    lower = list(enumerate(levels, 1))[place - 1 :]
    named_ = [(number, level) for number, level in lower if level.others]
    totals = ", ".join(f"Total{number}__ = {level.aggregate}" for number, level in named_)
    keys = [f"Key{number}__" for number in range(1, place)]
    by = f" by {', '.join(keys)}" if keys else ""
    sums = rest.then(f"| summarize Rows__ = count(), {totals}{by} | where Rows__ > 0")
    cells = [cell for number, level in list(enumerate(levels, 1))[: place - 1] for cell in _cells(level, number)]
    for number, level in lower:
        nothing = "''" if rest.columns[f"Key{number}__"] == "string" else "NULL"
        cells += [rest.value(level.others), f"s.Total{number}__"] if level.others else [nothing, "NULL"]
    joined = f'"{sums.name}" s'
    if keys:
        joined = f'{_joined(best[: place - 1])} JOIN "{sums.name}" s ON {_same(f"l{place - 1}", "s", keys)}'
    return f"SELECT {', '.join(cells)} FROM {joined}"
