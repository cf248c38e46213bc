"""From the names of notebooks to a folder of pages that opens from a file, written completely or not at all."""

from __future__ import annotations

import os
import time
from collections.abc import Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ...config import default_source, settings
from ...dimensions import own_functions
from ...engines import connect
from ...errors import WrongUse
from ...format.periods import Moment, in_words, moment, named, zone
from .. import manifest
from ..render import html
from ..render.files import report_files
from ..render.pages import read_page
from ..session.coverage import span
from ..session.report import source_in_words
from ..store.collection import report_folder, reports, save_report
from ..store.folder import locked
from ..summary import with_summary
from .execution import NotebookStopped, run_notebook
from .kernels import Kernels
from .notebooks import chosen, digest, notebooks, own_parameters, settings_of
from .provenance import library_digest, source_changed, versions
from .resume import Made, complete_report, forget, keep, kept_pages

#: Notebooks that make a report when none is named.
DEFAULT = ("tokens",)


class Progress(Protocol):
    """Receives a run's progress, from several threads."""

    def message(self, text: str) -> None:
        """A message about the run."""

    def began(self, name: str) -> None:
        """A notebook begins."""

    def cell(self, name: str, done: int, of: int) -> None:
        """A notebook's cell is done."""

    def ended(self, name: str, problems: int) -> None:
        """A notebook's page is made; *problems* counts its failures and doubts."""


class Silent:
    """No-op progress."""

    def message(self, text: str) -> None: ...
    def began(self, name: str) -> None: ...
    def cell(self, name: str, done: int, of: int) -> None: ...
    def ended(self, name: str, problems: int) -> None: ...


