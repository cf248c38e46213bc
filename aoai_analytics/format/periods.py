"""The period of a report: whole days or times in its time zone."""

from __future__ import annotations

import re
from dataclasses import dataclass
from datetime import UTC, date, datetime, time, timedelta
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..errors import WrongUse

_TIMESPAN_UNITS = {
    "d": "days",
    "h": "hours",
    "m": "minutes",
    "s": "seconds",
    "ms": "milliseconds",
    "microsecond": "microseconds",
}

Moment = str | date | datetime | None

#: Format of each kind of named period.
WRITTEN = {
    "yearly": "a year 2026",
    "quarterly": "a quarter 2026-Q4",
    "monthly": "a month 2026-10",
    "weekly": "a week 2026-W44",
    "daily": "a day 2026-11-22",
}


@dataclass(frozen=True)
class Named:
    """A year, quarter, month, week (ISO 8601) or day: *kind* of ``WRITTEN``, *key*, first day, day after the last."""

    kind: str
    key: str
    first: date
    after: date

    def span(self, time_zone: str) -> tuple[datetime, datetime]:
        """start <= time < end in UTC: midnight to midnight in *time_zone*, so a day may have 23 or 25 hours."""
        return _midnight(self.first, time_zone), _midnight(self.after, time_zone)

    @property
    def before(self) -> Named:
        """The period before this one."""
        return _around(self.kind, self.first - timedelta(days=1))

    @property
    def words(self) -> str:
        """The period's title: ``2026``, ``Q4 2026``, ``October 2026``, ``Week 44, 2026``, ``22 Nov 2026``."""
        if self.kind == "yearly":
            return self.key
        if self.kind == "quarterly":
            return f"{self.key[-2:]} {self.first.year}"
        if self.kind == "monthly":
            return f"{self.first:%B %Y}"
        if self.kind == "weekly":
            year, week, _ = self.first.isocalendar()
            return f"Week {week}, {year}"
        return _day(self.first)


