"""A folder of reports: one subfolder a period, and an index of them all.

``OUT`` is in one of two shapes. *Flat* it is one report: ``OUT/index.html``, ``OUT/manifest.json``. As a *collection*
it holds a folder a report, ``OUT/2026-10/index.html``, and its own ``OUT/index.html`` lists them. A run without a
named period leaves a flat or new folder flat; the first named period makes a collection of it, for good.

A run calls ``place`` once its source is open, for an early word about a folder it may not use, and at its end
``store``, which does ``place`` again, puts the files there and refreshes the index, all under one lock. Of a report's
manifest these are read: ``files``, ``pages``, ``made``, ``source``, ``start``, ``end``, ``time_zone``, ``period``,
``failed``, ``key`` (the period's name or null) and ``headline`` (see ``headline.headline_numbers``).
"""

from __future__ import annotations

import json
import os
import re
import shutil
import tempfile
import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from ..errors import ReportError, WrongUse
from ..format.periods import zone
from . import overview
from .folder import MANIFEST, replace_folder, written_by_us

INDEX = "index.html"
#: What an index of ours begins with, and nobody else's does; templates/reports.html has it.
MARK = '<meta name="generator" content="aoai-analytics reports">'
_DESKTOPS = {".DS_Store", "Thumbs.db", "desktop.ini"}
_EXPIRED = ".expired-"
#: What runs that were killed leave: a report half written, pages to go on with, one on its way out.
_LEFT = re.compile(r"\.[\w.-]+\.(kept|lock|old|new-\w+|expired-\w+)", re.ASCII)
_held = threading.local()


def place(out: Path, key: str | None, *, otherwise: str = "all", source: str | None = None) -> Path:
    """The folder that a report goes to: *out* itself or a folder in it.

    *key* is the period's name (``2026-10``, ``2026-W44``, ``2026-11-22``), which always gets a folder of that name;
    None is a run without a named period, which goes to *out* itself where that is new, empty or flat, and else to the
    folder *otherwise* (``span_name`` gives it). *source* is the manifest's: where the folder of that name is the report
    of another source, this one gets a name of its own beside it (``2026-10-2``), and keeps it.

    A flat report that stands in a named period's way is moved whole to its own folder first; a run killed in between
    leaves it readable, and the next one ends the move. Raises WrongUse where *out* or the folder holds what we did not
    write, ReportError where the flat report cannot be moved.
    """
    _plain(otherwise if key is None else key)
    with _alone(out):
        _end_move(out)
        if not _is_collection(out, named=key is not None):
            written_by_us(out)
            if key is None:
                return out
            if (out / MANIFEST).exists():
                _move_flat(out)
        folder = out / _name(out, key or otherwise, source)
        written_by_us(folder)
        return folder


def store(
    out: Path, key: str | None, files: Mapping[str, bytes], *, otherwise: str = "all", source: str | None = None
) -> Path:
    """Put a report's *files* where ``place`` says and refresh the index; gives the report's folder.

    One at a time, so that a run that ends at the same moment neither loses its report nor its line in the index.
    Raises what ``place``, ``folder.replace_folder`` and ``refresh`` do.
    """
    out.absolute().parent.mkdir(parents=True, exist_ok=True)
    with _alone(out):
        folder = place(out, key, otherwise=otherwise, source=source)
        replace_folder(folder, files)
        refresh(out)
        return folder


def refresh(out: Path) -> Path | None:
    """Write the collection's index anew from the manifests in it, at once or not at all; gives its path.

    None where *out* is a flat report or no collection, and nothing is written. Raises ReportError where it cannot be.
    """
    with _alone(out):
        _end_move(out)
        if not _is_collection(out):
            return None
        return _write_index(out)


def drop_expired(out: Path, keep: timedelta, now: datetime) -> list[str]:
    """Remove the reports whose period ended longer than *keep* before *now*, refresh the index, and give their names.

    A report whose period has no end counts from when it was made. A folder that holds more than we wrote stays, as do
    a flat report and whatever is no report. Raises WrongUse for a *keep* that is not above zero, ReportError where a
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
            for folder, manifest in reports(out):
                if _ended(manifest) + keep < now and _only_ours(folder):
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


def span_name(start: datetime | None, end: datetime | None, time_zone: str) -> str:
    """What the folder of a period without a name is called: ``all``, ``2026-11-01--2026-11-15`` (not the end's day
    itself), ``since-2026-11-17T0930``; days and minutes in *time_zone*."""
    if start is None and end is None:
        return "all"
    local = zone(time_zone)
    first, last = (_short(value.astimezone(local)) if value else "" for value in (start, end))
    return f"{first}--{last}" if first and last else f"since-{first}" if first else f"until-{last}"


def reports(out: Path) -> list[tuple[Path, dict[str, Any]]]:
    """The reports in the collection *out*: each one's folder and manifest, by name."""
    if not out.is_dir():
        return []
    found = []
    for folder in sorted(out.iterdir()):
        if not folder.name.startswith(".") and folder.is_dir() and not folder.is_symlink():
            manifest = _manifest(folder)
            if manifest is not None:
                found.append((folder, manifest))
    return found


