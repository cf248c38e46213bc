"""A period beside the one before it, on logs that plant what it should say."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from functools import cache
from pathlib import Path
from typing import Any, cast
from zoneinfo import ZoneInfo

import pandas as pd
import pytest

from aoai_analytics.config import settings
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.reporting import Report
from aoai_analytics.reporting.findings.overview import Periods, as_far, before, top, weeks_in
from aoai_analytics.reporting.findings.timeline import over_time
from aoai_analytics.reporting.manifest import entry
from aoai_analytics.reporting.render.blocks import Overview, as_json
from aoai_analytics.reporting.render.pages import Page
from tests.functions.raw_logs import lake_of_rows, llm, request

MONDAY = datetime(2026, 11, 2, tzinfo=UTC)
MILLION = 1_000_000


def traffic() -> tuple[list[dict[str, Any]], list[dict[str, Any]]]:
    """Two weeks of six requests a day and team, a million prompt tokens each.

    Planted in the second week: sub-claims sends three times the tokens, sub-new begins, and 20 requests fail on the
    12th from 14:00 to 15:00.
    """
    gateway, tokens = [], []
    for day in range(14):
        for hour in range(0, 24, 4):
            at = MONDAY + timedelta(days=day, hours=hour, minutes=30)
            for team in ("sub-claims", "sub-legal", *(["sub-new"] if day >= 7 else [])):
                name = f"{team}-{day}-{hour}"
                prompt = MILLION * (3 if team == "sub-claims" and day >= 7 else 1)
                gateway.append(
                    request(name, TimeGenerated=at, ApimSubscriptionId=team, CallerIpAddress=f"203.0.113.{len(team)}")
                )
                tokens.append(
                    llm(name, TimeGenerated=at, PromptTokens=prompt, CompletionTokens=1, TotalTokens=prompt + 1)
                )
    for number in range(20):
        at = MONDAY + timedelta(days=10, hours=14, minutes=number)
        failed = {"ResponseCode": 500, "BackendResponseCode": 500, "ApimSubscriptionId": "sub-legal"}
        gateway.append(request(f"failed-{number}", TimeGenerated=at, **failed))
    return gateway, tokens


@pytest.fixture(scope="module")
def lake(tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("planted") / "lake"
    recompute(lake_of_rows(folder, *traffic()))
    return folder


@cache
def overview(lake: Path, start: str | None, end: str | None, budgets: str = "") -> Overview:
    """What stands at the top of a report; several tests read one, which takes seconds to work out."""
    from aoai_analytics.engines import connect
    from aoai_analytics.format.periods import moment
    from aoai_analytics.library import library

    report = Report(connect(lake), library(), start=moment(start, "UTC"), end=moment(end, "UTC"))
    try:
        return report.overview(budgets)
    finally:
        report.engine.close()


def test_a_week_is_set_beside_the_week_before(lake: Path) -> None:
    found = overview(lake, "2026-11-09", "2026-11-16")
    assert (found.period, found.before) == ("9 Nov 2026 to 15 Nov 2026", "2 Nov 2026 to 8 Nov 2026")
    measures = {each.label: each for each in found.measures}
    # gpt-4o 2024-08-06: 2.50 USD for a million prompt tokens, 1.25 cached. How many were is logged nowhere, so each
    # costs the middle of that, 1.875; 42 requests a team and week.
    assert measures["Cost in USD"].value.endswith("393.75") and measures["Cost in USD"].good is False
    assert measures["Cost in USD"].change == "+236.25 (+150%)"
    assert measures["Requests"].value == "146" and measures["Requests"].good is None
    assert measures["Success rate"].change.startswith("\N{MINUS SIGN}13.70") and measures["Success rate"].good is False
    assert measures["Users"].change == "+1 (+50%)"
    # Prompts of 3 + 1 + 1 million tokens, and a completion of 1 for each of 126 requests; before, 84 of a million.
    success = pytest.approx(100 * 126 / 146)
    now = {
        "Requests": 146,
        "Tokens": 42 * 5 * MILLION + 126,
        "Cost": pytest.approx(393.75, abs=0.01),
        "SuccessRate": success,
    }
    was = {"Requests": 84, "Tokens": 84 * MILLION + 84, "Cost": pytest.approx(157.5, abs=0.01), "SuccessRate": 100}
    assert [{name: pair[at] for name, pair in found.compared.items()} for at in (0, 1)] == [now, was]
    teams = found.tops[0]
    assert teams.rows == (
        ("sub-claims", "236.25", "60%", "+200%"),
        ("sub-legal", "78.75", "20%", "±0"),
        ("sub-new", "78.75", "20%", "new"),
    )
    assert found.figure is not None and "most at 2026-11-09" in found.alt
    assert [len(trace["y"]) for trace in found.figure["data"]] == [7, 7] and "Tokens by day" in found.alt


def test_days_are_those_of_the_reports_zone_and_called_so() -> None:
    class Asked:
        time_zone = "America/New_York"

        def now(self, name: str, **parameters: Any) -> list[dict[str, Any]]:
            assert parameters == {"timeZone": "America/New_York"}
            return [{"Day": MONDAY + timedelta(days=n), "Cost": 2.0 + n, "TotalTokens": 5} for n in range(3)]

    drawn, alt = over_time(cast(Any, Asked()), MONDAY, MONDAY + timedelta(days=3))
    assert drawn is not None and drawn["layout"]["xaxis"]["title"]["text"] == "Day (America/New_York)"
    assert [str(x)[:10] for x in drawn["data"][0]["x"]] == ["2026-11-02", "2026-11-03", "2026-11-04"]
    assert "UTC" not in alt


def test_the_cost_and_the_success_of_the_overview_are_those_of_the_report(lake: Path) -> None:
    week = overview(lake, "2026-11-09", "2026-11-16")
    page = Page("overview", "Overview", overview=as_json(week))
    headline = entry(page, seconds=1.0, notebook="")["headline"]
    assert headline["Cost"] == pytest.approx(393.75, abs=0.01) and headline["UncostedRequests"] == 0
    assert headline["SuccessRate"] == pytest.approx(100 * 126 / 146)


def test_one_person_is_one_user_whether_a_request_names_them_or_the_gateway_does(tmp_path: Path) -> None:
    """ada is the gateway's user twice and once also named in the body; ben is named once."""
    at = [MONDAY + timedelta(hours=hour) for hour in range(4)]
    bodies = [{}, {}, {"RequestBody": '{"user": "ada"}'}, {"RequestBody": '{"user": "ben"}'}]
    gateway = [
        request(f"r{n}", TimeGenerated=at[n], UserId="" if n == 3 else "ada", **body) for n, body in enumerate(bodies)
    ]
    tokens = [llm(f"r{n}", TimeGenerated=at[n], PromptTokens=MILLION, TotalTokens=MILLION + 20) for n in range(4)]
    recompute(lake_of_rows(tmp_path / "lake", gateway, tokens))
    found = overview(tmp_path / "lake", "2026-11-02", "2026-11-09")
    assert {each.label: each.value for each in found.measures}["Users"] == "2"
    (users,) = (top for top in found.tops if top.title == "Users by cost")
    assert [(row[0], row[2]) for row in users.rows] == [("ada", "75%"), ("ben", "25%")] and users.more == 0


