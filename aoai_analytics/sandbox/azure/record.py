"""What each step's template makes, as Bicep's evaluator said, and the installation that it was evaluated for."""

from __future__ import annotations

import json
import tomllib
from pathlib import Path
from typing import Any

from ...config import shipped

HERE = Path(__file__).parent
#: The installation: a ``[setup]`` table.
CONFIG = HERE / "aoai.toml"
#: Step -> ``resources`` and ``outputs``; ``python -m tests.setup.recording`` makes it.
RECORD = HERE / "recorded.json"


def setup_table() -> dict[str, Any]:
    """The installation's ``[setup]`` table."""
    table: dict[str, Any] = tomllib.loads(CONFIG.read_text("utf-8"))["setup"]
    return table


def recorded(path: Path = RECORD) -> dict[str, Any]:
    """A record, with the texts of shipped files back in their places."""
    found: dict[str, Any] = _texts_back(json.loads(path.read_text("utf-8")))
    return found


def _texts_back(value: Any) -> Any:
    if isinstance(value, dict):
        if set(value) == {"$file"}:
            path, _, member = value["$file"].partition("#")
            folder, _, rest = path.partition("/")
            text = (shipped(folder) / rest).read_text("utf-8")
            return json.loads(text)[member] if member else text
        return {key: _texts_back(item) for key, item in value.items()}
    return [_texts_back(item) for item in value] if isinstance(value, list) else value
