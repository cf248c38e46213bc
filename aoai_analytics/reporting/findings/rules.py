"""Rules that turn the answers of library queries into findings: sentences with their numbers.

Each rule asks for the queries it needs and yields what it finds. A finding's ``weight`` is the share of the period's
cost or requests that it concerns, by which findings are ranked.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from datetime import datetime, timedelta
from statistics import median
from typing import Any, Protocol

from ...format.labels import named
from ...format.numbers import RANGE, UNITS, human, percent, share
from ...format.periods import said
from ..render.blocks import Finding
from ..render.overview import relative

#: Rows of a query's answer: null is None, times are datetimes.
Rows = list[dict[str, Any]]
#: The smallest share of the period's cost or requests that is worth a sentence.
NOTABLE = 0.05
#: Outcomes that the service, not the caller or the gateway's own limits, is responsible for.
_SERVICE = ("server-error", "throttled-backend")
_MOST = 5
_MOST_RUNS = 3
#: More rows than any list of names has.
ALL = 100_000


class Asker(Protocol):
    """Answers library queries for the period, for the part of it that is compared, and for the time before that."""

    time_zone: str

    @property
    def words(self) -> tuple[str, str]:
        """When it was that is compared ('' for the period), and what it is compared with."""

    def now(self, name: str, **parameters: Any) -> Rows:
        """The rows of a query for the period."""

    def latest(self, name: str, **parameters: Any) -> Rows:
        """Its rows for what is compared: the period, or of one without a start or an end the later half."""

    def before(self, name: str, **parameters: Any) -> Rows | None:
        """Its rows for the time before that; None if the two cannot be compared."""


def findings(asker: Asker) -> tuple[Finding, ...]:
    """What the rules find, the weightiest first, at most five."""
    found = [finding for rule in RULES for finding in rule(asker)]
    return tuple(sorted(found, key=lambda finding: -finding.weight)[:_MOST])


def trouble(asker: Asker) -> tuple[Finding, ...]:
    """What went wrong and when, in order of time where that is known."""
    return tuple(finding for rule in TROUBLE for finding in rule(asker))


def cost_changes(asker: Asker) -> Iterator[Finding]:
    """The team whose cost rose the most, and the one whose cost fell the most, beyond the error of the estimates."""
    earlier = asker.before("cost/by-subscription", topN=ALL)
    if earlier is None:
        return
    (during, before_that), nothing = asker.words, (0.0, 0.0)
    new, old = (
        {row["SubscriptionId"]: (row["Cost"], row["CostError"] or 0.0) for row in rows}
        for rows in (asker.latest("cost/by-subscription", topN=ALL), earlier)
    )
    total = max(sum(cost or 0.0 for cost, _ in of.values()) for of in (new, old))
    # A cost that is unknown is no cost of 0 that rose or fell.
    names = [
        name for name in sorted({*new, *old}) if None not in (new.get(name, nothing)[0], old.get(name, nothing)[0])
    ]
    changes = {name: new.get(name, nothing)[0] - old.get(name, nothing)[0] for name in names}
    if not changes or not total:
        return
    for name in dict.fromkeys((max(changes, key=changes.__getitem__), min(changes, key=changes.__getitem__))):
        change, (now, new_error), (before, old_error) = changes[name], *(of.get(name, nothing) for of in (new, old))
        error = RANGE * (new_error**2 + old_error**2) ** 0.5
        if abs(change) < NOTABLE * total or abs(change) <= error:
            continue
        by = f"{relative(now, before)}, " if before else ""
        yield Finding(
            f"{_team(name)} cost {_usd(abs(change))}{_margin(error)} {'more' if change > 0 else 'less'}{during} than "
            f"in {before_that} ({by}{_usd(before)} to {_usd(now)}){_cause(asker, name, change)}.",
            "cost/by-subscription",
            "bad" if change > 0 else "good",
            abs(change) / total,
        )


def expensive_day(asker: Asker) -> Iterator[Finding]:
    """The most expensive day, if it cost at least twice the median day."""
    days = [row for row in asker.now("cost/by-day", timeZone=asker.time_zone) if row["Cost"] is not None]
    if len(days) < 4:
        return
    usual, total = median(day["Cost"] for day in days), sum(day["Cost"] for day in days)
    top = max(days, key=lambda day: day["Cost"])
    error = RANGE * (top["CostError"] or 0.0)
    rise = top["Cost"] - usual
    if top["Cost"] - error < 2 * usual or rise < NOTABLE * total:
        return
    times = f"{top['Cost'] / usual:.1f} times the median day ({_usd(usual)})" if usual else "the median day nothing"
    yield Finding(
        f"{_date(top['Day'])} cost {_usd(top['Cost'])}{_margin(error)}, {times}.{_culprit(asker, days, top, rise)}",
        "cost/by-day",
        "bad",
        rise / total,
    )


def _cause(asker: Asker, team: str, change: float) -> str:
    """The model and the day that most of the *change* of a team's cost comes from, in words; '' if none stands out."""
    new, old = (_of_team(_parts(rows_of, asker), team) for rows_of in (asker.latest, asker.before))
    if new is None or old is None:
        return ""
    models, before = _sums(new, "ModelName"), _sums(old, "ModelName")
    parts = {model: (models.get(model, 0.0) - before.get(model, 0.0)) / change for model in {*models, *before} - {""}}
    model = max(sorted(parts), key=lambda model: parts[model], default="")
    found = [f"{_most(parts[model])} of it on {model}"] if model and parts[model] > 0.5 else []
    days = _sums(new, "Day")
    day = max(sorted(days), key=lambda day: days[day], default=None)
    others = [cost for other, cost in days.items() if other != day]
    if day and len(others) >= 3 and days[day] - median(others) >= change / 2 > 0:
        found.append(f"most of it on {_date(day)}")
    return f", {' and '.join(found)}" if found else ""


