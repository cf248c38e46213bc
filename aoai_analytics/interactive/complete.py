"""Tab completion in a ``%%kql`` cell: tables, the columns of those named, operators and functions."""

from __future__ import annotations

import re
from typing import Any

from ..engines.dialect.adapter import function_names
from ..engines.kql.functions import shipped_functions
from ..engines.kql.words import OPERATORS
from ..schema.tables import TABLES

#: What goes with the operators.
_WORDS = ("by", "asc", "desc", "on", "let", "and", "or", "not", "in", "has", "contains", "startswith", "between")


def words(cell: str, stem: str) -> list[str]:
    """What *stem*, the word at the cursor of *cell*, may go on to: columns first, then tables, then KQL's own words."""
    named = [table for table in TABLES.values() if re.search(rf"\b{table.name}\b", cell)]
    columns = [column for table in named or TABLES.values() for column in table.columns]
    known = [*columns, *TABLES, *shipped_functions(), *sorted(OPERATORS), *_WORDS, *sorted(function_names())]
    start = stem.lower()
    return [word for word in dict.fromkeys(known) if word.lower().startswith(start) and word != stem]


def matcher(context: Any) -> dict[str, Any]:
    """IPython's matcher (its API version 2) for cells that begin with ``%%kql``."""
    from IPython.core.completer import SimpleCompletion

    if not context.full_text.startswith("%%kql"):
        return {"completions": [], "suppress": False}
    stem = re.search(r"[\w-]*$", context.text_until_cursor)
    text = stem[0] if stem else ""
    found = [SimpleCompletion(text=word, type="kql") for word in words(context.full_text, text)]
    return {"completions": found, "matched_fragment": text, "suppress": bool(found)}
