"""A period in brief: its numbers beside those of the period before, the daily cost, the top of each list, findings."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import TYPE_CHECKING, Any

from ...charts.cards import AT_LEAST, cards, label_of
from ...dimensions import only_setting
from ...format.labels import named
from ...format.numbers import RANGE, is_missing, share
from ...format.periods import in_words, said, utc, zone
from ...library import library
from ..render.blocks import Measure, Overview, Problem, Top
from ..render.headline import SUCCESS, amount, headline_numbers, users_in
from ..render.overview import LEFT_OUT, MEASURES, changed, relative, written
from .advice import advice
from .rules import ALL, Rows, findings, trouble
from .timeline import over_time

if TYPE_CHECKING:
    import pandas as pd

#: (rows, problems) of a library query between two times, which are keywords, with its parameters.
Ask = Callable[..., tuple["pd.DataFrame", tuple[Problem, ...]]]

#: Headline numbers: the query whose card has the label, and whether more is good (None: neither).
_MEASURES = {
    "Cost": ("cost/total", False),
    "Tokens": ("health/coverage-head", None),
    "Requests": ("health/coverage-head", None),
    "SuccessRate": ("reliability/success", True),
    "Users": ("", None),
}
#: The lists: title, query, column of names.
_TOPS = (
    ("Teams by cost", "cost/by-subscription", "SubscriptionId"),
    ("Models by cost", "cost/by-model", "ModelName"),
    ("Users by cost", "cost/by-user", "User"),
)
_SHOWN = 5


@dataclass
class Periods:
    """Asks for a period, for the part of it that is compared, and for the time before that; each query once.

    The part is the whole period, or ``later``: of a period without start or end its last weeks, if there are two; of
    one that the logs end within, what they have, which is compared with as much of the period before. ``why_not``: why
    it cannot be compared.
    """

    ask: Ask
    start: datetime | None
    end: datetime | None
    time_zone: str
    why_not: str = ""
    later: tuple[datetime, datetime] | None = None
    problems: list[Problem] = field(default_factory=list)
    _known: dict[Any, Rows] = field(default_factory=dict)

    @property
    def compared(self) -> tuple[datetime | None, datetime | None]:
        """What is compared with the time before it: start and end."""
        return self.later or (self.start, self.end)

    @property
    def earlier(self) -> datetime | None:
        """When the time before starts: it is as long as what is compared, a month before a month."""
        start, end = (self.start, self.end) if self.is_begun else self.compared
        if start is None or end is None:
            return None
        return before(start, end, self.time_zone)

    @property
    def earlier_end(self) -> datetime | None:
        """When the time before ends."""
        if self.later and self.is_begun and self.earlier:
            return as_far(self.earlier, *self.later, self.time_zone)
        return self.compared[0]

    @property
    def is_begun(self) -> bool:
        """Whether the first part of the period is compared."""
        return self.later is not None and self.later[0] == self.start

    def now(self, name: str, **parameters: Any) -> Rows:
        """The rows of a query for the period."""
        return self._rows(name, self.start, self.end, parameters)

    @property
    def words(self) -> tuple[str, str]:
        """When it was that is compared ('' for the period), and what it is compared with."""
        if not self.later:
            return "", "the period before"
        if self.is_begun:
            return f" up to {said(self.later[1], self.time_zone)}", "the same part of the period before"
        days = round((self.later[1] - self.later[0]) / timedelta(days=1))
        return f" in the last {days} days of these logs", f"the {days} days before"

    def latest(self, name: str, **parameters: Any) -> Rows:
        """Its rows for what is compared with the time before."""
        return self._rows(name, *self.compared, parameters)

    def before(self, name: str, **parameters: Any) -> Rows | None:
        """Its rows for the time before; None where the two cannot be compared."""
        return None if self.why_not else self._rows(name, self.earlier, self.earlier_end, parameters)

    def _rows(self, name: str, start: datetime | None, end: datetime | None, parameters: dict[str, Any]) -> Rows:
        key = (name, start, end, *sorted(parameters.items()))
        if key not in self._known:
            frame, problems = self.ask(name, start, end, **parameters)
            self.problems += problems
            self._known[key] = [
                {str(column): _plain(value) for column, value in row.items()} for row in frame.to_dict("records")
            ]
        return self._known[key]


def _plain(value: Any) -> Any:
    if is_missing(value):
        return None
    if hasattr(value, "to_pydatetime"):
        return utc(value.to_pydatetime())
    return value.item() if hasattr(value, "item") else value


def before(start: datetime, end: datetime, time_zone: str) -> datetime:
    """When the period before start <= time < end starts: a calendar month before a month, else as long ago."""
    local = zone(time_zone)
    first, last = start.astimezone(local), end.astimezone(local)
    midnight = (first.hour, first.minute, last.hour, last.minute) == (0, 0, 0, 0)
    if midnight and first.day == last.day == 1:
        months = 12 * (last.year - first.year) + last.month - first.month
        month = 12 * first.year + first.month - 1 - months
        return first.replace(year=month // 12, month=month % 12 + 1).astimezone(start.tzinfo)
    if midnight:  # whole days, of which a change of the clock makes some 23 or 25 hours
        return (first - (last.replace(tzinfo=None) - first.replace(tzinfo=None))).astimezone(start.tzinfo)
    return start - (end - start)


def overview(
    ask: Ask, start: datetime | None, end: datetime | None, time_zone: str, budgets: str | Sequence[str] = ""
) -> Overview:
    """The overview of start <= time < end; *budgets* as cost/budget takes them. Raises what *ask* does."""
    periods = Periods(ask, start, end, time_zone)
    (head,) = periods.now("health/coverage-head")
    if not head["Requests"]:
        return Overview(period=in_words(start, end, time_zone), empty=True)
    if start is None or end is None:
        periods.later = weeks_in(utc(head["FirstRequest"]), utc(head["LastRequest"]), time_zone)
    last = utc(head["LastRequest"]).astimezone(zone(time_zone))
    periods.why_not = _incomparable(periods, last)
    if start and end and not periods.why_not:
        periods.later = _begun(periods, start, end, last)
    drawn, alt = over_time(periods, head["FirstRequest"], head["LastRequest"])
    numbers, latest = _numbers(periods.now), _numbers(periods.latest)
    earlier = None if periods.why_not else _numbers(periods.before)
    return Overview(
        period=in_words(start, end, time_zone, (utc(head["FirstRequest"]), utc(head["LastRequest"]))),
        before="" if periods.why_not else in_words(periods.earlier, periods.earlier_end, time_zone),
        latest=in_words(*periods.later, time_zone) if periods.later and not periods.why_not else "",
        why_not=periods.why_not,
        example="" if periods.is_begun else f"{last:%G-W%V}",
        measures=tuple(_measures(numbers, latest, earlier)),
        compared={name: (latest.get(name), earlier.get(name)) for name in MEASURES} if earlier else {},
        numbers={name: numbers[name] for name in ("Cost", "UncostedRequests", "SuccessRate")},
        figure=drawn,
        alt=alt,
        tops=tuple(top(periods, *of) for of in _TOPS),
        findings=findings(periods),
        wrong=trouble(periods),
        advice=advice(periods),
        budget=tuple(_budget(periods, month_of(start, end, head["LastRequest"]), budgets)),
        blind=tuple(_blind(head, periods.now("cost/total"))),
        problems=tuple(dict.fromkeys(periods.problems)),
    )


def month_of(start: datetime | None, end: datetime | None, last: datetime) -> datetime | None:
    """From when a query of the month of the last request has to read: the month's start (UTC), if after *start*."""
    if start is None:
        return None
    until = min(last, end - timedelta(microseconds=1)) if end else last
    return min(start, until.astimezone(UTC).replace(day=1, hour=0, minute=0, second=0, microsecond=0))


