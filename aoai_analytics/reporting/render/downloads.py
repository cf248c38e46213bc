"""A query's rows as a CSV file that a page carries within itself."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
import zlib
from typing import TYPE_CHECKING, Any

from ...format.numbers import is_missing

if TYPE_CHECKING:
    import pandas as pd

#: Rows a page carries; for more there is 'aoai query'.
MAX_ROWS = 5_000
#: From this many characters on, a page carries a CSV file or a figure packed; below, it can be had without scripts.
LARGE = 16_000
# A spreadsheet runs a cell that begins with one of these as a formula (OWASP, "CSV Injection").
_FORMULA = ("=", "+", "-", "@", "\t", "\r", "\n")
# What a terminal obeys or what reorders text; tabs and line breaks are a text's own.
_STEERS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028-\u202e\u2066-\u2069\ufeff]")


def csv_text(frame: pd.DataFrame, max_rows: int = MAX_ROWS) -> str:
    """The first *max_rows* rows as CSV (RFC 4180): UTC times in ISO 8601, null an empty field, no text a formula.

    Control characters, which a terminal would obey, become U+FFFD.
    """
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([csv_cell(str(name)) for name in frame.columns])
    for row in frame.head(max_rows).itertuples(index=False, name=None):
        writer.writerow([csv_cell(value) for value in row])
    return out.getvalue()


def csv_file(text: str) -> str:
    """*text* with the mark by which Excel knows UTF-8."""
    return "\ufeff" + text


def data_link(text: str) -> str:
    """A ``data:`` link to *text* as a CSV file."""
    return "data:text/csv;charset=utf-8;base64," + base64.b64encode(csv_file(text).encode()).decode()


def packed(text: str) -> str:
    """*text* in UTF-8, deflated (RFC 1951), in base64; report.js unpacks it."""
    return base64.b64encode(zlib.compress(text.encode(), 9, wbits=-15)).decode()


def json_link(value: Any) -> str:
    """A ``data:`` link to *value* as JSON."""
    text = json.dumps(value, indent=2)
    return "data:application/json;base64," + base64.b64encode(text.encode()).decode()


def csv_cell(value: Any) -> Any:
    """*value* as a field of a CSV file: see ``csv_text``."""
    if is_missing(value):
        return ""
    if hasattr(value, "item"):
        value = value.item()  # numpy's numbers
    if isinstance(value, bool | int | float):
        return value
    if isinstance(value, dict | list):
        return _STEERS.sub("\N{REPLACEMENT CHARACTER}", json.dumps(value, ensure_ascii=False, default=str))
    if hasattr(value, "isoformat") and hasattr(value, "year"):
        return value.isoformat()
    text = _STEERS.sub("\N{REPLACEMENT CHARACTER}", str(value))
    return "'" + text if text.lstrip(" ").startswith(_FORMULA) and not _is_span(value) else text


def _is_span(value: Any) -> bool:
    return hasattr(value, "total_seconds")
