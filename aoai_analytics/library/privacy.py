"""Prompts and answers are hidden unless asked for: which columns of an answer may hold them, and the answer without."""

from __future__ import annotations

import re
from collections.abc import Collection
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..engines.kql.flow import TEXT_COLUMNS, columns_of
from ..engines.kql.functions import names_in
from ..engines.kql.rows import Rows
from ..engines.protocol import QueryResult
from ..errors import QueryError
from ..schema.tables import TABLES
from .queries import Query

if TYPE_CHECKING:
    pass

#: What a query or function says in its header that shows such text.
SHOWS_PROMPTS = "prompts"
_COLUMNS = frozenset(column for table in TABLES.values() for column in table.columns)
_WORD = re.compile(r"\w+")
_HIDDEN = "[hidden: "
#: Messages of API Management and Azure OpenAI that are always in these words, and so can quote no one. Only the whole
#: of a text is compared, and nothing in them is free but numbers.
_PUBLIC = re.compile(
    "|".join(
        (
            r"Access denied due to missing subscription key\. Make sure to include subscription key when making "
            r"requests to an API\.",
            r"Access denied due to invalid subscription key\. Make sure to provide a valid key for an active "
            r"subscription\.",
            r"Access denied due to invalid subscription key or wrong API endpoint\. Make sure to provide a valid key "
            r"for an active subscription and use a correct regional API endpoint for your resource\.",
            r"(Rate|Token) limit is exceeded\. Try again in \d{1,9} seconds\.",
            r"Out of call volume quota\. Quota will be replenished in [\d.:]{1,20}\.",
            r"Resource not found",
            r"Streaming requests are not yet allowed\.",
            r"The API deployment for this resource does not exist\. If you created the deployment within the last 5 "
            r"minutes, please wait a moment and try again\.",
            r"The response was filtered due to the prompt triggering Azure OpenAI's content management policy\. Please "
            r"modify your prompt and retry\. To learn more about our content filtering policies please read our "
            r"documentation: https://go\.microsoft\.com/fwlink/\?linkid=2198766",
            r"The server had an error while processing your request\. Sorry about that!",
            r"Internal server error",
            r"Operation timed out",
        )
    )
)
#: Functions that spell a text in numbers.
_SPELLING = frozenset(("to_utf8", "unicode_codepoints_from_string", "base64_decode_toarray"))
_NUMBERS = ("int", "long", "real", "decimal")
#: Names that Kusto gives by itself.
_GIVEN = re.compile(r"Column\d+|print_\d+")


def reads_text(kql: str) -> bool:
    """Whether a column of the answer to *kql* may hold what people wrote."""
    return columns_of(kql).text


def shown(
    result: QueryResult, kql: str, *, show_prompts: bool, no_text: Collection[str] = ()
) -> tuple[QueryResult, bool]:
    """The answer to *kql* as it may be shown, and whether texts were hidden in it.

    *no_text* names columns of a library query that hold no one's text; its header vouches for them.
    """
    if show_prompts:
        return result, False
    rows = columns_of(kql)
    texts = _texts(result, rows, kql, no_text)
    return (hidden(result, kql, no_text=no_text), True) if texts or rows.rest else (result, False)


def no_text(query: Query) -> frozenset[str]:
    """The columns that the header line ``// no-text: Column, Column`` of *query* vouches for."""
    return frozenset(_WORD.findall(query.header.get("no-text", "")))


def hidden(result: QueryResult, kql: str, *, no_text: Collection[str] = ()) -> QueryResult:
    """*result* of *kql* with each text that may be someone's replaced by its length.

    Numbers, moments and truth values stay, unless the numbers spell a text. A column whose very name may come from a
    text is renamed.
    """
    import pandas as pd

    rows = columns_of(kql)
    frame = result.frame.copy()
    kinds = dict(result.types)
    for column in _texts(result, rows, kql, no_text):
        kinds[column] = "string" if kinds[column] in _NUMBERS else kinds[column]
        frame[column] = pd.Series([_length(value) for value in frame[column]], index=frame.index, dtype="str")
    names = _safe_names(list(result.types), rows, kql)
    types = {names[column]: kql_type for column, kql_type in kinds.items()}
    return replace(result, frame=frame.rename(columns=names), types=types)


def _texts(result: QueryResult, rows: Rows, kql: str, no_text: Collection[str]) -> list[str]:
    """The columns of *result* that may hold what people wrote."""
    texts = ("string", "dynamic", *(_NUMBERS if any(name in kql for name in _SPELLING) else ()))
    return [name for name, kind in result.types.items() if kind in texts and name not in no_text and rows.is_text(name)]


def _safe_names(columns: list[str], rows: Rows, kql: str) -> dict[str, str]:
    """Each column's name to show: plugins such as pivot make names of values."""
    if not rows.rest:
        return {column: column for column in columns}
    try:
        known = {*rows.columns, *_COLUMNS, *TEXT_COLUMNS, *names_in(kql)}
    except QueryError:
        known = {*_COLUMNS, *_WORD.findall(kql)}
    return {
        column: column if column in known or _GIVEN.fullmatch(column) else f"Hidden{number}"
        for number, column in enumerate(columns, 1)
    }


def is_hidden(value: Any) -> bool:
    """Whether *value* is what stands for a hidden text, or no text."""
    return value is None or value == "" or (isinstance(value, str) and value.startswith(_HIDDEN))


def _length(value: Any) -> str:
    if value is None or (isinstance(value, str) and not value):
        return ""
    if isinstance(value, str) and _PUBLIC.fullmatch(value):
        return value
    return f"{_HIDDEN}{len(value if isinstance(value, str) else str(value)):,} characters]"
