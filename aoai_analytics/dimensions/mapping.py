"""Own dimensions as ``[dimensions]`` in ``aoai.toml`` gives them: inline, in CSV files, or in Delta tables."""

from __future__ import annotations

import csv
import io
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime
from itertools import pairwise
from typing import Any

from ..config import found, settings
from ..errors import WrongUse

#: What identifies whose a request is, the most specific first. ``header`` and ``trace`` have a name of their own.
KINDS = ("header", "trace", "user", "app", "subscription", "product", "api")
_NAMED = ("header", "trace")
#: Column of a file -> the same in aoai.toml. The first four are columns of AoaiRequests, Name is its CallerName.
_CELLS = {
    "Team": "team",
    "CostCenter": "cost-center",
    "Environment": "environment",
    "Application": "application",
    "Name": "name",
}
#: The columns of AoaiRequests that a mapping fills.
COLUMNS = ("Team", "CostCenter", "Environment", "Application", "CallerName")
_TIMES = {"From": "from", "To": "to"}
#: Most rows: they travel in the text of every query, which a service limits to some megabytes.
MOST = 10_000
#: The bounds of a meaning that has none.
FIRST, LAST = datetime(1900, 1, 1, tzinfo=UTC), datetime(9999, 12, 31, tzinfo=UTC)


@dataclass(frozen=True)
class Mapped:
    """A value of a key, and what it means for ``start`` <= time < ``end``.

    ``kind`` is one of KINDS, ``name`` that of a header or trace value, ``value`` in lower case; ``cells`` are the
    values of COLUMNS, '' where the mapping does not say.
    """

    kind: str
    name: str
    value: str
    cells: tuple[str, ...]
    start: datetime = FIRST
    end: datetime = LAST

    @property
    def key(self) -> tuple[str, str]:
        """What the value is looked up in."""
        return self.kind, self.name


def own_dimensions() -> tuple[Mapped, ...]:
    """``[dimensions]`` of ``aoai.toml``; () without it. A value of a key has at most one meaning at a time.

        [dimensions]
        file = "teams.csv"                  # Key,Value,Team,CostCenter,Environment,Application,Name,From,To
        table = "Teams"                     # a Delta table with these columns: a folder, or its name in the lake

        [dimensions.subscription]
        "sub-a" = {team = "Payments", cost-center = "4711", environment = "prod", name = "Checkout"}
        "sub-b" = [{team = "Search", to = 2026-11-15}, {team = "Ads", from = 2026-11-15}]

        [dimensions.header.x-team]
        "blue" = {team = "Blue"}

    ``from`` is inclusive, ``to`` exclusive; dates are in UTC. Raises WrongUse where it is malformed.
    """
    given: dict[str, Any] = settings().dimensions
    rows: list[tuple[str, Mapped]] = []
    for key, entry in given.items():
        if key in ("file", "table"):
            read = _of_file if key == "file" else _of_table
            for place in entry if isinstance(entry, list) else [entry]:
                if not isinstance(place, str):
                    raise WrongUse(f"aoai.toml: [dimensions] {key} must be a name or a list of names")
                rows += read(place)
        elif key in KINDS:
            rows += _inline(key, entry)
        else:
            raise WrongUse(f"aoai.toml: unknown key '{key}' in [dimensions]; use file, table, {', '.join(KINDS)}")
    if len(rows) > MOST:
        raise WrongUse(
            f"[dimensions] in aoai.toml has {len(rows):,} rows; at most {MOST:,} fit in a query: "
            "map products or subscriptions instead of single users, or send the team as a header"
        )
    _refuse_overlaps(rows)
    return tuple(row for _, row in rows)


def _inline(kind: str, entry: Any) -> Iterator[tuple[str, Mapped]]:
    names = entry if kind in _NAMED else {"": entry}
    for name, values in _table(names, f"[dimensions.{kind}]").items():
        at = f"[dimensions.{kind}.{name}]" if name else f"[dimensions.{kind}]"
        for value, meanings in _table(values, at).items():
            where = f'aoai.toml: {at} "{value}"'
            for meaning in meanings if isinstance(meanings, list) else [meanings]:
                known = [*_CELLS.values(), *_TIMES.values()]
                if not isinstance(meaning, dict) or not meaning:
                    raise WrongUse(f"{where} must be a table with {', '.join(known)}")
                if unknown := [key for key in meaning if key not in known]:
                    raise WrongUse(f"{where}: unknown key '{unknown[0]}'; use {', '.join(known)}")
                cells = {column: meaning.get(key, "") for column, key in (_CELLS | _TIMES).items()}
                yield where, _mapped(f"{kind}:{name}" if name else kind, value, cells, where)


