"""Prompts and answers are hidden unless asked for: which queries can show them, and a result without them."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from functools import cache
from typing import TYPE_CHECKING, Any

from ..engines.protocol import QueryResult
from ..lake.records import TEXT_COLUMNS as LOGGED_TEXT
from ..schema.tables import MESSAGES, TABLES
from .queries import Query, library

if TYPE_CHECKING:
    import pandas as pd

#: Columns that hold what people wrote, or were told.
TEXT_COLUMNS = LOGGED_TEXT | {"Prompt", "Response"}
#: What a query or function says in its header that shows such text.
SHOWS_PROMPTS = "prompts"
# A service's message about an error may quote the request.
_HARMLESS = frozenset(column for table in TABLES.values() for column in table.columns) - TEXT_COLUMNS - {"ErrorMessage"}
# What takes whole rows, or columns by names that stand nowhere in the query.
_WHOLE_ROWS = re.compile(
    r"\b(?:pack_all|column_ifexists|columnifexists|evaluate|search|find)\b|\bunion\b[^|;]*\*", re.IGNORECASE
)
# These name columns without an equals sign.
_NAMES_COLUMNS = re.compile(r"\b(?:evaluate|parse|parse-where|parse-kv|scan)\b", re.IGNORECASE)
_ASSIGNED = re.compile(r"\b([A-Za-z_]\w*)[\"'\]\s]*=(?![=~>])")
_WORD = re.compile(r"\w+")


def reads_text(kql: str) -> bool:
    """Whether *kql* can show prompts or answers: it names a table, function or column of such, or takes whole rows."""
    code = re.sub(r"^\s*//.*$", "", kql, flags=re.MULTILINE)
    return _names_text().search(code) is not None or _WHOLE_ROWS.search(code) is not None


def shown(
    result: QueryResult, kql: str, *, show_prompts: bool, no_text: Collection[str] = ()
) -> tuple[QueryResult, bool]:
    """The answer to *kql* as it may be shown, and whether texts were hidden in it.

    *no_text* names columns of a library query that hold no one's text; its header vouches for them.
    """
    if show_prompts or not (reads_text(kql) or TEXT_COLUMNS & result.types.keys()):
        return result, False
    return hidden(result, kql, no_text=no_text), bool(_texts(result, kql, no_text))


def no_text(query: Query) -> frozenset[str]:
    """The columns that the header line ``// no-text: Column, Column`` of *query* vouches for."""
    return frozenset(_WORD.findall(query.header.get("no-text", "")))


def hidden(result: QueryResult, kql: str, *, no_text: Collection[str] = ()) -> QueryResult:
    """*result* of a *kql* that reads text, with each text replaced by its length.

    Of texts only those stay that are in *no_text* or in a column of the tables that never holds any, unless *kql*
    gives that name to something else: a column computed from a prompt may be one. Numbers, moments and truth
    values stay. A column whose very name comes from the data is renamed.
    """
    frame = result.frame.copy()
    for column in _texts(result, kql, no_text):
        frame[column] = _lengths(frame[column])
    names = _safe_names(list(result.types), kql)
    types = {names[column]: kql_type for column, kql_type in result.types.items()}
    return replace(result, frame=frame.rename(columns=names), types=types)


def _texts(result: QueryResult, kql: str, no_text: Collection[str]) -> list[str]:
    """The columns of *result* that may hold what people wrote."""
    assigned = set(_ASSIGNED.findall(kql))
    harmless = frozenset(no_text) | (frozenset() if _NAMES_COLUMNS.search(kql) else _HARMLESS - assigned)
    return [name for name, kind in result.types.items() if kind in ("string", "dynamic") and name not in harmless]


@cache
def _names_text() -> re.Pattern[str]:
    functions = [name for name, query in library().functions().items() if query.header.get("shows") == SHOWS_PROMPTS]
    return re.compile(rf"\b(?:{'|'.join(sorted({MESSAGES.name, *functions, *LOGGED_TEXT}))})\b")


def _safe_names(columns: list[str], kql: str) -> dict[str, str]:
    """Each column's name to show: plugins such as pivot make names of values."""
    if not re.search(r"\bevaluate\b", kql, re.IGNORECASE):
        return {column: column for column in columns}
    known = set(_WORD.findall(kql)) | _HARMLESS | TEXT_COLUMNS
    return {column: column if column in known else f"Hidden{number}" for number, column in enumerate(columns, 1)}


def _lengths(values: pd.Series) -> list[str]:
    return [_length(value) for value in values]


def _length(value: Any) -> str:
    if value is None or value == "":
        return ""
    return f"[hidden: {len(value if isinstance(value, str) else str(value)):,} characters]"
