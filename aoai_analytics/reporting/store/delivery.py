"""Deliver reports to where people read them: a folder, or an Azure Storage container that is a static website.

What is delivered is a collection (see ``collection``): each report in its own folder, and an index of those that are
there, whoever delivered them. A report becomes visible as a whole; files that are already there are not sent again; the
next delivery completes one that was interrupted.
"""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any, Protocol

from ...errors import ReportError, WrongUse
from .. import manifest
from ..manifest import Manifest
from . import collection
from .outgoing import Delivered, Finished, complete, finished


class Destination(Protocol):
    """Where reports are delivered to."""

    def manifests(self) -> dict[str, Manifest]:
        """The manifests of the reports that are there, by the name of their folder."""

    def deliver(self, found: Iterable[Finished], keep: timedelta | None, now: datetime) -> Delivered:
        """Send what is new of *found*, refresh the index, and remove what is older than *keep*."""


def deliver(
    out: Path,
    to: str,
    *,
    keep: timedelta | None = None,
    now: datetime | None = None,
    credential: Any = None,
    prompts: bool = False,
) -> Delivered:
    """Deliver the reports in *out* to the folder or container *to*; remove those older than *keep* there (None: none).

    *to* is a folder or ``https://ACCOUNT.blob.core.windows.net/CONTAINER[/PREFIX]``, which needs the role Storage Blob
    Data Contributor; *credential* is as in ``connect``. *out* is a collection or one report; newer reports at *to*
    stay. Reports made with ``show_prompts`` are held back unless *prompts*: the others are delivered, then ReportError
    is raised. Raises WrongUse where *to* is malformed or holds other files, ReportError where a delivery fails.
    """
    now = now or datetime.now(UTC)
    destination = _destination(to, credential)
    found = finished(out)
    held_back = [report.name for report in found if report.manifest.get("show_prompts") and not prompts]
    current = [
        report
        for report in found
        if report.name not in held_back and not (keep and manifest.expired(report.manifest, keep, now))
    ]
    done = destination.deliver(current, keep, now)
    if held_back:
        raise ReportError(
            f"not delivered, because it may show prompts and responses: {', '.join(held_back)}. Run it again "
            "without --show-prompts, or use --deliver-prompts if every reader of the pages may read the prompts"
        )
    return done


def delivered(to: str, *, credential: Any = None) -> dict[str, Manifest]:
    """The manifests of the reports at *to* by the name of their folder, which need not be made again.

    By them a machine without yesterday's disk knows what is due, and what to compare with. Raises as ``deliver`` does.
    """
    return _destination(to, credential).manifests()


def _destination(to: str, credential: Any) -> Destination:
    if "://" in to:
        from .website import Website  # Azure's libraries take a while to import

        return Website.open(to, credential)
    path = Path(to).expanduser()
    if not path.absolute().parent.is_dir():
        raise WrongUse(f"no folder '{path.absolute().parent}' to deliver to: create or mount it")
    return _Folder(path)


@dataclass(frozen=True)
class _Folder:
    path: Path

    def manifests(self) -> dict[str, Manifest]:
        return {folder.name: found for folder, found in collection.reports(self.path)}

    def deliver(self, found: Iterable[Finished], keep: timedelta | None, now: datetime) -> Delivered:
        sent, unchanged, size = [], [], 0
        for report in found:
            source = report.manifest.get("source")
            folder = collection.report_folder(self.path, report.name, source=source)
            there = self.manifests().get(folder.name)
            newer = there is not None and manifest.made(there) > manifest.made(report.manifest)
            if newer or (there == report.manifest and complete(folder, report.manifest)):
                unchanged.append(folder.name)
                continue
            files = report.files()
            sent.append(collection.save_report(self.path, report.name, files, source=source).name)
            size += sum(map(len, files.values()))
        expired = collection.drop_expired(self.path, keep, now) if keep is not None else []
        return Delivered(str(self.path), tuple(sent), tuple(unchanged), tuple(expired), size)