@pytest.mark.parametrize(
    ("costs", "more", "others"), [((50, 20, 10, 8, 5, 4, 2, 1), 3, ("7.00", "7%")), ((9, 1), 0, None)]
)
def test_a_list_ends_with_what_the_others_cost_together(
    costs: tuple[float, ...], more: int, others: tuple[str, str] | None
) -> None:
    rows = pd.DataFrame({"Team": [f"t{n}" for n in range(len(costs))], "Cost": [float(cost) for cost in costs]})
    found = top(Periods(lambda *_, **__: (rows, ()), None, None, "UTC", why_not="x"), "Teams", "cost/by-team", "Team")
    assert (len(found.rows), found.more) == (min(5, len(costs)), more)
    assert others is None or found.others == others


def test_what_was_planted_is_found(lake: Path) -> None:
    week = overview(lake, "2026-11-09", "2026-11-16")
    found = {finding.query: finding.text for finding in (*week.findings, *week.wrong)}
    cost = found["cost/by-subscription"]
    assert cost.startswith("Team sub-claims cost 157.50 USD ± "), "how much of it was cached is estimated"
    assert cost.endswith(" more than in the period before (+200%, 78.75 USD to 236.25 USD), all of it on gpt-4o.")
    assert found["reliability/failures-over-time"] == (
        "From 12 Nov 2026, 14:00, for an hour: 20 requests failed at the service, 100% of the requests then, 100% of "
        "all service failures."
    )
    assert found["reliability/success-rate"].startswith("Deployment chat missed its 99% target: 86.3% of 146 requests")


