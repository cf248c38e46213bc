"""The period of a report: from whole days or moments in its time zone."""

from __future__ import annotations

from datetime import UTC, date, datetime, time
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from ..engines.parameters import parse_timespan
from ..errors import WrongUse

Moment = str | date | datetime | None


def zone(name: str) -> ZoneInfo:
    """The time zone of an IANA name. Raises WrongUse."""
    try:
        return ZoneInfo(name)
    except (ZoneInfoNotFoundError, ValueError, OSError) as error:
        raise WrongUse(f"unknown time zone '{name}': give an IANA name such as UTC or Europe/Berlin") from error


def moment(value: Moment, time_zone: str, name: str = "start") -> datetime | None:
    """*value* in UTC: text in ISO 8601, a date (its midnight) or a datetime; without an offset, in *time_zone*.

    Raises WrongUse for text that is no date.
    """
    if value is None or value == "":
        return None
    local = zone(time_zone)
    if isinstance(value, str):
        try:
            value = datetime.fromisoformat(value)
        except ValueError as error:
            raise WrongUse(f"{name} '{value}' is no date: write it as 2026-11-01 or 2026-11-01T08:00") from error
    elif not isinstance(value, datetime):
        value = datetime.combine(value, time())
    return (value if value.tzinfo else value.replace(tzinfo=local)).astimezone(UTC)


def span(since: str | None, start: Moment, end: Moment, time_zone: str) -> tuple[datetime | None, datetime | None]:
    """The period in UTC that ``--since`` (``7d``) or ``--start``, and ``--end`` say; None is open. Raises WrongUse."""
    if since and start:
        raise WrongUse("--since and --start both say where to begin: give one of them")
    begin, until = moment(start, time_zone, "start"), moment(end, time_zone, "end")
    if since:
        try:
            begin = (until or datetime.now(UTC)) - parse_timespan(since)
        except (ValueError, OverflowError) as error:
            raise WrongUse(f"--since '{since}' is no span of time: write it as 7d, 12h or 90m") from error
    if begin and until and begin >= until:
        raise WrongUse("the period ends before it begins")
    return begin, until


def in_words(start: datetime | None, end: datetime | None, time_zone: str) -> str:
    """The period as a report says it; *end* is not part of it, so whole days name the last one."""
    if start is None and end is None:
        return "all there is"
    local = zone(time_zone)
    first, last = (value.astimezone(local) if value else None for value in (start, end))
    if first and last and first.time() == last.time() == time():
        until = date.fromordinal(last.date().toordinal() - 1)
        return _day(first.date()) if until <= first.date() else f"{_day(first.date())} to {_day(until)}"
    if first is None:
        return f"until {_moment(last)}"
    return f"since {_moment(first)}" if last is None else f"{_moment(first)} to {_moment(last)}"


def said(value: datetime, time_zone: str) -> str:
    """A moment as a report says it: ``1 Nov 2026, 08:15``."""
    return _moment(value.astimezone(zone(time_zone)))


def _day(value: date) -> str:
    return f"{value.day} {value:%b %Y}"


def _moment(value: datetime | None) -> str:
    return f"{_day(value)}, {value:%H:%M}" if value else ""
