"""From the names of notebooks to a folder of pages that opens from a file, whole or not at all."""

from __future__ import annotations

import difflib
import json
import tempfile
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..config import settings, shipped
from ..engines import connect
from ..errors import UnknownName, WrongUse
from .assembly import report_files
from .folder import replace_folder, written_by_us
from .headline import headline_numbers
from .pages import Page, read_page
from .period import Moment, in_words, moment, zone
from .session import source_without_secrets

#: Notebooks that make a report when none is named.
DEFAULT = ("tokens",)
#: Packages that decide what a report says.
_PACKAGES = (
    "aoai-analytics",
    "azure-kusto-data",
    "azure-monitor-query",
    "deltalake",
    "duckdb",
    "duckdb-kql",
    "pandas",
    "papermill",
    "plotly",
    "pyarrow",
)


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
    kept = []
    for name, path in notebooks(folder).items():
        about = json.loads(path.read_text("utf-8"))["metadata"].get("aoai_analytics", {})
        if about.get("standing", True):
            kept.append(name)
    return kept


def make_report(
    names: Sequence[str] = DEFAULT,
    *,
    source: str | Path | None = None,
    start: Moment = None,
    end: Moment = None,
    time_zone: str | None = None,
    out: Path | str = "reports",
    show_prompts: bool = False,
    given: Mapping[str, str] | None = None,
    folder: Path | None = None,
    progress: Callable[[str], None] | None = None,
) -> ReportResult:
    """Run the notebooks *names* on *source* for start <= time < end and write their pages to the folder *out*.

    *source* and *time_zone* default to the settings; *start* and *end* are as ``open_report`` takes them. *given*
    sets parameters of the notebooks' own, e.g. ``{"user": "ann"}``, in each that has them. *folder* holds other
    notebooks than the package's; *progress* is called with each notebook's name as it begins. The folder *out* holds
    ``index.html``, a page a notebook, ``plotly.min.js``, ``report.js`` and ``manifest.json``; until all of it
    is written, the one of before stays. Raises UnknownName for a notebook that does not exist, WrongUse for a
    malformed period, a parameter that no notebook has or an *out* that holds other files, SourceError or LakeError
    for the source, ReportError where no kernel can run.
    """
    if source is None:
        source = settings().source or settings().lake
    time_zone = time_zone or str(settings().time_zone)
    zone(time_zone)
    out = Path(out)
    paths = _chosen(names, notebooks(folder))
    first, last = moment(start, time_zone, "start"), moment(end, time_zone, "end")
    if first and last and first >= last:
        raise WrongUse(f"the period ends ({end}) before it begins ({start})")
    written_by_us(out)
    connect(source).close()  # a source that cannot be opened is said at once, and the report of before stays
    parameters = {
        "source": str(source),
        "start": first.isoformat() if first else None,
        "end": last.isoformat() if last else None,
        "time_zone": time_zone,
        "show_prompts": show_prompts,
    }
    own = _own_parameters(paths, given or {}, parameters)
    began = time.perf_counter()
    pages = []
    with tempfile.TemporaryDirectory() as scratch:
        for name, path in paths.items():
            if progress:
                progress(name)
            pages.append(_run_page(name, path, parameters | own[name], Path(scratch)))
    about = {
        "source": source_without_secrets(str(source)),
        "start": parameters["start"],
        "end": parameters["end"],
        "period": in_words(first, last, time_zone),
        "time_zone": time_zone,
        "show_prompts": show_prompts,
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
    }
    manifest = about | _manifest(pages) | {"seconds": round(time.perf_counter() - began, 2)}
    replace_folder(out, report_files([page for page, _ in pages], manifest))
    return ReportResult(
        out / "index.html",
        tuple(f"{page.name}: {item['where']}: {item['what']}" for page, _ in pages for item in page.failures),
        tuple(f"{page.name}: {item['where']}: {item['what']}" for page, _ in pages for item in page.problems),
        manifest,
    )


def _chosen(names: Sequence[str], known: dict[str, Path]) -> dict[str, Path]:
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise UnknownName(f"there is no report '{name}'; there is {', '.join(near or known) or 'none'}")
    if not names:
        raise WrongUse("name at least one report")
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
            raise WrongUse(f"{names}: no parameter '{parameter}'; there is {', '.join(known) or 'none'}")
    return {name: {key: value for key, value in given.items() if key in own} for name, own in takes.items()}


def _run_page(name: str, path: Path, parameters: dict[str, Any], scratch: Path) -> tuple[Page, float]:
    from .execution import run_notebook

    began = time.perf_counter()
    notebook = run_notebook(path, parameters, scratch / f"{name}.ipynb")
    return read_page(name, notebook), time.perf_counter() - began


def _manifest(pages: list[tuple[Page, float]]) -> dict[str, Any]:
    import platform
    from importlib.metadata import PackageNotFoundError, version

    versions = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            versions[package] = version(package)
        except PackageNotFoundError:
            continue
    return {
        "failed": any(page.failures or page.problems for page, _ in pages),
        "headline": headline_numbers([page for page, _ in pages]),
        "pages": [
            {
                "name": page.name,
                "title": page.title,
                "file": f"{page.name}.html",
                "seconds": round(seconds, 2),
                "coverage": dict(page.head["numbers"]) if page.head else None,
                "queries": [
                    {key: answer[key] for key in ("name", "digest", "rows", "seconds")} for answer in page.answers
                ],
                "failures": page.failures,
                "problems": page.problems,
            }
            for page, seconds in pages
        ],
        "versions": versions,
    }
