"""Tab completion in a ``%%kql`` cell: tables, the columns of those named, their values, operators and functions."""

from __future__ import annotations

import re
from typing import Any

from ..engines.dialect.adapter import function_names
from ..engines.kql.flow import columns_of
from ..engines.kql.functions import shipped_functions
from ..engines.kql.parameters import quote
from ..engines.kql.words import OPERATORS
from ..errors import AoaiError
from ..library import library
from ..schema.tables import TABLES
from .sources import engine_of, source_of

#: What goes with the operators.
_WORDS = ("by", "asc", "desc", "on", "let", "and", "or", "not", "in", "has", "contains", "startswith", "between")


def words(cell: str, stem: str) -> list[str]:
    """What *stem*, the word at the cursor of *cell*, may go on to: columns first, then tables, then KQL's own words."""
    named = [table for table in TABLES.values() if re.search(rf"\b{table.name}\b", cell)]
    columns = [column for table in named or TABLES.values() for column in table.columns]
    known = [*columns, *TABLES, *shipped_functions(), *sorted(OPERATORS), *_WORDS, *sorted(function_names())]
    start = stem.lower()
    return [word for word in dict.fromkeys(known) if word.lower().startswith(start) and word != stem]


#: A comparison whose value is being typed: the column, the quotation mark if there is one, and the value so far.
_COMPARED = re.compile(r"""(\w+)\s*(?:==|=~|!=|!~|\bin~?\s*\((?:[^()]*,)?)\s*(?:(["'])([^"'\n]*))?$""")
_SOURCE = re.compile(r"%%kql[ \t]+([^-\s]\S*)")
#: Most values that are offered, the most frequent ones.
_VALUES = 50
_known_values: dict[tuple[str, str, str], list[str]] = {}


def values(cell: str, before: str) -> tuple[str, list[str]] | None:
    """Of a comparison that ends at the cursor: what of its value is typed, and the values it may go on to.

    None where there is no comparison with a column of text, or the column may hold what people wrote. Only a lake is
    asked: Tab must not wait for a service.
    """
    compared = _COMPARED.search(before)
    table = next((name for name in (*shipped_functions(), *TABLES) if re.search(rf"\b{name}\b", cell)), None)
    if compared is None or table is None:
        return None
    column, mark, typed = compared[1], compared[2] or "", compared[3] or ""
    named = _SOURCE.match(cell)
    try:
        known = _values_of(source_of(named[1] if named else None), table, column)
    except AoaiError:
        return None
    closing = mark or '"'
    offered = [f"{quote(value)[1:-1]}{closing}" for value in known if value.lower().startswith(typed.lower())]
    return typed, offered if mark else [f'"{value}' for value in offered]


def _values_of(source: str, table: str, column: str) -> list[str]:
    """The most frequent values of a column; raises QueryError where there is none of that name."""
    key = (source, table, column)
    if key not in _known_values:
        kql = f"{table} | summarize N = count() by {column} | top {_VALUES} by N | project {column}"
        found = [] if "://" in source or columns_of(kql).text else engine_of(source).query(kql).frame[column].tolist()
        _known_values[key] = sorted(value for value in found if isinstance(value, str) and value)
    return _known_values[key]


def matcher(context: Any) -> dict[str, Any]:
    """IPython's matcher (its API version 2) for cells that begin with ``%%kql``, and for names after ``%kql``."""
    from IPython.core.completer import SimpleCompletion

    if name := re.match(r"%kql[ \t]+([\w/-]*)$", context.text_until_cursor):
        names = [query.name for query in library() if query.name.startswith(name[1])]
        found = [SimpleCompletion(text=name, type="kql") for name in names]
        return {"completions": found, "matched_fragment": name[1], "suppress": bool(found)}
    if not context.full_text.startswith("%%kql"):
        return {"completions": [], "suppress": False}
    before = "\n".join((*context.full_text.split("\n")[: context.cursor_line], context.text_until_cursor))
    stem = re.search(r"[\w-]*$", before)
    text = stem[0] if stem else ""
    offered = words(context.full_text, text)
    if (compared := values(context.full_text, before)) is not None and compared[1]:
        text, offered = compared
    found = [SimpleCompletion(text=word, type="kql") for word in offered]
    return {"completions": found, "matched_fragment": text, "suppress": bool(found)}