def _culprit(asker: Asker, days: Rows, top: dict[str, Any], rise: float) -> str:
    """The team and the model that most of the *rise* of the day *top* comes from, as a sentence; '' if none does."""
    rows = _parts(asker.now, asker) or []

    def rose(part: Rows) -> float:
        costs = _sums(part, "Day")
        return costs.get(top["Day"], 0.0) - median(costs.get(day["Day"], 0.0) for day in days)

    teams = {team: rose(_of_team(rows, team) or []) for team in sorted({row["SubscriptionId"] for row in rows})}
    team = max(teams, key=lambda team: teams[team], default="")
    if not teams or teams[team] <= rise / 2:
        return ""
    used = _of_team(rows, team) or []
    models = {
        model: rose([row for row in used if row["ModelName"] == model]) / teams[team]
        for model in sorted({row["ModelName"] for row in used} - {""})
    }
    model = max(models, key=lambda model: models[model], default="")
    on = f", {_most(models[model])} of it on {model}" if model and models[model] > 0.5 else ""
    return f" {_team(team)} caused {_most(teams[team] / rise)} of the rise{on}."


def _parts(rows_of: Callable[..., Rows | None], asker: Asker) -> Rows | None:
    """The cost of each team, model and day; None where that is more than can be asked for."""
    rows = rows_of("cost/by-subscription-model-and-day", timeZone=asker.time_zone, topN=ALL)
    return None if rows is None or len(rows) >= ALL else rows


def _of_team(rows: Rows | None, team: str) -> Rows | None:
    """A team's rows; None if one has an unknown cost, which is no cost of 0."""
    found = [row for row in rows or [] if row["SubscriptionId"] == team]
    return None if rows is None or any(row["Cost"] is None for row in found) else found


def _sums(rows: Rows, column: str) -> dict[Any, float]:
    sums: dict[Any, float] = {}
    for row in rows:
        sums[row[column]] = sums.get(row[column], 0.0) + row["Cost"]
    return sums


def _most(part: float) -> str:
    return "all" if part >= 0.995 else "nearly all" if part >= 0.9 else percent(100 * part)


def failing_hours(asker: Asker) -> Iterator[Finding]:
    """The hours in which the most requests failed at the service, those that follow each other as one."""
    rows = [row for row in asker.now("reliability/failures-over-time", step="1h") if row["Outcome"] in _SERVICE]
    failed: dict[datetime, int] = {}
    part: dict[datetime, float] = {}
    for row in rows:
        failed[row["TimeGenerated"]] = failed.get(row["TimeGenerated"], 0) + row["Requests"]
        part[row["TimeGenerated"]] = part.get(row["TimeGenerated"], 0.0) + row["Share"]
    whole = sum(failed.values())
    runs: list[list[datetime]] = []
    for hour in sorted(at for at, count in failed.items() if count >= 10 and part[at] >= 100 * NOTABLE):
        if runs and hour - runs[-1][-1] <= timedelta(hours=1):
            runs[-1].append(hour)
        else:
            runs.append([hour])
    worst = sorted(runs, key=lambda run: -sum(failed[hour] for hour in run))[:_MOST_RUNS]
    for run in sorted(worst):
        count = sum(failed[hour] for hour in run)
        requests = sum(100 * failed[hour] / part[hour] for hour in run)
        length = "an hour" if len(run) == 1 else f"{len(run)} hours"
        yield Finding(
            f"From {said(run[0], asker.time_zone)}, for {length}: {count:,} requests failed at the service, "
            f"{percent(100 * count / requests)} of the requests then, {share(count, whole)} of all service failures.",
            "reliability/failures-over-time",
            "bad",
            count / requests_of(asker),
        )


