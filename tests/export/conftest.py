"""What the tests of several exports share: the engine over real-shaped traffic.

``same_rows`` compares two answers.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.engines.protocol import QueryResult

#: The range of the shared traffic.
START, END = datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def traffic(shared_lake: Path) -> Iterator[LocalEngine]:
    """The local engine over the shared traffic."""
    engine = LocalEngine.open(shared_lake)
    yield engine
    engine.close()


def same_rows(one: QueryResult, other: QueryResult) -> bool:
    """Whether two answers have the same columns and rows, in order; real numbers to nine digits."""
    if list(one.frame.columns) != list(other.frame.columns) or len(one.frame) != len(other.frame):
        return False
    try:
        pd.testing.assert_frame_equal(one.frame, other.frame, check_dtype=False, rtol=1e-9, check_exact=False)
    except AssertionError:
        return False
    return True


def coded(name: str) -> str:
    """The value that stands for *name* where a reader of the workbook chooses it."""
    return "b" + base64.b64encode(name.encode()).decode()