def test_the_budget_is_of_the_whole_month_and_what_the_logs_cannot_tell_is_said(lake: Path) -> None:
    found = overview(lake, "2026-11-09", "2026-11-16", "(all)=500, sub-legal=10000")
    of = {line.split(":")[0]: line for line in found.budget}
    # 157.50 USD from 2 to 8 November count too.
    assert of["Budget of (all)"].startswith("Budget of (all): over. 551.25 of 500.00 USD spent, ")
    assert of["Budget of sub-legal"].startswith("Budget of sub-legal: within. 157.50 of 10 k USD spent, ")
    assert "bypass the gateway" in found.blind[-1]
    assert overview(lake, None, None).budget[-1].startswith("No budget is set")


def test_a_budget_of_nobody_who_called_this_month_is_named(lake: Path) -> None:
    found = overview(lake, "2026-11-09", "2026-11-16", "sub-claimz=50, sub=x=9")
    assert found.budget[-2:] == (
        "Budget of sub-claimz: no traffic this month.",
        "Budget of sub=x: no traffic this month.",
    )


def test_where_only_some_requests_are_kept_no_team_is_said_to_have_no_traffic(
    lake: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("AOAI_ONLY", '["SubscriptionId=sub-legal"]')
    settings.cache_clear()
    try:
        found = overview.__wrapped__(lake, "2026-11-09", "2026-11-16", "sub-claimz=50")
    finally:
        settings.cache_clear()
    assert not any("sub-claimz" in line or "No budget" in line for line in found.budget)


@pytest.mark.parametrize(
    ("start", "end", "why"),
    [
        (
            None,
            "2026-11-09",
            "these logs cover less than two weeks. To compare a period with the one before, name it: aoai report "
            "--period 2026-11-08 (a day), 2026-W45, 2026-11",
        ),
        ("2026-11-02", "2026-11-09", "there is no traffic in the period before (26 Oct 2026 to 1 Nov 2026)"),
        ("2026-11-06", "2026-11-16", "the logs begin within the period before (27 Oct 2026 to 5 Nov 2026)"),
    ],
)
def test_what_cannot_be_compared_is_not(lake: Path, start: str | None, end: str | None, why: str) -> None:
    found = overview(lake, start, end)
    assert why in found.why_not and found.before == ""
    assert all(each.change == "" for each in found.measures)
    assert not any("period before" in finding.text for finding in found.findings)


def test_without_a_period_the_last_week_is_set_beside_the_week_before(lake: Path) -> None:
    """The two weeks end at 21:00, the full hour after the last request; the numbers are of all data."""
    found = overview(lake, None, None)
    assert found.period == "2 Nov 2026 to 15 Nov 2026 (all data)"
    assert found.latest == "8 Nov 2026, 21:00 to 15 Nov 2026, 21:00"
    assert found.before == "1 Nov 2026, 21:00 to 8 Nov 2026, 21:00"
    measures = {each.label: each for each in found.measures}
    assert measures["Requests"].value == "230" and measures["Requests"].change == "+62 (+73.8%)"
    assert measures["Cost in USD"].value.endswith("551.25") and measures["Cost in USD"].good is False
    assert measures["Cost in USD"].change == "+236.25 (+150%)"
    assert measures["Success rate"].change.startswith("\N{MINUS SIGN}13.70") and measures["Users"].change == "+1 (+50%)"
    assert found.tops[0].rows[0] == ("sub-claims", "315.00", "57.1%", "+200%")
    (cost,) = (finding.text for finding in found.findings if finding.query == "cost/by-subscription")
    assert cost.endswith(
        " more in the last 7 days of these logs than in the 7 days before (+200%, 78.75 USD to 236.25 USD), "
        "all of it on gpt-4o."
    )


def test_a_period_that_is_not_over_is_set_beside_as_much_of_the_one_before(tmp_path: Path) -> None:
    """The logs end on Thursday at 20:30; a whole week before would make every change a fall."""
    gateway, tokens = (
        [row for row in rows if row["TimeGenerated"] < MONDAY + timedelta(days=11)] for rows in traffic()
    )
    folder = tmp_path / "lake"
    recompute(lake_of_rows(folder, gateway, tokens))
    found = overview(folder, "2026-11-09", "2026-11-16")
    assert (found.latest, found.before) == (
        "9 Nov 2026, 00:00 to 12 Nov 2026, 21:00",
        "2 Nov 2026, 00:00 to 5 Nov 2026, 21:00",
    )
    # Three teams send 6 requests on each of four days, and 20 fail; before, two teams do.
    assert found.compared["Requests"] == (3 * 24 + 20, 2 * 24)
    assert {each.label: each.change for each in found.measures}["Requests"] == "+44 (+91.7%)"
    (cost,) = (finding.text for finding in found.findings if finding.query == "cost/by-subscription")
    assert " more up to 12 Nov 2026, 21:00 than in the same part of the period before (+200%, 45.00 USD" in cost
    assert found.example == ""


def test_a_week_that_ends_as_early_as_the_one_before_is_compared_as_a_whole(tmp_path: Path) -> None:
    """Nobody works at weekends."""
    gateway, tokens = ([row for row in rows if row["TimeGenerated"].weekday() < 5] for rows in traffic())
    folder = tmp_path / "lake"
    recompute(lake_of_rows(folder, gateway, tokens))
    found = overview(folder, "2026-11-09", "2026-11-16")
    assert (found.latest, found.before) == ("", "2 Nov 2026 to 8 Nov 2026")
    assert found.compared["Requests"] == (3 * 30 + 20, 2 * 30)


@pytest.mark.parametrize(
    ("start", "until", "zone", "earlier", "expected"),
    [
        ("2026-11-01", "2026-11-15T14:00", "Europe/Berlin", "2026-10-01", "2026-10-15T14:00"),
        ("2026-11-01", "2026-11-15T14:00", "UTC", "2026-10-01", "2026-10-15T14:00"),
        ("2026-03-01", "2026-03-30T12:00", "UTC", "2026-02-01", "2026-03-01"),  # February is shorter
    ],
)
def test_as_much_of_the_period_before_is_by_the_clock(
    start: str, until: str, zone: str, earlier: str, expected: str
) -> None:
    times = [
        datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC)
        for text in (earlier, start, until, expected)
    ]
    assert as_far(times[0], times[1], times[2], zone) == times[3]


