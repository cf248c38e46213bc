"""The numbers at the top of a page, which fit what the page is about: cost, reliability, users, models, prompts.

Each comes from an answer that the page shows, so that it is nowhere a number of its own.
"""

from __future__ import annotations

import csv
import io
import json
import re
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from ...charts.cards import AT_LEAST
from ...dimensions import only_setting
from ...engines.kql.parameters import declared
from ...format.labels import named
from ...format.numbers import Unit, human, percent, share
from ...format.periods import said, utc
from .headline import amount, users_in
from .pages import Page

Card = dict[str, Any]
Rows = list[dict[str, str]]
#: A budget as kql/cost/budget.kql reads it.
_BUDGET = re.compile(r"(?P<scope>.+)=\s*(?P<usd>\d+(?:\.\d+)?)\s*")


@dataclass(frozen=True)
class Shown:
    """What a page shows, by query, and the report's measures with their change, by label.

    ``latest`` names the part of the period that is compared with the time before it; '' for the whole.
    """

    answers: Mapping[str, Mapping[str, Any]]
    measures: Mapping[str, Mapping[str, Any]]
    latest: str
    time_zone: str

    def rows(self, query: str) -> Rows:
        """The rows of the answer to *query*, as text; none where the page does not show it."""
        answer = self.answers.get(query)
        return list(csv.DictReader(io.StringIO(answer["csv"]))) if answer else []

    def given(self, query: str, parameter: str) -> list[str]:
        """The texts that the list *parameter* of *query* was set to; none where the page does not show it."""
        if query not in self.answers:
            return []
        texts: list[str] = json.loads(
            declared(self.answers[query]["kql"])[parameter].default.strip()[len("dynamic(") : -1]
        )
        return texts

    def cards(self, query: str) -> list[Card]:
        """The cards of the answer to *query*."""
        return list(self.answers[query]["cards"]) if query in self.answers else []


def page_cards(page: Page, pages: Sequence[Page]) -> list[Card]:
    """The cards of *page*; none for a page that has none of its own, whose coverage then speaks for it."""
    makers = _CARDS.get(page.name, ())
    overview = next((each.overview for each in pages if each.overview), None) or {}
    measures = {each["label"]: each for each in overview.get("measures", ())}
    zone = str(page.head["time_zone"]) if page.head else "UTC"
    answers = {answer["name"]: answer for answer in reversed(page.answers)}
    shown = Shown(answers, measures, overview.get("latest", ""), zone)
    return [card for maker in makers for card in maker(shown)]


def _cost(shown: Shown) -> Iterator[Card]:
    totals = [row for row in shown.rows("cost/total") if row["Cost"]]
    if not totals:
        return
    (cost, *_) = shown.cards("cost/total")
    yield cost | {"marked": cost["value"].startswith(AT_LEAST)}
    if (before := shown.measures.get(cost["label"])) and before["change"]:
        change, part = before["change"], _in_brackets(before["change"])
        label = f"Change from the {'days' if shown.latest else 'period'} before"
        yield _card(label, change.split(" (")[0], ", ".join(filter(None, (part, shown.latest))))
    for row in shown.rows("cost/budget"):
        if row["Scope"] == "(all)" and row["ProjectedCost"]:
            low, high = (amount(float(row[name])) if row[name] else "" for name in ("LowCost", "HighCost"))
            more = f"{low} to {high} (95%)" if low and high else "too few days for a range"
            yield _card("Month's forecast in USD", amount(float(row["ProjectedCost"])), more)
    yield from _budgets(shown)
    yield _card("Estimated share", percent(float(totals[0]["EstimatedShare"] or 0)), "of the cost")


def _budgets(shown: Shown) -> Iterator[Card]:
    states = [row["State"] for row in shown.rows("cost/budget") if row["State"]]
    late = sum(state in ("over", "will exceed") for state in states)
    # A team without traffic this month has a budget and no row.
    given = [found for text in shown.given("cost/budget", "budgets") if (found := _BUDGET.fullmatch(text))]
    if states:
        yield _card("Budgets exceeded", f"{late} of {len(states)}", "spent or expected", marked=late > 0)
    elif not given:
        yield _card("Budgets", "none set", "[budgets] in aoai.toml")
    elif only_setting():  # it may have traffic that is left out
        yield _card("Budgets", f"{len(given):,} set", "none of what this report covers")
    elif len(given) > 1:
        yield _card("Budgets", f"{len(given):,} set", "none of them has traffic this month")
    else:
        label = f"Budget of {named(given[0]['scope'].strip())} in USD"
        yield _card(label, amount(float(given[0]["usd"])), "no traffic this month")


