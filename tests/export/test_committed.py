"""What is made of the queries and committed beside them is what they make now."""

from __future__ import annotations

import pytest

from aoai_analytics.export import COMMITTED, made
from tests.conftest import REPO


@pytest.mark.parametrize("file", COMMITTED)
def test_a_committed_export_is_current(file: str) -> None:
    path = REPO / "setup_scripts" / file
    assert path.read_text("utf-8") == made(file), f"{path} is stale: make exports"
