"""The show-back table as a file for finance: CSV, or an Excel workbook."""

from __future__ import annotations

import io
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ..errors import WrongUse

if TYPE_CHECKING:
    import pandas as pd

QUERY = "cost/showback"
_Columns = dict[str, tuple[str, str]]
#: Column -> heading with its unit, and the format of its numbers in Excel.
_COLUMNS = {
    "SubscriptionId": ("Subscription", ""),
    "Amount": ("Amount (USD)", "#,##0.00"),
    "Share": ("Share (%)", "0.0"),
    "TokenCost": ("Tokens, unrounded (USD)", "#,##0.000000"),
    "CostError": ("Standard error of tokens (USD)", "#,##0.000000"),
    "ProvisionedCost": ("Provisioned, unrounded (USD)", "#,##0.000000"),
    "EstimatedCost": ("Of tokens, estimated (USD)", "#,##0.000000"),
    "Requests": ("Requests", "#,##0"),
    "UnpricedRequests": ("Requests without a price, in no amount", "#,##0"),
    "UnknownRequests": ("Requests of unknown tokens, in no amount", "#,##0"),
}
#: The same of the invoice's show-back, in the invoice's currency.
_OF_INVOICE = {
    "Name": ("Subscription, or (part of the remainder)", ""),
    "Amount": ("Amount ({currency})", "#,##0.00"),
    "Share": ("Share (%)", "0.0"),
    "Use": ("Use, unrounded ({currency})", "#,##0.000000"),
    "Provisioned": ("Provisioned, unrounded ({currency})", "#,##0.000000"),
    "Gateway": ("API Management, unrounded ({currency})", "#,##0.000000"),
    "Remainder": ("Remainder, unrounded ({currency})", "#,##0.000000"),
    "Tokens": ("Tokens", "#,##0"),
}
_SUMMED = (
    *("Amount", "TokenCost", "ProvisionedCost", "EstimatedCost", "Requests", "UnpricedRequests", "UnknownRequests"),
    *("Use", "Provisioned", "Gateway", "Remainder", "Tokens"),
)
NO_SUBSCRIPTION = "(none)"
TOTAL = "Total"


def write_showback(frame: pd.DataFrame, path: Path, *, period: str, source: str) -> int | None:
    """Write the rows of ``cost/showback`` or, in one currency, of ``cost/showback-invoice`` with their total to *path*.

    Gives the total in cents, None if no amount is known; an unknown amount is an empty cell. *path* ends in ``.csv`` or
    ``.xlsx``; *period* and *source* say in words of what the table is. Texts of the logs are never formulas. Raises
    WrongUse where the file's name ends otherwise or it cannot be written.
    """
    columns, what = _COLUMNS, "Showback"
    if "Name" in frame.columns:
        currency, what = str(frame["Currency"].iloc[0]), "Showback of the invoice"
        columns = {name: (text.format(currency=currency), style) for name, (text, style) in _OF_INVOICE.items()}
    rows = [[_value(column, row[column]) for column in columns] for row in frame.to_dict("records")]
    table, title = [*rows, _totals(frame, columns)], f"{what} for {source}, {period}"
    write_as(path, {".csv": lambda: _csv(table, columns), ".xlsx": lambda: _xlsx(table, columns, title)})
    return _cents(frame)


def _cents(frame: pd.DataFrame) -> int | None:
    """The sum of the known amounts, None if there is none."""
    known = frame["AmountCents"].dropna()
    return int(known.sum()) if len(known) or not len(frame) else None


def write_as(path: Path, writers: Mapping[str, Callable[[], bytes]]) -> None:
    """Write to *path* what the writer of its ending gives. Raises WrongUse where none has it or that fails."""
    ending = path.suffix.lower()
    if ending not in writers:
        raise WrongUse(f"'{path}' must end in {' or '.join(writers)}")
    try:
        path.write_bytes(writers[ending]())
    except OSError as error:
        raise WrongUse(f"cannot write {path}: {error.strerror}") from error


def _value(column: str, value: Any) -> Any:
    import pandas as pd

    missing = pd.isna(value)
    if column in ("SubscriptionId", "Name"):
        return str(value) if not missing and value else NO_SUBSCRIPTION
    if missing:
        return None
    return value.item() if hasattr(value, "item") else value


def _totals(frame: pd.DataFrame, columns: _Columns) -> list[Any]:
    """The total's row; amounts are summed as cents, so that no cent is lost."""
    totals: list[Any] = []
    for column in columns:
        if column in ("SubscriptionId", "Name"):
            totals.append(TOTAL)
        elif column == "Amount":
            cents = _cents(frame)
            totals.append(None if cents is None else cents / 100)
        else:
            totals.append(
                _value(column, frame[column].sum(min_count=min(len(frame), 1))) if column in _SUMMED else None
            )
    return totals


def _csv(rows: list[list[Any]], columns: _Columns) -> bytes:
    import csv

    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow([heading for heading, _ in columns.values()])
    for row in rows:
        name, amount, *rest = row
        # A spreadsheet runs a cell that begins with one of these as a formula (OWASP, "CSV Injection").
        safe = f"'{name}" if name.lstrip().startswith(("=", "+", "-", "@")) or name[:1] in "\t\r\n" else name
        cells = ("" if value is None else value for value in rest)
        writer.writerow([safe, "" if amount is None else f"{amount:.2f}", *cells])
    return b"\xef\xbb\xbf" + out.getvalue().encode()


def _xlsx(rows: list[list[Any]], columns: _Columns, title: str) -> bytes:
    """A workbook of one sheet. Text is written as text cells: XlsxWriter makes no formula or link of it."""
    import xlsxwriter

    out = io.BytesIO()
    with xlsxwriter.Workbook(out, {"in_memory": True}) as book:
        sheet = book.add_worksheet("Showback")
        heading = book.add_format({"bold": True, "text_wrap": True, "valign": "top", "bottom": 1})
        sheet.write_string(0, 0, title, book.add_format({"bold": True}))
        sheet.set_column(0, 0, 32)
        sheet.set_column(1, len(columns) - 1, 17)
        for column, (text, _) in enumerate(columns.values()):
            sheet.write_string(2, column, text, heading)
        for number, row in enumerate(rows, 3):
            last = number == 2 + len(rows)
            for column, (value, (_, style)) in enumerate(zip(row, columns.values(), strict=True)):
                look = book.add_format({"bold": last, "top": 1 if last else 0, "num_format": style or "@"})
                if isinstance(value, str):
                    sheet.write_string(number, column, value, look)
                elif value is not None:
                    sheet.write_number(number, column, value, look)
                else:
                    sheet.write_blank(number, column, None, look)
        sheet.freeze_panes(3, 1)
    return out.getvalue()
