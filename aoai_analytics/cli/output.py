"""Write a result as a table for people, or as CSV, JSON, Parquet, a spreadsheet or a page."""

from __future__ import annotations

import io
import re
import shutil
import sys
from collections.abc import Mapping
from dataclasses import replace
from decimal import Decimal
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..engines.frames import in_zone
from ..engines.protocol import QueryResult
from ..errors import WrongUse
from ..format.labels import distinct, one_line, plain
from ..format.numbers import Unit, decimals_for, exact, is_missing, unit_of
from .options import put

if TYPE_CHECKING:
    import pandas as pd

# Characters that JSON does not escape: C1 controls, which a terminal obeys, and those that reorder text.
_STEERS = re.compile("[\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")
_NUMBERS = ("int", "long", "real", "decimal")
#: Smaller numbers than this are written as less than the column's last digit.
_SMALLEST = 1e-6
#: Longest text in a table cell on a terminal, in characters.
_WIDEST = 60
#: Rows that a terminal shows; a pipe gets all.
_ROWS = 20
#: A file's ending -> the format.
_ENDINGS = {
    ".csv": "csv",
    ".json": "json",
    ".parquet": "parquet",
    ".xlsx": "xlsx",
    ".html": "html",
    ".htm": "html",
    ".txt": "table",
}


def format_of(given: str | None, path: Path | None) -> str:
    """The format that was *given*, else that of the file's ending, else a table. Raises WrongUse if they contradict."""
    ending = path.suffix.lower() if path is not None else ""
    by_ending = _ENDINGS.get(ending)
    if given and by_ending and given != by_ending:
        raise WrongUse(f"--format {given} contradicts the ending of {path}; leave one of them out")
    if not given and ending and not by_ending:
        raise WrongUse(f"the ending of {path} names no format: use {', '.join(_ENDINGS)} or add --format")
    return given or by_ending or "table"


def write(
    result: QueryResult,
    output_format: str,
    path: Path | None,
    time_zone: str,
    *,
    units: Mapping[str, str] | None = None,
    title: str = "",
) -> None:
    """Write *result* to *path* or standard output, times in *time_zone*. Raises WrongUse if that fails."""
    units = units or {}
    if time_zone != "UTC":
        result = replace(result, frame=in_zone(result.frame, time_zone))
    if output_format in ("parquet", "xlsx") and path is None and sys.stdout.isatty():
        name = {"parquet": "Parquet", "xlsx": "data"}[output_format]
        raise WrongUse(f"refusing to write binary {name} to a terminal: add -o FILE")
    if output_format == "parquet":
        data = _parquet(result)
    elif output_format == "xlsx":
        data = _xlsx(result, units)
    elif output_format == "html":
        data = _html(result, time_zone, units, title).encode()
    elif output_format == "table":
        data = table_text(result, units, *_room(path)).encode()
    else:
        data = (_csv if output_format == "csv" else _json)(result).encode()
    put(data, path)


def _csv(result: QueryResult) -> str:
    from ..reporting.render.downloads import csv_text

    return csv_text(result.frame, max_rows=len(result.frame)).replace("\r\n", "\n")


def _xlsx(result: QueryResult, units: Mapping[str, str]) -> bytes:
    """A sheet: numbers as numbers, times without their zone, which the headings name. No text becomes a formula."""
    import xlsxwriter

    from ..reporting.render.downloads import csv_cell

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True, "remove_timezone": True, "nan_inf_to_errors": True}) as book:
        sheet = book.add_worksheet("Result")
        bold, moment = (
            book.add_format({"bold": True, "bottom": 1}),
            book.add_format({"num_format": "yyyy-mm-dd hh:mm:ss"}),
        )
        for column, (name, kql_type) in enumerate(result.types.items()):
            values = result.frame[name]
            unit = units.get(name, "")
            if kql_type == "datetime":
                unit = str(values.dt.tz)
            sheet.write_string(0, column, f"{name} ({unit})" if unit else name, bold)
            sheet.set_column(column, column, 20)
            for row, value in enumerate(values, 1):
                if is_missing(value):
                    continue
                if kql_type == "datetime":
                    sheet.write_datetime(row, column, value.to_pydatetime(), moment)
                elif kql_type in _NUMBERS:
                    sheet.write_number(row, column, value)
                elif kql_type == "bool":
                    sheet.write_boolean(row, column, bool(value))
                else:
                    sheet.write_string(row, column, str(csv_cell(value))[:32_767])
        sheet.freeze_panes(1, 1)
    return out.getvalue()