def _budget(periods: Periods, start: datetime | None, budgets: str | Sequence[str]) -> Iterator[str]:
    rows = periods._rows(
        "cost/budget", start, periods.end, {"budgets": budgets if isinstance(budgets, str) else tuple(budgets)}
    )
    for row in rows:
        if row["ProjectedCost"] is None:
            if row["Budget"] and row["SpentCost"] is None:
                yield f"Budget of {named(row['Scope'])}: unknown. No request of the month has a known cost."
            continue
        known = row["LowCost"] is not None and row["HighCost"] is not None
        low, high = (amount(row[name]) if known else "" for name in ("LowCost", "HighCost"))
        reach = f" ({low} to {high} USD at 95%)" if known else " (too few days for a range)"
        if row["Budget"]:
            spent, budget, expected = (amount(row[name]) for name in ("SpentCost", "Budget", "ProjectedCost"))
            yield (
                f"Budget of {named(row['Scope'])}: {row['State']}. {spent} of {budget} USD spent, {expected} USD "
                f"expected by the month's end{reach}."
            )
        elif row["Scope"] == "(all)":
            yield f"The month is expected to cost {amount(row['ProjectedCost'])} USD{reach}."
    given = budgets.split(",") if isinstance(budgets, str) else budgets
    idle = {text.rpartition("=")[0].strip() for text in given} - {"", *(row["Scope"] for row in rows)}
    # With the setting 'only', a team may have traffic that is left out.
    if rows and not only_setting():
        yield from (f"Budget of {name}: no traffic this month." for name in sorted(idle))
    if rows and not idle and not any(row["Budget"] for row in rows):
        yield "No budget is set: add [budgets] to aoai.toml, with '\"(all)\" = 900' or an amount for each subscription."