def zone(name: str) -> ZoneInfo:
    """The time zone with an IANA name. Raises WrongUse."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongUse(f"unknown time zone '{name}': use an IANA name, e.g. UTC or Europe/Berlin") from error


def moment(value: Moment, time_zone: str, name: str = "start") -> datetime | None:
    """*value* in UTC: ISO 8601 text, a date (its midnight) or a datetime; without an offset, in *time_zone*.

    Raises WrongUse if the text is not a date.
    """
    if value is None or value == "":
        return None
    local = zone(time_zone)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise WrongUse(f"{name} '{value}' is not a date: use 2026-11-01 or 2026-11-01T08:00") from error
    elif not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return (value if value.tzinfo else value.replace(tzinfo=local)).astimezone(UTC)


def utc(value: datetime) -> datetime:
    """*value* in UTC; without an offset it is read as UTC."""
    return value.replace(tzinfo=UTC) if value.tzinfo is None else value.astimezone(UTC)


def span(
    since: str | None, start: Moment, end: Moment, time_zone: str, period: str | None = None
) -> tuple[datetime | None, datetime | None]:
    """The UTC period for ``--since`` (``7d``) or ``--start``, and ``--end``, or for ``--period`` (see ``named``).

    None means open. Raises WrongUse.
    """
    if period and (since or start or end):
        raise WrongUse("--period cannot be combined with --since, --start or --end")
    if period:
        return named(period).span(time_zone)
    if since and start:
        raise WrongUse("--since and --start are mutually exclusive")
    begin, until = moment(start, time_zone, "start"), moment(end, time_zone, "end")
    if since:
        try:
            begin = (until or datetime.now(UTC)) - parse_timespan(since)
        except (ValueError, OverflowError) as error:
            raise WrongUse(f"--since '{since}' is not a duration: use e.g. 7d, 12h or 90m") from error
    if begin and until and begin >= until:
        raise WrongUse("the period ends before it starts")
    return begin, until


def named(text: str) -> Named:
    """The period named ``2026``, ``2026-Q4``, ``2026-10``, ``2026-W44`` or ``2026-11-22``. Raises WrongUse."""
    try:
        if re.fullmatch(r"\d{4}", text):
            return _around("yearly", date(int(text), 1, 1))
        if match := re.fullmatch(r"(\d{4})-[Qq]([1-4])", text):
            return _around("quarterly", date(int(match[1]), 3 * int(match[2]) - 2, 1))
        if re.fullmatch(r"\d{4}-\d{2}", text):
            return _around("monthly", date.fromisoformat(f"{text}-01"))
        if match := re.fullmatch(r"(\d{4})-W(\d{1,2})", text):
            return _around("weekly", date.fromisocalendar(int(match[1]), int(match[2]), 1))
        if re.fullmatch(r"\d{4}-\d{2}-\d{2}", text):
            return _around("daily", date.fromisoformat(text))
    except (ValueError, OverflowError):
        pass
    *others, last = WRITTEN.values()
    raise WrongUse(f"'{text}' is not a period: use {', '.join(others)} or {last}")


def between(text: str) -> list[Named]:
    """The periods of ``A..B``, from A to B inclusive. Raises WrongUse if their kinds differ."""
    first, separator, last = text.partition("..")
    if not separator:
        raise WrongUse(f"'{text}' is not a range of periods: use e.g. 2026-07..2026-10")
    one, until = named(first), named(last)
    if one.kind != until.kind:
        raise WrongUse(f"'{text}' mixes kinds of period: give two of one kind, e.g. two months")
    if one.first > until.first:
        raise WrongUse(f"'{text}' ends before it starts")
    found = [one]
    while found[-1].first < until.first:
        found.append(_around(one.kind, found[-1].after))
    return found


def ended(kind: str, now: datetime, time_zone: str, back: int) -> list[Named]:
    """The last *back* complete periods of a *kind* of ``WRITTEN`` before *now* in *time_zone*, oldest first.

    Raises WrongUse for an unknown kind.
    """
    if kind not in WRITTEN:
        raise WrongUse(f"'{kind}' is not a kind of period: use {', '.join(WRITTEN)}")
    found: list[Named] = []
    running = _around(kind, now.astimezone(zone(time_zone)).date())
    while len(found) < back:
        running = running.before
        found.insert(0, running)
    return found


def _around(kind: str, day: date) -> Named:
    """The period of the given kind that contains *day*."""
    if kind == "yearly":
        return Named(kind, f"{day.year:04}", date(day.year, 1, 1), date(day.year + 1, 1, 1))
    if kind == "quarterly":
        quarter = (day.month + 2) // 3
        first = date(day.year, 3 * quarter - 2, 1)
        return Named(kind, f"{day.year:04}-Q{quarter}", first, (first + timedelta(days=95)).replace(day=1))
    if kind == "monthly":
        first = day.replace(day=1)
        return Named(kind, f"{first:%Y-%m}", first, (first + timedelta(days=32)).replace(day=1))
    if kind == "weekly":
        first = day - timedelta(days=day.weekday())
        year, week, _ = first.isocalendar()
        return Named(kind, f"{year}-W{week:02}", first, first + timedelta(days=7))
    return Named(kind, day.isoformat(), day, day + timedelta(days=1))


def _midnight(day: date, time_zone: str) -> datetime:
    return datetime.combine(day, time(), zone(time_zone)).astimezone(UTC)


def age(text: str, name: str = "keep") -> timedelta:
    """A positive timespan as in settings and options, e.g. ``400d``. Raises WrongUse."""
    try:
        span = parse_timespan(text)
    except (ValueError, OverflowError):
        span = timedelta()
    if span <= timedelta():
        raise WrongUse(f"{name} '{text}' is not a duration: use e.g. 400d")
    return span


def in_words(
    start: datetime | None,
    end: datetime | None,
    time_zone: str,
    covered: tuple[datetime, datetime] | None = None,
) -> str:
    """The period as shown in a report; *end* is exclusive, so for whole days the last day is shown.

    Without start and end it is that of all data, from the first request to the last where *covered* says these times.
    """
    local = zone(time_zone)
    if start is None and end is None:
        if covered is None:
            return "all data"
        days = [_day(value.astimezone(local).date()) for value in covered]
        return f"{' to '.join(dict.fromkeys(days))} (all data)"
    first, last = (value.astimezone(local) if value else None for value in (start, end))
    if first and last and first.time() == last.time() == time():
        until = date.fromordinal(last.date().toordinal() - 1)
        return _day(first.date()) if until <= first.date() else f"{_day(first.date())} to {_day(until)}"
    if first is None:
        return f"until {_moment(last)}"
    return f"since {_moment(first)}" if last is None else f"{_moment(first)} to {_moment(last)}"


def said(value: datetime, time_zone: str) -> str:
    """A time as shown in a report: ``1 Nov 2026, 08:15``."""
    return _moment(value.astimezone(zone(time_zone)))


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def _moment(value: datetime | None) -> str:
    return f"{_day(value)}, {value:%H:%M}" if value else ""


def parse_timespan(text: str) -> timedelta:
    """``"7d"``, ``"90m"``, ``"1.5h"``, ``"1.02:03:04"`` as a timedelta. Raises ValueError."""
    match = re.fullmatch(r"\s*(-?\d+(?:\.\d+)?)\s*(d|h|m|s|ms|microsecond)\s*", text)
    if match:
        return timedelta(**{_TIMESPAN_UNITS[match[2]]: float(match[1])})
    match = re.fullmatch(r"\s*(-?)(?:(\d+)\.)?(\d{1,2}):(\d{2})(?::(\d{2}(?:\.\d{1,6})?))?\s*", text)
    if not match:
        raise ValueError(text)
    span = timedelta(days=int(match[2] or 0), hours=int(match[3]), minutes=int(match[4]), seconds=float(match[5] or 0))
    return -span if match[1] else span
