"""Open a report on a source and period, and show the answers to its questions."""

from __future__ import annotations

import hashlib
import re
import time
from collections.abc import Mapping, Sequence
from dataclasses import replace
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ...charts import cards, describe, figure, finding, headline, note, table_html
from ...charts.tables import MAX_ROWS
from ...config import default_source, found, own_budgets, settings
from ...dimensions import only_setting, own_functions
from ...engines import Engine, QueryResult, connect
from ...engines.frames import days_in
from ...errors import WrongUse
from ...format.labels import plain
from ...format.numbers import additive
from ...format.periods import Moment, in_words, moment, zone
from ...library import privacy
from ...library.queries import Library, Query, library, own_query
from ...library.sums import summed
from ...prompts import Asked, ask
from ..findings.overview import month_of, overview
from ..render import downloads
from ..render.blocks import Answer, Head, Overview, Problem
from ..render.display import display_block
from . import coverage

if TYPE_CHECKING:
    from pathlib import Path

    import pandas as pd

ROWS_BELOW_A_FIGURE = 20
#: How many rows of a figure's query are read, where no number is given.
ALL_ROWS = 5_000
TEXTS_HIDDEN = "Prompts and responses are hidden. To show them, run the notebook with show_prompts = True."
#: Up to which length of the period charts have which time between two points.
_STEPS = ((timedelta(days=2), "1h"), (timedelta(days=93), "1d"))
_LONGEST_STEP = "7d"
#: Kusto types whose columns can be added up.
_NUMBERS = ("int", "long", "real")


def open_report(
    source: str | Path | None = None,
    start: Moment = None,
    end: Moment = None,
    *,
    time_zone: str | None = None,
    show_prompts: bool = False,
    engine: Engine | None = None,
    queries: Library | None = None,
) -> Report:
    """Open *source* for start <= time < end, and show the report's head.

    *source* is by default the setting ``source``, else the lake, or the only lake of the project. A relative folder is
    looked for upwards to the project's root.
    *start* and *end* are text in ISO 8601, dates or datetimes; without an offset they are in *time_zone* (default:
    the setting ``time_zone``). Prompts and responses are hidden unless *show_prompts*. *engine* and *queries*
    replace those of the source and the package. Raises SourceError, LakeError, QueryError or WrongUse.
    """
    source = default_source() if source is None else found(source) if "://" not in str(source) else source
    if time_zone is None:
        time_zone = settings().time_zone
    zone(time_zone)
    report = Report(
        engine or connect(source, functions=own_functions()),
        queries or library(),
        start=moment(start, time_zone, "start"),
        end=moment(end, time_zone, "end"),
        time_zone=time_zone,
        show_prompts=show_prompts,
    )
    display_block(report.head())
    return report


