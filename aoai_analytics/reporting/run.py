"""From the names of notebooks to a folder of pages that opens from a file, whole or not at all."""

from __future__ import annotations

import difflib
import hashlib
import json
import os
import threading
import time
from collections.abc import Iterator, Mapping, Sequence
from concurrent.futures import ThreadPoolExecutor
from contextlib import AbstractContextManager, contextmanager, nullcontext
from dataclasses import dataclass, field
from datetime import UTC, datetime
from functools import partial
from pathlib import Path
from typing import Any, Protocol

from ..config import settings, shipped
from ..engines import connect
from ..errors import UnknownName, WrongUse
from ..format.periods import Moment, in_words, moment, named, zone
from ..prices import apply_own_prices
from . import kept, manifest, rendering
from .assembly import report_files
from .collection import place, reports, span_name, store
from .execution import Kernels, NotebookStopped, run_notebook
from .folder import making
from .kept import Made
from .pages import Page, read_page
from .session import source_without_secrets
from .summary import with_summary

#: Notebooks that make a report when none is named.
DEFAULT = ("tokens",)


class Progress(Protocol):
    """Is told how a run goes on, from several threads."""

    def said(self, text: str) -> None:
        """A word about the run."""

    def began(self, name: str) -> None:
        """A notebook begins."""

    def cell(self, name: str, done: int, of: int) -> None:
        """A notebook's cell is done."""

    def ended(self, name: str, problems: int) -> None:
        """A notebook's page is made; *problems* are its failures and doubts."""


class Silent:
    """Progress that nobody looks at."""

    def said(self, text: str) -> None: ...
    def began(self, name: str) -> None: ...
    def cell(self, name: str, done: int, of: int) -> None: ...
    def ended(self, name: str, problems: int) -> None: ...


@dataclass(frozen=True)
class ReportResult:
    """A report: the path of its index page, what failed or is in doubt in it (one line each), and its manifest."""

    index: Path
    failures: tuple[str, ...] = ()
    problems: tuple[str, ...] = ()
    manifest: dict[str, Any] = field(default_factory=dict)

    @property
    def failed(self) -> bool:
        """Whether a cell failed or a number is in doubt: the report is there, but the run has failed."""
        return bool(self.failures or self.problems)


def notebooks(folder: Path | None = None) -> dict[str, Path]:
    """The analysis notebooks by name; those in *folder*, or those that come with the package."""
    folder = folder or shipped("notebooks") / "analysis"
    return {path.stem: path for path in sorted(folder.glob("*.ipynb"))}


def standing(folder: Path | None = None) -> list[str]:
    """The notebooks of a report for which none is named: those whose metadata does not keep them for who names them."""
    return [name for name, path in notebooks(folder).items() if _about(path).get("standing", True)]