def _reliability(shown: Shown) -> Iterator[Card]:
    yield from (card | {"marked": False} for card in shown.cards("reliability/success"))
    outcomes = {row["Outcome"]: row for row in shown.rows("reliability/outcomes")}
    if (answered := outcomes.get("success")) and answered["P95Time"]:
        yield _card("95% of answers within", human(float(answered["P95Time"]) / 1000, Unit("s")), "total time")
    refused = {name: int(row["Requests"]) for name, row in outcomes.items() if name.startswith("throttled")}
    if refused:
        more = f"{refused.get('throttled-gateway', 0):,} by the gateway's limits"
        yield _card("Throttled", f"{sum(refused.values()):,}", more)
    yield from _worst(shown)


def _worst(shown: Shown) -> Iterator[Card]:
    failures: dict[str, int] = {}
    rows = shown.rows("reliability/failures-over-time")
    for row in rows:
        if row["Outcome"] in ("server-error", "throttled-backend"):
            failures[row["TimeGenerated"]] = failures.get(row["TimeGenerated"], 0) + int(row["Requests"])
    if not failures:
        return
    moments = [utc(datetime.fromisoformat(row["TimeGenerated"])) for row in rows]
    days = all((each.hour, each.minute) == (0, 0) for each in moments)
    top = max(failures, key=failures.__getitem__)
    at = utc(datetime.fromisoformat(top))
    name = f"{at.day} {at:%b}" if days else said(at, shown.time_zone)
    yield _card("Worst day" if days else "Worst hour", name, f"{failures[top]:,} service failures")


def _users(shown: Shown) -> Iterator[Card]:
    top = shown.rows("users/top")
    if not top:
        return
    users = users_in(shown.rows("users/concentration"))
    yield _card("Users", f"{users or len(top):,}", f"most tokens: {top[0]['User']}")
    changes = [row["Change"] for row in shown.rows("users/new-and-lost")]
    for change in ("new", "lost"):
        yield _card(change.capitalize(), f"{changes.count(change):,}", "users" if changes else "")


def _models(shown: Shown) -> Iterator[Card]:
    used = [row for row in shown.rows("models/usage") if row["ModelName"]]
    if not used:
        return
    yield _card("Models in use", f"{len({row['ModelName'] for row in used}):,}", f"most tokens: {used[0]['ModelName']}")
    retiring = shown.rows("models/retiring")
    past, soon = (sum(row["Status"] == status for row in retiring) for status in ("date passed", "soon"))
    yield _card("Past their retirement date", f"{past:,}", f"{soon:,} more soon", marked=past > 0)
    idle = len(shown.rows("models/unused-deployments"))
    yield _card("Unused deployments", f"{idle:,}")


def _prompts(shown: Shown) -> Iterator[Card]:
    logged = shown.rows("prompts/texts-logged")
    requests, whole = (sum(int(row[name]) for row in logged) for name in ("Requests", "WholePrompts"))
    if not requests:
        return
    yield _card("Complete prompts", f"{whole:,}", f"{share(whole, requests)} of {requests:,} requests")
    for query, label, name in (
        ("prompts/topics", "Topics", ""),
        ("prompts/languages", "Main language", "Language"),
        ("prompts/personal-data", "Kinds of personal data", ""),
    ):
        if rows := shown.rows(query):
            yield _card(label, rows[0][name] if name else f"{len(rows):,}")


_CARDS: Mapping[str, tuple[Callable[[Shown], Iterator[Card]], ...]] = {
    "cost": (_cost,),
    "reliability": (_reliability,),
    "users": (_users,),
    "models": (_models,),
    "prompts": (_prompts,),
}


def _in_brackets(text: str) -> str:
    return text.partition(" (")[2].removesuffix(")")


def _card(label: str, value: str, more: str = "", *, marked: bool = False) -> Card:
    return {"label": label, "value": value, "more": more, "marked": marked}
