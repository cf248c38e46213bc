"""The ``aoai`` command.

Data goes to standard output, messages to standard error. Exit codes: 0 done, 1 failed, 2 usage error.
"""

from __future__ import annotations

import atexit
import gc
import logging
import sys
import traceback
from inspect import getdoc
from typing import Annotated, Any

import typer
from typer.exceptions import TyperException

from .. import extras
from ..errors import AoaiError
from ..format.labels import plain
from . import doctor, export, lake, logs, notebooks, prices, queries, reconcile, report, sandbox, schedule, setup

_ABOUT = "Token usage, cost and reliability of Azure OpenAI behind API Management, from the gateway's logs."

app = typer.Typer(
    name="aoai",
    help=_ABOUT,
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={
        "help_option_names": ["-h", "--help"],
        # The former name of --output, which scripts still use.
        "token_normalize_func": lambda word: "output" if word == "out" else word,
    },
)
for command in (
    logs.sample,
    logs.ingest,
    queries.queries,
    queries.query,
    report.report,
    doctor.doctor,
    reconcile.reconcile,
):
    app.command()(command)
app.add_typer(lake.app, name="lake")
app.add_typer(setup.app, name="setup")
app.add_typer(sandbox.app, name="sandbox")
app.add_typer(schedule.app, name="schedule")
app.add_typer(prices.app, name="prices")
app.add_typer(export.app, name="export")
app.add_typer(notebooks.app, name="notebooks")


def _list_whole_descriptions(group: typer.Typer) -> None:
    """Give every command a short help, its docstring's first paragraph: typer cuts off any other at the width."""
    for command in group.registered_commands:
        paragraph = (getdoc(command.callback) or "").partition("\n\n")[0]
        command.short_help = " ".join(paragraph.split()).removesuffix(".")
    for inner in group.registered_groups:
        if inner.typer_instance is not None:
            inner.short_help = str(inner.typer_instance.info.help or "").removesuffix(".")
            _list_whole_descriptions(inner.typer_instance)


_list_whole_descriptions(app)


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        print(f"aoai {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and exit.")
    ] = False,
) -> None: ...


def main(arguments: list[str] | None = None) -> int:
    """Run the command line and return the exit code. Errors are one line; ``--debug`` adds a traceback."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in arguments
    # People add --debug at the end of a command that failed.
    arguments = (["--debug"] if debug else []) + [word for word in arguments if word != "--debug"]
    # Without a handler, Azure's libraries would log next to the error's one line.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    atexit.register(_end_soon)
    caught: BaseException
    try:
        with extras.named():
            return app(args=arguments, prog_name="aoai", standalone_mode=False) or 0
    except TyperException as error:
        caught, code, message = error, 2, _wrong_use(error)
    except (typer.Abort, KeyboardInterrupt):
        return _failed("stopped; finished work is kept", 130)
    except AoaiError as error:
        caught, code, message = error, error.exit_code, str(error)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        caught, code, message = error, 1, f"{error.filename or 'input or output'}: {error.strerror or error}"
    except Exception as error:
        # The message of an unexpected error may hold anything, prompts included.
        message = f"unexpected {type(error).__name__}; run again with --debug to see where"
        caught, code = error, 1
    if debug:
        traceback.print_exception(caught)
    return _failed(message, code)


def _end_soon() -> None:
    """Skip Python's final garbage collection of everything imported, which takes a quarter of a second.

    Not if DuckDB is loaded: it reports uncollected objects as leaks on standard error.
    """
    if "duckdb" not in sys.modules:
        gc.freeze()


def _wrong_use(error: Any) -> str:
    """What typer found wrong, and which command's help to read."""
    context = getattr(error, "ctx", None)
    command = context.command_path if context else "aoai"
    return f"{error.format_message()} Try '{command} --help'."


def _failed(message: str, code: int) -> int:
    print(f"aoai: {plain(' '.join(message.split()))}", file=sys.stderr)
    return code