def cores() -> int:
    """The cores that this process may use."""
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
    ``2026-10``, ``2026-W44`` or ``2026-11-22``. *given* sets parameters of the notebooks' own, ``{"user": "ann"}``, in
    each that has them. *folder* holds other notebooks than the package's.

    The report goes to *out*, that of a named period to a folder of its name there: see ``collection``. Until all of it
    is written, the one of before stays. *jobs* notebooks run at a time, by default as many as there are cores. *resume*
    runs only those that failed, or that a killed run left undone, where nothing else has changed. *kernels* serve
    several runs. A cell that fails, or a notebook that cannot be run at all, is said on its page and in the result.
    The summary leads to the pages at *link*, and compares also with reports that are *elsewhere* (folder, manifest).

    Raises UnknownName for a notebook that does not exist, WrongUse for a malformed period, a parameter that no notebook
    has or an *out* that holds other files, SourceError or LakeError for the source, ReportError where another run makes
    the same report or nothing can be written.
    """
    if source is None:
        source = settings().source or settings().lake
    time_zone = time_zone or str(settings().time_zone)
    zone(time_zone)
    if jobs is not None and jobs < 1:
        raise WrongUse(f"--jobs {jobs} must be at least 1")
    progress = progress or Silent()
    out = Path(out)
    paths = _chosen(names, notebooks(folder))
    key, first, last = _period(period, start, end, time_zone)
    connect(source).close()  # a source that cannot be opened is said at once, and the report of before stays
    apply_own_prices()
    parameters = {
        "source": str(source),
        "start": first.isoformat() if first else None,
        "end": last.isoformat() if last else None,
        "time_zone": time_zone,
        "show_prompts": show_prompts,
    }
    own = _own_parameters(paths, given or {}, parameters)
    about = {
        "source": source_without_secrets(str(source)),
        "key": key,
        "start": parameters["start"],
        "end": parameters["end"],
        "period": in_words(first, last, time_zone),
        "time_zone": time_zone,
        "show_prompts": show_prompts,
        "given": dict(given or {}),
        "library": manifest.library_digest(),
        "versions": manifest.versions(),
    }
    where: dict[str, Any] = {"otherwise": span_name(first, last, time_zone), "source": about["source"]}
    began = time.perf_counter()
    at = place(out, key, **where)
    with making(at):
        if resume and (whole := _whole(at, about, paths)):
            progress.said(f"nothing failed: '{at}' stays as it is")
            return ReportResult(at / "index.html", manifest=whole)
        made = _to_keep(at, about, paths, progress) if resume else {}
        if not made:
            kept.forget(at)
        todo = {name: path for name, path in paths.items() if name not in made}
        run = _Run(at, about, {name: parameters | own[name] for name in paths}, progress)
        made |= run.all(todo, jobs or cores(), kernels)
        if again := run.moved(made, todo):
            progress.said(f"the source has other rows than when {' and '.join(again)} ran: run again")
            made |= run.all({name: paths[name] for name in again}, jobs or cores(), kernels)
        pages = [made[name] for name in paths]
        said = manifest.manifest(
            about | {"made": datetime.now(UTC).isoformat(timespec="seconds")},
            [entry for _, entry in pages],
            time.perf_counter() - began,
        )
        files = report_files([page for page, _ in pages], said, single_file=single_file, in_collection=at != out)
        others = dict(elsewhere or {}) | {folder.name: found for folder, found in reports(out)}
        files = with_summary(files, at.name if at != out else where["otherwise"], others.items(), link=link)
        at = store(out, key, files, **where)
        if not said["failed"]:
            kept.forget(at)
    return ReportResult(
        at / "index.html",
        tuple(f"{page.name}: {item['where']}: {item['what']}" for page, _ in pages for item in page.failures),
        tuple(f"{page.name}: {item['where']}: {item['what']}" for page, _ in pages for item in page.problems),
        said,
    )


@dataclass
class _Run:
    """One run of notebooks, for the report in the folder ``at``."""

    at: Path
    about: Mapping[str, Any]
    parameters: Mapping[str, Mapping[str, Any]]
    progress: Progress

    def all(self, paths: Mapping[str, Path], jobs: int, kernels: Kernels | None) -> dict[str, Made]:
        """The pages of the notebooks, *jobs* at a time, and those that take long first."""
        if not paths:
            return {}
        # Kernels end before the pool is waited for: a run that is stopped stops at once.
        with (
            # One more than run at a time: its kernel starts meanwhile.
            ThreadPoolExecutor(min(jobs + 1, len(paths))) as pool,
            nullcontext(kernels) if kernels else Kernels() as serving,
        ):
            # While the kernels' imports go on, and before there are threads.
            import papermill.execute  # noqa: F401

            rendering.plotly_script()

            order = sorted(paths, key=lambda name: not _about(paths[name]).get("long", False))
            turns = _Turns(order, jobs)
            waiting = {name: pool.submit(self._one, name, paths[name], serving, turns) for name in order}
            try:
                return {name: waiting[name].result() for name in paths}
            except BaseException as error:
                for future in waiting.values():
                    future.cancel()
                if not isinstance(error, Exception):
                    serving.close()  # who stops a run does not wait for its notebooks
                raise

    def moved(self, made: Mapping[str, Made], just_now: Mapping[str, Path]) -> list[str]:
        """The kept pages that were made of other rows than those made just now."""
        older = [name for name in made if name not in just_now]
        return older if manifest.moved(entry for _, entry in made.values()) else []

    def _one(self, name: str, path: Path, kernels: Kernels, turns: _Turns) -> Made:
        began = time.perf_counter()

        @contextmanager
        def turn() -> Iterator[None]:
            nonlocal began
            with turns.of(name):
                began = time.perf_counter()
                self.progress.began(name)
                yield

        try:
            page = _page(name, path, self.parameters[name], kernels, self.progress, turn())
        finally:
            turns.over(name)
        problems = len(page.failures) + len(page.problems)
        entry = manifest.entry(page, seconds=time.perf_counter() - began, notebook=_digest(path))
        if not problems:
            kept.keep(self.at, self.about, (page, entry))
        self.progress.ended(name, problems)
        return page, entry


class _Turns:
    """Lets *jobs* notebooks run at a time, begun in the order of their *names*."""

    def __init__(self, names: Sequence[str], jobs: int):
        self._waiting = list(names)
        self._free = jobs
        self._changed = threading.Condition()

    @contextmanager
    def of(self, name: str) -> Iterator[None]:
        """The notebook's turn, which is waited for."""
        with self._changed:
            self._changed.wait_for(lambda: self._free and self._waiting[0] == name)
            self._free -= 1
        self.over(name)
        try:
            yield
        finally:
            with self._changed:
                self._free += 1
                self._changed.notify_all()

    def over(self, name: str) -> None:
        """Nobody waits for the notebook: it has its turn, or never will."""
        with self._changed:
            if name in self._waiting:
                self._waiting.remove(name)
                self._changed.notify_all()


