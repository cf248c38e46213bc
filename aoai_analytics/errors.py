"""The package's own errors.

Each message says what happened, on what, and what to do; the command line prints it as one line and exits with the
class's ``exit_code`` (1 failed, 2 usage error). Messages never contain prompts, responses or credentials.
"""

from __future__ import annotations


class AoaiError(Exception):
    """Something the user can act on went wrong."""

    exit_code = 1

    def _render_traceback_(self) -> list[str]:
        """In a notebook an error is one line too; IPython asks for this."""
        return [f"{type(self).__name__}: {self}"]


class WrongUse(AoaiError):
    """The call itself is wrong: an unknown name, a malformed value, a missing argument."""

    exit_code = 2


class MissingExtra(AoaiError):
    """A package is missing that only an extra of this one installs; the message has the command."""


class UnknownName(WrongUse):
    """A query, parameter, table or report that does not exist; names the nearest that do."""


class SourceError(AoaiError):
    """A source (lake, workspace, cluster) cannot be opened or read."""


class LogsError(AoaiError):
    """The logs given to an ingest cannot be read."""


class LakeError(AoaiError):
    """The lake cannot be read or written."""


class QueryError(AoaiError):
    """An engine refused a query; ``line`` and ``column`` (from 1) say where, when known."""

    def __init__(self, message: str, *, line: int | None = None, column: int | None = None):
        super().__init__(message)
        self.line = line
        self.column = column


class PartialResult(AoaiError):
    """A service returned only part of the rows where all were needed."""


class ReportError(AoaiError):
    """A report could not be made, or one of its cells failed."""


class SetupError(AoaiError):
    """Azure refused or failed a step of the setup, or a requirement is not met."""
