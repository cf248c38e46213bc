"""The ``%%kql`` magic: KQL in, a DataFrame out, a chart where the query renders one."""

from __future__ import annotations

import argparse
import shlex
from typing import TYPE_CHECKING, Any, cast

from ..config import settings
from ..dimensions import own_functions
from ..engines import Engine, QueryResult, connect
from ..errors import AoaiError, QueryError, WrongUse
from ..format.periods import span
from ..prompts import ask
from .complete import matcher
from .render import chart_of, split

if TYPE_CHECKING:
    import pandas as pd
    from IPython.core.interactiveshell import InteractiveShell

#: The variable that keeps the last result.
LAST = "_kql_"
#: The key of DataFrame.attrs that holds a result's Kusto types.
TYPES = "kql_types"
#: By source and the functions that own prices replace.
_engines: dict[tuple[str, ...], Engine] = {}


def load_ipython_extension(shell: InteractiveShell) -> None:
    """Add ``%%kql``, its completion, and how its results are shown. IPython calls this."""
    import pandas as pd

    def kql(line: str, cell: str | None = None) -> pd.DataFrame | None:
        """%%kql [SOURCE] [--since 7d | --start T --end T] [-p name=value] [--show-prompts] [--check]"""
        return _answer(shell, line, cell)

    shell.register_magic_function(kql, "line_cell", "kql")  # type: ignore[arg-type]
    _html(shell).for_type(pd.DataFrame, _as_html)
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
    if matcher in shell.Completer.custom_matchers:
        shell.Completer.custom_matchers.remove(matcher)
    while _engines:
        _engines.popitem()[1].close()


def _html(shell: InteractiveShell) -> Any:
    """What shows objects as HTML in *shell*."""
    return cast(Any, shell.display_formatter).formatters["text/html"]


class _Arguments(argparse.ArgumentParser):
    def error(self, message: str) -> Any:
        raise WrongUse(f"%%kql: {message}")


def _options(line: str) -> argparse.Namespace:
    parser = _Arguments(prog="%%kql", add_help=False)
    parser.add_argument("source", nargs="?")
    parser.add_argument("--since")
    parser.add_argument("--start")
    parser.add_argument("--end")
    parser.add_argument("-p", "--param", action="append", default=[])
    parser.add_argument("--show-prompts", action="store_true")
    parser.add_argument("--check", action="store_true")
    try:
        return parser.parse_args(shlex.split(line))
    except ValueError as error:
        raise WrongUse(f"%%kql: {error}") from error


def _answer(shell: InteractiveShell, line: str, cell: str | None) -> pd.DataFrame | None:
    from IPython.core.error import UsageError

    try:
        if cell is None:
            raise WrongUse("put %%kql at the top of a cell, with the query below it")
        options = _options(line)
        query, render = split(cell)
        if options.check:
            _check(query, options)
            return None
        result = _run(query, options)
    except QueryError as error:
        raise UsageError(_with_place(error, cell or "")) from None
    except AoaiError as error:
        raise UsageError(str(error)) from None
    result.frame.attrs[TYPES] = result.types
    for warning in result.warnings:
        print(f"Warning: {warning}")
    if render is not None:
        _draw(result, chart_of(render, result.types), render.title)
    shell.user_ns[LAST] = result.frame
    return result.frame


def _check(query: str, options: argparse.Namespace) -> None:
    """Print where the query can run, and what Azure does otherwise."""
    from ..engines.checking import verdict_of
    from ..engines.kql.placeholders import filled

    start, end = span(options.since, options.start, options.end, settings().time_zone)
    found = verdict_of(*filled(query, start, end, _values(options)), _source(options))
    for said in (*found.lacks, *(f"Note: {note}" for note in found.notes)):
        print(said)
    print("A lake cannot run the query." if found.lacks else "The query runs on a lake and in Azure.")


def _source(options: argparse.Namespace) -> str:
    return str(options.source or settings().source or settings().lake)


def _values(options: argparse.Namespace) -> dict[str, str]:
    values = {}
    for pair in options.param:
        name, separator, value = pair.partition("=")
        if not separator:
            raise WrongUse(f"%%kql: -p takes NAME=VALUE, not '{pair}'")
        values[name] = value
    return values


def _run(query: str, options: argparse.Namespace) -> QueryResult:
    source = _source(options)
    own = own_functions()
    key = (source, *own.values())
    if key not in _engines:
        _engines[key] = connect(source, functions=own)
    start, end = span(options.since, options.start, options.end, settings().time_zone)
    values = _values(options)
    asked = ask(_engines[key], query, start=start, end=end, parameters=values, show_prompts=options.show_prompts)
    if asked.texts_hidden:
        print("Prompts and responses are hidden; add --show-prompts to show them.")
    return asked.result


def _with_place(error: QueryError, cell: str) -> str:
    """The message, and below it the line of the cell with a caret where the error is."""
    lines = cell.split("\n")
    if error.line is None or not 1 <= error.line <= len(lines):
        return str(error)
    caret = "" if error.column is None else "\n" + " " * (error.column - 1) + "^"
    return f"{error}\n{lines[error.line - 1]}{caret}"


def _draw(result: QueryResult, chart: str, title: str) -> None:
    from IPython.display import display

    from ..charts import figure

    drawn = figure(result.frame, chart, title=title, units={}) if chart else None
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
    table = table_html(frame, types, {}, caption="", time_zone=settings().time_zone, max_rows=50)
    return f'{style}<div class="kql">{table}</div>'
