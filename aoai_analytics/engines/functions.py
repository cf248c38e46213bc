"""The semantic layer's functions that a lake does not store: where a query names one, it is computed from the tables."""

from __future__ import annotations

import re
from functools import cache

from ..config import shipped
from ..logs.tables import TABLES


@cache
def computed_functions() -> dict[str, str]:
    """Function name -> its KQL, of every file in ``kql/functions`` that is no table of the lake."""
    files = sorted((shipped("kql") / "functions").glob("*.kql"))
    return {path.stem: path.read_text(encoding="utf-8") for path in files if path.stem not in TABLES}


def named_functions(kql: str) -> list[str]:
    """The computed functions that *kql* needs, each after those that it needs itself."""
    found: list[str] = []
    for name in computed_functions():
        if names(kql, name) and name not in found:
            found += [inner for inner in named_functions(computed_functions()[name]) if inner not in found]
            found.append(name)
    return found


def names(kql: str, name: str) -> bool:
    """Whether *kql* names a table or function, comments aside."""
    return re.search(rf"\b{name}\b", re.sub(r"^\s*//.*$", "", kql, flags=re.MULTILINE)) is not None
