"""What a report says of itself to a program: ``manifest.json``.

Its keys: ``source`` (without secrets), ``key`` (a named period's, or null), ``start`` and ``end`` (ISO 8601 in UTC,
null where open), ``period`` (in words), ``time_zone``, ``show_prompts``, ``given`` (parameters of the notebooks' own),
``made``, ``seconds``, ``failed``, ``headline`` (see ``headline.headline_numbers``), ``library`` (a hash of the KQL and
the own prices in force), ``versions``, ``files``, and for each of the ``pages`` what ``entry`` gives.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from ..config import shipped
from ..engines.kql.functions import replaced_functions
from .folder import MANIFEST
from .headline import headline_numbers
from .pages import Page

Manifest = Mapping[str, Any]

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
#: What must be the same for pages made at two times to be one report, and how it is called.
_SAME = {
    "source": "the source",
    "start": "the period",
    "end": "the period",
    "time_zone": "the time zone",
    "show_prompts": "--show-prompts",
    "given": "the parameters",
    "library": "the queries or the prices",
    "versions": "the installed packages",
}


def entry(page: Page, *, seconds: float, notebook: str) -> dict[str, Any]:
    """A page's part of the manifest.

    ``coverage`` is the row of health/coverage-head, null where the source could not be asked; ``notebook`` the SHA-256
    of the notebook, as each query's ``digest`` is that of the query as run.
    """
    return {
        "name": page.name,
        "title": page.title,
        "lead": page.lead,
        "file": f"{page.name}.html",
        "made": datetime.now(UTC).isoformat(timespec="seconds"),
        "seconds": round(seconds, 2),
        "notebook": notebook,
        "coverage": dict(page.head["numbers"]) if page.head else None,
        "headline": {key: value for key, value in headline_numbers([page]).items() if value is not None},
        "queries": [{key: answer[key] for key in ("name", "digest", "rows", "seconds")} for answer in page.answers],
        "failures": page.failures,
        "problems": page.problems,
    }


def manifest(about: Mapping[str, Any], pages: Sequence[Mapping[str, Any]], seconds: float) -> dict[str, Any]:
    """The whole of it but for ``files``, from what the run is *about* and its pages' entries."""
    headline = headline_numbers([])
    for page in pages:
        for key, value in page["headline"].items():
            headline[key] = value if headline[key] is None else headline[key]
    failed = any(page["failures"] or page["problems"] for page in pages)
    return {**about, "failed": failed, "headline": headline, "seconds": round(seconds, 2), "pages": list(pages)}


def read(folder: Path) -> dict[str, Any] | None:
    """The manifest of the report in *folder*; None where there is none."""
    try:
        found = json.loads((folder / MANIFEST).read_text("utf-8"))
        return found if isinstance(found["pages"], list) else None
    except (OSError, ValueError, KeyError, TypeError):
        return None


def whole(found: Manifest, about: Mapping[str, Any], names: Sequence[str]) -> bool:
    """Whether *found* is the manifest of a report of all the notebooks *names* without a failure, as *about* says."""
    return (
        not found.get("failed", True)
        and set(names) <= {page.get("name") for page in found["pages"]}
        and all(found.get(key) == value for key, value in about.items())
    )


def differs(before: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Why a report made *before* cannot be gone on with, in words; '' where it can."""
    for key, words in _SAME.items():
        if before.get(key) != about[key]:
            return f"{words} changed"
    return ""


def moved(pages: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the source's rows changed while *pages* were made: their heads, which ask the same, then differ.

    Sums of fractions are left out: their last digits depend on the order of adding.
    """
    found = [
        {name: value for name, value in page["coverage"].items() if not isinstance(value, float)}
        for page in pages
        if page["coverage"] is not None
    ]
    return any(coverage != found[0] for coverage in found)


def versions() -> dict[str, str]:
    """The versions of what decides what a report says."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def library_digest() -> str:
    """A SHA-256 over the KQL of the library, with the own prices that are in force in this process."""
    digest = hashlib.sha256(json.dumps(dict(replaced_functions()), sort_keys=True).encode())
    for path in sorted(shipped("kql").glob("*/*.kql")):
        digest.update(f"{path.parent.name}/{path.stem}\0".encode() + path.read_bytes())
    return digest.hexdigest()
