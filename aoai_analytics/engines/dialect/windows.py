"""Functions that look at other rows (``prev``, ``row_number`` …), and conditions over all columns, by stages.

The rows before the operator are stored in their order; each call becomes a column of its own, which the operator then
names. Sources: https://learn.microsoft.com/kusto/query/window-functions and the page of each.
"""

from __future__ import annotations

from collections.abc import Callable

from ...errors import QueryError
from ..kql.tree import Node, call, edited, string_value
from .naming import kql_name, listed, refused, sql_name
from .stages import Handler, Stage

_ROW = "Row__"

#: Function -> the arguments it may have, without those of ``restart``.
WINDOW_FUNCTIONS = {
    "prev": (1, 3),
    "next": (1, 3),
    "row_number": (0, 2),
    "row_cumsum": (1, 2),
    "row_rank_dense": (1, 2),
    "row_rank_min": (1, 2),
    "row_window_session": (3, 4),
}


def _calls(node: Node) -> list[Node]:
    """Calls of window functions that have none among their arguments."""
    return [
        found
        for found in node.walk()
        if call(found) in WINDOW_FUNCTIONS
        and not any(call(inner) in WINDOW_FUNCTIONS for rule in found.rules[1:] for inner in rule.walk())
    ]


def windows_in(node: Node) -> bool:
    """Whether *node* calls a window function."""
    return any(call(found) in WINDOW_FUNCTIONS for found in node.walk())


def _windows(node: Node, stage: Stage, part: str = "") -> str:
    """The stage with a column for each innermost call, and the operator with the calls replaced by them.

    The rows of each value of the column *part*, where one is given, are by themselves.
    """
    within = [part] if part else []
    calls = _calls(node)
    base = stage
    if _ROW not in stage.columns:
        base = stage.sql(f'SELECT *, row_number() OVER () AS {_ROW} FROM "{stage.name}"', stored=True)
    known = sum(name.startswith("Window__") for name in base.columns)
    edits = []
    for number, found in enumerate(calls, start=known):
        name = f"Window__{number}"
        arguments = [rule.text for rule in found.rules[1:]]
        inputs = {f"Input__{place}": text for place, text in enumerate(arguments)}
        assigned = ", ".join(f"{column} = {text}" for column, text in inputs.items())
        read = base.then(f"| extend {assigned}") if inputs else base
        restart = RESTART.get(call(found), len(inputs))
        if len(inputs) > restart:
            run = f"sum(CASE WHEN Input__{restart} THEN 1 ELSE 0 END) OVER (ORDER BY {_ROW})"
            read = stage.sql(f'SELECT *, {run} AS Run__ FROM "{read.name}"', stored=True)
        if call(found).startswith("row_rank"):
            changed = f"Input__0 IS DISTINCT FROM lag(Input__0) OVER (ORDER BY {_ROW}) OR {_ROW} = 1"
            read = stage.sql(f'SELECT *, CASE WHEN {changed} THEN 1 ELSE 0 END AS Changed__ FROM "{read.name}"')
        apart = [*within, *(["Run__"] if len(inputs) > restart else [])]
        over = "OVER (" + (f"PARTITION BY {', '.join(apart)} " if apart else "") + f"ORDER BY {_ROW})"
        sql = _SQL[call(found)](list(inputs), f'"{read.name}"', over)
        own = ", ".join(map(sql_name, base.columns))
        base = base.sql(f'SELECT {own}, {sql} AS {name} FROM "{read.name}" ORDER BY {_ROW}', stored=True)
        edits.append((found.start - node.start, found.end - node.start, name))
    text = edited(node.text, edits)
    if node.kind == "SerializeOperator":
        text = "extend" + text[len("serialize") :]
    helpers = [name for name in base.columns if name == _ROW or name.startswith("Window__")]
    nested = any(call(found) in WINDOW_FUNCTIONS for found in node.walk() if found not in calls)
    if nested or node.kind not in ("ExtendOperator", "SerializeOperator", "WhereOperator"):
        return f"{base.name} | {text}"
    return f"{base.name} | {text} | project-away {listed(helpers)}"


def _shifted(function: str) -> Callable[[list[str], str, str], str]:
    def sql(inputs: list[str], source: str, over: str) -> str:
        offset = f", (SELECT any_value({inputs[1]}) FROM {source})" if len(inputs) > 1 else ""
        missing = f", {inputs[2]}" if len(inputs) > 2 else ""
        return f"{function}({inputs[0]}{offset}{missing}) {over}"

    return sql


def _row_number(inputs: list[str], source: str, over: str) -> str:
    first = f"(SELECT any_value({inputs[0]}) FROM {source})" if inputs else "1"
    return f"CAST({first} - 1 + row_number() {over} AS BIGINT)"


def _row_cumsum(inputs: list[str], source: str, over: str) -> str:
    return f"coalesce(sum({inputs[0]}) {over}, 0)"


def _row_rank_dense(inputs: list[str], source: str, over: str) -> str:
    return f"CAST(sum(Changed__) {over} AS BIGINT)"