def _blind(head: dict[str, Any], totals: Rows) -> Iterator[str]:
    total = (head["KnownTokens"] or 0) + (head["EstimatedTokens"] or 0)
    if head["EstimatedTokens"]:
        error = share(RANGE * (head["EstimatedTokensError"] or 0), total)
        yield f"{share(head['EstimatedTokens'], total)} of the tokens are estimated, ±{error} of the total."
    for row in totals:
        left = {"unknown tokens": row["UnknownRequests"], "a model without a price": row["UnpricedRequests"]}
        if parts := [f"{count:,} {'has' if count == 1 else 'have'} {what}" for what, count in left.items() if count]:
            yield f"Of {row['Requests']:,} requests, {' and '.join(parts)}: they are in no cost."
    yield "Calls that bypass the gateway are in no log; Azure's own metrics count them (aoai ingest metrics)."


def _incomparable(periods: Periods, last: datetime) -> str:
    start, earlier = periods.compared[0], periods.earlier
    if start is None or earlier is None:
        return (
            "these logs cover less than two weeks. To compare a period with the one before, name it: aoai report "
            f"--period {last:%Y-%m-%d} (a day), {last:%G-W%V}, {last:%Y-%m}"
        )
    (old,) = periods._rows("health/coverage-head", earlier, start, {})
    words = in_words(earlier, start, periods.time_zone)
    if not old["Requests"]:
        return f"there is no traffic in the period before ({words})"
    # A first request well after the start may mean that logging began then.
    if old["FirstRequest"] - earlier > max((start - earlier) / 10, timedelta(hours=6)):
        return f"the logs begin within the period before ({words})"
    return ""


