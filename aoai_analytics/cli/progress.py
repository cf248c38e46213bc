"""Progress: bars on a terminal, none in a pipe; for a report in a pipe, one line per notebook."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from typing import Any


@contextmanager
def bar(what: str, *, of_bytes: bool = False) -> Iterator[Callable[[int, int], None]]:
    """A bar named *what*; call it with (done, total)."""
    if not sys.stderr.isatty():
        yield lambda done, total: None
        return
    from rich.console import Console
    from rich.progress import BarColumn, DownloadColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn

    amount = DownloadColumn() if of_bytes else MofNCompleteColumn()
    columns = (TextColumn("{task.description}"), BarColumn(), amount, TimeRemainingColumn())
    with Progress(*columns, console=Console(stderr=True), transient=True) as progress:
        task = progress.add_task(what, total=None)
        yield lambda done, total: progress.update(task, completed=done, total=total)


class Lines:
    """A report's progress in a pipe: one line when a notebook starts. *of* names the period if there are several."""

    def __init__(self, of: str = ""):
        self._of = f" of {of}" if of else ""

    def message(self, text: str) -> None:
        """See reporting.run.report.Progress."""
        print(text, file=sys.stderr)

    def began(self, name: str) -> None:
        """See reporting.run.report.Progress."""
        # One write: notebooks that start together would otherwise mix their lines.
        print(f"Running {name}{self._of} …\n", end="", file=sys.stderr, flush=True)

    def cell(self, name: str, done: int, of: int) -> None:
        """See reporting.run.report.Progress."""

    def ended(self, name: str, problems: int) -> None:
        """See reporting.run.report.Progress."""


class Table:
    """A report's progress on a terminal: the state, progress and duration of each notebook."""

    def __init__(self, progress: Any, names: Sequence[str], of: str):
        self._progress = progress
        self._tasks = {
            name: progress.add_task(f"{of} {name}".strip(), total=None, start=False, state="waiting") for name in names
        }

    def message(self, text: str) -> None:
        """See reporting.run.report.Progress."""
        self._progress.console.print(text, highlight=False, markup=False)

    def began(self, name: str) -> None:
        """See reporting.run.report.Progress."""
        self._progress.start_task(self._tasks[name])
        self._progress.update(self._tasks[name], state="running")

    def cell(self, name: str, done: int, of: int) -> None:
        """See reporting.run.report.Progress."""
        self._progress.update(self._tasks[name], completed=done, total=of)

    def ended(self, name: str, problems: int) -> None:
        """See reporting.run.report.Progress."""
        task = self._progress.tasks[self._tasks[name]]
        state = f"{problems} problem{'s' if problems > 1 else ''}" if problems else "done"
        self._progress.update(task.id, completed=task.total or 1, total=task.total or 1, state=state)
        self._progress.stop_task(task.id)


@contextmanager
def notebooks(names: Sequence[str], of: str = "") -> Iterator[Lines | Table]:
    """Show the progress of the notebooks *names*; *of* names the period if there are several."""
    if not sys.stderr.isatty():
        yield Lines(of)
        return
    from rich.console import Console
    from rich.progress import BarColumn, Progress, SpinnerColumn, TextColumn, TimeElapsedColumn

    columns = (
        SpinnerColumn(finished_text=" "),
        TextColumn("{task.description}"),
        BarColumn(bar_width=24),
        TimeElapsedColumn(),
        TextColumn("{task.fields[state]}"),
    )
    with Progress(*columns, console=Console(stderr=True)) as progress:
        yield Table(progress, names, of)
