"""One log record -> one row of its table.

The same records arrive in two spellings: camelCase with an envelope and ``properties`` (diagnostic settings to
Storage or Event Hub) and PascalCase with the tables' columns (Log Analytics data export, portal CSV, Parquet).
Both become a tuple in the order of the table's columns, of the values the lake stores: a datetime as whole
microseconds since 1970 in UTC (further digits are cut), a dynamic value as its JSON text, everything else as is.

A value that does not fit its column makes the whole record a ``Misfit``, since a wrong number is worse than a
missing one. Reasons name columns, never values.
"""

from __future__ import annotations

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

from aoai_analytics.schema.tables import GATEWAY_LOGS, LLM_LOG, LOG_TABLES, PROPERTIES, Table

#: Columns that hold what people wrote and models answered; null where an ingest keeps no messages.
TEXT_COLUMNS = frozenset(
    (
        "RequestBody",
        "ResponseBody",
        "BackendRequestBody",
        "BackendResponseBody",
        "RequestMessages",
        "ResponseMessages",
        # Fields that the table lacks: nobody knows what they hold.
        PROPERTIES,
    )
)

#: Diagnostic-settings category -> table.
_CATEGORIES = {"gatewaylogs": GATEWAY_LOGS, "gatewayllmlogs": LLM_LOG}
_TABLE_NAMES = {name.lower(): table for name, table in LOG_TABLES.items()}

#: Envelope keys that stand for a column unless the record also has the column itself.
_STAND_INS = {
    "time": "TimeGenerated",
    "durationMs": "TotalTime",
    "location": "Region",
    "resourceId": "_ResourceId",
}

#: Keys of the envelope that are no column; others that are none are looked up more slowly.
_ENVELOPE = frozenset(
    ("properties", "category", "callerIpAddress", "resultType", "truncated", "DeploymentVersion", "Level", "Sku")
)

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The portal writes a CSV's times as 10/31/2026, 2:38:30.126 AM. Other locales lack AM/PM, or their day and month
# cannot be told apart from it: they are refused.
_PORTAL_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}), (\d{1,2}):(\d\d):(\d\d)(?:\.(\d+))? ([AP]M)")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.0*)?")


class Misfit(ValueError):
    """A record that cannot become a row; the message says why without quoting the record."""


class OtherCategory(Exception):
    """A sound record of a category that the lake does not keep."""


def parse_time(value: Any) -> int:
    """Microseconds since 1970 (UTC) of an ISO 8601 text, a portal CSV's time, or a datetime; naive means UTC.

    Raises ValueError for anything else.
    """
    if type(value) is str:
        text = value.strip()
        portal = _PORTAL_TIME.fullmatch(text)
        if portal:
            month, day, year, hour, minute, second, fraction, half = portal.groups()
            if not 1 <= int(hour) <= 12:
                raise ValueError("not a time")
            hours = int(hour) % 12 + (12 if half == "PM" else 0)
            micro = int((fraction or "")[:6].ljust(6, "0"))
            moment = datetime(int(year), int(month), int(day), hours, int(minute), int(second), micro, UTC)
        elif _ISO_TIME.match(text):
            moment = datetime.fromisoformat(text)
        else:
            raise ValueError("not a time")
    elif isinstance(value, datetime):
        moment = value
    else:
        raise ValueError("not a time")
    if moment.tzinfo is None:
        moment = moment.replace(tzinfo=UTC)
    return (moment - _EPOCH) // _MICROSECOND


