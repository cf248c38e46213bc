"""A question asked of an engine, and its answer as it may be shown: the one place where prompts are let through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..engines.protocol import Engine, QueryResult
from ..library import privacy
from ..library.queries import Query
from .steps import step_of


@dataclass(frozen=True)
class Asked:
    """An answer to show: its rows, the chart and units that fit them, and whether what people wrote is hidden in it."""

    result: QueryResult
    chart: str
    units: Mapping[str, str]
    texts_hidden: bool


def ask(
    engine: Engine,
    kql: str,
    *,
    query: Query | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    parameters: Mapping[str, Any] | None = None,
    show_prompts: bool = False,
) -> Asked:
    """Ask *kql*, and hide what people wrote unless *show_prompts*.

    *query* is the query of the library whose bound text *kql* is: its header says what follows and which columns
    are no one's text. Without it *kql* is somebody's own, and only the tables' harmless columns are shown as they are.
    Raises what ``Engine.query`` does.
    """
    result = engine.query(kql, start=start, end=end, parameters=parameters)
    chart, units, no_text = "", {}, frozenset[str]()
    if query is not None:
        chart, units, no_text = query.chart, dict(query.units), privacy.no_text(query)
        if step := step_of(query):
            result = step.after(result)
            chart = step.chart if show_prompts or step.hidden_chart is None else step.hidden_chart
            units, no_text = dict(step.units), step.no_text
    result, hidden = privacy.shown(result, kql, show_prompts=show_prompts, no_text=no_text)
    return Asked(result, chart, units, hidden)