class Report:
    """Answers questions about one source and period."""

    def __init__(
        self,
        engine: Engine,
        queries: Library,
        *,
        start: datetime | None = None,
        end: datetime | None = None,
        time_zone: str = "UTC",
        show_prompts: bool = False,
    ):
        self.engine = engine
        self.queries = queries
        self.start = start
        self.end = end
        self.time_zone = time_zone
        self.show_prompts = show_prompts
        self._covered: tuple[datetime, datetime] | None = None
        #: The colours of models in figures.
        self._colors: dict[str, int] = {}

    def show(self, name: str, **parameters: Any) -> None:
        """Show the answer to the library's question *name*, with its parameters set. Raises what ``answer`` does."""
        display_block(self.answer(name, **parameters))

    def show_kql(self, kql: str, **parameters: Any) -> None:
        """Show the answer to your own query, with its parameters set.

        *kql* may begin with header lines, as the files of the library do: ``// title:``, ``// question:``,
        ``// chart: bar x=… y=…``, ``// unit: Column=unit``, ``// leaves-out: …``. Raises what ``answer_kql`` does.
        """
        display_block(self.answer_kql(kql, **parameters))

    def frame(self, kql: str, **parameters: Any) -> pd.DataFrame:
        """The rows of *kql* as a DataFrame, for work that KQL cannot do. Raises what ``answer_kql`` does."""
        query = own_query(kql)
        bound = query.bind(**self.fitted(query, parameters))
        asked = ask(self.engine, bound, start=self.start, end=self.end, show_prompts=self.show_prompts)
        return asked.result.frame

    def first(self, name: str, column: str, *, given: str | None = None, **parameters: Any) -> str:
        """*given*, or where there is none the *column* of the first row that answers the library's question *name*.

        For a notebook parameter without a default of its own; '' where there is no row. Raises what ``answer``
        does, and WrongUse for a column that the answer lacks.
        """
        if given:
            return given
        query = self.queries.get(name)
        bound = query.bind(**self.fitted(query, parameters))
        frame = ask(self.engine, bound, query=query, start=self.start, end=self.end).result.frame
        if column not in frame.columns:
            raise WrongUse(f"{name} has no column '{column}'; it has {', '.join(frame.columns)}")
        return str(frame[column].iloc[0]) if len(frame) else ""

    def answer(self, name: str, **parameters: Any) -> Answer:
        """The answer to the library's question *name*, e.g. ``report.answer("tokens/by-subscription", topN=5)``.

        Raises UnknownName or WrongUse for a wrong name or value, QueryError or SourceError where the engine fails.
        """
        query = self.queries.get(name)
        return self._ask(query, self.fitted(query, parameters), of_library=True)

    def answer_kql(self, kql: str, **parameters: Any) -> Answer:
        """The answer to *kql*, your own query.

        Raises UnknownName or WrongUse for a wrong parameter or header, QueryError or SourceError for the engine.
        """
        query = own_query(kql)
        return self._ask(query, self.fitted(query, parameters), of_library=False)

    def head(self) -> Head:
        """The report's head: source, period, how much traffic there was and how many of its tokens are known."""
        query = self.queries.get(coverage.HEAD_QUERY)
        result = self.engine.query(query.text, start=self.start, end=self.end)
        found = coverage.numbers(result.frame.iloc[0].to_dict())
        head = Head(
            source=source_in_words(str(self.engine.source)),
            period=in_words(self.start, self.end, self.time_zone),
            time_zone=self.time_zone,
            lines=(),
            numbers=found,
            show_prompts=self.show_prompts,
            problems=_problems("Coverage", result),
        )
        if found["Requests"]:
            self._covered = coverage.span(found)
            period = in_words(self.start, self.end, self.time_zone, self._covered)
            return replace(head, period=period, lines=tuple(coverage.lines(found, self.time_zone)))
        lines = [coverage.NO_TRAFFIC]
        if self.start or self.end:
            whole = self.engine.query(query.text).frame.iloc[0].to_dict()
            lines.append(coverage.elsewhere(coverage.numbers(whole), self.time_zone))
        return replace(head, lines=tuple(lines), empty=True)

    def show_overview(self, budgets: str | Sequence[str] = "") -> None:
        """Show the period in brief. Raises what ``overview`` does."""
        display_block(self.overview(budgets))

    def overview(self, budgets: str | Sequence[str] = "") -> Overview:
        """The period in brief: its numbers beside the period before, its daily cost, top lists, findings in words.

        *budgets* are as the question cost/budget takes them; default: the setting. Raises QueryError or SourceError
        where the engine fails.
        """

        def answer(
            name: str, start: datetime | None, end: datetime | None, **parameters: Any
        ) -> tuple[pd.DataFrame, tuple[Problem, ...]]:
            query = self.queries.get(name)
            asked = ask(self.engine, query.bind(**parameters), query=query, start=start, end=end)
            return asked.result.frame, _problems(query.title, asked.result)

        return overview(answer, self.start, self.end, self.time_zone, budgets or own_budgets())

    def fitted(self, query: Query, parameters: Mapping[str, Any]) -> dict[str, Any]:
        """What *query* is asked with: *parameters*, and where they lack them the report's ``timeZone``, a ``step`` that
        fits the period, and as many rows as the table of a figure needs."""
        types = {name: parameter.type for name, parameter in query.parameters.items()}
        fitting: dict[str, Any] = {}
        if types.get("timeZone") == "string":
            fitting["timeZone"] = self.time_zone
        if types.get("step") == "timespan" and (step := self._step()):
            fitting["step"] = step
        # The table of a figure sums up the rows that it does not show, and all.
        if "topN" in types and query.chart.startswith("bar"):
            fitting["topN"] = ALL_ROWS
        if "budgets" in types and (budgets := own_budgets()):
            fitting["budgets"] = budgets
        return fitting | {name: value for name, value in parameters.items() if name != "budgets" or value}

    def _step(self) -> str | None:
        """The time between two points of a chart: an hour up to two days, a day up to three months, then a week.

        It fits what the logs have of the period, as on the index. None, a query's own default, where that is unknown.
        """
        first, last = self._covered or (self.start, self.end)
        if first is None or last is None:
            return None
        return next((step for length, step in _STEPS if last - first <= length), _LONGEST_STEP)

    def _from(self, query: Query) -> datetime | None:
        """From when *query* reads: one about the month (``// range: month``) from the month's start on."""
        if query.header.get("range") != "month":
            return self.start
        return month_of(self.start, self.end, self._covered[1] if self._covered else self.end or datetime.now(UTC))

    def _ask(self, query: Query, parameters: Mapping[str, Any], *, of_library: bool) -> Answer:
        kql = query.bind(**parameters)
        began = time.perf_counter()
        asked = ask(
            self.engine,
            kql,
            query=query if of_library else None,
            start=self._from(query),
            end=self.end,
            show_prompts=self.show_prompts,
        )
        if not of_library:
            noted = " ".join(filter(None, (query.leaves_out, asked.note)))
            asked = replace(asked, chart=query.chart, units=query.units, note=noted)
        if parameters.get("timeZone") == self.time_zone != "UTC":
            frame = days_in(asked.result.frame, self.time_zone)
            asked = replace(asked, result=replace(asked.result, frame=frame))
        return self._answer(query, kql, parameters, asked, time.perf_counter() - began)

    def _answer(self, query: Query, kql: str, parameters: Mapping[str, Any], asked: Asked, seconds: float) -> Answer:
        result, units = asked.result, asked.units
        frame, types = result.frame, result.types
        drawn = figure(
            frame, asked.chart, title=query.title, units=units, time_zone=self.time_zone, colors=self._colors
        )
        notes = [note(drawn)] if drawn is not None else []
        notes.append(asked.note)
        if asked.texts_hidden and len(frame):
            notes.append(TEXTS_HIDDEN)
            frame = _without_hidden(frame, types)
        table = ""
        if len(frame):
            rows = MAX_ROWS if drawn is None else ROWS_BELOW_A_FIGURE
            adding = () if result.partial or "then" in query.header else summed(kql, len(frame))
            table = table_html(
                frame, types, units, caption=query.title, time_zone=self.time_zone, max_rows=rows, summed=adding
            )
        problems = _problems(query.title, result)
        said = headline(frame, query.header.get("headline", ""), units)
        if drawn is not None and not problems and not _is_cut(query, parameters, len(result.frame)):
            said = said or finding(drawn)
        shown = tuple(cards(query, frame.iloc[0].to_dict())) if len(frame) == 1 else ()
        return Answer(
            name=query.name,
            title=query.title,
            headline=said,
            question=query.question,
            kql=kql.strip(),
            digest=hashlib.sha256(kql.encode()).hexdigest(),
            table=table,
            csv=downloads.csv_text(frame),
            csv_rows=min(len(frame), downloads.MAX_ROWS),
            rows=len(frame),
            seconds=round(seconds, 3),
            figure=_bare(drawn) if drawn is not None else None,
            alt=describe(drawn) if drawn is not None else "",
            note=" ".join(filter(None, notes)),
            table_behind=drawn is not None or bool(shown),
            cards=shown,
            problems=problems,
            totals={} if problems else _totals(frame, types, units),
        )


