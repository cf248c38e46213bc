"""A proof's made records fire each alert rule, and the nearest others do not."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime, timedelta

import pytest

from aoai_analytics.cli.alert_records import RECORDS, made
from aoai_analytics.cli.proving import asking
from aoai_analytics.engines import connect
from aoai_analytics.export.alerts import ALERTS
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library import library
from aoai_analytics.setup.proving import Ask, _tried
from tests.kql_parser import diagnostics

QUERIES = {query.name: query for query in library().section("alerts")}
NOW = datetime.now(UTC)


@pytest.fixture(scope="module")
def empty(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ask]:
    """A lake without a record: what has a row has it of the made records."""
    lake = Lake.create(tmp_path_factory.mktemp("alerts") / "lake")
    engine = connect(str(lake.path))
    yield asking(engine)
    engine.close()


def test_every_shipped_rule_has_records_and_its_own_text() -> None:
    found = made(QUERIES)
    assert set(found) == set(RECORDS) == {alert.name for alert in ALERTS}
    for alert in ALERTS:
        for text in found[alert.name]:
            assert text.endswith(alert.body), "what is asked is what is deployed"
    assert set(made({"alerts/error-budget": None})) == {"error-budget-fast", "error-budget-slow"}


def test_microsoft_s_parser_takes_the_records() -> None:
    texts = {f"{name} {place}": text for name, pair in made(QUERIES).items() for place, text in enumerate(pair)}
    assert {name: found for name, found in diagnostics(texts).items() if found} == {}


def test_each_rule_fires_on_its_records_and_not_on_the_nearest_others(empty: Ask) -> None:
    part = _tried("Alert rules over made records", made(QUERIES), empty, NOW - timedelta(hours=1), NOW)
    assert part.rows == [(alert.name, "1 row", "0 rows", "fires") for alert in ALERTS] and not part.failed


def test_a_rule_that_fires_on_anything_or_on_nothing_or_fails_is_wrong(empty: Ask) -> None:
    row, none = "print A = 1", "print A = 1 | where A > 1"
    pairs = {"anything": (row, row), "nothing": (none, none), "broken": (row, "Missing | count")}
    part = _tried("Rules", pairs, empty, NOW - timedelta(hours=1), NOW)
    assert part.failed == 3 and {cells[-1] for cells in part.rows} == {"wrong"}


def test_a_lake_is_not_touched_by_the_records(empty: Ask) -> None:
    text, _ = made(QUERIES)["throttling"]
    assert len(empty(text, NOW - timedelta(hours=1), NOW)) == 1
    assert empty("AoaiRequestsLogged | count", NOW - timedelta(hours=1), NOW)[0]["Count"] == 0
