"""A folder of reports: one subfolder per period, and an index of them all.

``OUT`` has one of two shapes. *Flat*, it is one report: ``OUT/index.html``, ``OUT/manifest.json``. As a *collection*
it has a folder per report, ``OUT/2026-10/index.html``, and its own ``OUT/index.html`` lists them. A run without a
named period leaves a flat or new folder flat; the first named period turns it into a collection, for good.

A run calls ``report_folder`` once its source is open, to fail early where it may not write, and ``save_report`` at its
end, which looks again, puts the files there and refreshes the index, all under one lock.
"""

from __future__ import annotations

import os
import re
import shutil
import tempfile
from collections.abc import Iterator, Mapping
from contextlib import contextmanager, suppress
from datetime import datetime, timedelta
from pathlib import Path
from typing import Any

from ...errors import ReportError, WrongUse
from .. import manifest
from ..manifest import MANIFEST, Manifest
from ..render.overview import index_page
from .folder import check_replaceable, replace_folder

INDEX = "index.html"
#: What an index of ours begins with, and nobody else's does; templates/reports.html has it.
MARK = '<meta name="generator" content="aoai-analytics reports">'
#: What may name a report's folder.
NAME = re.compile(r"[A-Za-z0-9][\w.-]*", re.ASCII)
_DESKTOPS = {".DS_Store", "Thumbs.db", "desktop.ini"}
_EXPIRED = ".expired-"
#: What killed runs leave: a half-written report, pages to resume with, a report on its way out.
_LEFT = re.compile(r"\.[\w.-]+\.(kept|lock|old|new-\w+|expired-\w+)", re.ASCII)


def report_folder(out: Path, key: str | None, *, otherwise: str = "all", source: str | None = None) -> Path:
    """The folder that a report goes to: *out* itself or a folder in it.

    *key* is the period's name (``2026-Q4``, ``2026-10``, ``2026-W44``), which always gets a folder of that name;
    None is a run without a named period, which goes to *out* itself where that is new, empty or flat, and else to the
    folder *otherwise* (see ``manifest.span_name``). *source* is the manifest's: where the folder of that name has the
    report of another source, this one gets its own name beside it (``2026-10-2``), and keeps it.

    A flat report in the way of a named period is first moved to its own folder; a run killed in between leaves it
    readable, and the next one completes the move. Raises WrongUse where *out* or the folder holds other files,
    ReportError where the flat report cannot be moved.
    """
    with _alone(out):
        return _report_folder(out, key, otherwise, source)


def save_report(
    out: Path, key: str | None, files: Mapping[str, bytes], *, otherwise: str = "all", source: str | None = None
) -> Path:
    """Put a report's *files* where ``report_folder`` says and refresh the index; returns the report's folder.

    One at a time, so that a run that ends at the same moment loses neither its report nor its line in the index.
    Raises what ``report_folder``, ``folder.replace_folder`` and ``refresh_index`` do.
    """
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        folder = _report_folder(out, key, otherwise, source)
        replace_folder(folder, files)
        _refresh(out)
        return folder


def refresh_index(out: Path) -> Path | None:
    """Rewrite the collection's index from the manifests in it, at once or not at all; returns its path.

    None where *out* is a flat report or not a collection; nothing is written then. Raises ReportError where it cannot
    be written.
    """
    with _alone(out):
        return _refresh(out)


def drop_expired(out: Path, keep: timedelta, now: datetime) -> list[str]:
    """Remove the reports whose period ended longer than *keep* before *now*, refresh the index, return their names.

    A report of an open period counts from when it was made. A folder that holds other files stays, as do a flat report
    and everything that is not a report. Raises WrongUse for a *keep* that is not above zero, ReportError where a
    report cannot be removed.
    """
    if keep <= timedelta():
        raise WrongUse(f"--keep must be a positive duration, not {keep}: use e.g. 400d")
    with _alone(out):
        _end_move(out)
        if not _is_collection(out):
            return []
        try:
            gone = [path for path in out.glob(f".*{_EXPIRED}*") if path.is_dir() and not path.is_symlink()]
            dropped = []
            for folder, found in reports(out):
                if manifest.expired(found, keep, now) and _only_ours(folder):
                    away = Path(tempfile.mkdtemp(prefix=f".{folder.name}{_EXPIRED}", dir=out))
                    os.rename(folder, away / folder.name)
                    gone.append(away)
                    dropped.append(folder.name)
            if dropped:
                _write_index(out)
            for path in gone:
                shutil.rmtree(path)
        except OSError as error:
            raise ReportError(f"cannot delete old reports from '{out}': {error.strerror or error}") from error
        return dropped


