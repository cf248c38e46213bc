"""The index of all reports: each period's headline numbers, and the change from the period before."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from ...charts.cards import AT_LEAST
from ...errors import WrongUse
from ...format.numbers import UNITS, human, percent, share
from ...format.periods import Named, named, said, utc
from . import html
from .headline import amount, of_coverage

#: The index's groups, by kind of named period.
HEADINGS = {
    "yearly": "Years",
    "quarterly": "Quarters",
    "monthly": "Months",
    "weekly": "Weeks",
    "daily": "Days",
    "": "Other periods",
}
#: What one period of a kind is called, and how many of them a trend shows at most.
TREND = {
    "yearly": ("year", 10),
    "quarterly": ("quarter", 12),
    "monthly": ("month", 24),
    "weekly": ("week", 26),
    "daily": ("day", 31),
}
MINUS = "\N{MINUS SIGN}"
#: The headline numbers that an index shows, with their change.
MEASURES = ("Requests", "Tokens", "Cost", "SuccessRate")
#: Sums that may leave requests out, and which number says how many: such a sum is a lower bound.
LEFT_OUT = {"Tokens": "UnknownRequests", "Cost": "UncostedRequests"}


@dataclass(frozen=True)
class Entry:
    """A report in the collection; ``period`` is None where it has no named period."""

    folder: str
    manifest: Mapping[str, Any]
    period: Named | None
    numbers: Mapping[str, Any]

    @property
    def title(self) -> str:
        return self.period.words if self.period else str(self.manifest.get("period") or self.folder)

    @property
    def source(self) -> str:
        return str(self.manifest.get("source", ""))

    @property
    def failed(self) -> bool:
        return bool(self.manifest.get("failed"))

    @property
    def over(self) -> bool:
        """Whether its period was over when it was made, so that it can be compared."""
        return self.manifest.get("end") is not None and not not_over(self.manifest)


@dataclass(frozen=True)
class Number:
    """A headline number in words, its change ('' where there is none to show), and notes on it."""

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
    rows: tuple[Row, ...]
    bars: tuple[Bar, ...] = ()
    top: str = ""
    trend: str = ""

    @property
    def has_lower_bounds(self) -> bool:
        return any(cell.value.startswith(AT_LEAST) for row in self.rows for cell in row.cells)


def index_page(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> str:
    """The HTML of the index of *reports*, each a folder's name and its manifest."""
    from ... import __version__

    found = groups(reports)
    entries = [row.entry for group in found for row in group.rows if row.entry]
    return html.render(
        "reports.html",
        title="Azure OpenAI gateway reports",
        groups=found,
        count=len(reports),
        version=__version__,
        sources=sorted({group.source for group in found}),
        zones=sorted({str(entry.manifest["time_zone"]) for entry in entries}),
        failed=any(entry.failed for entry in entries),
        **html.head_values(),
    )


def groups(reports: Sequence[tuple[str, Mapping[str, Any]]]) -> list[Group]:
    """*reports* by kind and source: years first, in each the newest first, with the missing periods in between."""
    entries = [entry(folder, manifest) for folder, manifest in reports]
    made = []
    for kind, heading in HEADINGS.items():
        of_kind = [one for one in entries if (one.period.kind if one.period else "") == kind]
        for source in sorted({one.source for one in of_kind}):
            found = [one for one in of_kind if one.source == source]
            if kind:
                made.append(_group(heading, source, found, of_kind))
            else:
                found.sort(key=lambda one: (one.manifest.get("start") or "", one.manifest["made"]), reverse=True)
                rows = tuple(_row(one) for one in found)
                made.append(Group(heading, source, rows))
    return made


def entry(folder: str, manifest: Mapping[str, Any]) -> Entry:
    """The report of *manifest* in *folder*."""
    try:
        period = named(manifest.get("key") or "")
    except WrongUse:
        period = None
    numbers = manifest.get("headline")
    if numbers is None:
        numbers = of_coverage(next(filter(None, (page.get("coverage") for page in manifest["pages"])), {}))
    return Entry(folder, manifest, period, numbers)


def not_over(manifest: Mapping[str, Any]) -> bool:
    """Whether the period of *manifest* has an end, and ends after the report was made."""
    end = manifest.get("end")
    return end is not None and _time(end) > _time(manifest["made"])


def incomparable(one: Entry, previous: Entry | None, before: str, *, elsewhere: bool = False) -> str:
    """Why *one* cannot be compared with the report of the period *before*, '' where it can.

    *elsewhere*: that period has a report, of another source.
    """
    if previous is None:
        return f"the report of {before} is of another source" if elsewhere else f"there is no report for {before}"
    if previous.manifest.get("time_zone") != one.manifest.get("time_zone"):
        return f"{before} is in another time zone ({previous.manifest.get('time_zone')})"
    for each, words in ((one, "this report"), (previous, f"the report of {before}")):
        if each.failed:
            return f"{words} failed in part"
        if not each.over:
            return f"{words} was made before its period was over"
        if each.numbers["Requests"] is None:
            return f"{words} does not show how much traffic there was"
        if not each.numbers["Requests"]:
            return f"{words} found no traffic"
    return ""


def _group(heading: str, source: str, found: list[Entry], of_kind: list[Entry]) -> Group:
    by_period = {one.period: one for one in sorted(found, key=lambda one: one.manifest["made"]) if one.period}
    periods = sorted(by_period, key=lambda period: period.first)
    oldest, period = periods[0], periods[-1]
    rows: list[Row] = []
    missing: list[Named] = []
    trend: list[tuple[Named, Entry | None]] = []
    while period.first >= oldest.first:
        at, before = by_period.get(period), period.before
        trend.append((period, at))
        if at is None:
            missing.append(period)
        else:
            if missing:
                rows.append(Row(_missing(missing)))
                missing = []
            previous = by_period.get(before)
            elsewhere = any(each.period == before for each in of_kind)
            why = incomparable(at, previous, before.words, elsewhere=elsewhere)
            rows.append(_row(at, None if why or not previous else (before.words, previous.numbers), why))
        period = before
    return _with_trend(Group(heading, source, tuple(rows)), trend)


