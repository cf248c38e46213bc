"""The second KQL engine, ``../shared/tools/kql-second``, which shares no code with the local one.

Functions give answers as rows of plain JSON values: a datetime has seven digits and a Z, a timespan is
``[d.]hh:mm:ss[.fffffff]``, a number that is not JSON is "NaN", "Infinity" or "-Infinity".
"""

from __future__ import annotations

import json
import math
import re
import shutil
import subprocess
from collections.abc import Callable, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from tests.conftest import REPO

#: A character as JSON may write it.
_ESCAPED = re.compile(r"\\u[0-9A-Fa-f]{4}")
SECOND = REPO.parent / "shared/tools/kql-second"
#: Why a test that asks it skips.
NEEDED = "needs ../shared/tools/kql-second and node"


@dataclass(frozen=True)
class Answer:
    """Columns (name -> KQL type) and rows; ``error`` says why there are none."""

    columns: dict[str, str]
    rows: list[list[Any]]
    error: str = ""


def is_here() -> bool:
    """Whether the engine can be asked."""
    return SECOND.exists() and shutil.which("node") is not None


def answers(queries: Mapping[str, str], folder: Path) -> dict[str, Answer]:
    """The second engine's answer to each query; *folder* holds its files."""
    return started(queries, folder, {})()


def started(queries: Mapping[str, str], folder: Path, tables: Mapping[str, Answer]) -> Callable[[], dict[str, Answer]]:
    """The second engine at work on each query over *tables*; what waits for its answers."""
    if not is_here():
        pytest.skip(NEEDED)
    (folder / "queries").mkdir(parents=True)
    for number, text in enumerate(queries.values()):
        (folder / f"queries/{number:04}.kql").write_text(text, encoding="utf-8")
    command: list[str | Path] = [SECOND, "--batch", folder / "queries", "-o", folder / "answers"]
    for name, table in tables.items():
        with (folder / f"{name}.ndjson").open("w", encoding="utf-8") as out:
            for row in table.rows:
                out.write(json.dumps(dict(zip(table.columns, row, strict=True)), ensure_ascii=False) + "\n")
        (folder / f"{name}.schema.json").write_text(json.dumps(table.columns), encoding="utf-8")
        command += ["--table", f"{name}={folder / f'{name}.ndjson'}"]
    running = subprocess.Popen(command, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    return lambda: _read(running, list(queries), folder)


def _read(running: subprocess.Popen[bytes], queries: list[str], folder: Path) -> dict[str, Answer]:
    running.wait()
    found = {}
    for number, name in enumerate(queries):
        path = folder / f"answers/{number:04}.json"
        if path.exists():
            answer = json.loads(path.read_text("utf-8"))
            columns = dict(zip(answer["columns"], answer["types"], strict=True))
            found[name] = Answer(columns, answer["rows"])
        else:
            error = path.with_suffix(".err")
            found[name] = Answer({}, [], error.read_text("utf-8").strip() if error.exists() else "no answer")
    return found


def local_answer(table: pa.Table, types: Mapping[str, str]) -> Answer:
    """The local engine's answer (``LocalEngine.arrow``) in the same form."""
    kinds = list(types.values())
    rows = [[shown(value, kind) for value, kind in zip(row.values(), kinds, strict=True)] for row in table.to_pylist()]
    return Answer(dict(types), rows)


def timespan(value: Any) -> str:
    """``[-][d.]hh:mm:ss[.fffffff]``."""
    microseconds = value.days * 86_400_000_000 + value.nanoseconds // 1000
    sign, microseconds = "-" if microseconds < 0 else "", abs(microseconds)
    seconds, fraction = divmod(microseconds, 1_000_000)
    days, seconds = divmod(seconds, 86400)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return sign + (f"{days}." if days else "") + clock + (f".{fraction:06}0" if fraction else "")


def shown(value: Any, kind: str) -> Any:
    """A cell of the local engine as JSON has it."""
    if value is None:
        return "" if kind == "string" else None
    if kind == "dynamic":
        return json.loads(value) if isinstance(value, str) else value
    if kind == "datetime":
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}0Z"
    if kind == "timespan":
        return timespan(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def comparable(value: Any, digits: int = 12) -> Any:
    """Numbers to so many digits; moments to the microsecond, since DuckDB keeps no more.

    JSON within text may write a character as \\u001B or \\u001b.
    """
    if isinstance(value, list):
        return [comparable(item, digits) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item, digits) for key, item in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(f"{value:.{digits}g}")
    if not isinstance(value, str):
        return value
    value = _ESCAPED.sub(lambda match: match[0].lower(), value)
    return value[:26] if len(value) == 28 and value.endswith("Z") else value
