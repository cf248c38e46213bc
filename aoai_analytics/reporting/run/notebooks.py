"""The analysis notebooks that reports are made of, and the parameters they take."""

from __future__ import annotations

import difflib
import hashlib
import json
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from ...config import shipped
from ...dimensions import own_dimensions
from ...engines import connect
from ...errors import UnknownName, WrongUse
from ...library.queries import place_of


def notebooks(folder: Path | None = None) -> dict[str, Path]:
    """The analysis notebooks by name, in the order of subjects: those in *folder*, or those of the package."""
    folder = folder or shipped("notebooks") / "analysis"
    return {path.stem: path for path in sorted(folder.glob("*.ipynb"), key=lambda path: place_of(path.stem))}


def standing(source: str | Path, folder: Path | None = None) -> list[str]:
    """The notebooks of a report of *source* for which none is named.

    All but those whose metadata says ``"standing": false``, and those that say ``"needs": …`` of what is not there:
    ``dimensions`` of aoai.toml, or a row of that function. Raises SourceError, LakeError, QueryError.
    """
    chosen, engine = [], None
    try:
        for name, path in notebooks(folder).items():
            settings = settings_of(path)
            if needs := settings.get("needs"):
                if needs == "dimensions":
                    there = bool(own_dimensions())
                else:
                    engine = engine or connect(source)
                    there = len(engine.query(f"{needs} | take 1").frame) > 0
            else:
                there = settings.get("standing", True)
            if there:
                chosen.append(name)
    finally:
        if engine:
            engine.close()
    return chosen


def chosen(names: Sequence[str], known: Mapping[str, Path]) -> dict[str, Path]:
    """The notebooks *names*. Raises UnknownName, WrongUse for none."""
    for name in names:
        if name not in known:
            near = difflib.get_close_matches(name, known, n=3, cutoff=0.4)
            raise UnknownName(f"unknown report '{name}'; use {', '.join(near or known) or 'none'}")
    if not names:
        raise WrongUse("give at least one report")
    return {name: known[name] for name in dict.fromkeys(names)}


def settings_of(path: Path) -> dict[str, Any]:
    """The notebook's metadata for this package (``standing``, ``long``); empty where the notebook cannot be read.

    Running such a notebook will report why.
    """
    try:
        return dict(json.loads(path.read_text("utf-8"))["metadata"].get("aoai_analytics", {}))
    except (ValueError, KeyError, TypeError, AttributeError):
        return {}


def digest(path: Path) -> str:
    """The SHA-256 of a notebook."""
    return hashlib.sha256(path.read_bytes()).hexdigest()


def own_parameters(
    paths: Mapping[str, Path], given: Mapping[str, str], common: Mapping[str, Any]
) -> dict[str, dict[str, str]]:
    """Which of *given* each notebook takes, besides the *common* ones. Raises WrongUse for one that none takes."""
    if not given:
        return {name: {} for name in paths}
    from papermill import inspect_notebook

    takes = {name: set(inspect_notebook(str(path))) - common.keys() for name, path in paths.items()}
    known = sorted(set().union(*takes.values()))
    for parameter in given:
        if parameter not in known:
            names = " and ".join(paths)
            raise WrongUse(f"{names}: no parameter '{parameter}'; use {', '.join(known) or 'none'}")
    return {name: {key: value for key, value in given.items() if key in own} for name, own in takes.items()}
