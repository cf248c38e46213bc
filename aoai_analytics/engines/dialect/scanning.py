"""The operator ``scan``: rows in order, matched by steps that remember the row they matched last.

What an expression asks of its row alone is computed by the engine, as a column; what it asks of a step's state is
computed here, row by row. Source: https://learn.microsoft.com/kusto/query/scan-operator.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from datetime import timedelta
from typing import Any

from ..kql.tree import Node, bare, call, operations
from ..kql.words import listed as words
from .naming import refused, sql_name
from .stages import Stage

_ROW, _PART = "Row__", "Part__"
#: Values by column, of each step that matched, by the step's name.
State = dict[str, dict[str, Any]]
Compute = Callable[[Mapping[str, Any], State], Any]


@dataclass
class _Step:
    name: str
    output: str
    condition: Compute
    assigned: dict[str, Compute]
    state: State = field(default_factory=dict)
    match: int = -1
    #: Of ``output=last``: the row that is shown once its run ends.
    waiting: dict[str, Any] | None = None


def scan(node: Node, stage: Stage) -> str:
    """The stage after the operator: a row for each match."""
    return scanned(node, stage, "").name


def scanned(node: Node, stage: Stage, part: str) -> Stage:
    """The same for the rows of each value of the column *part* by themselves, where one is given."""
    declared = {
        rule.rules[0].name: (rule.rules[1].text, rule.rules[2].rules[0].text if len(rule.rules) > 2 else "")
        for rule in node.find("ScalarParameter")
    }
    given = [rule.rules[-1].name for rule in node.rules if rule.text.startswith("with_match_id")]
    steps = [rule for rule in node.rules if rule.kind == "ScanOperatorStep"]
    reading = _Reading(frozenset(step.rules[0].name for step in steps))
    made = [_step(step, reading) for step in steps]
    inputs = [f"{name} = {text}" for name, text in reading.inputs.items()]
    inputs += [f"Default__{name} = {_default(*of)}" for name, of in declared.items()]
    read = stage.sql(f'SELECT *, row_number() OVER () AS {_ROW} FROM "{stage.name}"', stored=True)
    read = read.then("| extend " + ", ".join(inputs)) if inputs else read
    names = list(read.columns)
    cells = ", ".join(sql_name(name) for name in names)
    rows: list[dict[str, Any]] = [
        dict(zip(names, row, strict=True)) for row in read.values(f'SELECT {cells} FROM "{read.name}" ORDER BY 1')
    ]
    rows.sort(key=lambda row: row[_ROW])
    matches = list(_matches(made, rows, list(declared), part))
    kinds = {name: read.columns[f"Default__{name}"] for name in declared}
    return _answer(read, matches, kinds, given, [name for name in stage.columns if name not in declared])


def _default(kind: str, value: str) -> str:
    return value or ("''" if kind == "string" else f"{kind}(null)")


def _answer(read: Stage, matches: list[Any], kinds: dict[str, str], given: list[str], shown: list[str]) -> Stage:
    """The matched rows of *read*, each with the declared columns' values and the number of its match."""
    types = {name: _sql_type(read, f"Default__{name}") for name in kinds}
    numbers = [
        {_ROW: row[_ROW], "values": [row.get(f"={name}") for name in kinds], "id": number} for row, number in matches
    ]
    columns = [f"r.{sql_name(name)}" for name in shown]
    columns += [f"CAST(m.c{place} AS {kind}) AS {sql_name(name)}" for place, (name, kind) in enumerate(types.items())]
    columns += [f"CAST(m.id AS BIGINT) AS {sql_name(name)}" for name in given]
    values = ", ".join(
        f"({place}, {one[_ROW]}, {one['id']}" + "".join(f", {_literal(value)}" for value in one["values"]) + ")"
        for place, one in enumerate(numbers)
    )
    names = ", ".join(["place", "row", "id", *(f"c{place}" for place in range(len(kinds)))])
    values = values or "(NULL, NULL, NULL" + ", NULL" * len(kinds) + ")"
    return read.sql(
        f'SELECT {", ".join(columns)} FROM (VALUES {values}) m({names}) JOIN "{read.name}" r ON r.{_ROW} = m.row '
        "ORDER BY m.place",
        stored=True,
    )