def _table(entry: Any, at: str) -> dict[str, Any]:
    if not isinstance(entry, dict):
        raise WrongUse(f"aoai.toml: {at} must be a table")
    return entry


def _of_file(place: str) -> Iterator[tuple[str, Mapped]]:
    try:
        text = found(place).read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WrongUse(f"cannot read the dimensions in {place}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"{place} is not valid UTF-8: save it as 'CSV UTF-8'") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    try:
        rows = [(f"{place}, line {reader.line_num}", row) for row in reader]
    except csv.Error as error:
        raise WrongUse(f"{place}, line {reader.line_num}: {error}") from error
    return _of_rows(place, list(reader.fieldnames or ()), rows)


def _of_table(place: str) -> Iterator[tuple[str, Mapped]]:
    from deltalake import DeltaTable
    from deltalake.exceptions import DeltaError

    folder = next((at for at in (found(place), found(settings().lake) / place) if (at / "_delta_log").is_dir()), None)
    if folder is None:
        raise WrongUse(f"aoai.toml: [dimensions] table '{place}' is not a Delta table, here or in the lake")
    try:
        rows = DeltaTable(str(folder)).to_pyarrow_table()
    except (DeltaError, OSError) as error:
        raise WrongUse(f"cannot read the dimensions in the table {folder}") from error
    named = ((f"{place}, row {number}", row) for number, row in enumerate(rows.to_pylist(), 1))
    return _of_rows(place, rows.column_names, named)


def _of_rows(
    place: str, columns: list[str], rows: Iterable[tuple[str, Mapping[str, Any]]]
) -> Iterator[tuple[str, Mapped]]:
    known = {column.lower(): column for column in ("Key", "Value", *_CELLS, *_TIMES)}
    names = {column: known.get(str(column).strip().lower(), "") for column in columns}
    if missing := {"Key", "Value"} - set(names.values()):
        raise WrongUse(f"{place} has no column {' and '.join(sorted(missing))}; it needs {', '.join(known.values())}")
    for where, row in rows:
        cells = {names.get(column, ""): value for column, value in row.items()}
        if any(isinstance(value, datetime | date) or str(value or "").strip() for value in cells.values()):
            yield where, _mapped(str(cells.get("Key") or ""), cells.get("Value"), cells, where)


def _mapped(key: str, value: Any, cells: Mapping[str, Any], where: str) -> Mapped:
    kind, _, name = (part.strip().lower() for part in key.partition(":"))
    if kind not in KINDS or bool(name) != (kind in _NAMED):
        usual = ", ".join(f"{kind}:NAME" if kind in _NAMED else kind for kind in KINDS)
        raise WrongUse(f"{where}: the key must be one of {usual}, not '{key}'")
    value = _text(value, where).lower()
    if not value:
        raise WrongUse(f"{where}: the value is empty")
    texts = tuple(_text(cells.get(column), where) for column in _CELLS)
    if not any(texts):
        raise WrongUse(f"{where}: give at least one of {', '.join(_CELLS)}")
    start = _moment(cells.get("From"), where, "From") or FIRST
    end = _moment(cells.get("To"), where, "To") or LAST
    if start >= end:
        raise WrongUse(f"{where}: From must be before To")
    return Mapped(kind, name, value, texts, start, end)


def _text(value: Any, where: str) -> str:
    if value is None:
        return ""
    if isinstance(value, bool | list | dict | float):
        raise WrongUse(f"{where}: '{value}' must be text")
    return " ".join(str(value).split())


def _moment(value: Any, where: str, column: str) -> datetime | None:
    if value is None or (isinstance(value, str) and not value.strip()):
        return None
    try:
        if isinstance(value, str):
            value = datetime.fromisoformat(value.strip())
        elif not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day)
    except (AttributeError, ValueError) as error:
        raise WrongUse(f"{where}: {column} must be a date such as 2026-11-01, not '{value}'") from error
    moment: datetime = value
    return moment.replace(tzinfo=UTC) if moment.tzinfo is None else moment.astimezone(UTC)


def _refuse_overlaps(rows: list[tuple[str, Mapped]]) -> None:
    ordered = sorted(rows, key=lambda row: (row[1].key, row[1].value, row[1].start))
    for (where, one), (other, next_) in pairwise(ordered):
        if (one.key, one.value) == (next_.key, next_.value) and next_.start < one.end:
            raise WrongUse(f"{other}: overlaps with {where}: at any time, a value must have one meaning")
