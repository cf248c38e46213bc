"""The parts of duckdb-kql that are not public are those of the version that was looked at."""

from __future__ import annotations

import re
from importlib.metadata import version

from aoai_analytics.engines.dialect import adapter
from tests.conftest import REPO


def test_the_inner_parts_are_those_of_the_pinned_version() -> None:
    why = "read aoai_analytics/engines/dialect/adapter.py against the new version, then set VERSION"
    assert version("duckdb-kql") == adapter.VERSION, why
    assert f"duckdb-kql=={adapter.VERSION}" in (REPO / "constraints.txt").read_text("utf-8")


def test_no_other_module_reaches_into_duckdb_kql() -> None:
    """What the package exports, and the tree of its parser, is public; the rest is for the adapter alone."""
    inner = re.compile(r"(?:from|import) duckdb_kql\.\w+|duckdb_kql import (?:ir|translate|lower|parser)|translate\._")
    found = {
        str(path.relative_to(REPO))
        for path in (REPO / "aoai_analytics").rglob("*.py")
        if inner.search(path.read_text("utf-8"))
    }
    # How words are read is beside the tree that is made of them; the rest is in the adapter and what it puts in place.
    dialect = {f"aoai_analytics/engines/dialect/{name}.py" for name in ("adapter", "rendering")}
    assert found == dialect | {"aoai_analytics/engines/kql/lexing.py"}
