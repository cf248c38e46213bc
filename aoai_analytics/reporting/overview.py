"""What the index of all reports says: each period's headline numbers, and the change against the period before."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, date, datetime, timedelta
from typing import Any

from ..format.numbers import UNITS, human
from ..format.periods import said
from .headline import AT_LEAST, amount, of_coverage, percent

#: The kinds of named periods, by their name's form, as the index groups them.
KINDS = {"month": r"\d{4}-\d{2}", "week": r"\d{4}-W\d{2}", "day": r"\d{4}-\d{2}-\d{2}"}
HEADINGS = {"month": "Months", "week": "Weeks", "day": "Days", "other": "Other periods"}
MINUS = "\N{MINUS SIGN}"
#: Periods that a trend shows at most.
TREND = {"month": 24, "week": 26, "day": 31}
#: The headline numbers with a change, and their units.
MEASURES = {"Requests": "requests", "Tokens": "tokens", "Cost": "USD", "SuccessRate": "%"}
#: Sums that may leave requests out, and how many: such a sum is a lower bound.
LEFT_OUT = {"Tokens": "UnknownRequests", "Cost": "UncostedRequests"}


@dataclass(frozen=True)
class Entry:
    """A report in the collection; ``first`` is the first day of its named period, None where it has no name."""

    folder: str
    manifest: Mapping[str, Any]
    kind: str
    first: date | None
    title: str
    numbers: Mapping[str, Any]

    @property
    def source(self) -> str:
        return str(self.manifest.get("source", ""))

    @property
    def failed(self) -> bool:
        return bool(self.manifest.get("failed"))

    @property
    def over(self) -> bool:
        """Whether its period was over when it was made, so that it may be compared."""
        end = self.manifest.get("end")
        return end is not None and _utc(end) <= _utc(self.manifest["made"])


@dataclass(frozen=True)
class Number:
    """A headline number in words, how it changed ('' where that is not said), and what it rests on."""

    value: str
    change: str = ""
    more: tuple[str, ...] = ()


@dataclass(frozen=True)
class Row:
    """A line of the index: a report, or periods without one (``entry`` None)."""

    title: str
    entry: Entry | None = None
    cells: tuple[Number, ...] = ()
    marks: tuple[str, ...] = ()
    compared: str = ""


@dataclass(frozen=True)
class Bar:
    """A period in the trend; heights from 0 to 100, None where the tokens are unknown or the report is missing.

    ``doubtful``: its report failed in part, or was made before the period was over.
    """

    label: str
    known: float | None = None
    estimated: float = 0
    doubtful: bool = False


@dataclass(frozen=True)
class Group:
    """The reports of one kind of period and one source, newest first."""

    heading: str
    source: str
    kind: str
    rows: list[Row]
    bars: list[Bar] = field(default_factory=list)
    top: str = ""
    trend: str = ""

    @property
    def has_lower_bounds(self) -> bool:
        return any(cell.value.startswith(AT_LEAST) for row in self.rows for cell in row.cells)


def index_page(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The HTML of the index of *reports*, each a folder's name and its manifest."""
    from .. import __version__
    from .rendering import reports_index

    return reports_index(groups=groups(reports), count=len(reports), version=__version__)


def groups(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Group]:
    """*reports* by kind and source: months first, in each the newest first, with what is missing in between."""
    entries = [entry(folder, manifest) for folder, manifest in reports]
    made = []
    for kind, heading in HEADINGS.items():
        of_kind = [one for one in entries if one.kind == kind]
        for source in sorted({one.source for one in of_kind}):
            found = [one for one in of_kind if one.source == source]
            if kind == "other":
                found.sort(key=lambda one: (one.manifest.get("start") or "", one.manifest["made"]), reverse=True)
                rows = [Row(one.title, one, _cells(one, None), _marks(one)) for one in found]
                made.append(Group(heading, source, kind, rows))
            else:
                made.append(_group(heading, source, kind, found, of_kind))
    return made


def entry(folder: str, manifest: Mapping[str, Any]) -> Entry:
    """The report of *manifest* in *folder*."""
    key = manifest.get("key") or ""
    kind = next((kind for kind, form in KINDS.items() if re.fullmatch(form, key)), "other")
    try:
        first = _first_day(kind, key)
    except ValueError:
        kind, first = "other", None
    numbers = manifest.get("headline")
    if numbers is None:
        coverages = [page.get("coverage") for page in manifest["pages"] if page.get("coverage")]
        numbers = of_coverage(coverages[0] if coverages else {})
    title = named(kind, first) if first else str(manifest.get("period") or folder)
    return Entry(folder, manifest, kind, first, title, numbers)


def named(kind: str, first: date) -> str:
    """A period in words: ``October 2026``, ``Week 44, 2026``, ``22 Nov 2026``."""
    if kind == "month":
        return f"{first:%B %Y}"
    if kind == "week":
        year, week, _ = first.isocalendar()
        return f"Week {week}, {year}"
    return f"{first.day} {first:%b %Y}"


def before(kind: str, first: date) -> date:
    """The first day of the period before."""
    if kind == "month":
        return (first - timedelta(days=1)).replace(day=1)
    return first - timedelta(days=7 if kind == "week" else 1)


