"""The ``%%kql`` magic: KQL in, a DataFrame out, a chart where the query renders one. ``%kql`` runs a library query."""

from __future__ import annotations

import argparse
import re
import shlex
from collections.abc import Mapping
from dataclasses import replace
from datetime import datetime
from typing import TYPE_CHECKING, Any, cast

from ..config import found, settings
from ..engines import QueryResult
from ..engines.frames import days_in, in_zone
from ..engines.kql.syntax import pointed
from ..errors import AoaiError, QueryError, WrongUse
from ..format.periods import span, zone
from ..library import library
from ..library.catalogue import overview
from ..library.queries import Query
from ..prompts import Asked, ask
from ..reporting.session.coverage import no_rows
from .complete import matcher
from .render import chart_of, split
from .sources import close_all, engine_of, source_of

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

#: The variable that keeps the last result.
LAST = "_kql_"
#: The key of DataFrame.attrs that holds a result's Kusto types.
TYPES = "kql_types"
#: The key of DataFrame.attrs that holds the time zone in which a result is shown.
ZONE = "kql_time_zone"
_HELP = """%%kql [SOURCE] [options], with KQL below it; or %kql NAME [SOURCE] [options] for a query of the library

  SOURCE           lake folder, log-analytics://WORKSPACE-ID or kusto://CLUSTER/DATABASE; kept for later cells
                   (default: the last one, else the setting 'source', else the project's lake)
  NAME             query name, e.g. tokens/by-subscription; %kql tokens lists those of a section
  --since SPAN     look back this far, e.g. 7d or 12h
  --start T        start (inclusive), e.g. 2026-11-01 or 2026-11-01T08:00
  --end T          end (exclusive)
  --period P       year 2026, quarter 2026-Q4, month 2026-10, week 2026-W44 or day 2026-11-22
  --time-zone ZONE time zone for input and output, e.g. Europe/Berlin (default: the setting 'time_zone')
  --only COL=VALUE keep requests of this Team, CostCenter, Environment, Application, ProductId ...; repeatable
  -p NAME=VALUE    set a parameter; repeatable
  --show-prompts   show prompts and responses (default: hidden)
  --check          check the query without running it

The last result is also in the variable _kql_. Tab completes tables, columns, and values after ==.
"""


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add ``%%kql``, its completion, and how its results are shown. IPython calls this."""
    import pandas as pd

    def kql(line: str, cell: str | None = None) -> pd.DataFrame | None:
        """See %%kql --help."""
        return _answer(shell, line, cell)

    shell.register_magic_function(kql, "line_cell", "kql")  # type: ignore[arg-type]
    _html(shell).for_type(pd.DataFrame, _as_html)
    if _as_line not in shell.input_transformers_cleanup:
        # So marked, it is not asked whether a cell is complete: in a terminal the query is still to be typed.
        _as_line.has_side_effects = True  # type: ignore[attr-defined]
        shell.input_transformers_cleanup.append(_as_line)
    if matcher not in shell.Completer.custom_matchers:
        matcher.matcher_api_version = 2  # type: ignore[attr-defined]
        matcher.matcher_identifier = "aoai_analytics.kql"  # type: ignore[attr-defined]
        shell.Completer.custom_matchers.append(matcher)


def unload_ipython_extension(shell: InteractiveShell) -> None:
    """Take away what ``load_ipython_extension`` added, and close what was opened."""
    import pandas as pd

    shell.magics_manager.magics["cell"].pop("kql", None)
    shell.magics_manager.magics["line"].pop("kql", None)
    _html(shell).pop(pd.DataFrame, None)
    if _as_line in shell.input_transformers_cleanup:
        shell.input_transformers_cleanup.remove(_as_line)
    if matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
    close_all()


def _as_line(lines: list[str]) -> list[str]:
    """A cell of nothing but its ``%%kql`` line as ``%kql``: IPython refuses a cell magic without a body."""
    is_alone = lines and re.match(r"%%kql\s", lines[0]) and not "".join(lines[1:]).strip()
    return [lines[0][1:]] if is_alone else lines


def _html(shell: InteractiveShell) -> Any:
    """What shows objects as HTML in *shell*."""
    return cast(Any, shell.display_formatter).formatters["text/html"]


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise WrongUse(f"%%kql: {message}")


def _options(line: str, *, named: bool) -> argparse.Namespace:
    parser = _Arguments(prog="%%kql", add_help=False)
    if named:
        parser.add_argument("name", nargs="?")
    parser.add_argument("source", nargs="?")
    parser.add_argument("--help", "-h", action="store_true")
    parser.add_argument("--since")
    parser.add_argument("--start")
    parser.add_argument("--end")
    parser.add_argument("--period")
    parser.add_argument("--time-zone")
    parser.add_argument("--only", action="append", default=[])
    parser.add_argument("-p", "--param", action="append", default=[])
    parser.add_argument("--show-prompts", action="store_true")
    parser.add_argument("--check", action="store_true")
    try:
        options = parser.parse_intermixed_args(shlex.split(line))
    except ValueError as error:
        raise WrongUse(f"%%kql: {error}") from error
    options.time_zone = zone(options.time_zone or settings().time_zone).key
    return options


def _answer(shell: InteractiveShell, line: str, cell: str | None) -> pd.DataFrame | None:
    """The rows of the cell's query, or of the library's that the line names; None where there is only help to show."""
    from IPython.core.error import UsageError

    try:
        options = _options(line, named=cell is None)
        if options.help or (cell is None and options.name is None):
            print(_HELP)
            return None
        if cell is None and options.name in library().sections:
            print(overview(library().section(options.name)))
            return None
        if cell is None and _is_source(options.name):
            engine_of(source_of(options.name))
            print(f"Later cells read {options.name}. To query it here, write KQL below the line %%kql {options.name}.")
            return None
        if cell is None and options.check:
            _check(_bound(options)[1], {}, options)
            return None
        if cell is None:
            asked, title = _named(options)
            chart, units = asked.chart, asked.units
        else:
            query, render = split(cell)
            if options.check:
                _check(query, _values(options), options)
                return None
            asked = _run(query, options)
            chart, units = (chart_of(render, asked.result.types), {}) if render else ("", {})
            title = render.title if render else ""
    except QueryError as error:
        raise UsageError("\n".join(filter(None, (str(error), pointed(error, cell or ""))))) from None
    except AoaiError as error:
        raise UsageError(str(error)) from None
    result = replace(asked.result, frame=in_zone(asked.result.frame, options.time_zone))
    if asked.texts_hidden:
        print("Prompts and responses are hidden; add --show-prompts to show them.")
    if asked.note:
        print(asked.note)
    result.frame.attrs |= {TYPES: result.types, ZONE: options.time_zone}
    for warning in result.warnings:
        print(f"Warning: {warning}")
    if chart:
        _draw(result, chart, title, units, options.time_zone)
    shell.user_ns[LAST] = result.frame
    return result.frame


def _is_source(name: str) -> bool:
    """Whether *name*, where a query's name is expected, is a source: a URL, or a folder that is not a query's name."""
    return "://" in name or (name not in {query.name for query in library()} and found(name).is_dir())


def _check(query: str, values: Mapping[str, str], options: argparse.Namespace) -> None:
    """Print where *query* can run with the parameters *values*, and what Azure does otherwise."""
    from ..engines.checking import verdict_of
    from ..engines.kql.placeholders import filled

    verdict = verdict_of(*filled(query, *_period(options), values), source_of(options.source))
    for said in (*verdict.lacks, *(f"Note: {note}" for note in verdict.notes)):
        print(said)
    print("A lake cannot run the query." if verdict.lacks else "The query runs on a lake and in Azure.")


def _bound(options: argparse.Namespace) -> tuple[Query, str, dict[str, str]]:
    """The query of the library that *options* name, its text with parameters set, and these."""
    query = library().get(options.name)
    values = query.given(_values(options), options.time_zone)
    return query, query.bind(**values), values


def _named(options: argparse.Namespace) -> tuple[Asked, str]:
    """The answer to the query of the library that *options* name, and its title."""
    query, text, values = _bound(options)
    asked = _run(text, options, query)
    if values.get("timeZone") == options.time_zone:
        asked = replace(asked, result=replace(asked.result, frame=days_in(asked.result.frame, options.time_zone)))
    return asked, query.title


def _period(options: argparse.Namespace) -> tuple[datetime | None, datetime | None]:
    return span(options.since, options.start, options.end, options.time_zone, options.period)


def _values(options: argparse.Namespace) -> dict[str, str]:
    values = {}
    for pair in options.param:
        name, separator, value = pair.partition("=")
        if not separator:
            raise WrongUse(f"%%kql: -p takes NAME=VALUE, not '{pair}'")
        values[name] = value
    return values


def _run(text: str, options: argparse.Namespace, query: Query | None = None) -> Asked:
    """The answer to *text*; of a library *query*, its parameters are set already."""
    values = {} if query else _values(options)
    start, end = _period(options)
    engine = engine_of(source_of(options.source), options.only)
    asked = ask(
        engine,
        text,
        query=query,
        start=start,
        end=end,
        parameters=values,
        show_prompts=options.show_prompts,
        narrowed=bool(options.only),
    )
    if not len(asked.result.frame):
        print(no_rows(engine, start is not None or end is not None, options.time_zone))
    return asked


def _draw(result: QueryResult, chart: str, title: str, units: Mapping[str, str], time_zone: str) -> None:
    from IPython.display import display

    from ..charts import figure

    drawn = figure(result.frame, chart, title=title, units=units, time_zone=time_zone)
    if drawn is not None:
        display(drawn)


def _as_html(frame: pd.DataFrame) -> str:
    """A result's table, numbers to the right with thousands separators; any other DataFrame as pandas shows it."""
    types = frame.attrs.get(TYPES)
    if not types or list(frame.columns) != list(types):
        return str(cast(Any, frame)._repr_html_())
    from ..charts import table_html

    style = (
        "<style>.kql th, .kql td {text-align: left !important; padding: 2px 10px} "
        ".kql .number {text-align: right !important; font-variant-numeric: tabular-nums}</style>"
    )
    table = table_html(frame, types, {}, caption="", time_zone=frame.attrs[ZONE], max_rows=50)
    return f'{style}<div class="kql">{table}</div>'