def _row_rank_min(inputs: list[str], source: str, over: str) -> str:
    row = f"row_number() {over}"
    return f"CAST({row} AS BIGINT)" if len(inputs) > 1 else f"CAST(min({_ROW}) OVER (PARTITION BY Input__0) AS BIGINT)"


def _row_window_session(inputs: list[str], source: str, over: str) -> str:
    restart = f"list({inputs[3]} ORDER BY {_ROW})" if len(inputs) > 3 else "[]"
    times = f"list(epoch_us({inputs[0]}) ORDER BY {_ROW})"
    limits = ", ".join(f"epoch_us(any_value({name}))" for name in inputs[1:3])
    found = f"kusto_function('session_starts', CAST(json_array({times}, {limits}, {restart}) AS VARCHAR))"
    return f"make_timestamp((SELECT CAST(CAST({found} AS JSON) AS BIGINT[]) FROM {source})[{_ROW}])"


#: Function -> which of its arguments, if it is given, says where to begin anew.
RESTART = {"row_number": 1, "row_cumsum": 1, "row_rank_dense": 1, "row_rank_min": 1}

_SQL: dict[str, Callable[[list[str], str, str], str]] = {
    "prev": _shifted("lag"),
    "next": _shifted("lead"),
    "row_number": _row_number,
    "row_cumsum": _row_cumsum,
    "row_rank_dense": _row_rank_dense,
    "row_rank_min": _row_rank_min,
    "row_window_session": _row_window_session,
}


def windows_of(node: Node, stage: Stage, part: str) -> Stage:
    """The stage after an operator with window functions, for the rows of each value of the column *part*."""
    calls = [found for found in node.walk() if call(found) in WINDOW_FUNCTIONS]
    if len(calls) > len(_calls(node)) or any(
        call(found) not in ("next", "prev", "row_cumsum", "row_number") for found in calls
    ):
        raise refused(node, "the local engine cannot run these functions for each part of a table")
    ordered = stage.sql(f'SELECT * FROM "{stage.name}" ORDER BY {part}', stored=True)
    return stage.kql(_windows(node, ordered, part), stored=True)


# Conditions over all columns, and columns that may be missing


def _texts(stage: Stage) -> list[str]:
    return [kql_name(name) for name, kind in stage.columns.items() if kind in ("string", "dynamic")]


def _star(node: Node, stage: Stage) -> str:
    """``where * has 'x'``: the condition over each column with text."""
    edits = []
    for found in node.find("StringStarOperatorExpression"):
        condition = found.text.strip().removeprefix("*")
        over = " or ".join(f"tostring({name}){condition}" for name in _texts(stage)) or "false"
        edits.append((found.start - node.start, found.end - node.start, f"({over})"))
    return f"{stage.name} | {edited(node.text, edits)}"


def _search(node: Node, stage: Stage) -> str:
    """``search 'x'`` after a bar: each bare text is a term that any column may have."""
    edits = []
    for found in node.find("StringLiteralExpression"):
        value = string_value(found.text)
        if value.startswith("*") or value.endswith("*"):
            word = (
                "contains"
                if value.startswith("*") and value.endswith("*")
                else "hasprefix"
                if value.endswith("*")
                else "hassuffix"
            )
            literal = found.text.replace("*", "")
        else:
            word, literal = "has", found.text
        over = " or ".join(f"tostring({name}) {word} {literal}" for name in _texts(stage)) or "false"
        edits.append((found.start - node.start, found.end - node.start, f"({over})"))
    if any(
        child.kind
        not in ("StringLiteralExpression", "LogicalOrExpression", "LogicalAndExpression", "ParenthesizedExpression")
        for child in node.rules
    ):
        line, column = node.place
        raise QueryError(
            f"line {line}, column {column}: the local engine searches for texts only; use 'where'",
            line=line,
            column=column,
        )
    text = edited(node.text, edits).removeprefix("search")
    return f"{stage.name} | where {text}"


def _if_exists(node: Node, stage: Stage) -> str:
    """``column_ifexists('Name', default)`` as the column, or the default where there is no such column."""

    def resolved(inner: Node) -> str:
        if call(inner) in ("column_ifexists", "columnifexists"):
            name = string_value(inner.rules[1].text)
            return kql_name(name) if name in stage.columns else resolved(inner.rules[2])
        parts = [(rule.start - inner.start, rule.end - inner.start, resolved(rule)) for rule in inner.rules]
        return edited(inner.text, parts)

    return f"{stage.name} | {resolved(node)}"


HANDLERS: dict[str, Handler] = {"SearchOperator": _search}


def needs(node: Node) -> Handler | None:
    """The handler of an operator whose expressions need one."""
    if node.kind not in (
        "ExtendOperator",
        "WhereOperator",
        "ProjectOperator",
        "SerializeOperator",
        "SummarizeOperator",
    ):
        return None
    for found in node.walk():
        if found.kind == "PipeExpression":
            return None
        if found.kind == "StringStarOperatorExpression":
            return _star
        if call(found) in ("column_ifexists", "columnifexists"):
            return _if_exists
        if call(found) in WINDOW_FUNCTIONS:
            return _windows
    if node.kind == "SerializeOperator":
        return lambda operator, stage: f"{stage.name} | extend{operator.text[len('serialize') :]}"
    return None
