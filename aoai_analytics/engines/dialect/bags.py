"""Functions of property bags, arrays and sets, in Python."""

from __future__ import annotations

import json
import math
import re
from collections.abc import Callable
from itertools import pairwise
from typing import Any

from .values import as_array, as_text, same, unique


def extract_json(path: str, source: Any) -> str:
    """What a JSON path of keys and indexes leads to, as text; '' where it leads nowhere."""

    value: Any = source
    if isinstance(source, str):
        try:
            value = json.loads(source)
        except ValueError:
            return ""
    for key, quoted, index in re.findall(r"\.([\w$-]+)|\[['\"]([^'\"]+)['\"]\]|\[(-?\d+)\]", path.removeprefix("$")):
        if index and isinstance(value, list) and -len(value) <= int(index) < len(value):
            value = value[int(index)]
        elif (key or quoted) and isinstance(value, dict):
            value = value.get(key or quoted)
        else:
            return ""
    return as_text(value)


def treepath(value: Any) -> list[str]:
    def walk(inner: Any, path: str) -> list[str]:
        if isinstance(inner, dict):
            return [
                found for key, item in inner.items() for found in [f"{path}['{key}']", *walk(item, f"{path}['{key}']")]
            ]
        if isinstance(inner, list):
            below = [found for item in inner for found in walk(item, f"{path}[0]")]
            return unique([f"{path}[0]", *below]) if inner else []
        return []

    return walk(value, "")


def bag_remove_keys(bag: Any, keys: Any) -> Any:
    if not isinstance(bag, dict) or not isinstance(keys, list):
        return None
    kept = {name: value for name, value in bag.items() if name not in keys}
    for key in keys:
        # A path removes a key of an inner bag.
        if isinstance(key, str) and key.startswith("$."):
            *way, last = key.removeprefix("$.").split(".")
            inner: Any = kept
            for step in way:
                inner = inner.get(step) if isinstance(inner, dict) else None
            if isinstance(inner, dict):
                inner.pop(last, None)
    return kept


def bag_union(*bags: Any) -> dict[str, Any]:
    """The keys of all bags; of one that several have, the first value."""
    union: dict[str, Any] = {}
    for bag in bags:
        for key, value in bag.items() if isinstance(bag, dict) else ():
            union.setdefault(key, value)
    return union


def bag_set_key(bag: Any, key: Any, value: Any) -> Any:
    """The bag with *key*, or with the key of an inner bag where *key* is a path such as ``$.a.b``."""
    if not isinstance(bag, dict):
        return None
    if not as_text(key).startswith("$."):
        return {**bag, as_text(key): value}
    first, _, rest = as_text(key).removeprefix("$.").partition(".")
    inner = bag.get(first)
    return {**bag, first: bag_set_key(inner if isinstance(inner, dict) else {}, f"$.{rest}", value) if rest else value}


def bag_zip(keys: Any, values: Any) -> Any:
    if not isinstance(keys, list):
        return None
    known = values if isinstance(values, list) else []
    padded = known + [None] * (len(keys) - len(known))
    return {key: value for key, value in zip(keys, padded, strict=False) if isinstance(key, str)}


def _order(value: Any) -> tuple[int, Any]:
    """Numbers come before strings, and those before all others."""
    if isinstance(value, int | float) and not isinstance(value, bool):
        return 0, value
    return (1, value) if isinstance(value, str) else (2, as_text(value))


def sorted_arrays(*, descending: bool) -> Callable[..., Any]:
    """``array_sort_asc`` and ``array_sort_desc``: of several arrays a list, all in the order of the first."""

    def arrays_in_order(*arrays: Any) -> Any:
        nulls_last = arrays[-1] if isinstance(arrays[-1], bool) else True
        given = [array for array in arrays if not isinstance(array, bool)]
        if not isinstance(given[0], list):
            return None if len(given) == 1 else [None] * len(given)
        known = [place for place, value in enumerate(given[0]) if value is not None]
        known.sort(key=lambda place: _order(given[0][place]), reverse=descending)
        nulls = [place for place, value in enumerate(given[0]) if value is None]
        places = known + nulls if nulls_last else nulls + known
        found = [
            [array[place] for place in places] if isinstance(array, list) and len(array) == len(places) else None
            for array in given
        ]
        return found[0] if len(found) == 1 else found

    return arrays_in_order


def array_split(array: Any, at: Any) -> Any:
    if as_array(array) is None:
        return None
    places = [int(place) for place in (at if isinstance(at, list) else [at])]
    ends = [min(len(array), place if place >= 0 else max(0, len(array) + place)) for place in places]
    cuts = [0, *ends, len(array)]
    return [array[begin:end] for begin, end in pairwise(cuts)]


def array_rotate(array: Any, count: Any) -> Any:
    """Rotated left by *count*; right where it is negative."""
    if not as_array(array):
        return array if isinstance(array, list) else None
    by = int(count) % len(array)
    return array[by:] + array[:by]


def array_shift(array: Any, count: Any, fill: Any = None) -> Any:
    """Shifted left by *count*; right where it is negative."""
    if as_array(array) is None:
        return None
    by = min(abs(int(count)), len(array))
    return array[by:] + [fill] * by if int(count) >= 0 else [fill] * by + array[: len(array) - by]


def array_iff(conditions: Any, yes: Any, no: Any) -> Any:
    if as_array(conditions) is None:
        return None

    def at(value: Any, place: int) -> Any:
        return (value[place] if place < len(value) else None) if isinstance(value, list) else value

    return [
        at(yes if condition else no, place) if condition is not None else None
        for place, condition in enumerate(conditions)
    ]


def repeated(value: Any, count: Any) -> Any:
    return None if count is None or int(count) < 0 else [value] * int(count)


def range_of(start: Any, stop: Any, step: Any = 1) -> Any:
    if start is None or stop is None or not step:
        return None
    count = min(1_048_576, max(0, math.floor((stop - start) / step + 1e-9) + 1))
    return [start + place * step for place in range(count)]


def combined_sets(combine: Callable[[list[Any], list[Any]], list[Any]]) -> Callable[..., Any]:
    def combined(first: Any, *others: Any) -> Any:
        if as_array(first) is None or any(as_array(other) is None for other in others):
            return None
        result = unique(first)
        for other in others:
            result = combine(result, unique(other))
        return result

    return combined


def without(one: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in one if not any(same(value, item) for item in other)]


def within(one: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in one if any(same(value, item) for item in other)]


def jaccard(one: Any, other: Any) -> float | None:
    if as_array(one) is None or as_array(other) is None:
        return None
    union = unique(one + other)
    return len(within(unique(one), other)) / len(union) if union else None


def schema_of(values: Any) -> Any:
    """The least schema that admits all *values*: a type, a list of types, or a bag of them; items are ``indexer``."""
    types: list[Any] = []
    bags: dict[str, list[Any]] = {}
    is_bag = False
    for value in values or []:
        if isinstance(value, dict | list):
            is_bag = True
            pairs = value.items() if isinstance(value, dict) else (("`indexer`", item) for item in value)
            for key, inner in pairs:
                bags.setdefault(key, []).append(inner)
        elif value is not None:
            types.append(
                "bool"
                if isinstance(value, bool)
                else "long"
                if isinstance(value, int)
                else "double"
                if isinstance(value, float)
                else "string"
            )
    found = [*unique(types), *([{key: schema_of(inner) for key, inner in bags.items()}] if is_bag else [])]
    return found[0] if len(found) == 1 else found
