"""The semantic layer's functions: their texts, which of them a query needs, and in what order."""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from functools import cache

from ...config import shipped
from ...errors import WrongUse
from ...schema.tables import TABLES
from .remembered import remembered
from .tree import names, read, statements

Functions = Mapping[str, str]


@cache
def shipped_functions() -> Functions:
    """The package's functions: name -> KQL."""
    files = sorted((shipped("kql") / "functions").glob("*.kql"))
    return {path.stem: path.read_text(encoding="utf-8") for path in files}


def in_force(own: Functions | None = None) -> Functions:
    """The package's functions, with the texts of *own* for those of the same name."""
    known = shipped_functions()
    return {**known, **{name: text for name, text in (own or {}).items() if name in known}}


def definitions(own: Functions | None = None) -> Functions:
    """The functions in force, each after those it needs."""
    return in_order(in_force(own))


def in_order(functions: Functions) -> Functions:
    """*functions* so that each comes after those it needs. Raises WrongUse where some need each other."""
    waiting = dict(functions)
    ordered: dict[str, str] = {}
    while waiting:
        ready = [name for name, text in waiting.items() if not (names_in(text) & waiting.keys()) - {name}]
        if not ready:
            raise WrongUse(f"the functions {', '.join(waiting)} need each other")
        ordered |= {name: waiting.pop(name) for name in ready}
    return ordered


@remembered(sorted, frozenset)
def names_in(kql: str) -> frozenset[str]:
    """Every name in *kql*, but those after a dot. Raises QueryError where it does not parse."""
    return frozenset(node.name for node in names(read(kql)))


@remembered(sorted, frozenset)
def own_lets(kql: str) -> frozenset[str]:
    """The names that *kql*'s own ``let`` statements define. Raises QueryError where it does not parse."""
    return frozenset(statement.rules[0].name for statement in statements(read(kql)) if statement.kind.startswith("Let"))


def needed(kql: str, functions: Functions) -> list[str]:
    """The functions that *kql* names, and those they name in turn, each after those it needs. Raises QueryError."""
    return with_inner(names_in(kql) - own_lets(kql), functions)


def computed(kql: str, functions: Functions) -> list[str]:
    """As ``needed``, of the functions that a lake does not store as tables."""
    return needed(kql, _not_stored(functions))


def reached(named: Iterable[str], functions: Functions) -> set[str]:
    """Of the functions that a lake does not store, those in *named*, and those that these name in turn."""
    return set(with_inner(named, _not_stored(functions)))


def _not_stored(functions: Functions) -> Functions:
    return {name: text for name, text in functions.items() if name not in TABLES}


def with_inner(named: Iterable[str], functions: Functions) -> list[str]:
    """Of *functions*, those in *named* and those that these name in turn, each after those it needs."""
    found: set[str] = set()
    todo = functions.keys() & set(named)
    while todo:
        found |= todo
        todo = (functions.keys() & set().union(*(names_in(functions[name]) for name in todo))) - found
    return list(in_order({name: text for name, text in functions.items() if name in found}))
