"""A report's folder: replaced as a whole, and written by one run at a time."""

from __future__ import annotations

import ctypes
import json
import os
import re
import shutil
import sys
import tempfile
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path

from ...errors import ReportError, WrongUse
from ..manifest import MANIFEST

#: What desktops leave in a folder that was looked at, and runs in one where reports are made.
_IGNORED = re.compile(r"\.DS_Store|Thumbs\.db|desktop\.ini|\..+\.(lock|kept)")
_STALE_SECONDS = 24 * 3600
#: Of Linux's <fcntl.h> and <linux/fs.h>; see renameat2(2).
_AT_FDCWD, _RENAME_EXCHANGE = -100, 2


def check_replaceable(folder: Path) -> None:
    """Check that *folder* is missing, empty or a report, so that replacing it loses nothing else. Raises WrongUse."""
    _recover(folder)
    if not folder.exists():
        return
    if not folder.is_dir():
        raise WrongUse(f"'{folder}' is a file: choose a folder for the report")
    there = {path.name for path in folder.iterdir() if not _IGNORED.fullmatch(path.name)}
    if not there:
        return
    try:
        ours = set(json.loads((folder / MANIFEST).read_text("utf-8"))["files"])
    except (OSError, ValueError, KeyError, TypeError):
        ours = set()
    if others := sorted(there - ours):
        raise WrongUse(f"the folder '{folder}' has other files ({others[0]}): choose a new folder for the report")


def replace_folder(folder: Path, files: Mapping[str, bytes]) -> None:
    """Put *files* (by name) in place of *folder*, which stays as it was until all of them are written.

    Raises ReportError where the disk is full or the folder is not writable.
    """
    folder = folder.absolute()
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        _sweep(folder)
        new = Path(tempfile.mkdtemp(prefix=f".{folder.name}.new-", dir=folder.parent))
        try:
            new.chmod(0o755)
            for name, content in files.items():
                (new / name).write_bytes(content)
            _swap(new, folder)
        except BaseException:
            shutil.rmtree(new, ignore_errors=True)
            raise
    except OSError as error:
        raise _not_writable(folder, error) from error


@contextmanager
def locked(folder: Path) -> Iterator[None]:
    """Hold *folder* for one run. Raises ReportError where another run holds it, or where it is not writable.

    The lock is the operating system's, on a hidden file beside the folder, so a killed run does not block.
    """
    from filelock import FileLock, Timeout

    folder = folder.absolute()
    path = folder.parent / f".{folder.name}.lock"
    lock = FileLock(path, blocking=False)
    try:
        folder.parent.mkdir(parents=True, exist_ok=True)
        lock.acquire()
    except Timeout:
        raise ReportError(f"another run is writing '{folder}': wait for it to end, or give another --output") from None
    except OSError as error:
        raise _not_writable(folder, error) from error
    try:
        yield
    finally:
        if os.name == "posix":
            path.unlink(missing_ok=True)  # while locked: a run that waits sees that it is gone, and makes a new one
        lock.release()


def _not_writable(folder: Path, error: OSError) -> ReportError:
    return ReportError(f"cannot write the report to '{folder}': {error.strerror or error}")


def _old(folder: Path) -> Path:
    return folder.absolute().parent / f".{folder.name}.old"


def _swap(new: Path, folder: Path) -> None:
    if folder.exists() and _exchange(new, folder):
        shutil.rmtree(new, ignore_errors=True)
        return
    old = _old(folder)
    shutil.rmtree(old, ignore_errors=True)
    if folder.exists():
        os.rename(folder, old)
    try:
        os.rename(new, folder)
    except OSError:
        if old.exists():
            os.rename(old, folder)
        raise
    shutil.rmtree(old, ignore_errors=True)


def _exchange(new: Path, folder: Path) -> bool:
    """Exchange two folders in one step, so that there is always one; False where the system cannot.

    Python has no call for it: without it a run killed between two renames leaves no report until the next run.
    """
    if sys.platform != "linux":
        return False
    try:
        renameat2 = ctypes.CDLL(None, use_errno=True).renameat2
    except (OSError, AttributeError):
        return False
    return bool(renameat2(_AT_FDCWD, os.fsencode(new), _AT_FDCWD, os.fsencode(folder), _RENAME_EXCHANGE) == 0)


def _sweep(folder: Path) -> None:
    """Remove what killed runs left beside; anything younger may belong to a run that still writes."""
    for path in folder.parent.glob(f".{folder.name}.new-*"):
        if time.time() - path.stat().st_mtime > _STALE_SECONDS:
            shutil.rmtree(path, ignore_errors=True)


def _recover(folder: Path) -> None:
    """Bring back the earlier report where a run was killed between the two renames."""
    old = _old(folder)
    if old.exists() and not folder.exists():
        os.rename(old, folder)
