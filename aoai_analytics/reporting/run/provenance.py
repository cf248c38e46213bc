"""What a report was made of, and whether pages made at two times can be one report."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Iterable, Mapping
from typing import Any

from ...config import shipped

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
#: What must be the same for pages made at two times to be one report, and what it is called.
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


def differs(before: Mapping[str, Any], about: Mapping[str, Any]) -> str:
    """Why a report made *before* cannot be resumed, in words; '' where it can."""
    return next((f"{words} changed" for key, words in _SAME.items() if before.get(key) != about[key]), "")


def source_changed(pages: Iterable[Mapping[str, Any]]) -> bool:
    """Whether the source's rows changed while *pages* (manifest entries) were made: their coverages then differ.

    Sums of fractions are left out: their last digits depend on the order of adding.
    """
    found = [
        {name: value for name, value in page["coverage"].items() if not isinstance(value, float)}
        for page in pages
        if page["coverage"] is not None
    ]
    return any(coverage != found[0] for coverage in found)


def versions() -> dict[str, str]:
    """The versions of Python and of the packages that decide what a report says."""
    import platform
    from importlib.metadata import PackageNotFoundError, version

    found = {"python": platform.python_version()}
    for package in _PACKAGES:
        try:
            found[package] = version(package)
        except PackageNotFoundError:
            continue
    return found


def library_digest(own: Mapping[str, str]) -> str:
    """A SHA-256 over the KQL of the library and the functions that own prices replace."""
    digest = hashlib.sha256(json.dumps(dict(own), sort_keys=True).encode())
    for path in sorted(shipped("kql").glob("*/*.kql")):
        digest.update(f"{path.parent.name}/{path.stem}\0".encode() + path.read_bytes())
    return digest.hexdigest()
