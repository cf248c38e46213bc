"""Whether two engines gave the same answer."""

from __future__ import annotations

import math
from typing import Any

from aoai_analytics.engines import QueryResult

#: Sums of reals are added up in another order on each engine.
NEARLY = 1e-9


def assert_same(one: QueryResult, other: QueryResult, *, ordered: bool = False) -> int:
    """Both have the same columns, of the same types, and the same rows; gives the number of rows.

    Rows may come in any order unless the query sorts them by what tells them apart.
    """
    assert list(one.frame.columns) == list(other.frame.columns)
    assert one.types == other.types
    assert one.frame.dtypes.to_dict() == other.frame.dtypes.to_dict()
    assert not one.partial and not other.partial
    assert len(one.frame) == len(other.frame)
    ours, theirs = _rows(one), _rows(other)
    if not ordered:
        ours, theirs = sorted(ours, key=_key), sorted(theirs, key=_key)
    for left, right in zip(ours, theirs, strict=True):
        for name, a, b in zip(one.types, left, right, strict=True):
            assert _same(a, b), f"{name}: {a!r} is not {b!r}"
    return len(ours)


def _rows(result: QueryResult) -> list[tuple[Any, ...]]:
    frame = result.frame.astype(object).where(result.frame.notna(), None)
    return list(frame.itertuples(index=False, name=None))


def _key(row: tuple[Any, ...]) -> tuple[str, ...]:
    # Numbers by few digits, so that a difference in the last one moves no row.
    return tuple(f"{value:.6g}" if isinstance(value, float) else repr(_settled(value)) for value in row)


def _same(a: Any, b: Any) -> bool:
    if isinstance(a, float) and isinstance(b, float):
        return math.isclose(a, b, rel_tol=NEARLY, abs_tol=1e-9)
    return _settled(a) == _settled(b)


def _settled(value: Any) -> Any:
    """A set made of a column has no order of its own."""
    return sorted(map(str, value)) if isinstance(value, list) else value