def _html(result: QueryResult, time_zone: str, units: Mapping[str, str], title: str) -> str:
    """A page that needs no other file."""
    import html

    from ..charts import table_html

    rows = len(result.frame)
    table = table_html(result.frame, result.types, units, caption=title, time_zone=time_zone, max_rows=rows)
    return (
        '<!DOCTYPE html>\n<html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width"><meta http-equiv="Content-Security-Policy" '
        "content=\"default-src 'none'; style-src 'unsafe-inline'\">"
        f"<title>{html.escape(title or 'Query')}</title><style>body {{font: 15px system-ui, sans-serif; margin: 2em}} "
        "table {border-collapse: collapse} caption {text-align: left; font-weight: 600; padding-bottom: .6em} "
        "th, td {text-align: left; padding: .3em .9em; border-bottom: 1px solid #ddd; vertical-align: top} "
        ".number {text-align: right; font-variant-numeric: tabular-nums} .unknown {color: #666}</style></head>"
        f"<body>{table}</body></html>\n"
    )


def _json(result: QueryResult) -> str:
    """A list of objects: times in ISO 8601, dynamic values unchanged, null for unknown."""
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


def _room(path: Path | None) -> tuple[int | None, int | None]:
    """The width and the rows there are to show a table; None where there is no limit."""
    if path is not None or not sys.stdout.isatty():
        return None, None
    return shutil.get_terminal_size().columns, _ROWS


def table_text(result: QueryResult, units: Mapping[str, str], width: int | None, rows: int | None) -> str:
    """Columns separated by two spaces, with units; numbers right-aligned with thousands separators; null as 'unknown'.

    At most *rows* rows, and the columns that fit *width*, who and what first; a last line says what is left out.
    """
    frame = result.frame.head(rows) if rows is not None else result.frame
    names = list(result.types)
    if width is not None:
        from ..charts.tables import in_order

        names = in_order(frame, result.types)
    columns: list[list[str]] = []
    left_out: list[str] = []
    used = 0
    for name in names:
        kql_type, unit = result.types[name], unit_of(name, units)
        cells = _cells(frame[name], kql_type, unit)
        title = name if unit.tight or unit.label.lower() in name.lower() else f"{name} ({unit.label})"
        size = max([len(title), *map(len, cells)])
        if columns and width is not None and used + size > width:
            left_out.append(name)
            continue
        used += size + 2
        right = kql_type in _NUMBERS
        columns.append([t.rjust(size) if right else t.ljust(size) for t in (title, "-" * size, *cells)])
    lines = ["  ".join(line).rstrip() for line in zip(*columns, strict=True)]
    notes = []
    if len(frame) < len(result.frame):
        notes.append(f"{len(frame)} of {len(result.frame):,} rows")
    if left_out:
        notes.append(f"columns without room: {', '.join(left_out)}")
    if notes:
        lines += ["", f"{'; '.join(notes)}; -o FILE writes all"]
    return "".join(f"{line}\n" for line in lines)


def _cells(values: pd.Series, kql_type: str, unit: Unit) -> list[str]:
    decimals = decimals_for(values, unit) if kql_type in ("real", "decimal") or unit.tight else 0
    form = ""
    if kql_type == "datetime":
        from ..charts.series import time_form

        form = time_form(values)
    cells = [_cell(value, kql_type, unit, decimals, form) for value in values]
    # Long names are cut around what differs, texts at their end.
    names = sorted({cell for cell in cells if len(cell) <= 3 * _WIDEST})
    short = dict(zip(names, distinct(names, _WIDEST), strict=True))
    return [short.get(cell, f"{cell[: _WIDEST - 1]}…") for cell in cells]


def _cell(value: Any, kql_type: str, unit: Unit, decimals: int, form: str) -> str:
    if kql_type == "dynamic" and value is not None:
        import json

        text = json.dumps(value, ensure_ascii=False)
    elif is_missing(value):
        return "unknown"
    elif kql_type in _NUMBERS:
        # A small amount keeps its digits: 0.00031 is not 0.00.
        tiny = kql_type in ("real", "decimal") and value and abs(value) * unit.factor < 0.5 * 10**-decimals
        if tiny and abs(value) * unit.factor >= _SMALLEST:
            digits = format(Decimal(f"{value * unit.factor:.2g}"), "f")  # 0.000037, not 3.7e-05
            return digits + (unit.label if unit.tight else "")
        return exact(value, unit, decimals)
    elif kql_type == "datetime":
        local = "" if str(value.tzinfo) == "UTC" else f"{value:%z}"
        return f"{value:{form}}{local if '%H' in form else ''}"
    else:
        text = one_line(str(value))
    return plain(text)
