"""Documented behaviour of KQL as cases: ``*.cases`` beside this file.

A line ``# NAME`` names the page of Microsoft's KQL reference that the following cases follow (``strcat-function`` is
learn.microsoft.com/kusto/query/strcat-function). A case is one line, ``QUERY => ANSWER``. The answer is JSON: a list of
rows, or a single value for one row of one column. A datetime has seven digits and a Z; a timespan is
``[d.]hh:mm:ss[.fffffff]``; a number that is no JSON is "NaN", "Infinity" or "-Infinity".
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent


@dataclass(frozen=True)
class Documented:
    """A query and the rows that the page says it answers."""

    place: str
    page: str
    query: str
    rows: list[list[Any]]

    def __str__(self) -> str:
        return f"{self.place} {self.page}"


def documented() -> Iterator[Documented]:
    """All cases, in order of their files. Raises ValueError where a line is not a case."""
    for path in sorted(HERE.glob("*.cases")):
        page = ""
        for number, line in enumerate(path.read_text("utf-8").splitlines(), 1):
            if line.startswith("#"):
                page = line.removeprefix("#").strip()
                continue
            query, arrow, answer = line.rpartition(" => ")
            if not arrow or not page:
                raise ValueError(f"{path.name}:{number} is not 'QUERY => ANSWER' below a page")
            value = json.loads(answer)
            is_rows = isinstance(value, list) and all(isinstance(row, list) for row in value)
            yield Documented(f"{path.stem}:{number}", page, query, value if is_rows else [[value]])


def gaps(engine: str) -> dict[str, str]:
    """The cases that *engine* does not answer as documented: query -> why (``ENGINE.gaps``)."""
    lines = (HERE / f"{engine}.gaps").read_text("utf-8").splitlines()
    return {query.strip(): why.strip() for query, _, why in (line.partition(" ## ") for line in lines) if query.strip()}
