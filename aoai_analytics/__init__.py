"""Azure OpenAI gateway analytics: trustworthy answers from an API Management gateway's logs."""

from __future__ import annotations

import csv
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .engines import connect
    from .errors import AoaiError

__version__ = "0.1.0"
__all__ = ["AoaiError", "connect"]

# A prompt may be longer than the 131,072 characters that a cell of CSV may have otherwise.
csv.field_size_limit(2**31 - 1)


def load_ipython_extension(shell: object) -> None:
    """``%load_ext aoai_analytics``: cells that begin with ``%%kql`` are KQL from then on, ``%aoai`` runs commands."""
    from .cli.magic import load as load_commands
    from .interactive import load_ipython_extension as load

    load(shell)  # type: ignore[arg-type]
    load_commands(shell)  # type: ignore[arg-type]


def unload_ipython_extension(shell: object) -> None:
    """``%unload_ext aoai_analytics``."""
    from .cli.magic import unload as unload_commands
    from .interactive import unload_ipython_extension as unload

    unload(shell)  # type: ignore[arg-type]
    unload_commands(shell)  # type: ignore[arg-type]


def __getattr__(name: str) -> object:
    # Named here and loaded on use: `aoai --help` must not wait for pandas.
    if name == "connect":
        from .engines import connect

        return connect
    if name == "AoaiError":
        from .errors import AoaiError

        return AoaiError
    raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
