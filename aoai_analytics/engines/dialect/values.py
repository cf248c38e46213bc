"""Values of KQL as Python functions are given them: JSON's lists, dicts and scalars."""

from __future__ import annotations

import json
from typing import Any


def as_text(value: Any) -> str:
    """*value* as ``tostring`` writes it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def as_array(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) else None


def as_number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def unique(values: list[Any]) -> list[Any]:
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(json.dumps(value, sort_keys=True), value)
    return list(seen.values())
