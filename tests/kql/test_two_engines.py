"""The functions, the queries, the workbook's tiles and the rules answer the same on a second KQL engine.

Both engines read the same small lake: sample traffic and, where they are, odd cases. A function is computed from the
log tables and the rows of the functions it names; all else reads the functions' rows. A tile's text on the second
engine is held against the library's query on the local one. ``different.txt`` lists what may differ and why: the
documentation decides. The second engine is asked what ``recorded.json`` does not have.
"""

from __future__ import annotations

import json
import os
import re
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from math import isclose
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.engines.kql.functions import definitions
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.export.alerts import ALERTS
from aoai_analytics.export.summary_rules import HOURLY
from aoai_analytics.export.workbook import workbook
from aoai_analytics.export.workbook.filling import Chosen, filled, parameters, steps
from aoai_analytics.export.workbook.steps import KEY
from aoai_analytics.lake.costs import ingest_costs
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.library.queries import library
from aoai_analytics.sample import write_sample
from aoai_analytics.schema.tables import TABLES
from tests.conftest import REPO
from tests.export.workbook_tiles import asked_of_library, selected, tiles, values_of
from tests.kql import recorded
from tests.kql.second import NEEDED, Answer, comparable, local_answer, started

LOGS = REPO.parent / "shared/cases"
#: A range that has every row, for the parameters of time.
START, END = datetime(2026, 9, 1, tzinfo=UTC), datetime(2026, 12, 31, tzinfo=UTC)
FUNCTIONS = {f"function {name}": text for name, text in definitions().items()}
QUERIES = {query.name: query.text for query in library()} | {
    # The clock changes in New York within the sample's month.
    f"{query.name} in New York": query.bind(
        timeZone="America/New_York", **({"step": "1d"} if "step" in query.parameters else {})
    )
    for query in library()
    if "timeZone" in query.parameters
}
RULES = {f"alert {alert.name}": re.sub(r"\bnow\(\)", "datetime(2026-11-04)", alert.text()) for alert in ALERTS} | {
    f"summary rule {HOURLY}": f"{HOURLY}\n| project-rename Hour = TimeGenerated"
}
TILES = [f"tile {name}" for name, _ in tiles()]


def different() -> dict[str, str]:
    """What may differ: name -> why."""
    lines = (Path(__file__).parent / "different.txt").read_text("utf-8").splitlines()
    return {name.strip(): why.strip() for name, _, why in (line.partition(" ## ") for line in lines) if name.strip()}


DIFFERENT = different()


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    folder = tmp_path_factory.mktemp("two-engines")
    cases = [] if recorded.WITHOUT_CASES in os.environ else sorted(LOGS.glob("*/logs"))
    write_sample(folder / "sample", requests=150, invoice=True)
    lake = Lake.create(folder / "lake")
    ingest([folder / "sample/logs", *cases], lake)
    recompute(lake)
    ingest_costs([folder / "sample/invoice"], lake)
    engine = LocalEngine(lake, str(lake.path))
    yield engine
    engine.close()


@pytest.fixture(scope="module")
def texts(engine: LocalEngine) -> dict[str, str]:
    """Every text by its name, as the second engine is asked."""
    made = workbook()
    of_steps = {step["name"]: step["content"]["query"] for step in steps(made["items"]) if step["type"] == 3}
    chosen = Chosen(START, END, values_of(*selected(engine, START, END)), stored=True, computed=True)
    of_tiles = {f"tile {name}": filled(of_steps[name], parameters(made), chosen) for name, _ in tiles()}
    return FUNCTIONS | QUERIES | RULES | of_tiles


@dataclass(frozen=True)
class Both:
    """The local engine's answer, of a tile to the library's query; the second engine's where it was asked, and key."""

    ours: Answer
    theirs: Answer | None
    key: str


@pytest.fixture(scope="module")
def both(engine: LocalEngine, texts: dict[str, str], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Both]:
    """Both answers by name."""
    names = [*TABLES, *(name for name in definitions() if name not in TABLES)]
    tables = {name: local_answer(*engine.arrow(name, {})) for name in names}
    # What the local engine computes by a function is there already.
    ours = {f"function {name}": tables[name] for name in definitions()}
    user, request = selected(engine, START, END)
    asked = (
        QUERIES
        | RULES
        | {
            # The workbook's list of prices is its own; every other tile has the library's answer.
            f"tile {name}": texts[f"tile {name}"]
            if tile.query == "prices"
            else asked_of_library(tile, START, END, user, request)
            for name, tile in tiles()
        }
    )
    ours |= {name: local_answer(*engine.arrow(text, {})) for name, text in asked.items()}
    contents = {name: recorded.content(table) for name, table in tables.items()}
    keys = {name: recorded.key(text, contents) for name, text in texts.items()}
    to_ask = {
        name: text
        for name, text in texts.items()
        if name not in DIFFERENT and recorded.is_to_ask(keys[name], recorded.prints(ours[name]))
    }
    theirs = started(to_ask, tmp_path_factory.mktemp("second") / "batch", tables)() if to_ask else {}
    answered = {name: without_key(answer) for name, answer in theirs.items()}
    return {name: Both(ours[name], answered.get(name), keys[name]) for name in texts}


def without_key(answer: Answer) -> Answer:
    """*answer* without the column that a click in the workbook sets."""
    kept = [place for place, column in enumerate(answer.columns) if column != KEY]
    columns = {column: kind for column, kind in answer.columns.items() if column != KEY}
    return Answer(columns, [[row[place] for place in kept] for row in answer.rows], answer.error)


def in_any_order(rows: list[list[Any]]) -> list[str]:
    return sorted(json.dumps(comparable(row, 9), sort_keys=True) for row in rows)


def is_near(one: Any, other: Any) -> bool:
    """Whether two values are equal but for the order in which numbers were added up."""
    if isinstance(one, float) and isinstance(other, float):
        return isclose(one, other, rel_tol=1e-7, abs_tol=1e-12)
    if isinstance(one, list) and isinstance(other, list):
        return len(one) == len(other) and all(map(is_near, one, other))
    return bool(one == other)


def test_what_may_differ_is_there() -> None:
    assert DIFFERENT.keys() <= {*FUNCTIONS, *QUERIES, *RULES, *TILES}


@pytest.mark.parametrize("name", [*FUNCTIONS, *QUERIES, *RULES, *TILES])
def test_both_engines_give_the_same_columns_types_and_rows(name: str, both: dict[str, Both]) -> None:
    if name in DIFFERENT:
        pytest.skip(DIFFERENT[name])
    ours, theirs, known = both[name].ours, both[name].theirs, recorded.recorded().get(both[name].key)
    if theirs is None:
        if known is None:
            pytest.skip(f"not recorded of these tables, and {NEEDED}")
        differs = recorded.difference(ours, known)
        assert not differs, differs
    else:
        assert not theirs.error, theirs.error
        assert ours.columns == theirs.columns
        one, other = in_any_order(ours.rows), in_any_order(theirs.rows)
        assert len(one) == len(other)
        unequal = [pair for pair in zip(one, other, strict=True) if not is_near(*map(json.loads, pair))]
        assert not unequal, f"{len(unequal)} of {len(one)} rows differ, the first:\n{unequal[0][0]}\n{unequal[0][1]}"
        differs = recorded.difference(ours, known) if known else ""
        assert not differs, f"not as recorded; record it: python -m tests.kql.recorded\n{differs}"
    recorded.RECORDER.note(both[name].key, recorded.prints(ours))