def _row(one: Entry, previous: tuple[str, Mapping[str, Any]] | None = None, why: str = "") -> Row:
    """The line of *one*: compared as on its own first page, else with *previous* (its words and numbers).

    Without either, it says *why*, in the words of the first page if that has some.
    """
    own = one.manifest.get("compared") or {}
    if own.get("compared"):
        now, old = ({name: pair[at] for name, pair in own["compared"].items()} for at in (0, 1))
        words = f"{own['latest']} with {own['before']}" if own["latest"] else ""
        compared = f"Changes compare {words}." if words else f"Change from {own['before']}."
        return Row(one.title, one, _cells(one, now, old), _marks(one), compared)
    if previous:
        return Row(one.title, one, _cells(one, one.numbers, previous[1]), _marks(one), f"Change from {previous[0]}.")
    why = own.get("why_not") or why
    return Row(one.title, one, _cells(one), _marks(one), f"Not compared: {why}." if why else "")


def _missing(periods: list[Named]) -> str:
    """*periods* without a report, newest first, in words."""
    if len(periods) == 1:
        return periods[0].words
    return f"{periods[-1].words} to {periods[0].words} ({len(periods)} {TREND[periods[0].kind][0]}s)"


def _cells(
    one: Entry, now: Mapping[str, Any] | None = None, earlier: Mapping[str, Any] | None = None
) -> tuple[Number, ...]:
    """The numbers of *one*, and where there are *earlier* ones the change from these to *now*."""
    return tuple(_cell(name, one.numbers, now, earlier) for name in MEASURES)


def _cell(
    name: str, numbers: Mapping[str, Any], now: Mapping[str, Any] | None, earlier: Mapping[str, Any] | None
) -> Number:
    value = numbers.get(name)
    if value is None:
        return Number("unknown")
    more = []
    if name == "Tokens" and numbers.get("EstimatedTokens"):
        more.append(f"{share(numbers['EstimatedTokens'], value)} estimated")
    left_out = numbers.get(LEFT_OUT.get(name, "")) or 0
    if left_out:
        more.append(f"without {left_out:,} request{'' if left_out == 1 else 's'}")
    text = AT_LEAST * bool(left_out) + written(name, value)
    change = ""
    if now is not None and earlier is not None:
        change = "change unknown" if now.get(name) is None else changed(name, now[name], earlier.get(name))
    return Number(text, change, tuple(more))


def written(name: str, value: float) -> str:
    """A headline number with its unit."""
    if name == "Requests" and value < 1_000_000:
        return f"{value:,}"
    if name == "SuccessRate":
        return percent(value)
    return f"{amount(value)} USD" if name == "Cost" else human(value)


def changed(name: str, value: float, old: float | None) -> str:
    """The change of a headline number from *old*: absolute and in percent."""
    if old is None:
        return "change unknown"
    change = value - old
    if not change:
        return "±0"
    sign = "+" if change > 0 else MINUS
    if name == "SuccessRate":
        return f"{sign}{abs(change):.2f} percentage points"
    absolute = f"{sign}{written(name, abs(change))}"
    return f"{absolute} ({relative(value, old)})" if old else absolute


def relative(value: float, old: float) -> str:
    """The change from *old*, which is not 0, in percent: ``+12.3%``, ``< +0.1%``; ``>`` is before a fall near 0."""
    rises, part = value > old, share(abs(value - old), old)
    compared, _, number = part.rpartition(" ")
    if compared and not rises:
        compared = ">" if compared == "<" else "<"
    return f"{compared} {'+' if rises else MINUS}{number}".lstrip()


def _marks(one: Entry) -> tuple[str, ...]:
    marks = ["failed in part"] if one.failed else []
    if not_over(one.manifest):
        marks.append(f"period not over when made, {said(_time(one.manifest['made']), one.manifest['time_zone'])}")
    if not one.failed and one.numbers["Requests"] == 0:
        marks.append("no traffic found")
    if one.manifest.get("show_prompts"):
        marks.append("may show prompts and responses")
    return tuple(marks)


def _with_trend(group: Group, periods: list[tuple[Named, Entry | None]]) -> Group:
    """*group* with the bars of its latest *periods* (newest first); none where there are not two to see."""
    word, most = TREND[periods[0][0].kind]
    periods = periods[:most][::-1]
    top = max((one.numbers["Tokens"] or 0 for _, one in periods if one), default=0)
    if not top or sum(one is not None and one.numbers["Tokens"] is not None for _, one in periods) < 2:
        return group
    trend = f"Tokens by {word}, {periods[0][0].words} to {periods[-1][0].words}"
    bars = tuple(_bar(period.words, one, top) for period, one in periods)
    return replace(group, bars=bars, top=human(top, UNITS["tokens"]), trend=trend)


def _bar(name: str, one: Entry | None, top: float) -> Bar:
    if one is None:
        return Bar(f"{name}: no report")
    tokens = one.numbers["Tokens"]
    if tokens is None:
        return Bar(f"{name}: tokens unknown")
    estimated = 100 * (one.numbers["EstimatedTokens"] or 0) / top
    why = ", failed in part" if one.failed else "" if one.over else ", not over when made"
    return Bar(f"{name}: {human(tokens, UNITS['tokens'])}{why}", 100 * tokens / top - estimated, estimated, bool(why))


def _time(text: str) -> datetime:
    return utc(datetime.fromisoformat(text))