def _page(
    name: str,
    path: Path,
    parameters: Mapping[str, Any],
    kernels: Kernels,
    progress: Progress,
    turn: AbstractContextManager[None],
) -> Page:
    """The page of a notebook, also where it could not be run to its end."""
    try:
        notebook = run_notebook(path, parameters, kernels=kernels, cells=partial(progress.cell, name), turn=turn)
    except NotebookStopped as stopped:
        page = read_page(name, stopped.notebook or {"cells": []})
        failure = {"where": "The notebook", "what": str(stopped)}
        page.failures.append(failure)
        page.parts.append({"kind": "failure"} | failure)
        return page
    return read_page(name, notebook)


def _whole(at: Path, about: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any] | None:
    """The manifest of the report that is there, where none of it needs to be made again."""
    found = manifest.read(at)
    if found is None or not manifest.whole(found, about, list(paths)):
        return None
    digests = {page["name"]: page.get("notebook") for page in found["pages"]}
    return found if all(digests[name] == _digest(path) for name, path in paths.items()) else None


def _to_keep(at: Path, about: Mapping[str, Any], paths: Mapping[str, Path], progress: Progress) -> dict[str, Made]:
    """The pages that need not be made again, by name; why there are none is said."""
    found = kept.kept(at, paths)
    good: dict[str, Made] = {}
    why = "" if found or not at.exists() else "no page of an earlier run is kept"
    for name, (of, made) in found.items():
        if changed := manifest.differs(of, about):
            why = changed
        elif made[1].get("notebook") != _digest(paths[name]):
            why = f"the notebook {name} changed"
        else:
            good[name] = made
    if why:
        rest = f"all but {' and '.join(good)}" if good else "all"
        progress.said(f"{why}: run {rest}")
    return good


def _period(period: str | None, start: Moment, end: Moment, time_zone: str) -> tuple[str | None, Any, Any]:
    """The named period's key, and the moments it begins and ends."""
    if period:
        if start or end:
            raise WrongUse("a named period cannot be combined with start and end")
        of_name = named(period)
        return of_name.key, *of_name.span(time_zone)
    first, last = moment(start, time_zone, "start"), moment(end, time_zone, "end")
    if first and last and first >= last:
        raise WrongUse(f"the period ends ({end}) before it starts ({start})")
    return None, first, last


def _about(path: Path) -> dict[str, Any]:
    """What a notebook's metadata says to this package; nothing where it cannot be read, as running it will say so."""
    try:
        return dict(json.loads(path.read_text("utf-8"))["metadata"].get("aoai_analytics", {}))
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def _digest(path: Path) -> str:
    return hashlib.sha256(path.read_bytes()).hexdigest()


def _chosen(names: Sequence[str], known: dict[str, Path]) -> dict[str, Path]:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise UnknownName(f"unknown report '{name}'; use {', '.join(near or known) or 'none'}")
    if not names:
        raise WrongUse("give at least one report")
    return {name: known[name] for name in dict.fromkeys(names)}


def _own_parameters(
    paths: Mapping[str, Path], given: Mapping[str, str], common: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """What of *given* each notebook takes. Raises WrongUse for what none does."""
    if not given:
        return {name: {} for name in paths}
    from papermill import inspect_notebook

    takes = {name: set(inspect_notebook(str(path))) - common.keys() for name, path in paths.items()}
    known = sorted(set().union(*takes.values()))
    for parameter in given:
        if parameter not in known:
            names = " and ".join(paths)
            raise WrongUse(f"{names}: no parameter '{parameter}'; use {', '.join(known) or 'none'}")
    return {name: {key: value for key, value in given.items() if key in own} for name, own in takes.items()}
