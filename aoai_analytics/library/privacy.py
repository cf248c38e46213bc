"""Prompts and answers are hidden unless asked for: which queries read them, and a result without them."""

from __future__ import annotations

import re
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..engines.protocol import QueryResult
from ..logs.tables import MESSAGES, TABLES

if TYPE_CHECKING:
    import pandas as pd

#: Columns that hold what people wrote, or were told.
TEXT_COLUMNS = frozenset(
    {"RequestBody", "ResponseBody", "BackendRequestBody", "BackendResponseBody", "RequestMessages", "ResponseMessages"}
    | {"Prompt", "Response"}
)
_READS_TEXT = re.compile(rf"\b(?:{'|'.join([MESSAGES.name, *sorted(TEXT_COLUMNS - {'Prompt', 'Response'})])})\b")
_HARMLESS = {column for table in TABLES.values() for column in table.columns} - TEXT_COLUMNS


def reads_text(kql: str) -> bool:
    """Whether *kql* names a table or column that holds prompts or answers."""
    return _READS_TEXT.search(kql) is not None


def hidden(result: QueryResult) -> QueryResult:
    """*result* of a query that reads text, with each text replaced by its length.

    Only texts in columns of the tables that never hold any stay: a column computed from a prompt may be one.
    """
    frame = result.frame.copy()
    for column, kql_type in result.types.items():
        if kql_type in ("string", "dynamic") and column not in _HARMLESS:
            frame[column] = _lengths(frame[column])
    return replace(result, frame=frame)


def _lengths(values: pd.Series) -> list[str]:
    return [_length(value) for value in values]


def _length(value: Any) -> str:
    if value is None or value == "":
        return ""
    return f"[hidden: {len(value if isinstance(value, str) else str(value)):,} characters]"
