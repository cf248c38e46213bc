"""Write a result as a table for people, or as CSV, JSON or Parquet for programs."""

from __future__ import annotations

import io
import re
import sys
from pathlib import Path
from typing import Any

from ..engines.protocol import QueryResult
from ..errors import WrongUse
from ..format.labels import one_line, plain
from ..format.numbers import is_missing
from ..format.periods import zone
from .options import put

# Characters that JSON does not escape: C1 controls, which a terminal obeys, and those that reorder text.
_STEERS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_NUMBERS = ("int", "long", "real", "decimal")
#: Longest text in a table cell on a terminal, in characters.
_WIDEST = 60


def write(result: QueryResult, output_format: str, path: Path | None, time_zone: str) -> None:
    """Write *result* to *path* or standard output. Raises WrongUse if that fails."""
    if output_format == "parquet":
        data = _parquet(result)
        if path is None and sys.stdout.isatty():
            raise WrongUse("refusing to write binary Parquet to a terminal: add -o FILE")
    else:
        data = {"table": _table, "csv": _csv, "json": _json}[output_format](result, time_zone).encode()
    put(data, path)


def _csv(result: QueryResult, _zone: str) -> str:
    from ..reporting.render.downloads import csv_text

    return csv_text(result.frame, max_rows=len(result.frame)).replace("\r\n", "\n")


def _json(result: QueryResult, _zone: str) -> str:
    """A list of objects: times in ISO 8601 UTC, dynamic values unchanged, null for unknown."""
    import json

    columns = [[_json_value(value) for value in result.frame[name]] for name in result.types]
    rows = [dict(zip(result.types, row, strict=True)) for row in zip(*columns, strict=True)]
    text = json.dumps(rows, ensure_ascii=False, indent=1) + "\n"
    return _STEERS.sub(lambda match: f"\\u{ord(match[0]):04x}", text)


def _json_value(value: Any) -> Any:
    if isinstance(value, dict | list):
        return value
    if is_missing(value):
        return None
    if hasattr(value, "isoformat"):
        return value.isoformat().replace("+00:00", "Z")
    return value.item() if hasattr(value, "item") else value


def _parquet(result: QueryResult) -> bytes:
    """Kusto's types as Arrow's; dynamic values as JSON text."""
    import json

    frame = result.frame.copy()
    for name, kql_type in result.types.items():
        if kql_type == "dynamic":
            frame[name] = [None if v is None else json.dumps(v, ensure_ascii=False) for v in frame[name]]
    buffer = io.BytesIO()
    frame.to_parquet(buffer, engine="pyarrow", index=False)
    return buffer.getvalue()


def _table(result: QueryResult, time_zone: str) -> str:
    """Columns separated by two spaces; numbers right-aligned with thousands separators; null as 'unknown'."""
    local = zone(time_zone)
    columns: list[list[str]] = []
    for name, kql_type in result.types.items():
        cells = [_cell(value, kql_type, local) for value in result.frame[name]]
        width = max([len(name), *map(len, cells)], default=len(name))
        right = kql_type in _NUMBERS
        columns.append([text.rjust(width) if right else text.ljust(width) for text in (name, "-" * width, *cells)])
    return "".join("  ".join(line).rstrip() + "\n" for line in zip(*columns, strict=True))


def _cell(value: Any, kql_type: str, local: Any) -> str:
    if kql_type == "dynamic" and value is not None:
        import json

        text = json.dumps(value, ensure_ascii=False)
    elif is_missing(value):
        return "unknown"
    elif kql_type in ("int", "long"):
        return f"{value:,}"
    elif kql_type in ("real", "decimal"):
        return f"{value:,.15g}" if abs(value) < 1e15 else f"{value:.6g}"
    elif kql_type == "datetime":
        moment = value.astimezone(local)
        return f"{moment:%Y-%m-%d %H:%M:%S}" if local.key == "UTC" else f"{moment:%Y-%m-%d %H:%M:%S%z}"
    else:
        text = one_line(str(value))
    text = plain(text)
    return text if len(text) <= _WIDEST else text[: _WIDEST - 1] + "…"
