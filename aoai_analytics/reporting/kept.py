"""Pages of a run that failed or was killed, kept so that ``--resume`` need not make them again.

They lie beside the report's folder, hidden, ``.2026-10.kept/tokens.json.gz``, from when a page is made until the
report is there whole. Each says of what it was made; what differs is not taken.
"""

from __future__ import annotations

import gzip
import json
import os
import shutil
from collections.abc import Iterable, Mapping
from dataclasses import asdict
from pathlib import Path
from typing import Any

from ..errors import ReportError
from .pages import Page

#: A page, and its entry in the manifest.
Made = tuple[Page, dict[str, Any]]


def place_of(folder: Path) -> Path:
    """Where the pages of the report in *folder* are kept."""
    return folder.absolute().parent / f".{folder.name}.kept"


def keep(folder: Path, of: Mapping[str, Any], made: Made) -> None:
    """Keep a page of the report in *folder*, made *of* this source, period and so on. Raises ReportError."""
    page, entry = made
    path = place_of(folder) / f"{page.name}.json.gz"
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.parent.chmod(0o700)
        half = path.with_suffix(".half")
        half.write_bytes(gzip.compress(json.dumps({"of": of, "page": asdict(page), "entry": entry}).encode(), 1))
        os.replace(half, path)
    except OSError as error:
        raise ReportError(f"'{path.parent}' cannot be written: {error.strerror or error}") from error


def kept(folder: Path, names: Iterable[str]) -> dict[str, tuple[Mapping[str, Any], Made]]:
    """Of the pages *names* of the report in *folder*, those kept, each with what it was made of."""
    found = {}
    for name in names:
        try:
            read = json.loads(gzip.decompress((place_of(folder) / f"{name}.json.gz").read_bytes()))
            found[name] = (read["of"], (Page(**read["page"]), read["entry"]))
        except (OSError, EOFError, ValueError, KeyError, TypeError):
            continue  # none, or of another version of this package
    return found


def forget(folder: Path) -> None:
    """Keep nothing of the report in *folder* any longer."""
    shutil.rmtree(place_of(folder), ignore_errors=True)
