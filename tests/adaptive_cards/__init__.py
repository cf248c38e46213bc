"""Microsoft's own reader of Adaptive Cards: what is wrong with a card."""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pytest

HERE = Path(__file__).parent


def faults(card: Mapping[str, Any], version: str) -> list[str]:
    """What the reader has to say of *card*, read as a host does that knows the schema up to *version*.

    Skips where the reader is not installed.
    """
    if shutil.which("node") is None or not (HERE / "node_modules/adaptivecards").exists():
        pytest.skip("needs adaptivecards: npm ci --prefix tests/adaptive_cards")
    done = subprocess.run(
        ["node", str(HERE / "read.js"), version], input=json.dumps(card), capture_output=True, text=True, timeout=60
    )
    assert done.returncode == 0, done.stderr
    found: list[str] = json.loads(done.stdout)
    return found