def utc_date(time: int) -> str:
    """The UTC date, ``YYYY-MM-DD``, of a time in microseconds since 1970."""
    return _date_of_day(time // 86_400_000_000)


@lru_cache(maxsize=4096)
def _date_of_day(day: int) -> str:
    return (_EPOCH + timedelta(days=day)).date().isoformat()


def _json_text(value: Any) -> str:
    import orjson

    return orjson.dumps(value, default=str).decode()


def _to_text(value: Any) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return _json_text(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if type(value) is str else str(value)


def _to_dynamic(value: Any) -> str:
    return value if type(value) is str else _json_text(value)


def _to_bool(value: Any) -> bool | None:
    if type(value) is bool:
        return value
    if type(value) is str:
        text = value.strip().lower()
        if text == "":
            return None
        if text in ("true", "false", "1", "0"):
            return text in ("true", "1")
    elif type(value) is int and value in (0, 1):
        return value == 1
    raise ValueError("not a bool")


def _whole_number(bits: int) -> Callable[[Any], int | None]:
    limit = 1 << (bits - 1)

    def convert(value: Any) -> int | None:
        if type(value) is str:
            text = value.strip()
            if text == "":
                return None
            if not _WHOLE_NUMBER.fullmatch(text):
                raise ValueError(f"not a {bits}-bit integer")
            value = int(text.partition(".")[0])
        elif type(value) is float and value.is_integer() and abs(value) < 1 << 53:
            value = int(value)
        if type(value) is not int or not -limit <= value < limit:
            raise ValueError(f"not a {bits}-bit integer")
        return value

    return convert


def _to_real(value: Any) -> float | None:
    if type(value) is str and not value.strip():
        return None
    if type(value) is bool or isinstance(value, (dict, list)):
        raise ValueError("not a number")
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("not a number")
    return number


def _to_time(value: Any) -> int | None:
    return None if value == "" else parse_time(value)


_CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "string": _to_text,
    "dynamic": _to_dynamic,
    "datetime": _to_time,
    "bool": _to_bool,
    "int": _whole_number(32),
    "long": _whole_number(64),
    "real": _to_real,
}


def _camel(name: str) -> str:
    return name[:1].lower() + name[1:]


@dataclass(frozen=True)
class RowShape:
    """How the records of one table become rows: made once a table by ``row_shape``."""

    table: Table
    names: tuple[str, ...]
    fields: Mapping[str, tuple[int, Callable[[Any], Any], type | None]]
    ignored: frozenset[str]
    stand_ins: Mapping[str, int]
    last_error: Mapping[str, str]
    time: int
    correlation_id: int
    kind: int
    resource: int
    subscription: int
    texts: frozenset[int]


def row_shape(table: Table) -> RowShape:
    """The RowShape of a log table."""
    names = tuple(table.columns)
    fields = {}
    for index, (name, kql_type) in enumerate(table.columns.items()):
        # Values of this very type need no conversion.
        as_is = {"string": str, "dynamic": str, "bool": bool}.get(kql_type)
        field = (index, _CONVERTERS[kql_type], as_is)
        for spelling in (name, _camel(name), name.lower()):
            fields[spelling] = field
    if PROPERTIES in table.beyond:
        # Not the member of that name, which holds the columns.
        fields = {spelling: field for spelling, field in fields.items() if spelling.lower() != "properties"}
    prefix = "LastError"
    return RowShape(
        table=table,
        names=names,
        fields=fields,
        ignored=(_ENVELOPE | _STAND_INS.keys()) - fields.keys(),
        stand_ins={key: names.index(name) for key, name in _STAND_INS.items() if name in names},
        last_error={name[len(prefix) :].lower(): name for name in names if name.startswith(prefix)},
        time=names.index("TimeGenerated"),
        correlation_id=names.index("CorrelationId"),
        kind=names.index("Type"),
        resource=names.index("_ResourceId"),
        subscription=names.index("_SubscriptionId"),
        texts=frozenset(i for i, name in enumerate(names) if name in TEXT_COLUMNS),
    )


SHAPES: dict[str, RowShape] = {name: row_shape(table) for name, table in LOG_TABLES.items()}


def table_of(record: Mapping[str, Any], hint: Table | None = None) -> Table:
    """The log table a record belongs to, by its category, else its Type, else *hint* (its folder), else its columns.

    Raises OtherCategory where the record says it is something else, Misfit where nothing tells.
    """
    category = record.get("category") or record.get("Category")
    if isinstance(category, str) and category:
        table = _CATEGORIES.get(category.lower())
        if table is None:
            raise OtherCategory
        return table
    kind = record.get("Type") or record.get("type")
    if isinstance(kind, str) and kind:
        table = _TABLE_NAMES.get(kind.lower())
        if table is None:
            raise OtherCategory
        return table
    if hint is not None:
        return hint
    properties = record.get("properties")
    keys = properties.keys() if isinstance(properties, dict) else record.keys()
    if "SequenceNumber" in keys or "sequenceNumber" in keys:
        return LLM_LOG
    if "Url" in keys or "url" in keys:
        return GATEWAY_LOGS
    raise Misfit("no category")


def is_told(record: Mapping[str, Any], hint: Table | None = None) -> bool:
    """Whether anything tells what table *record* is of, be it one that is not read."""
    try:
        table_of(record, hint)
    except OtherCategory:
        return True
    except Misfit:
        return False
    return True


def to_row(record: Mapping[str, Any], shape: RowShape, *, messages: bool = True) -> tuple[Any, ...]:
    """The row of *record*, in the order of the table's columns; with ``messages=False`` the TEXT_COLUMNS are None.

    Raises Misfit for a record without time or CorrelationId, or with a value that does not fit its column.
    """
    row: list[Any] = [None] * len(shape.names)
    properties = record.get("properties")
    if type(properties) is str:
        properties = _parsed_properties(properties)
    if isinstance(properties, dict):
        _fill(row, record, shape)
        _fill(row, properties, shape)
    else:
        _fill(row, record, shape)
    for key, index in shape.stand_ins.items():
        if row[index] is None and record.get(key) is not None:
            row[index] = _converted(shape, index, record[key])
    if row[shape.time] is None:
        raise Misfit("no time")
    if not row[shape.correlation_id]:
        raise Misfit("no correlation id")
    _complete(row, shape)
    if not messages:
        for index in shape.texts:
            row[index] = None
    return tuple(row)


def _parsed_properties(text: str) -> Any:
    import orjson

    try:
        return orjson.loads(text)
    except orjson.JSONDecodeError:
        raise Misfit("properties are not JSON") from None


def _fill(row: list[Any], values: Mapping[str, Any], shape: RowShape) -> None:
    fields, ignored = shape.fields, shape.ignored
    for key, value in values.items():
        if value is None:
            continue
        field = fields.get(key)
        if field is None:
            if key in ignored:
                continue
            field = fields.get(key.lower())
            if field is None:
                if key in ("lastError", "LastError") and isinstance(value, dict):
                    parts = ((shape.last_error.get(part.lower()), inner) for part, inner in value.items())
                    _fill(row, {name: inner for name, inner in parts if name}, shape)
                continue
        index, convert, as_is = field
        if type(value) is as_is:
            row[index] = value
            continue
        try:
            row[index] = convert(value)
        except (ValueError, OverflowError, TypeError):
            raise Misfit(f"{shape.names[index]} does not fit its column") from None


def _converted(shape: RowShape, index: int, value: Any) -> Any:
    name = shape.names[index]
    try:
        return shape.fields[name][1](value)
    except (ValueError, OverflowError, TypeError):
        raise Misfit(f"{name} does not fit its column") from None


def _complete(row: list[Any], shape: RowShape) -> None:
    """What Log Analytics itself adds to a record: its Type, and a lower-case resource with its subscription."""
    if not row[shape.kind]:
        row[shape.kind] = shape.table.name
    if row[shape.resource]:
        row[shape.resource], subscription = _resource(row[shape.resource])
        row[shape.subscription] = row[shape.subscription] or subscription


@lru_cache(maxsize=1024)
def _resource(given: str) -> tuple[str, str | None]:
    """A resource id in lower case, and its subscription id where it has one."""
    resource = given.lower()
    parts = resource.split("/")
    return resource, parts[2] if len(parts) > 2 and parts[1] == "subscriptions" else None


def to_arrow(shape: RowShape, rows: Sequence[tuple[Any, ...]]) -> Any:
    """A pyarrow.Table of *rows* with the table's columns and, last, ``date``: TimeGenerated's UTC date."""
    import pyarrow as pa

    schema = shape.table.arrow_schema()
    columns = zip(*rows, strict=True) if rows else ((),) * len(shape.names)
    arrays = [pa.array(values, type=schema.field(i).type) for i, values in enumerate(columns)]
    arrays.append(pa.array([utc_date(row[shape.time]) for row in rows], type=pa.string()))
    return pa.table(arrays, schema=schema)
