"""What the tests of several exports share: the engine over real-shaped traffic.

``same_rows`` compares two answers, ``lacking`` says what a text of parts does not define.
"""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Iterable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.engines.protocol import QueryResult
from aoai_analytics.export.workbook.filling import parameters, steps
from tests.conftest import REPO

COMMITTED = REPO / "setup_scripts/exports/workbook.json"
#: The range of the shared traffic.
START, END = datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def traffic(shared_lake: Path) -> Iterator[LocalEngine]:
    """The local engine over the shared traffic."""
    engine = LocalEngine.open(shared_lake)
    yield engine
    engine.close()


@pytest.fixture(scope="session")
def made_workbook() -> dict[str, Any]:
    """The committed one; ``test_committed.py`` holds that it is what the library makes."""
    found: dict[str, Any] = json.loads(COMMITTED.read_text("utf-8"))
    return found


@pytest.fixture(scope="session")
def declared(made_workbook: dict[str, Any]) -> dict[str, dict[str, Any]]:
    return parameters(made_workbook)


@pytest.fixture(scope="session")
def queries(made_workbook: dict[str, Any]) -> dict[str, str]:
    """The text of every tile, by its step's name."""
    return {s["name"]: s["content"]["query"] for s in steps(made_workbook["items"]) if s["type"] == 3}


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


def lacking(texts: Iterable[str], every: Iterable[str]) -> set[str]:
    """The names that one of *texts* has and neither it nor one before it defines, of those that *every* part defines.

    A word that is no name, or a column's, would count too: none is spelled like one of these.
    """

    def defined(text: str) -> set[str]:
        return set(re.findall(r"\blet (\w+) =", text))

    known, missing = set[str](), set[str]()
    names = set[str]().union(*map(defined, every))
    for text in texts:
        known |= defined(text)
        missing |= set(re.findall(r"\w+", text)) & names - known
    return missing
