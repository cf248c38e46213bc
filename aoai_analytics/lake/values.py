"""The values of log records as the lake stores them: times in microseconds, dynamic values as JSON text.

Each converter takes what a JSON, CSV or Parquet file may hold for a column of its type, gives None for what stands for
null, and raises ValueError for what does not fit.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from datetime import UTC, datetime, timedelta
from functools import lru_cache
from typing import Any

_EPOCH = datetime(1970, 1, 1, tzinfo=UTC)
_MICROSECOND = timedelta(microseconds=1)
# The portal writes a CSV's times as 10/31/2026, 2:38:30.126 AM. Other locales lack AM/PM, or their day and month
# cannot be told apart from it: they are refused.
_PORTAL_TIME = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4}), (\d{1,2}):(\d\d):(\d\d)(?:\.(\d+))? ([AP]M)")
_ISO_TIME = re.compile(r"\d{4}-\d\d-\d\d[T ]\d\d:\d\d")
_WHOLE_NUMBER = re.compile(r"[+-]?\d{1,20}(?:\.0*)?")
#: How exports write a null of a column that is no text.
NULL_TEXTS = frozenset(("", "None", "null", "nan", "NaN"))


def parse_time(value: Any) -> int:
    """Microseconds since 1970 (UTC) from an ISO 8601 text, a portal CSV's time or a datetime; naive times are UTC.

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


def json_text(value: Any) -> str:
    """*value* as compact JSON."""
    import orjson

    try:
        return orjson.dumps(value, default=str).decode()
    except TypeError:  # half of a surrogate pair, or an integer past 64 bits
        try:
            return encodable(json.dumps(value, default=str, ensure_ascii=False, separators=(",", ":")))
        except RecursionError:
            raise ValueError("nested too deeply") from None


def encodable(text: str) -> str:
    """*text* with U+FFFD for each half of a surrogate pair, which no file can hold."""
    return text.encode("utf-16", "surrogatepass").decode("utf-16", "replace")


def _to_text(value: Any) -> str:
    if type(value) is bool:
        return "true" if value else "false"
    if isinstance(value, (dict, list)):
        return json_text(value)
    if isinstance(value, bytes):
        return value.decode("utf-8", "replace")
    return value if type(value) is str else str(value)


def _to_dynamic(value: Any) -> str:
    return value if type(value) is str else json_text(value)


def _to_bool(value: Any) -> bool | None:
    if type(value) is bool:
        return value
    if type(value) is str:
        text = value.strip()
        if text in NULL_TEXTS:
            return None
        text = text.lower()
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
            if text in NULL_TEXTS:
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
    if type(value) is str and value.strip() in NULL_TEXTS:
        return None
    if type(value) is bool or isinstance(value, (dict, list)):
        raise ValueError("not a number")
    number = float(value)
    if number != number or number in (float("inf"), float("-inf")):
        raise ValueError("not a number")
    return number


def _to_time(value: Any) -> int | None:
    return None if type(value) is str and value.strip() in NULL_TEXTS else parse_time(value)


#: KQL type -> the converter of its values.
CONVERTERS: dict[str, Callable[[Any], Any]] = {
    "string": _to_text,
    "dynamic": _to_dynamic,
    "datetime": _to_time,
    "bool": _to_bool,
    "int": _whole_number(32),
    "long": _whole_number(64),
    "real": _to_real,
}
