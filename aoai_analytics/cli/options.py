"""Options that several commands share, and the period they select."""

from __future__ import annotations

import os
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Annotated

import typer

from ..config import default_source, found, settings
from ..errors import WrongUse
from ..format.periods import span, zone

if TYPE_CHECKING:
    from ..engines import Engine

Source = Annotated[
    str | None,
    typer.Option(
        "--source", "-s", help="Lake folder, log-analytics://WORKSPACE-ID or kusto://CLUSTER/DATABASE.", metavar="S"
    ),
]
Since = Annotated[str | None, typer.Option("--since", help="Look back this far, e.g. 7d or 12h.", metavar="SPAN")]
Start = Annotated[
    str | None, typer.Option("--start", help="Start (inclusive), e.g. 2026-11-01 or 2026-11-01T08:00.", metavar="T")
]
End = Annotated[str | None, typer.Option("--end", help="End (exclusive).", metavar="T")]
Period = Annotated[
    str | None,
    typer.Option(
        "--period", help="Year 2026, quarter 2026-Q4, month 2026-10, week 2026-W44 or day 2026-11-22.", metavar="P"
    ),
]
TimeZone = Annotated[
    str | None, typer.Option("--time-zone", help="Time zone for input and output, e.g. Europe/Berlin.", metavar="ZONE")
]


def _use_credential(name: str | None) -> str | None:
    """Make *name* the setting, including for the kernels that run a report's notebooks."""
    if name:
        os.environ["AOAI_CREDENTIAL"] = name
        settings.cache_clear()
    return name


Credential = Annotated[
    str | None,
    typer.Option(
        "--credential",
        help="azure-identity class to sign in with, e.g. AzureCliCredential.",
        metavar="NAME",
        callback=_use_credential,
    ),
]


def _use_only(pairs: list[str] | None) -> list[str] | None:
    """Make *pairs* the setting, including for the kernels that run a report's notebooks."""
    if pairs:
        import json

        from ..dimensions import only_setting

        os.environ["AOAI_ONLY"] = json.dumps(pairs)
        settings.cache_clear()
        only_setting()
    return pairs


Only = Annotated[
    list[str] | None,
    typer.Option(
        "--only",
        help="Keep requests of this Team, CostCenter, Environment, Application, ProductId …; repeatable.",
        metavar="COLUMN=VALUE",
        callback=_use_only,
    ),
]
ShowPrompts = Annotated[bool, typer.Option("--show-prompts", help="Show prompts and responses (default: hidden).")]
Param = Annotated[list[str] | None, typer.Option("--param", "-p", help="Set a parameter; repeatable.", metavar="K=V")]

Span = tuple[datetime | None, datetime | None]


def source_or_default(source: str | None) -> str:
    """*source*, else the setting, else the lake, or the only lake of the project; says which if it is none of these."""
    if source:
        return source if "://" in source else str(found(source))
    chosen = default_source()
    if chosen not in (settings().source, str(settings().lake)):
        print(f"Source: {chosen}", file=sys.stderr)
    return chosen


@contextmanager
def connected(source: str) -> Iterator[Engine]:
    """The engine of *source* with the user's own prices and dimensions; closed at the end."""
    from ..dimensions import own_functions
    from ..engines import connect

    engine = connect(source, functions=own_functions())
    try:
        yield engine
    finally:
        engine.close()


def time_span(
    since: str | None = None,
    start: str | None = None,
    end: str | None = None,
    period: str | None = None,
    time_zone: str | None = None,
) -> Span:
    """The period that the options select, in UTC; (None, None) for no bounds. Raises WrongUse."""
    return span(since, start, end, time_zone or settings().time_zone, period)


def parameters(pairs: list[str] | None) -> dict[str, str]:
    """The values that ``--param NAME=VALUE`` options give. Raises WrongUse."""
    values = {}
    for pair in pairs or []:
        key, separator, value = pair.partition("=")
        if not separator or not key:
            raise WrongUse("--param takes NAME=VALUE, e.g. topN=5")
        values[key] = value
    return values


def existing_file(path: Path) -> str:
    """The text of a file. Raises WrongUse if it cannot be read as UTF-8."""
    try:
        return path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WrongUse(f"cannot read {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"{path} is not valid UTF-8") from error


def put(data: bytes, path: Path | None) -> None:
    """Write *data* to a file or standard output. Raises WrongUse if the file cannot be written."""
    if path is None:
        sys.stdout.buffer.write(data)
        sys.stdout.flush()
        return
    try:
        path.write_bytes(data)
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror}") from error


def zone_or_default(time_zone: str | None) -> str:
    """*time_zone*, else the setting. Raises WrongUse for one that is unknown."""
    return zone(time_zone or settings().time_zone).key
