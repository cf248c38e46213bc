"""What the tests of several exports share: a lake of real-shaped traffic, its engine, and a way to ask either.

``asked`` runs KQL; ``same_rows`` compares two answers. A lake of the shared traffic is made once a session.
"""

from __future__ import annotations

import base64
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pandas as pd
import pytest
from filelock import FileLock

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.engines.protocol import QueryResult
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute

#: The range of the shared traffic.
START, END = datetime(2026, 10, 30, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC)


@pytest.fixture(scope="session")
def traffic_lake(shared_data: Path, tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Path:
    """The folder of a lake with the shared traffic, computed tables included; only read it."""
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "export-lake"
    with FileLock(f"{folder}.lock"):
        if not folder.exists():
            half = Lake.create(folder.with_name("export-lake.half"))
            ingest([shared_data / "logs"], half)
            recompute(half)
            half.path.rename(folder)
    return folder


@pytest.fixture(scope="session")
def traffic(traffic_lake: Path) -> Iterator[LocalEngine]:
    """The local engine over the shared traffic."""
    engine = LocalEngine.open(traffic_lake)
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