def _sql_type(read: Stage, column: str) -> str:
    ((kind,),) = read.values(
        f'SELECT typeof(any_value({sql_name(column)})) FROM (SELECT NULL) LEFT JOIN "{read.name}" ON true'
    )
    return str(kind)


def _literal(value: Any) -> str:
    """A value as SQL text, that a cast to its column's type reads."""
    if isinstance(value, timedelta):
        return f"'{value // timedelta(microseconds=1)} microseconds'"
    return "NULL" if value is None else "'" + str(value).replace("'", "''") + "'"


def _step(rule: Node, reading: _Reading) -> _Step:
    output = next((one.words[-1] for one in rule.rules if one.kind.endswith("OutputClause")), "all")
    body = rule.child("ScanOperatorBody")
    condition = next(one for one in rule.rules[1:] if not one.kind.startswith("ScanOperator"))
    assigned = {one.rules[0].name: reading.compute(one.rules[1]) for one in (body.rules if body else ())}
    return _Step(rule.rules[0].name, output, reading.compute(condition), assigned)


def _matches(
    steps: list[_Step], rows: list[dict[str, Any]], declared: list[str], part: str
) -> Iterator[tuple[dict[str, Any], int]]:
    """Each row that is shown, and the number of its match."""
    last, begun = object(), 0
    for row in rows:
        if part and row[part] != last:
            yield from _ends(steps)
            last, begun = row[part], 0
            for step in steps:
                step.state, step.match = {}, -1
        defaults = {name: row[f"Default__{name}"] for name in declared}
        for place in reversed(range(len(steps))):
            step, before = steps[place], steps[place - 1] if place else None
            if before is not None and before.state and step.condition(row, _with(before.state, steps, defaults)):
                yield from _ends([step, before])
                step.state, step.match = before.state, before.match
                before.state, before.match = {}, -1
            elif (step.state or not place) and step.condition(row, _with(step.state, steps, defaults)):
                if not place and not step.state:
                    step.match, begun = begun, begun + 1
            else:
                continue
            state = _with(step.state, steps, defaults)
            made = {name: compute(row, state) for name, compute in step.assigned.items()}
            values = {**defaults, **made}
            matched = {**row, **{f"={name}": value for name, value in values.items()}}
            step.state = {**step.state, step.name: {**row, **values}}
            if step.output == "all":
                yield matched, step.match
            elif step.output == "last":
                step.waiting = matched
    yield from _ends(steps)


def _ends(steps: list[_Step]) -> Iterator[tuple[dict[str, Any], int]]:
    for step in steps:
        if step.waiting is not None:
            yield step.waiting, step.match
            step.waiting = None


def _with(state: State, steps: list[_Step], defaults: dict[str, Any]) -> State:
    """*state* with the defaults of each step that has not matched."""
    return {step.name: state.get(step.name, defaults) for step in steps}


