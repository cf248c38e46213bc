"""The order in which a reader meets the queries of a subject: that of the subject's notebook, everywhere."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from functools import cache
from typing import TypeVar

from ..config import shipped

_Item = TypeVar("_Item")
#: Where a cell's source shows a query of the library, and which.
SHOWN = re.compile(r"report\.show\(\s*[\"']([^\"']+)")


@cache
def reading_order(subject: str) -> tuple[str, ...]:
    """The queries that the notebook of *subject* shows, in its order; none without such a notebook."""
    path = shipped("notebooks") / "analysis" / f"{subject}.ipynb"
    if not path.is_file():
        return ()
    cells = json.loads(path.read_text("utf-8"))["cells"]
    code = "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    return tuple(dict.fromkeys(SHOWN.findall(code)))


def as_read(subject: str, items: Iterable[_Item], query: Callable[[_Item], str]) -> tuple[_Item, ...]:
    """*items*, each of the query that *query* tells, in the order of the notebook of *subject*.

    One that the notebook lacks stays behind the one before it.
    """
    places = {name: place for place, name in enumerate(reading_order(subject))}
    placed: list[tuple[int, _Item]] = []
    last = -1
    for item in items:
        last = places.get(query(item), last)
        placed.append((last, item))
    return tuple(item for _, item in sorted(placed, key=lambda pair: pair[0]))
