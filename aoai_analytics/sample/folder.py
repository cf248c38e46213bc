"""The output folder of a sample: built separately, moved into place at the end, never over other files.

``sample.json`` marks the folder; its ``complete`` is true only while all its contents belong together,
so that an interrupted run is never mistaken for a complete one.
"""

from __future__ import annotations

import json
import shutil
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from aoai_analytics.errors import AoaiError

MARKER = "sample.json"
_NEW_MARKER = "sample.json.new"
PARTIAL = ".partial"
PARTS = ("logs", "truth.csv", "planted.json", "invoice")


@contextmanager
def replaced(out: Path) -> Iterator[tuple[Path, dict[str, object]]]:
    """Provides a folder for ``PARTS``, and a dict for the marker; on success they replace those in ``out``.

    An earlier sample is unchanged until then. Raises ``AoaiError`` if ``out`` is a file, cannot be
    written completely, or contains anything but an earlier sample.
    """
    partial = out / PARTIAL
    about: dict[str, object] = {}
    try:
        _claim(out)
        shutil.rmtree(partial, ignore_errors=True)
        partial.mkdir()
        try:
            yield partial, about
            _put_in_place(partial, out)
        finally:
            shutil.rmtree(partial, ignore_errors=True)
        _mark(out, complete=True, **about)
    except OSError as error:
        why = error.strerror or error
        raise AoaiError(f"cannot write a sample to {out}: {why}; choose a writable folder") from error


def _put_in_place(partial: Path, out: Path) -> None:
    _mark(out, complete=False)
    for part in PARTS:
        target = out / part
        if target.is_dir():
            shutil.rmtree(target)
        if (partial / part).exists():
            (partial / part).replace(target)


def _claim(out: Path) -> None:
    if out.is_dir():
        held = {path.name for path in out.iterdir()}
        foreign = sorted(held - {MARKER, _NEW_MARKER, PARTIAL, *PARTS})
        if held and (foreign or not _marked(out)):
            what = f"it holds {foreign[0]}" if foreign else f"it has no {MARKER}"
            raise AoaiError(f"{out} is neither empty nor an earlier sample ({what}); choose a new or empty folder")
        if held:
            return
    out.mkdir(parents=True, exist_ok=True)
    _mark(out, complete=False)


def _marked(out: Path) -> bool:
    try:
        return bool(json.loads((out / MARKER).read_text(encoding="utf-8"))["made_by"] == "aoai sample")
    except (OSError, ValueError, KeyError, TypeError):
        return False


def _mark(out: Path, **about: object) -> None:
    text = json.dumps({"made_by": "aoai sample", **about}, indent=2) + "\n"
    written = out / _NEW_MARKER
    written.write_text(text, encoding="utf-8")
    written.replace(out / MARKER)