def _manifest(folder: Path) -> dict[str, Any] | None:
    """The manifest of the report in *folder*; None where there is none that we wrote."""
    try:
        read = json.loads((folder / MANIFEST).read_text("utf-8"))
        datetime.fromisoformat(read["made"])
        for name in ("start", "end"):
            if read.get(name):
                datetime.fromisoformat(read[name])
        ours = (
            isinstance(read["pages"], list)
            and isinstance(read["time_zone"], str)
            and all(Path(name).name == name for name in read["files"])
        )
    except (OSError, ValueError, KeyError, TypeError):
        return None
    return read if ours else None


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


def _name(out: Path, key: str, source: str | None) -> str:
    if source is None:
        return key
    pattern = re.compile(re.escape(key) + r"(-[2-9]\d*)?")
    taken = {folder.name: manifest.get("source") for folder, manifest in reports(out) if pattern.fullmatch(folder.name)}
    for name in sorted(taken, key=lambda name: (len(name), name)):
        if taken[name] == source:
            return name
    number = 1
    while (name := key if number == 1 else f"{key}-{number}") in taken:
        number += 1
    return name


def _plain(name: str) -> None:
    if not re.fullmatch(r"[A-Za-z0-9][\w.-]*", name, re.ASCII):
        raise WrongUse(f"'{name}' is not a valid folder name for a report: use letters, digits, '-' and '.'")


def _move_flat(out: Path) -> None:
    """Move the flat report in *out* to a folder of its own there.

    It is copied beside, renamed into place, and only then are the flat files taken away, the manifest last: whenever
    this is killed, the whole report can be read, and ``_end_move`` knows by the two equal manifests what to do.
    """
    manifest = _manifest(out)
    if manifest is None:
        raise WrongUse(f"cannot read the manifest of the report in '{out}': choose a new folder")
    start, end = (datetime.fromisoformat(manifest[name]) if manifest.get(name) else None for name in ("start", "end"))
    name = manifest.get("key") or span_name(start, end, manifest["time_zone"])
    beside, prefix = out.absolute().parent, f".{out.absolute().name}.moving-"
    try:
        for left in beside.glob(f"{prefix}*"):  # by a run that was killed
            shutil.rmtree(left)
        copy = Path(tempfile.mkdtemp(prefix=prefix, dir=beside))
        try:
            copy.chmod(0o755)
            for file in manifest["files"]:
                shutil.copy2(out / file, copy / file)
            os.rename(copy, out / name)
        except BaseException:
            shutil.rmtree(copy, ignore_errors=True)
            raise
    except OSError as error:
        raise ReportError(f"cannot move the report in '{out}' to '{out / name}': {error.strerror or error}") from error
    _end_move(out)


def _end_move(out: Path) -> None:
    """End the move of a flat report that has its copy in a folder: the index in its place, its files away."""
    flat = _manifest(out)
    if flat is None or not any(manifest == flat for _, manifest in reports(out)):
        return
    _write_index(out)
    for file in [*sorted(set(flat["files"]) - {INDEX, MANIFEST}), MANIFEST]:
        (out / file).unlink(missing_ok=True)


def _write_index(out: Path) -> Path:
    page = overview.index_page([(folder.name, manifest) for folder, manifest in reports(out)])
    try:
        for left in out.glob(f".{INDEX}.new-*"):  # by a run that was killed
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


def _ended(manifest: Mapping[str, Any]) -> datetime:
    ended = datetime.fromisoformat(manifest.get("end") or manifest["made"])
    return ended if ended.tzinfo else ended.replace(tzinfo=UTC)


def _only_ours(folder: Path) -> bool:
    try:
        written_by_us(folder)
    except WrongUse:
        return False
    return True


def _short(value: datetime) -> str:
    return f"{value:%Y-%m-%d}" if (value.hour, value.minute) == (0, 0) else f"{value:%Y-%m-%dT%H%M}"


@contextmanager
def _alone(out: Path) -> Iterator[None]:
    """Hold *out* against other runs; may be nested. The lock is the operating system's and leaves no file.

    It is on the folder that *out* lies in, as *out* itself is renamed where a flat report is replaced. A system that
    cannot lock a folder (Windows, some network drives) goes without: let runs there end one after another.
    """
    depth: dict[Path, int] = _held.__dict__.setdefault("depth", {})
    parent = Path(out).absolute().parent
    if depth.get(parent):
        yield
        return
    handle = _locked(parent)
    depth[parent] = 1
    try:
        yield
    finally:
        del depth[parent]
        if handle is not None:
            os.close(handle)


def _locked(folder: Path) -> int | None:
    try:
        import fcntl
    except ModuleNotFoundError:
        return None
    while not folder.exists():  # A folder yet to be made has no reports: hold the first one there is.
        folder = folder.parent
    handle = os.open(folder, os.O_RDONLY)
    try:
        fcntl.flock(handle, fcntl.LOCK_EX)
    except OSError:
        os.close(handle)
        return None
    return handle