def reports(out: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The reports in the collection *out*: each one's folder and manifest, by name."""
    if not out.is_dir():
        return []
    folders = (path for path in sorted(out.iterdir()) if not path.name.startswith("."))
    return [
        (folder, found)
        for folder in folders
        if folder.is_dir() and not folder.is_symlink() and (found := manifest.read(folder)) is not None
    ]


def free_name(key: str, source: str | None, there: Mapping[str, Manifest]) -> str:
    """The name of the folder of *source*'s report of *key*, beside the reports that are *there*. Raises WrongUse."""
    if not NAME.fullmatch(key):
        raise WrongUse(f"'{key}' is not a valid folder name for a report: use letters, digits, '-' and '.'")
    if source is None:
        return key
    pattern = re.compile(re.escape(key) + r"(-[2-9]\d*)?")
    taken = {name: found.get("source") for name, found in there.items() if pattern.fullmatch(name)}
    for name in sorted(taken, key=lambda name: (len(name), name)):
        if taken[name] == source:
            return name
    number = 1
    while (name := key if number == 1 else f"{key}-{number}") in taken:
        number += 1
    return name


def _report_folder(out: Path, key: str | None, otherwise: str, source: str | None) -> Path:
    name = otherwise if key is None else key
    free_name(name, None, {})
    _end_move(out)
    if not _is_collection(out, named=key is not None):
        check_replaceable(out)
        if key is None:
            return out
        if (out / MANIFEST).exists():
            _move_flat(out)
    folder = out / free_name(name, source, {folder.name: found for folder, found in reports(out)})
    check_replaceable(folder)
    return folder


def _refresh(out: Path) -> Path | None:
    _end_move(out)
    return _write_index(out) if _is_collection(out) else None


def _is_collection(out: Path, *, named: bool = False) -> bool:
    """Whether *out* is a collection, also one whose first run was killed before its index; *named*: or may be one."""
    if not out.is_dir():
        return False
    if (out / INDEX).exists():
        return _marked(out / INDEX)
    shown = [path for path in out.iterdir() if not path.name.startswith(".") and path.name not in _DESKTOPS]
    ours = {folder for folder, _ in reports(out)}
    left = any(_LEFT.fullmatch(path.name) for path in out.iterdir())
    return all(path in ours for path in shown) and (named or bool(shown) or left)


def _marked(index: Path) -> bool:
    try:
        with open(index, encoding="utf-8") as file:
            return MARK in file.read(2_000)
    except (OSError, UnicodeDecodeError):
        return False


def _move_flat(out: Path) -> None:
    """Move the flat report in *out* to its own folder there.

    It is copied beside, renamed into place, and only then are the flat files removed, the manifest last: whenever this
    is killed, the whole report can be read, and ``_end_move`` knows by the two equal manifests what to do.
    """
    flat = manifest.read(out)
    if flat is None:
        raise WrongUse(f"cannot read the manifest of the report in '{out}': choose a new folder")
    name = manifest.folder_name(flat)
    beside, prefix = out.absolute().parent, f".{out.absolute().name}.moving-"
    try:
        for left in beside.glob(f"{prefix}*"):  # by a killed run
            shutil.rmtree(left)
        copy = Path(tempfile.mkdtemp(prefix=prefix, dir=beside))
        try:
            copy.chmod(0o755)
            for file in flat["files"]:
                shutil.copy2(out / file, copy / file)
            os.rename(copy, out / name)
        except BaseException:
            shutil.rmtree(copy, ignore_errors=True)
            raise
    except OSError as error:
        raise ReportError(f"cannot move the report in '{out}' to '{out / name}': {error.strerror or error}") from error
    _end_move(out)


def _end_move(out: Path) -> None:
    """Complete the move of a flat report that has its copy in a folder: write the index, remove the flat files."""
    flat = manifest.read(out)
    if flat is None or not any(found == flat for _, found in reports(out)):
        return
    _write_index(out)
    for file in [*sorted(set(flat["files"]) - {INDEX, MANIFEST}), MANIFEST]:
        (out / file).unlink(missing_ok=True)


def _write_index(out: Path) -> Path:
    page = index_page([(folder.name, found) for folder, found in reports(out)])
    try:
        for left in out.glob(f".{INDEX}.new-*"):  # by a killed run
            left.unlink()
        handle, half = tempfile.mkstemp(prefix=f".{INDEX}.new-", dir=out)
        try:
            with os.fdopen(handle, "w", encoding="utf-8") as file:
                file.write(page)
            os.chmod(half, 0o644)
            os.replace(half, out / INDEX)
        except BaseException:
            Path(half).unlink(missing_ok=True)
            raise
    except OSError as error:
        raise ReportError(f"cannot write the index of '{out}': {error.strerror or error}") from error
    return out / INDEX


def _only_ours(folder: Path) -> bool:
    try:
        check_replaceable(folder)
    except WrongUse:
        return False
    return True


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold *out* against other runs. The lock is the operating system's and leaves no file.

    It is on the folder that *out* lies in, as *out* itself is renamed where a flat report is replaced. A system that
    cannot lock a folder (Windows, some network drives) goes without: let runs there end one after another.
    """
    try:
        import fcntl
    except ModuleNotFoundError:
        yield
        return
    parent = Path(out).absolute().parent
    while not parent.exists():  # a folder yet to be made has no reports: hold the first one there is
        parent = parent.parent
    handle = os.open(parent, os.O_RDONLY)
    try:
        with suppress(OSError):
            fcntl.flock(handle, fcntl.LOCK_EX)
        yield
    finally:
        os.close(handle)
