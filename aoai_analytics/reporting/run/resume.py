"""Pages of a run that failed or was killed, kept so that ``--resume`` need not make them again.

They are beside the report's folder, hidden, ``.2026-10.kept/tokens.json.gz``, from when a page is made until the
whole report is there. Each records what it was made of; a page made of something else is not used.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Callable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ...errors import ReportError
from .. import manifest
from ..render.pages import Page
from .notebooks import digest
from .provenance import differs

#: A page, and its entry in the manifest.
Made = tuple[Page, dict[str, Any]]


def keep(folder: Path, about: Mapping[str, Any], made: Made) -> None:
    """Keep a page of the report in *folder*, made of what *about* says. Raises ReportError."""
    page, entry = made
    path = _kept_in(folder) / f"{page.name}.json.gz"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        half = path.with_suffix(".half")
        half.write_bytes(gzip.compress(json.dumps({"of": about, "page": asdict(page), "entry": entry}).encode(), 1))
        os.replace(half, path)
    except OSError as error:
        raise ReportError(f"'{path.parent}' cannot be written: {error.strerror or error}") from error


def forget(folder: Path) -> None:
    """Remove the kept pages of the report in *folder*."""
    shutil.rmtree(_kept_in(folder), ignore_errors=True)


def complete_report(folder: Path, about: Mapping[str, Any], paths: Mapping[str, Path]) -> dict[str, Any] | None:
    """The manifest of the report in *folder*, where nothing of it needs to be made again."""
    found = manifest.read(folder)
    if found is None or not manifest.whole(found, about, list(paths)):
        return None
    digests = {page["name"]: page.get("notebook") for page in found["pages"]}
    return found if all(digests[name] == digest(path) for name, path in paths.items()) else None


def kept_pages(
    folder: Path, about: Mapping[str, Any], paths: Mapping[str, Path], say: Callable[[str], None]
) -> dict[str, Made]:
    """The kept pages that can be used again, by name; *say* is called with why others are run."""
    good: dict[str, Made] = {}
    why, found = "", False
    for name, path in paths.items():
        try:
            read = json.loads(gzip.decompress((_kept_in(folder) / f"{name}.json.gz").read_bytes()))
            of, made = read["of"], (Page(**read["page"]), read["entry"])
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            continue  # none, or of another version of this package
        found = True
        if changed := differs(of, about):
            why = changed
        elif made[1].get("notebook") != digest(path):
            why = f"the notebook {name} changed"
        else:
            good[name] = made
    if not found and folder.exists():
        why = "no page of an earlier run is kept"
    if why:
        rest = f"all but {' and '.join(good)}" if good else "all"
        say(f"{why}: run {rest}")
    return good


def _kept_in(folder: Path) -> Path:
    return folder.absolute().parent / f".{folder.name}.kept"
