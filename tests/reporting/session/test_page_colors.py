"""On each page of a report of sample traffic, a colour has one meaning."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.charts import parse_chart
from aoai_analytics.charts.colors import FIRST_SHADE
from aoai_analytics.charts.style import OTHER_COLOR
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.library import library
from aoai_analytics.reporting import Report
from aoai_analytics.reporting.run.notebooks import notebooks


@pytest.fixture(scope="module")
def engine(sample_lake: Path) -> Iterator[LocalEngine]:
    opened = LocalEngine.open(sample_lake)
    yield opened
    opened.close()


@pytest.mark.parametrize("page", sorted(set(notebooks()) - {"overview", "explore", "invoice"}))
def test_no_colour_of_a_page_stands_for_values_of_two_columns(page: str, engine: LocalEngine) -> None:
    cells = json.loads(notebooks()[page].read_text("utf-8"))["cells"]
    code = "".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "code")
    report = Report(engine, library())
    meanings: dict[int, set[str]] = {}
    for name in re.findall(r'show\("([\w/-]+)"', code):
        spec = parse_chart(library().get(name).chart)
        if not spec.row.trace or spec.kind == "heatmap":
            continue
        answer = report.answer(name)
        for trace in answer.figure["data"] if answer.figure else ():
            if (trace.get("marker") or trace["line"])["color"] == OTHER_COLOR:
                continue
            place = trace["meta"]["color"]
            if place < FIRST_SHADE:  # a shade stands for nothing beyond its figure
                meanings.setdefault(place, set()).add(spec.color)
    assert all(len(columns) == 1 for columns in meanings.values()), meanings
    assert set().union(*meanings.values()) <= {"ModelName", "Outcome"}
