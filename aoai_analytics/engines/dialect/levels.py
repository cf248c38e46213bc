"""Runs of ``extend`` in as few steps as their columns allow.

duckdb-kql makes a step of each ``extend``, in which it names every column, and DuckDB reads, plans and prepares each
step: of a function with fifty of them that takes longer than its answer on a small lake.
"""

from __future__ import annotations

from collections.abc import Iterator

from ..kql.tree import Node, named, names, operator
from ..kql.words import listed
from .windows import windows_in

#: What depends on chance, or on columns that it does not name.
_APART = listed("column_ifexists columnifexists new_guid pack_all rand")


def levels(pipe: Node) -> Iterator[tuple[tuple[Node, ...], list[list[Node]]]]:
    """Each run of ``extend`` in *pipe* that takes fewer: its operators, and the assignments of each ``extend`` instead.

    Only where a later operator names its columns, as the new ones have another order.
    """
    piped = pipe.rules[1:]
    ends = [number for number, one in enumerate(piped) if _orders(operator(one))]
    run: list[Node] = []
    for number, one in enumerate(piped[: max(ends, default=0) + 1]):
        if operator(one).kind == "ExtendOperator" and all(map(_is_plain, operator(one).rules)):
            run.append(one)
            continue
        found = _levels([operator(extend) for extend in run])
        if len(found) < len(run):
            yield tuple(piped[number - len(run) : number]), found
        run = []


def _orders(stage: Node) -> bool:
    """Whether the order of the columns before *stage* is lost after it."""
    return stage.kind == "ProjectOperator" or (
        stage.kind == "SummarizeOperator" and not any(stage.find("StarExpression"))
    )


def _is_plain(assignment: Node) -> bool:
    """Whether it gives one column a name, and depends on its own row's columns by their names alone."""
    column, value = named(assignment)
    apart = windows_in(value) or any(node.name.lower() in _APART for node in value.walk())
    return len(column) == 1 and not apart


def _levels(run: list[Node]) -> list[list[Node]]:
    """The assignments of *run* by the steps that they need: after what they read, and not before what reads the old."""
    placed: list[list[Node]] = []
    made: dict[str, int] = {}
    read: dict[str, int] = {}
    for extend in run:
        assigned = {}
        for assignment in extend.rules:
            (column,), value = named(assignment)
            assigned[column] = assignment, {node.name for node in names(value)}
        if len(assigned) < len(extend.rules):
            return [list(extend.rules) for extend in run]  # a column twice, which an engine may refuse
        step = {
            column: max([0, read.get(column, 0), *(made[name] + 1 for name in (*needs, column) if name in made)])
            for column, (_, needs) in assigned.items()
        }
        for _ in assigned:  # of one extend, each reads what is before all of them
            for column, (_, needs) in assigned.items():
                step |= {name: max(step[name], step[column]) for name in needs & step.keys()}
        placed += [[] for _ in range(max(step.values()) + 1 - len(placed))]
        for column, (assignment, needs) in assigned.items():
            placed[step[column]].append(assignment)
            made[column] = step[column]
            read |= {name: max(step[column], read.get(name, 0)) for name in needs}
    return placed
