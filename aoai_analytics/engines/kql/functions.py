"""The semantic layer's functions that a lake does not store: a query that names one has it computed."""

from __future__ import annotations

import re
from collections.abc import Mapping
from functools import cache

from ...config import shipped
from ...schema.tables import TABLES

_replaced: dict[str, str] = {}


def replace_functions(texts: Mapping[str, str]) -> None:
    """Let every engine of this process use these texts (name -> KQL) for the shipped functions of those names.

    They stay until replaced again; {} brings the shipped ones back. Functions that a lake stores cannot be replaced.
    """
    _replaced.clear()
    _replaced.update(texts)


def replaced_functions() -> Mapping[str, str]:
    """The functions that ``replace_functions`` set: name -> KQL."""
    return _replaced


def computed_functions() -> dict[str, str]:
    """Function name -> its KQL, of every function that is no table of the lake."""
    shipped_texts = _shipped_functions()
    return shipped_texts | {name: text for name, text in _replaced.items() if name in shipped_texts}


@cache
def _shipped_functions() -> dict[str, str]:
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