def _begun(periods: Periods, start: datetime, end: datetime, last: datetime) -> tuple[datetime, datetime] | None:
    """The part of the period up to the full hour after its *last* request, if the logs go on in the period before.

    None where they end about as early there: both ends are alike, as those of weeks without work at weekends.
    """
    slack = max((end - start) / 10, timedelta(hours=6))
    if last > end - slack:
        return None
    begun = start, (last + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    earlier = periods.earlier
    assert earlier is not None
    (old,) = periods._rows("health/coverage-head", earlier, start, {})
    return begun if utc(old["LastRequest"]) > as_far(earlier, *begun, periods.time_zone) + slack / 2 else None


def as_far(earlier: datetime, start: datetime, until: datetime, time_zone: str) -> datetime:
    """As long after *earlier* by the clock of *time_zone* as *until* is after *start*, and no later than *start*."""
    local = zone(time_zone)
    passed = until.astimezone(local).replace(tzinfo=None) - start.astimezone(local).replace(tzinfo=None)
    return min((earlier.astimezone(local) + passed).astimezone(earlier.tzinfo), start)


def weeks_in(first: datetime, last: datetime, time_zone: str) -> tuple[datetime, datetime] | None:
    """The later half of the weeks between two requests, of whole weeks so that the half before has the same weekdays.

    It ends at the full hour after *last*. None for less than two weeks, of which six hours may be missing.
    """
    local = zone(time_zone)
    end = (last.astimezone(local) + timedelta(hours=1)).replace(minute=0, second=0, microsecond=0)
    weeks = (end - first + timedelta(hours=6)) // timedelta(weeks=2)
    return (end - timedelta(weeks=weeks), end) if weeks else None


def _numbers(rows: Callable[..., Rows | None]) -> dict[str, Any]:
    """The headline numbers, and the number of users."""
    (head,) = rows("health/coverage-head") or [{}]
    (cost,) = rows("cost/total") or [{}]
    (success,) = rows("reliability/success") or [{}]
    answers: list[dict[str, Any]] = [
        {"name": "cost/total", "totals": cost},
        {"name": SUCCESS, "totals": success},
    ]
    bridge = cards(library().get("reliability/success"), success)[0]["more"] if success else ""
    users = users_in(rows("users/concentration") or [])
    return headline_numbers(head, answers) | {"Bridge": bridge, "Users": users}


def _measures(numbers: dict[str, Any], latest: dict[str, Any], earlier: dict[str, Any] | None) -> list[Measure]:
    made = []
    for name, (query, more_is_good) in _MEASURES.items():
        label = label_of(library().get(query), name) if query else name
        value, new, old = numbers.get(name), latest.get(name), earlier.get(name) if earlier else None
        if value is None:
            made.append(Measure(label, "unknown"))
            continue
        partly = bool(numbers.get(LEFT_OUT.get(name, "")))
        text = AT_LEAST * partly + (f"{value:,}" if name == "Users" else written(name, value).removesuffix(" USD"))
        change = ""
        if earlier is not None:
            change = "change unknown" if new is None else changed("Requests" if name == "Users" else name, new, old)
        good = None if new is None or old is None or new == old or more_is_good is None else (new > old) == more_is_good
        bridge = numbers["Bridge"] if name == "SuccessRate" else ""
        made.append(Measure(label, text, change.replace(" USD", ""), good, bridge))
    return made


def top(periods: Periods, title: str, query: str, column: str) -> Top:
    """The list *title*: the names in *column* of *query* that cost most, and the others together."""
    now = {row[column]: row["Cost"] for row in periods.now(query, topN=ALL) if row["Cost"]}
    earlier = periods.before(query, topN=ALL)
    new = {row[column]: row["Cost"] for row in periods.latest(query, topN=ALL)}
    old = {row[column]: row["Cost"] or 0.0 for row in earlier or []}
    total = sum(now.values())
    lines = []
    for name, cost in list(now.items())[:_SHOWN]:
        change = "" if earlier is None else _relative(new.get(name, 0.0), old.get(name))
        lines.append((named(name), amount(cost), share(cost, total), change))
    rest = sum(list(now.values())[_SHOWN:])
    return Top(title, query, tuple(lines), len(now) - len(lines), (amount(rest), share(rest, total)))


def _relative(value: float | None, old: float | None) -> str:
    """The change in percent; '' where it is not known."""
    if value is None:
        return ""
    if not old:
        return "new" if old is None else ""
    return "±0" if value == old else relative(value, old)