def throttled_deployment(asker: Asker) -> Iterator[Finding]:
    """The deployment that throttled the most requests."""
    for row in asker.now("reliability/throttling-by-deployment")[:1]:
        throttled, requests = row["ThrottledRequests"], row["Requests"]
        if throttled >= 10 and throttled >= 0.01 * requests:
            yield Finding(
                f"Deployment {named(row['DeploymentName'])} on {named(row['BackendHost'])} throttled {throttled:,} of "
                f"{requests:,} requests ({share(throttled, requests)}), up to {row['WorstHourRequests']:,} in an hour "
                f"(from {said(row['WorstHour'], asker.time_zone)}).",
                "reliability/throttling-by-deployment",
                "bad",
                throttled / requests_of(asker),
            )


def missed_target(asker: Asker) -> Iterator[Finding]:
    """The deployment with the most failures of those that overspent their error budget."""
    rows = asker.now("reliability/success-rate")
    missed = [row for row in rows if (row["BudgetUsed"] or 0) > 100 and row["CountedRequests"] >= 100]
    if not missed:
        return
    row = max(missed, key=lambda row: row["FailedRequests"])
    others = f"; {len(missed) - 1} more missed it" if len(missed) > 1 else ""
    yield Finding(
        f"Deployment {named(row['DeploymentName'])} missed its 99% target: {percent(row['SuccessRate'])} of "
        f"{row['CountedRequests']:,} requests succeeded, {row['FailedRequests']:,} failed{others}.",
        "reliability/success-rate",
        "bad",
        row["FailedRequests"] / requests_of(asker),
    )


def retiring_model(asker: Asker) -> Iterator[Finding]:
    """Of the models past their retirement date, or else of those that retire soon, the one with the most requests."""
    rows = asker.now("models/retiring")
    for status, weight in (("date passed", 0.5), ("soon", 0.25)):
        due = [row for row in rows if row["Status"] == status]
        if not due:
            continue
        row = max(due, key=lambda row: row["Requests"])
        model = f"{row['ModelName']} {row['ModelVersion'] or ''}".strip()
        when = "passed its retirement date" if status == "date passed" else f"retires in {row['DaysLeft']} days"
        replacement = f"; replace it with {row['Replacement']}" if row["Replacement"] != "unknown" else ""
        part = row["Requests"] / sum(each["Requests"] for each in rows)
        yield Finding(
            f"Model {model} {when} ({_date(row['RetirementDate'])} {row['RetirementDate'].year}) and served "
            f"{row['Requests']:,} requests, {percent(100 * part)} of all that models answered{replacement}.",
            "models/retiring",
            "bad",
            weight * part,
        )
        return


def one_user(asker: Asker) -> Iterator[Finding]:
    """A user that causes at least a third of the cost of several users."""
    rows = [row for row in asker.now("cost/by-user", topN=ALL) if row["Cost"]]
    total = sum(row["Cost"] for row in rows)
    if len(rows) < 5 or rows[0]["Cost"] < total / 3:
        return
    kind = {"address": "Address", "gateway user": "Gateway user"}.get(rows[0]["UserKind"], "User")
    yield Finding(
        f"{kind} {named(rows[0]['User'])} caused {share(rows[0]['Cost'], total)} of the known cost "
        f"({_usd(rows[0]['Cost'])}), the other {len(rows) - 1:,} users the rest.",
        "cost/by-user",
        "",
        rows[0]["Cost"] / total / 4,
    )


def uncosted(asker: Asker) -> Iterator[Finding]:
    """Requests that are in no total of the cost."""
    for row in asker.now("cost/total"):
        unknown, unpriced, requests = row["UnknownRequests"], row["UnpricedRequests"], row["Requests"]
        if requests and unknown + unpriced >= NOTABLE * requests:
            counts = {"have unknown tokens": unknown, "have no price": unpriced}
            parts = [f"{count:,} {words}" for words, count in counts.items() if count]
            yield Finding(
                f"The cost leaves out {share(unknown + unpriced, requests)} of the requests: {' and '.join(parts)}.",
                "cost/total",
                "bad",
                (unknown + unpriced) / requests / 2,
            )


#: All rules of findings, and those of what went wrong.
RULES: tuple[Callable[[Asker], Iterator[Finding]], ...] = (
    cost_changes,
    expensive_day,
    missed_target,
    retiring_model,
    one_user,
    uncosted,
)
TROUBLE: tuple[Callable[[Asker], Iterator[Finding]], ...] = (failing_hours, throttled_deployment)


def requests_of(asker: Asker) -> int:
    """How many requests the period has, at least 1."""
    return sum(row["Requests"] for row in asker.now("reliability/outcomes")) or 1


def _team(subscription: str) -> str:
    return f"Team {subscription}" if subscription else "Callers without a subscription"


def _margin(error: float) -> str:
    return f" ± {_usd(error)}" if error >= 0.005 else ""


def _date(day: datetime) -> str:
    return f"{day.day} {day:%b}"


def _usd(amount: float) -> str:
    return human(amount, UNITS["USD"])