def incomparable(one: Entry, previous: Entry | None, elsewhere: Sequence[Entry] = ()) -> str:
    """Why *one* cannot be held against the period before, '' where it can; *elsewhere* are that period's reports of
    other sources."""
    assert one.first
    name = named(one.kind, before(one.kind, one.first))
    if previous is None:
        return f"the report of {name} is of another source" if elsewhere else f"there is no report for {name}"
    if previous.manifest.get("time_zone") != one.manifest.get("time_zone"):
        return f"{name} is in another time zone ({previous.manifest.get('time_zone')})"
    for each, words in ((one, "this report"), (previous, f"the report of {name}")):
        if each.failed:
            return f"{words} failed in part"
        if not each.over:
            return f"{words} was made before its period was over"
        if each.numbers["Requests"] is None:
            return f"{words} does not show how much traffic there was"
        if not each.numbers["Requests"]:
            return f"{words} found no traffic"
    return ""


def _group(heading: str, source: str, kind: str, found: list[Entry], of_kind: list[Entry]) -> Group:
    by_day: dict[date, Entry] = {}
    for one in sorted(found, key=lambda one: one.manifest["made"]):
        assert one.first
        by_day[one.first] = one
    rows: list[Row] = []
    bars: list[tuple[str, Entry | None]] = []
    day, missing = max(by_day), list[date]()
    while day >= min(by_day):
        at = by_day.get(day)
        if len(bars) < TREND[kind]:
            bars.append((named(kind, day), at))
        if at is None:
            missing.append(day)
        else:
            if missing:
                rows.append(Row(_missing(kind, missing)))
                missing = []
            previous = by_day.get(before(kind, day))
            others = [each for each in of_kind if each.first == before(kind, day)]
            why = incomparable(at, previous, others)
            name = named(kind, before(kind, day))
            compared = f"Not compared: {why}." if why else f"Change against {name}."
            rows.append(Row(at.title, at, _cells(at, None if why else previous), _marks(at), compared))
        day = before(kind, day)
    return _with_trend(Group(heading, source, kind, rows), bars[::-1])


def _missing(kind: str, days: list[date]) -> str:
    """*days* are the first days of missing periods, newest first."""
    if len(days) == 1:
        return named(kind, days[0])
    return f"{named(kind, days[-1])} to {named(kind, days[0])} ({len(days)} {kind}s)"


def _cells(one: Entry, previous: Entry | None) -> tuple[Number, ...]:
    return tuple(_cell(name, one.numbers, previous.numbers if previous else None) for name in MEASURES)


def _cell(name: str, numbers: Mapping[str, Any], earlier: Mapping[str, Any] | None) -> Number:
    value = numbers.get(name)
    if value is None:
        return Number("unknown")
    more = []
    if name == "Tokens" and numbers.get("EstimatedTokens"):
        more.append(f"{percent(100 * numbers['EstimatedTokens'] / value)} estimated")
    left_out = numbers.get(LEFT_OUT.get(name, "")) or 0
    if left_out:
        more.append(f"without {left_out:,} request{'' if left_out == 1 else 's'}")
    text = (AT_LEAST if left_out else "") + _said(name, value)
    if earlier is None:
        return Number(text, "", tuple(more))
    old = earlier.get(name)
    return Number(text, "change unknown" if old is None else _changed(name, value - old, old), tuple(more))


def _said(name: str, value: float) -> str:
    if name == "Requests" and value < 1_000_000:
        return f"{value:,}"
    if name == "SuccessRate":
        return percent(value)
    return f"{amount(value)} USD" if name == "Cost" else human(value)


def _changed(name: str, change: float, old: float) -> str:
    if name == "SuccessRate":
        return "±0" if not change else f"{'+' if change > 0 else MINUS}{abs(change):.2f} percentage points"
    if not change:
        return "±0"
    sign = "+" if change > 0 else MINUS
    absolute = f"{sign}{_said(name, abs(change))}"
    return f"{absolute} ({sign}{percent(100 * abs(change) / old)})" if old else absolute


def _marks(one: Entry) -> tuple[str, ...]:
    marks = ["failed in part"] if one.failed else []
    if one.manifest.get("end") and not one.over:
        marks.append(f"period not over when made, {said(_utc(one.manifest['made']), one.manifest['time_zone'])}")
    if not one.failed and one.numbers["Requests"] == 0:
        marks.append("no traffic found")
    if one.manifest.get("show_prompts"):
        marks.append("may show prompts and responses")
    return tuple(marks)


def _with_trend(group: Group, periods: list[tuple[str, Entry | None]]) -> Group:
    """*group* with its bars, oldest first; none where there are not two to see."""
    known = {name: one.numbers["Tokens"] for name, one in periods if one and one.numbers["Tokens"] is not None}
    top = max(known.values(), default=0)
    if len(known) < 2 or not top:
        return group
    bars = []
    for name, one in periods:
        if one is None:
            bars.append(Bar(f"{name}: no report"))
        elif name not in known:
            bars.append(Bar(f"{name}: tokens unknown"))
        else:
            estimated = 100 * (one.numbers["EstimatedTokens"] or 0) / top
            why = ", failed in part" if one.failed else "" if one.over else ", not over when made"
            label = f"{name}: {human(known[name], UNITS['tokens'])}{why}"
            bars.append(Bar(label, 100 * known[name] / top - estimated, estimated, bool(why)))
    trend = f"Tokens by {group.kind}, {periods[0][0]} to {periods[-1][0]}"
    return Group(group.heading, group.source, group.kind, group.rows, bars, human(top, UNITS["tokens"]), trend)


def _first_day(kind: str, key: str) -> date | None:
    if kind == "other":
        return None
    if kind == "week":
        return date.fromisocalendar(int(key[:4]), int(key[6:]), 1)
    return date.fromisoformat(f"{key}-01" if kind == "month" else key)


def _utc(text: str) -> datetime:
    value = datetime.fromisoformat(text)
    return value if value.tzinfo else value.replace(tzinfo=UTC)
