"""Every question of the library, answered as a report answers it."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.charts import parse_chart
from aoai_analytics.engines import connect
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.format.periods import moment
from aoai_analytics.library import library
from aoai_analytics.library.queries import Query
from aoai_analytics.reporting import Report
from aoai_analytics.reporting.render.blocks import Answer

QUESTIONS = pytest.mark.parametrize("query", list(library()), ids=lambda query: query.name)


@pytest.fixture(scope="module")
def engine(sample_lake: Path) -> Iterator[LocalEngine]:
    opened = LocalEngine.open(sample_lake)
    yield opened
    opened.close()


@QUESTIONS
def test_the_chart_the_headline_and_the_units_fit_the_columns(query: Query, engine: LocalEngine) -> None:
    report = Report(engine, library(), show_prompts=True, time_zone="Europe/Berlin")
    answer = report.answer(query.name)
    assert isinstance(answer, Answer) and answer.problems == ()
    columns = set(engine.query(query.text).frame.columns)
    assert set(query.units) <= columns
    if parse_chart(query.chart).row.trace and answer.rows:
        assert answer.figure is not None and answer.alt


@QUESTIONS
def test_an_empty_period_is_answered(query: Query, engine: LocalEngine) -> None:
    start, end = moment("2020-01-01", "UTC"), moment("2020-02-01", "UTC")
    report = Report(engine, library(), start=start, end=end, show_prompts=True)
    assert isinstance(report.answer(query.name), Answer)


def test_an_empty_period_says_so_in_the_head(sample_lake: Path) -> None:
    start, end = moment("2020-01-01", "UTC"), moment("2020-02-01", "UTC")
    head = Report(connect(sample_lake), library(), start=start, end=end).head()
    assert head.empty and head.period == "1 Jan 2020 to 31 Jan 2020"
    assert "No request to a language model was found" in head.lines[0]
    assert "The source has 600 requests" in head.lines[1]