@pytest.mark.parametrize(
    ("first", "last", "expected"),
    [
        ("2026-11-02T00:20", "2026-11-15T23:40", ("2026-11-09T00:00", "2026-11-16T00:00")),
        ("2026-11-02T05:59", "2026-11-15T23:40", ("2026-11-09T00:00", "2026-11-16T00:00")),
        ("2026-11-02T06:01", "2026-11-15T23:40", None),
        ("2026-11-02T00:20", "2026-11-15T17:10", None),
        ("2026-10-01T00:20", "2026-11-15T17:10", ("2026-10-25T18:00", "2026-11-15T18:00")),
    ],
)
def test_the_later_half_is_of_whole_weeks(first: str, last: str, expected: tuple[str, str] | None) -> None:
    times = [datetime.fromisoformat(text).replace(tzinfo=UTC) for text in (first, last)]
    wanted = expected and tuple(datetime.fromisoformat(text).replace(tzinfo=UTC) for text in expected)
    assert weeks_in(times[0], times[1], "UTC") == wanted


def test_an_empty_period_says_so(lake: Path) -> None:
    assert overview(lake, "2026-12-01", "2026-12-08") == Overview(period="1 Dec 2026 to 7 Dec 2026", empty=True)


@pytest.mark.parametrize(
    ("start", "end", "zone", "expected"),
    [
        ("2026-03-01", "2026-04-01", "Europe/Berlin", "2026-02-01"),
        ("2026-01-01", "2026-02-01", "UTC", "2025-12-01"),
        ("2026-01-01", "2026-04-01", "UTC", "2025-10-01"),
        ("2026-03-30", "2026-04-06", "Europe/Berlin", "2026-03-23"),
        ("2026-11-03T06:00", "2026-11-03T18:00", "UTC", "2026-11-02T18:00"),
    ],
)
def test_the_period_before_is_as_long_and_a_month_before_a_month(
    start: str, end: str, zone: str, expected: str
) -> None:
    first, last, earlier = (
        datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)).astimezone(UTC) for text in (start, end, expected)
    )
    assert before(first, last, zone) == earlier
