"""Operators that duckdb-kql lacks: the query is cut before each, and the operator is computed over what came before.

What stands before such an operator becomes a view of DuckDB, a stage; the operator (``operators.py``, ``windows.py``)
makes another stage of it, by KQL or by SQL; and the query goes on from that stage's name. A stage's name is made of its
definition, so that equal stages have equal names, and different ones never share an answer that was kept.
"""

from __future__ import annotations

import hashlib
from collections.abc import Callable, Collection, Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from ...errors import QueryError
from ...schema.tables import TABLES
from ..kql.syntax import place
from ..kql.tree import Node, edited, names, operator, read, statements

if TYPE_CHECKING:
    from ..views import Views

#: From KQL, and the stages with their columns, to SQL.
Known = tuple[tuple[str, tuple[str, ...]], ...]
Translate = Callable[[str, Known], str]
#: From an operator and the stage it works on to the KQL that goes on from there.
Handler = Callable[[Node, "Stage"], str]
#: Operators above which a ``let`` is long: nobody writes so many, the semantic layer does.
_LONG = 30


class Stages:
    """The stages of one query, and the columns of each."""

    def __init__(self, views: Views, translate: Translate, kusto_type: Callable[[str], str]) -> None:
        self.views = views
        self.translate = translate
        self.kusto_type = kusto_type
        self.columns: dict[str, dict[str, str]] = {}
        #: What each stage was made of, in order.
        self.definitions: list[tuple[str, str]] = []

    @property
    def known(self) -> Known:
        """The stages with their columns' names."""
        return tuple((name, tuple(columns)) for name, columns in self.columns.items())

    def sql(self, kql: str) -> str:
        """*kql*, which may name stages, as SQL."""
        return self.translate(kql, self.known)

    def made(self, select: str, *, stored: bool = False, name: str = "") -> str:
        """The name of a stage with the rows of *select*; *stored* where their order must not change."""
        name = name or f"Stage{hashlib.sha256(select.encode()).hexdigest()[:12]}"
        if name not in self.columns:
            columns = self.views.add(name, select, stored=stored)
            self.columns[name] = {column: self.kusto_type(kind) for column, kind in columns}
            self.definitions.append((name, select))
        return name

    def close(self) -> None:
        """Remove the stages."""
        for name in self.columns:
            self.views.remove(name)
        self.columns.clear()


class Stage:
    """What an operator works on: a stage's ``name`` and ``columns`` (name -> KQL type), and how to go on from it."""

    def __init__(self, stages: Stages, lets: str, name: str) -> None:
        self.stages = stages
        self.lets = lets
        self.name = name
        self.columns = stages.columns[name]

    def kql(self, text: str, *, stored: bool = False) -> Stage:
        """The stage of a query that names stages."""
        return Stage(self.stages, self.lets, self.stages.made(self.stages.sql(self.lets + text), stored=stored))

    def then(self, operators: str, *, stored: bool = False) -> Stage:
        """The stage after more *operators* of KQL, each with its bar."""
        return self.kql(f"{self.name} {operators}", stored=stored)

    def sql(self, select: str, *, stored: bool = False) -> Stage:
        """The stage of an SQL statement."""
        return Stage(self.stages, self.lets, self.stages.made(select, stored=stored))

    def value(self, kql: str) -> str:
        """A scalar of KQL, as SQL."""
        return f"({self.stages.sql(f'{self.lets}print Value = {kql}')})"

    def values(self, sql: str) -> list[tuple[object, ...]]:
        """The rows of an SQL statement."""
        return self.stages.views.rows(sql)


def staged(kql: str, stages: Stages, handlers: Mapping[str, Handler], needs: Callable[[Node], Handler | None]) -> str:
    """*kql* with each operator that *handlers* has, by its kind, or that *needs* one, computed as a stage.

    Raises QueryError where an operator depends on what only a call of its function tells.
    """
    while True:
        root = read(kql)
        found = _first(root, handlers, needs)
        if found is None:
            return kql
        pipe, piped, handler = found
        if within_function(root, pipe):
            line, column = place(kql, piped.start)
            raise QueryError(
                f"line {line}, column {column}: the local engine cannot run '{operator(piped).text.split()[0]}' in a "
                "function with parameters; write it in the query itself",
                line=line,
                column=column,
            )
        whole = next(statement for statement in statements(root) if statement.start <= pipe.start < statement.end)
        lets = kql[: whole.start]
        before = kql[pipe.start : piped.start]
        name = stages.made(stages.sql(lets + before))
        after = handler(operator(piped), Stage(stages, lets, name))
        kql = kql[: pipe.start] + after + " " + kql[piped.end :]


def apart(kql: str, stages: Stages, functions: Collection[str], staged: Callable[[str], str]) -> str:
    """*kql* with each ``let`` of one of *functions*, and each long one, as a stage, each *staged* by itself.

    An inlined semantic layer is one statement of a hundred steps, which DuckDB 2.0 takes minutes and 20 GB to plan,
    whatever its functions are called. So what a lake stores is stored here too, and so is what is long.
    """
    made: dict[str, str] = {}
    kept: list[_Statement] = []
    spent: set[str] = set()
    for statement in statements(read(kql)):
        let = statement.rules[0].name if statement.kind.startswith("Let") else ""
        is_query = statement.kind == "LetVariableDeclaration" and statement.rules[-1].kind == "PipeExpression"
        is_long = is_query and len(statement.rules[-1].rules) > _LONG
        is_function = is_long or (is_query and let in functions)
        part = statement.rules[-1] if is_function else statement
        found = list(names(part))
        edits = [(n.start - part.start, n.end - part.start, made[n.name]) for n in found if n.name in made]
        own = _Statement(let, frozenset(n.name for n in found), edited(part.text, edits))
        if is_function:
            needed = _needed(own.named, kept)
            spent |= {each.let for each in needed}
            text = ";\n".join(each.text for each in [*needed, own])
            made[let] = stages.made(stages.sql(staged(text)), stored=is_long or let in TABLES)
        else:
            kept.append(own)
    if not made:
        return kql
    # A let that nothing names stays: what is wrong in it is said.
    needed = _needed(frozenset(), kept)
    return ";\n".join(each.text for each in kept if each in needed or each.let not in spent)


@dataclass(frozen=True)
class _Statement:
    """A statement: the name it defines, '' for none, the names in it, and its text."""

    let: str
    named: frozenset[str]
    text: str


def _needed(names: frozenset[str], before: list[_Statement]) -> list[_Statement]:
    """Of the statements *before*, those that define *names*, and all that are no let.

    With the others each stage would be read, translated and planned many times over.
    """
    named = set(names)
    found: list[_Statement] = []
    for statement in reversed(before):  # a let is after those that it names
        if not statement.let or statement.let in named:
            found.append(statement)
            named |= statement.named
    return found[::-1]


def _first(
    root: Node, handlers: Mapping[str, Handler], needs: Callable[[Node], Handler | None]
) -> tuple[Node, Node, Handler] | None:
    """The first operator to cut at, the innermost pipelines first, and the pipeline it stands in."""
    for node in reversed([node for node in root.walk() if node.kind == "PipeExpression"]):
        for piped in node.rules[1:]:
            handler = handlers.get(operator(piped).kind) or needs(operator(piped))
            if handler:
                return node, piped, handler
    return None


def within_function(root: Node, pipe: Node) -> bool:
    """Whether *pipe* stands in the body of a function that takes parameters."""
    return any(
        node.start <= pipe.start < node.end and any("Parameter" in child.kind for child in node.rules)
        for node in root.find("LetFunctionDeclaration")
    )
