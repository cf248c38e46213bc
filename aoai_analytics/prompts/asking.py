"""Run a query and redact its result: the only place that lets prompts through."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ..config import settings
from ..engines.kql.flow import undefined
from ..engines.kql.functions import names_in
from ..engines.kql.placeholders import filled, with_lets
from ..engines.protocol import Engine, QueryResult
from ..errors import QueryError
from ..library import privacy
from ..library.queries import Query
from ..schema.tables import READ_TABLES
from .steps import step_of


@dataclass(frozen=True)
class Asked:
    """A result to show: its rows, the matching chart and units, whether text is hidden, and a note on what was read and
    what is left out."""

    result: QueryResult
    chart: str
    units: Mapping[str, str]
    texts_hidden: bool
    note: str = ""


def ask(
    engine: Engine,
    kql: str,
    *,
    query: Query | None = None,
    start: datetime | None = None,
    end: datetime | None = None,
    parameters: Mapping[str, Any] | None = None,
    show_prompts: bool = False,
    narrowed: bool = False,
) -> Asked:
    """Run *kql*, and hide prompt and response text unless *show_prompts*.

    *query* is the library query whose bound text *kql* is: its header names the step that follows and the columns
    without text. Without it, *kql* is a user's own query, and only the tables' harmless columns are shown unredacted.
    *narrowed*: *engine* keeps some requests only, as it does where the setting ``only`` says so.
    Raises the same errors as ``Engine.query``.
    """
    if query is None:
        kql, left = filled(kql, start, end, parameters or {})
        kql, parameters = with_lets(kql, left, undefined(kql))
    result = engine.query(kql, start=start, end=end, parameters=parameters)
    chart, units, no_text, note = "", {}, frozenset[str](), ""
    if query is not None:
        chart, units, no_text = query.chart, dict(query.units), privacy.no_text(query)
        if step := step_of(query):
            note = step.says(result.frame) if step.says else ""
            result = step.after(result)
            chart = step.chart if show_prompts or step.hidden_chart is None else step.hidden_chart
            units, no_text = dict(step.units), step.no_text
    left_out = query.leaves_out if query is not None else ""
    note = " ".join(filter(None, (note, left_out, _all_traffic(kql) if narrowed or settings().only else "")))
    result, hidden = privacy.shown(result, kql, show_prompts=show_prompts, no_text=no_text)
    return Asked(result, chart, units, hidden, note)


def _all_traffic(kql: str) -> str:
    """What the reader of a narrowed report should know of a query on the logs, which no setting narrows."""
    try:
        logs = sorted(names_in(kql) & READ_TABLES.keys())
    except QueryError:
        return ""  # a text for another engine
    return f"--only does not narrow {' and '.join(logs)}: this covers all traffic." if logs else ""