class _Reading:
    """Expressions as functions of a row and the state; ``inputs`` are the columns that the engine computes for them."""

    def __init__(self, steps: frozenset[str]):
        self.steps = steps
        self.inputs: dict[str, str] = {}

    def compute(self, node: Node) -> Compute:
        """The function that computes *node*. Raises QueryError for what is not known here of a state."""
        node = bare(node)
        if not any(inner.name in self.steps for inner in node.walk()):
            name = f"Input{len(self.inputs)}__"
            self.inputs[name] = node.text
            return lambda row, state: row[name]
        if (
            node.kind == "FunctionCallOrPathPathExpression"
            and node.rules[0].name in self.steps
            and len(node.rules) == 2
        ):
            step, column = node.rules[0].name, next(inner.name for inner in node.rules[1].walk() if inner.name)
            return lambda row, state: state[step].get(column)
        if node.kind == "EqualityExpression" and operations(node)[1][0][0] == "between":
            head, ((_, (first, last)),) = operations(node)
            value, low, high = map(self.compute, (head, first, last))
            return lambda row, state: _between(value(row, state), low(row, state), high(row, state))
        if node.kind in _CHAINS and all(sign in _SIGNS or sign in ("and", "or") for sign, _ in operations(node)[1]):
            return self._chain(node)
        function = call(node).lower()
        if function in _FUNCTIONS:
            arguments = [self.compute(rule) for rule in node.rules[1:]]
            return lambda row, state: _FUNCTIONS[function](*(argument(row, state) for argument in arguments))
        if node.kind.startswith("Unary") or (node.words[:1] == ("-",) and len(node.rules) == 1):
            value = self.compute(node.rules[-1])
            return lambda row, state: _applied("-", 0, value(row, state)) if value(row, state) is not None else None
        raise refused(node, "the local engine computes no such expression of a step's state in 'scan'")

    def _chain(self, node: Node) -> Compute:
        """``a + b - c``: operations from left to right."""
        head, following = operations(node)
        first = self.compute(head)
        others = [(sign, self.compute(operands[0])) for sign, operands in following]

        def value(row: Mapping[str, Any], state: State) -> Any:
            found = first(row, state)
            for sign, other in others:
                found = _applied(sign, found, other(row, state))
            return found

        return value


_CHAINS = words(
    """AdditiveExpression MultiplicativeExpression LogicalAndExpression LogicalOrExpression RelationalExpression
    EqualityExpression"""
)


def _applied(sign: str, left: Any, right: Any) -> Any:
    if sign in ("and", "or"):
        return (bool(left) and bool(right)) if sign == "and" else (bool(left) or bool(right))
    if left is None or right is None:
        return {"==": left is right, "!=": left is not right}.get(sign)
    if sign == "/" and isinstance(left, int) and isinstance(right, int):
        return None if not right else int(abs(left) // abs(right)) * (1 if (left < 0) == (right < 0) else -1)
    if sign in ("/", "%") and not right:
        return None
    return _SIGNS[sign](left, right)


_SIGNS: dict[str, Callable[[Any, Any], Any]] = {
    "+": lambda left, right: left + right,
    "-": lambda left, right: left - right,
    "*": lambda left, right: left * right,
    "/": lambda left, right: left / right,
    "%": lambda left, right: left % right,
    "<": lambda left, right: left < right,
    "<=": lambda left, right: left <= right,
    ">": lambda left, right: left > right,
    ">=": lambda left, right: left >= right,
    "==": lambda left, right: left == right,
    "!=": lambda left, right: left != right,
    "<>": lambda left, right: left != right,
}


def _between(value: Any, low: Any, high: Any) -> bool:
    return value is not None and low is not None and high is not None and bool(low <= value <= high)


def _case(*arguments: Any) -> Any:
    pairs = zip(arguments[:-1:2], arguments[1:-1:2], strict=True)
    return next((value for condition, value in pairs if condition), arguments[-1])


_FUNCTIONS: dict[str, Callable[..., Any]] = {
    "iff": lambda condition, yes, no: yes if condition else no,
    "iif": lambda condition, yes, no: yes if condition else no,
    "case": _case,
    "not": lambda value: not value,
    "isnull": lambda value: value is None,
    "isnotnull": lambda value: value is not None,
    "isempty": lambda value: value in (None, ""),
    "isnotempty": lambda value: value not in (None, ""),
    "coalesce": lambda *values: next((value for value in values if value not in (None, "")), None),
    "strcat": lambda *values: "".join("" if value is None else str(value) for value in values),
    "abs": abs,
    "min_of": lambda *values: min((value for value in values if value is not None), default=None),
    "max_of": lambda *values: max((value for value in values if value is not None), default=None),
}
