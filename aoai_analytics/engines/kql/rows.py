"""The columns that rows have, as far as a query's text tells, and the names that are bound where it is read."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace

from .tree import Node
from .words import listed

#: https://learn.microsoft.com/kusto/query/scalar-data-types
TYPES = listed("bool datetime decimal dynamic guid int long real string timespan")


@dataclass(frozen=True)
class Rows:
    """Columns, name -> whether it may hold text. *opened*: there may be others; *rest*: these may hold text.

    *united*: of a union, whose columns of one name and several types are ``name_type``.
    """

    columns: Mapping[str, bool] = field(default_factory=dict)
    opened: bool = False
    rest: bool = False
    united: bool = False

    @property
    def text(self) -> bool:
        """Whether any column may hold text."""
        return self.rest or any(self.columns.values())

    def is_text(self, column: str) -> bool:
        """Whether *column*, of whatever name, may hold text; so may one that should not be there."""
        found = self.columns.get(column, self.columns.get(self.of_type(column)))
        return found if found is not None else self.text or not self.opened

    def of_type(self, column: str) -> str:
        """The column that *column* is of one type, in a union; '' where it is none."""
        name, _, kind = column.rpartition("_")
        return name if self.united and name in self.columns and kind in TYPES else ""

    def with_(self, columns: Mapping[str, bool]) -> Rows:
        """These with *columns* added or replaced."""
        return replace(self, columns={**self.columns, **columns})

    def only(self, keep: Callable[[str], bool]) -> Rows:
        """The columns of which *keep* holds."""
        return replace(self, columns={name: text for name, text in self.columns.items() if keep(name)})


#: Nothing is known of these.
UNKNOWN = Rows(opened=True, rest=True)


@dataclass(frozen=True)
class Function:
    """A function that a ``let`` defines."""

    declaration: Node
    scope: Scope


#: What a ``let`` or a parameter gives: a value (whether it may hold text), rows, or a function.
Bound = bool | Rows | Function


@dataclass(frozen=True)
class Scope:
    """The names that are bound where an expression is read, and the sides of a ``join``'s condition."""

    bound: Mapping[str, Bound] = field(default_factory=dict)
    sides: Mapping[str, Rows] = field(default_factory=dict)

    def with_(self, bound: Mapping[str, Bound]) -> Scope:
        return replace(self, bound={**self.bound, **bound})