@dataclass(frozen=True)
class ReportResult:
    """A report: the path of its index page, what failed or is in doubt (one line each), and its manifest."""

    index: Path
    failures: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a cell failed or a number is in doubt: the report is there, but the run has failed."""
        return bool(self.failures or self.problems)


def cores() -> int:
    """The number of CPUs that this process may use."""
    if hasattr(os, "sched_getaffinity"):
        return len(os.sched_getaffinity(0))
    return os.cpu_count() or 1


def make_report(
    names: Sequence[str] = DEFAULT,
    *,
    source: str | Path | None = None,
    start: Moment = None,
    end: Moment = None,
    period: str | None = None,
    time_zone: str | None = None,
    out: Path | str = "reports",
    show_prompts: bool = False,
    given: Mapping[str, str] | None = None,
    folder: Path | None = None,
    jobs: int | None = None,
    resume: bool = False,
    single_file: bool = False,
    kernels: Kernels | None = None,
    progress: Progress | None = None,
    link: str | None = None,
    elsewhere: Mapping[str, Mapping[str, Any]] | None = None,
) -> ReportResult:
    """Run the notebooks *names* on *source* for start <= time < end, or for the named *period*, and write their pages.

    *source* and *time_zone* default to the settings; *start* and *end* are as ``open_report`` takes them, *period* is
    ``2026``, ``2026-Q4``, ``2026-10``, ``2026-W44`` or ``2026-11-22``. *given* sets the notebooks' own parameters,
    ``{"user": "ann"}``, in each that has them. *folder* has other notebooks than the package's.

    The report goes to *out*, that of a named period to a folder of its name there: see ``store.collection``. Until all
    of it is written, the earlier report stays. *jobs* notebooks run at a time (default: the number of CPUs). *resume*
    runs only those that failed, or that a killed run did not reach, if nothing else has changed. *kernels* can serve
    several runs. A cell that fails, or a notebook that cannot be run at all, is shown on its page and in the result.
    The summary links to the pages at *link*, and also compares with reports that are *elsewhere* (folder, manifest).

    Raises UnknownName for a notebook that does not exist, WrongUse for a malformed period, a parameter that no notebook
    has or an *out* that holds other files, SourceError or LakeError for the source, ReportError where another run makes
    the same report or nothing can be written.
    """
    if source is None:
        source = default_source()
    time_zone = time_zone or str(settings().time_zone)
    zone(time_zone)
    if jobs is not None and jobs < 1:
        raise WrongUse(f"--jobs {jobs} must be at least 1")
    progress = progress or Silent()
    out = Path(out)
    paths = chosen(names, notebooks(folder))
    key, first, last = _period(period, start, end, time_zone)
    connect(source, functions=own_functions()).close()  # fail before anything is replaced
    parameters = {
        "source": str(source),
        "start": first.isoformat() if first else None,
        "end": last.isoformat() if last else None,
        "time_zone": time_zone,
        "show_prompts": show_prompts,
    }
    own = own_parameters(paths, given or {}, parameters)
    about = {
        "source": source_in_words(str(source)),
        "key": key,
        "start": parameters["start"],
        "end": parameters["end"],
        "time_zone": time_zone,
        "show_prompts": show_prompts,
        "given": dict(given or {}),
        "library": library_digest(own_functions()),
        "versions": versions(),
    }
    where: dict[str, Any] = {"otherwise": manifest.span_name(first, last, time_zone), "source": about["source"]}
    began = time.perf_counter()
    at = report_folder(out, key, **where)
    with locked(at):
        if resume and (whole := complete_report(at, about, paths)):
            progress.message(f"nothing failed: '{at}' stays as it is")
            return ReportResult(at / "index.html", manifest=whole)
        made = kept_pages(at, about, paths, progress.message) if resume else {}
        if not made:
            forget(at)
        rest = {name: path for name, path in paths.items() if name not in made}
        run = _Run(at, about, {name: parameters | own[name] for name in paths}, progress, jobs or cores(), kernels)
        older = list(made)
        made |= run.pages(rest)
        if older and source_changed(entry for _, entry in made.values()):
            progress.message(f"the source's rows changed since {' and '.join(older)} ran: run again")
            made |= run.pages({name: paths[name] for name in older})
        pages = [made[name] for name in paths]
        found = manifest.manifest(
            about | {"made": datetime.now(UTC).isoformat(timespec="seconds")},
            [entry for _, entry in pages],
            time.perf_counter() - began,
        )
        covered = span(found["headline"]) if found["headline"]["FirstRequest"] else None
        found["period"] = in_words(first, last, time_zone, covered)
        files = report_files([page for page, _ in pages], found, single_file=single_file, in_collection=at != out)
        others = dict(elsewhere or {}) | {folder.name: of for folder, of in reports(out)}
        files = with_summary(files, at.name if at != out else where["otherwise"], others.items(), link=link)
        at = save_report(out, key, files, **where)
        if not found["failed"]:
            forget(at)
    return ReportResult(
        at / "index.html",
        tuple(f"{page.name}: {item['where']}: {item['what']}" for page, _ in pages for item in page.failures),
        tuple(f"{page.name}: {item['where']}: {item['what']}" for page, _ in pages for item in page.problems),
        found,
    )


@dataclass
class _Run:
    """One run of notebooks, for the report in the folder ``at``."""

    at: Path
    about: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    progress: Progress
    jobs: int
    kernels: Kernels | None

    def pages(self, paths: Mapping[str, Path]) -> dict[str, Made]:
        """The pages of the notebooks, ``jobs`` at a time, those that take long first."""
        if not paths:
            return {}
        # Kernels end before the pool is waited for, so that a run that is stopped stops at once.
        with (
            ThreadPoolExecutor(min(self.jobs, len(paths))) as pool,
            nullcontext(self.kernels) if self.kernels else Kernels() as kernels,
        ):
            # While the kernels' imports go on, and before there are threads.
            import papermill.execute  # noqa: F401

            html.plotly_script()

            order = sorted(paths, key=lambda name: not settings_of(paths[name]).get("long", False))
            waiting = {name: pool.submit(self._page, name, paths[name], kernels) for name in order}
            try:
                return {name: waiting[name].result() for name in paths}
            except BaseException as error:
                for future in waiting.values():
                    future.cancel()
                if not isinstance(error, Exception):
                    kernels.close()
                raise

    def _page(self, name: str, path: Path, kernels: Kernels) -> Made:
        """The page of a notebook, also where it could not be run to its end."""
        self.progress.began(name)
        began = time.perf_counter()
        try:
            cells = partial(self.progress.cell, name)
            page = read_page(name, run_notebook(path, self.parameters[name], kernels=kernels, cells=cells))
        except NotebookStopped as stopped:
            page = read_page(name, stopped.notebook or {"cells": []})
            failure = {"where": "The notebook", "what": str(stopped)}
            page.failures.append(failure)
            page.parts.append({"kind": "failure"} | failure)
        problems = len(page.failures) + len(page.problems)
        entry = manifest.entry(page, seconds=time.perf_counter() - began, notebook=digest(path))
        if not problems:
            keep(self.at, self.about, (page, entry))
        self.progress.ended(name, problems)
        return page, entry


def _period(period: str | None, start: Moment, end: Moment, time_zone: str) -> tuple[str | None, Any, Any]:
    """The named period's key, and when it begins and ends."""
    if period:
        if start or end:
            raise WrongUse("a named period cannot be combined with start and end")
        of_name = named(period)
        return of_name.key, *of_name.span(time_zone)
    first, last = moment(start, time_zone, "start"), moment(end, time_zone, "end")
    if first and last and first >= last:
        raise WrongUse(f"the period ends ({end}) before it starts ({start})")
    return None, first, last
