"""The ``aoai`` command.

Data goes to standard output, words about it to standard error; exit 0 done, 1 failed, 2 wrong use.
"""

from __future__ import annotations

import atexit
import gc
import logging
import sys
import traceback
from typing import Annotated, Any

import typer

from ..errors import AoaiError
from . import doctor, export, logs, prices, queries, report, schedule, setup

# typer exports this class's child only.
UsageError: type[Exception] = typer.BadParameter.__bases__[0]

app = typer.Typer(
    name="aoai",
    help="Trustworthy answers from the logs of an API Management gateway in front of Azure OpenAI.",
    add_completion=False,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    context_settings={"help_option_names": ["-h", "--help"]},
)
for command in (logs.sample, logs.ingest, queries.queries, queries.query, report.report, doctor.doctor):
    app.command()(command)
app.add_typer(setup.app, name="setup")
app.add_typer(schedule.app, name="schedule")
app.add_typer(prices.app, name="prices")
app.add_typer(export.app, name="export")


def _version(wanted: bool) -> None:
    if wanted:
        from .. import __version__

        print(f"aoai {__version__}")
        raise typer.Exit


@app.callback()
def _app(
    debug: Annotated[bool, typer.Option("--debug", help="Show the traceback of an error.")] = False,
    version: Annotated[
        bool, typer.Option("--version", callback=_version, is_eager=True, help="Show the version and end.")
    ] = False,
) -> None:
    """Trustworthy answers from the logs of an API Management gateway in front of Azure OpenAI."""


def main(arguments: list[str] | None = None) -> int:
    """Run the command line; the exit code. An error is one line on standard error, a traceback with ``--debug``."""
    arguments = (sys.argv[1:] if arguments is None else arguments) or ["--help"]
    debug = "--debug" in arguments
    # One may ask for the traceback at the end of the line, where the failed command already stands.
    arguments = (["--debug"] if debug else []) + [word for word in arguments if word != "--debug"]
    # Without a handler of one's own, what Azure's libraries log would stand beside the one line of an error.
    logging.getLogger("azure").addHandler(logging.NullHandler())
    atexit.register(_end_soon)
    caught: BaseException
    try:
        return app(args=arguments, prog_name="aoai", standalone_mode=False) or 0
    except UsageError as error:
        caught, code, message = error, 2, _wrong_use(error)
    except (typer.Abort, KeyboardInterrupt):
        return _said("stopped; what was finished is kept", 130)
    except AoaiError as error:
        caught, code, message = error, error.exit_code, str(error)
    except BrokenPipeError:
        sys.stderr.close()
        return 0
    except OSError as error:
        caught, code, message = error, 1, f"{error.filename or 'input or output'}: {error.strerror or error}"
    except Exception as error:
        # The message of an error nobody foresaw may hold anything, prompts too.
        message = f"an unexpected {type(error).__name__}; run it again with --debug to see where"
        caught, code = error, 1
    if debug:
        traceback.print_exception(caught)
    return _said(message, code)


def _end_soon() -> None:
    """Spare Python's look through all that was imported for garbage, at its end: a quarter of a second, for nothing.

    Not where DuckDB is loaded, which counts what is not collected as leaked, and says so on standard error.
    """
    if "duckdb" not in sys.modules:
        gc.freeze()


def _wrong_use(error: Any) -> str:
    """What typer found wrong, and the command whose help tells more."""
    command = f"{error.ctx.info_name} " if error.ctx and error.ctx.parent else ""
    return f"{error.format_message()} 'aoai {command}--help' tells more."


def _said(message: str, code: int) -> int:
    print(f"aoai: {' '.join(message.split())}", file=sys.stderr)
    return code