def _without_hidden(frame: pd.DataFrame, types: Mapping[str, str]) -> pd.DataFrame:
    """*frame* without the columns of hidden texts alone; where the first one is, its rows are numbered instead."""
    told = [name for name in frame.columns if not (types.get(name) == "string" and _all_hidden(frame[name]))]
    if not told:
        return frame
    first = frame.columns[0]
    numbers = {} if first in told else {first: [f"#{number}" for number in range(1, len(frame) + 1)]}
    return frame.assign(**numbers)[[*numbers, *told]]


def _is_cut(query: Query, parameters: Mapping[str, Any], rows: int) -> bool:
    """Whether *rows* are as many as *query* may give, so that there may be more: of those a figure knows nothing."""
    declared = query.parameters.get("topN")
    return declared is not None and rows >= int(parameters.get("topN", declared.default))


def _all_hidden(column: pd.Series) -> bool:
    """Whether a column holds hidden texts alone, and at least one."""
    return bool(column.map(privacy.is_hidden).all()) and bool(column.map(bool).any())


def source_in_words(source: str) -> str:
    """*source* without the parts of a URL that may hold a secret (user, password, query and fragment), and which of its
    requests the report is narrowed to by the setting ``only``."""
    scheme, separator, rest = source.partition("://")
    told = f"{scheme}://{re.split(r'[?#]', rest)[0].rpartition('@')[2]}" if separator else source
    chosen = [f"{column} {' or '.join(value or '(none)' for value in of)}" for column, of in only_setting().items()]
    return plain(f"{told} (only {', '.join(chosen)})" if chosen else told)


def _totals(frame: pd.DataFrame, types: Mapping[str, str], units: Mapping[str, str]) -> dict[str, float | None]:
    """The sums of the columns that can be added up; None where no row has a value."""
    columns = [str(name) for name in frame.columns if types.get(str(name)) in _NUMBERS and additive(str(name), units)]
    return {name: float(frame[name].sum()) if frame[name].notna().any() else None for name in columns}


def _problems(title: str, result: QueryResult) -> tuple[Problem, ...]:
    found = [Problem(title, plain(warning)) for warning in result.warnings]
    if result.partial:
        found.insert(0, Problem(title, "the service left out rows, so these numbers are too low"))
    return tuple(found)


def _bare(drawn: Any) -> dict[str, Any]:
    """The figure's JSON without what the page supplies: the template, the title."""
    plain_figure: dict[str, Any] = drawn.to_plotly_json()
    layout = {k: v for k, v in plain_figure["layout"].items() if k not in ("template", "title", "meta")}
    return {"data": plain_figure["data"], "layout": layout}
