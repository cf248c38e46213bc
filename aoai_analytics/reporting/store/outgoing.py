"""The reports on this machine that can be delivered, and what a delivery did."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

from ...errors import ReportError
from .. import manifest
from ..manifest import MANIFEST, Manifest
from .collection import reports


@dataclass(frozen=True)
class Delivered:
    """What a delivery did: names of the reports that were sent, were there already, or were removed for their age."""

    to: str
    sent: tuple[str, ...] = ()
    unchanged: tuple[str, ...] = ()
    expired: tuple[str, ...] = ()
    bytes: int = 0

    def __str__(self) -> str:
        parts = [f"{len(names)} {word}" for word in ("sent", "unchanged", "expired") if (names := getattr(self, word))]
        return f"{self.to}: {', '.join(parts) or 'nothing to deliver'}"


@dataclass(frozen=True)
class Finished:
    """A report on this machine, with all its files; ``name`` is its folder's in a collection."""

    name: str
    folder: Path
    manifest: Manifest

    def files(self) -> dict[str, bytes]:
        """Its files by name, of one run even where another run replaces the report meanwhile. Raises ReportError."""
        for _ in range(5):
            try:
                read = {name: (self.folder / name).read_bytes() for name in self.manifest["files"]}
                if json.loads(read[MANIFEST]) == self.manifest == json.loads((self.folder / MANIFEST).read_bytes()):
                    return read
            except FileNotFoundError:
                continue
            except OSError as error:
                raise ReportError(f"{error.filename}: {error.strerror}") from error
        raise ReportError(f"the report in '{self.folder}' was replaced during delivery: deliver it again")


def finished(out: Path) -> list[Finished]:
    """The reports in *out* that have all their files: of a collection, or the one that *out* is."""
    found = [Finished(folder.name, folder, of) for folder, of in reports(out)]
    if (out / MANIFEST).is_file():
        flat = manifest.read(out)
        if flat is None:
            raise ReportError(f"cannot read the manifest of the report in '{out}': run the report again")
        found.append(Finished(manifest.folder_name(flat), out, flat))
    return [report for report in found if complete(report.folder, report.manifest)]


def complete(folder: Path, of: Manifest) -> bool:
    """Whether all files of the report are there."""
    return all((folder / name).is_file() for name in of["files"])
