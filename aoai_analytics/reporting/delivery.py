"""Reports delivered to where people read them: a folder, or an Azure Storage container that is a static website.

What is delivered is a collection (see ``collection``): each report in a folder of its own, and an index of those that
are there, whoever delivered them. A report becomes visible whole; what is there already is not sent again; a delivery
that was broken off is made good by the next.
"""

from __future__ import annotations

import json
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import ReportError, WrongUse
from . import collection
from .folder import MANIFEST

if TYPE_CHECKING:
    from .website import Website

Manifest = Mapping[str, Any]


@dataclass(frozen=True)
class Delivered:
    """What a delivery did: names of the reports that were sent, were there already, and went for their age."""

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
        """Its files by name, of one run also where another one replaces the report meanwhile. Raises ReportError."""
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


def deliver(
    out: Path,
    to: str,
    *,
    keep: timedelta | None = None,
    now: datetime | None = None,
    credential: Any = None,
    prompts: bool = False,
) -> Delivered:
    """Deliver the reports in *out* to the folder or container *to*; those older than *keep* go there (None: none).

    *to* is a folder or ``https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX]``, which takes the role Storage Blob
    Data Contributor; *credential* as in ``connect``. *out* is a collection or one report; what is newer there stays.
    Reports made with ``show_prompts`` are held back unless *prompts*: the others are delivered, then ReportError is
    raised. Raises WrongUse where *to* is malformed or holds what we did not write, ReportError where it cannot be.
    """
    now = now or datetime.now(UTC)
    target = _website(to, credential) or _Folder.open(to)
    found = finished(out)
    held_back = [report.name for report in found if report.manifest.get("show_prompts") and not prompts]
    old = too_old({report.name: report.manifest for report in found}, keep, now)
    done = target.deliver([report for report in found if report.name not in (*held_back, *old)], keep, now)
    if held_back:
        raise ReportError(
            f"not delivered, because it may show prompts and responses: {', '.join(held_back)}. Run it again "
            "without --show-prompts, or use --deliver-prompts if every reader of the pages may read the prompts"
        )
    return done


def delivered(to: str, *, credential: Any = None) -> dict[str, Manifest]:
    """The manifests of the reports at *to* by the name of their folder: what need not be made again.

    A machine without yesterday's disk knows by them what is due, and what to compare with. Raises as ``deliver`` does.
    """
    return (_website(to, credential) or _Folder.open(to)).manifests()


def finished(out: Path) -> list[Finished]:
    """The reports in *out* that have all their files: of a collection, or the one that *out* is."""
    found = [Finished(folder.name, folder, manifest) for folder, manifest in collection.reports(out)]
    if (out / MANIFEST).is_file():
        try:
            flat = json.loads((out / MANIFEST).read_text("utf-8"))
            found.append(Finished(_own_name(flat), out, flat))
        except (OSError, ValueError, KeyError, TypeError) as error:
            raise ReportError(f"cannot read the manifest of the report in '{out}': run the report again") from error
    return [report for report in found if complete(report.folder, report.manifest)]


def complete(folder: Path, manifest: Manifest) -> bool:
    """Whether all files of the report are there."""
    return all((folder / name).is_file() for name in manifest["files"])


def made(manifest: Manifest) -> datetime:
    """When a report was made."""
    moment = datetime.fromisoformat(manifest["made"])
    return moment if moment.tzinfo else moment.replace(tzinfo=UTC)


def too_old(manifests: Mapping[str, Manifest], keep: timedelta | None, now: datetime) -> set[str]:
    """The names of those that are older than *keep*, by the rule of ``collection.drop_expired``."""
    if keep is None:
        return set()
    with tempfile.TemporaryDirectory() as scratch:
        return set(collection.drop_expired(mirror(manifests, Path(scratch)), keep, now))


def mirror(manifests: Mapping[str, Manifest], scratch: Path) -> Path:
    """A collection in *scratch* with nothing but *manifests*: ``collection`` judges reports elsewhere by it."""
    out = scratch / "reports"
    for name, manifest in manifests.items():
        (out / name).mkdir(parents=True)
        (out / name / MANIFEST).write_text(json.dumps(manifest), "utf-8")
    return out


def _own_name(manifest: Manifest) -> str:
    """The name of a report's folder in a collection, by its period."""
    start, end = (datetime.fromisoformat(manifest[name]) if manifest.get(name) else None for name in ("start", "end"))
    return str(manifest.get("key") or collection.span_name(start, end, manifest["time_zone"]))


def _website(to: str, credential: Any) -> Website | None:
    """The container that *to* names; None where it names a folder."""
    if "://" not in to:
        return None
    from .website import Website

    return Website.open(to, credential)


@dataclass(frozen=True)
class _Folder:
    path: Path

    @classmethod
    def open(cls, to: str) -> _Folder:
        path = Path(to).expanduser()
        if not path.absolute().parent.is_dir():
            raise WrongUse(f"no folder '{path.absolute().parent}' to deliver to: create or mount it")
        return cls(path)

    def manifests(self) -> dict[str, Manifest]:
        return {folder.name: manifest for folder, manifest in collection.reports(self.path)}

    def deliver(self, found: list[Finished], keep: timedelta | None, now: datetime) -> Delivered:
        sent, unchanged, size = [], [], 0
        for report in found:
            source = report.manifest.get("source")
            folder = collection.place(self.path, report.name, source=source)
            there = dict(collection.reports(self.path)).get(folder)
            newer = there is not None and made(there) > made(report.manifest)
            if newer or (there == report.manifest and complete(folder, report.manifest)):
                unchanged.append(folder.name)
                continue
            files = report.files()
            sent.append(collection.store(self.path, report.name, files, source=source).name)
            size += sum(map(len, files.values()))
        expired = collection.drop_expired(self.path, keep, now) if keep is not None else []
        return Delivered(str(self.path), tuple(sent), tuple(unchanged), tuple(expired), size)
