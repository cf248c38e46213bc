"""What the index of all reports says, and does not compute in silence."""

from __future__ import annotations

import re
from typing import Any

import pytest

from aoai_analytics.reporting.render.overview import Group, Row, groups, index_page, relative
from tests.reporting.sample_collection import manifest, month


def grouped(*manifests: dict[str, Any]) -> list[Group]:
    return groups([(str(number), each) for number, each in enumerate(manifests)])


def newest(*manifests: dict[str, Any]) -> Row:
    return grouped(*manifests)[0].rows[0]


def test_reports_are_grouped_by_kind_and_source_newest_first() -> None:
    found = grouped(
        month("2026-09"),
        month("2026-10"),
        month("2026-10", source="lake-b"),
        manifest("2026-W44", "2026-10-26", "2026-11-02"),
        manifest("2026-11-22", "2026-11-22", "2026-11-23"),
        manifest(None),
    )
    assert [(group.heading, group.source, [row.title for row in group.rows]) for group in found] == [
        ("Months", "lake", ["October 2026", "September 2026"]),
        ("Months", "lake-b", ["October 2026"]),
        ("Weeks", "lake", ["Week 44, 2026"]),
        ("Days", "lake", ["22 Nov 2026"]),
        ("Other periods", "lake", ["some days"]),
    ]


def test_a_change_is_said_in_numbers_and_percent_against_the_period_before() -> None:
    row = newest(
        month("2026-09", Requests=800, Tokens=1_000_000, Cost=10.0, SuccessRate=99.0),
        month("2026-10", Requests=1_000, Tokens=900_000, Cost=10.0, SuccessRate=99.5),
    )
    assert row.compared == "Change from September 2026."
    assert [cell.change for cell in row.cells] == [
        "+200 (+25%)",
        "\N{MINUS SIGN}100 k (\N{MINUS SIGN}10%)",
        "±0",
        "+0.50 percentage points",
    ]


@pytest.mark.parametrize(
    ("key", "before", "span"),
    [
        ("2026-01", ("2025-12", "2025-12-01", "2026-01-01"), ("2026-01-01", "2026-02-01")),
        ("2026-W01", ("2025-W52", "2025-12-22", "2025-12-29"), ("2025-12-29", "2026-01-05")),
        ("2027-W01", ("2026-W53", "2026-12-28", "2027-01-04"), ("2027-01-04", "2027-01-11")),
        ("2028-03-01", ("2028-02-29", "2028-02-29", "2028-03-01"), ("2028-03-01", "2028-03-02")),
    ],
)
def test_the_period_before_is_found_over_the_ends_of_months_and_years(
    key: str, before: tuple[str, str, str], span: tuple[str, str]
) -> None:
    row = newest(manifest(key, *span), manifest(*before))
    assert row.compared.startswith("Change from ") and row.cells[0].change == "±0"


OCTOBER = month("2026-10")


@pytest.mark.parametrize(
    ("september", "october", "why"),
    [
        (None, OCTOBER, "there is no report for September 2026"),
        (month("2026-09", source="lake-b"), OCTOBER, "the report of September 2026 is of another source"),
        (month("2026-09", time_zone="Asia/Tokyo"), OCTOBER, r"another time zone \(Asia/Tokyo\)"),
        (month("2026-09", failed=True), OCTOBER, "the report of September 2026 failed in part"),
        (month("2026-09"), month("2026-10", failed=True), "this report failed in part"),
        (month("2026-09"), month("2026-10", made="2026-10-20T00:00:00+00:00"), "this report was made before its"),
        (month("2026-09", made="2026-09-30T23:00:00+00:00"), OCTOBER, "September 2026 was made before its"),
        (month("2026-09", Requests=0, Tokens=None), OCTOBER, "the report of September 2026 found no traffic"),
        (month("2026-09", Requests=None), OCTOBER, "the report of September 2026 does not show how much traffic"),
    ],
)
def test_what_cannot_be_compared_is_said_and_not_computed(
    september: dict[str, Any] | None, october: dict[str, Any], why: str
) -> None:
    row = newest(*filter(None, [september, october]))
    assert row.title == "October 2026"
    assert re.search(why, row.compared) and row.compared.startswith("Not compared: ")
    assert all(cell.change == "" for cell in row.cells)


OWN = {
    "before": "1 Sep 2026 to 30 Sep 2026",
    "latest": "",
    "why_not": "",
    "compared": {
        "Requests": [1_000, 800],
        "Tokens": [2_000_000, None],
        "Cost": [12.5, 10.0],
        "SuccessRate": [99.5, 99.5],
    },
}
CHANGES = ["+200 (+25%)", "change unknown", "+2.50 USD (+25%)", "±0"]


@pytest.mark.parametrize("others", [[], [month("2026-09", Requests=1)]])
def test_a_report_that_compares_on_its_first_page_is_compared_so_everywhere(others: list[dict[str, Any]]) -> None:
    row = newest(*others, month("2026-10", compared=OWN))
    assert row.compared == "Change from 1 Sep 2026 to 30 Sep 2026."
    assert [cell.change for cell in row.cells] == CHANGES


def test_the_part_of_an_open_period_that_is_compared_is_named() -> None:
    row = newest(manifest(None, compared=OWN | {"latest": "1 Oct 2026 to 14 Oct 2026", "before": "the days before"}))
    assert row.compared == "Changes compare 1 Oct 2026 to 14 Oct 2026 with the days before."
    assert [cell.change for cell in row.cells] == CHANGES


def test_what_the_first_page_cannot_compare_is_compared_with_the_report_before_or_has_its_reason() -> None:
    october = month("2026-10", compared={"before": "", "latest": "", "why_not": "no traffic before", "compared": {}})
    assert newest(october).compared == "Not compared: no traffic before."
    assert newest(month("2026-09"), october).compared == "Change from September 2026."


def test_what_is_unknown_is_shown_as_unknown_and_so_is_its_change() -> None:
    row = newest(month("2026-09", Cost=None), month("2026-10", SuccessRate=None))
    requests, tokens, cost, success = row.cells
    assert (cost.value, cost.change) == ("12.50 USD", "change unknown")
    assert (success.value, success.change) == ("unknown", "")
    assert requests.change == tokens.change == "±0"


def test_a_sum_that_leaves_requests_out_is_a_lower_bound_and_an_estimate_is_marked() -> None:
    _, tokens, cost, _ = newest(month("2026-10", UnknownRequests=1, UncostedRequests=1_234)).cells
    assert (tokens.value, tokens.more) == ("≥ 2 M", ("5% estimated", "without 1 request"))
    assert (cost.value, cost.more) == ("≥ 12.50 USD", ("without 1,234 requests",))
    page = index_page([("2026-10", month("2026-10", UncostedRequests=1))])
    assert "A change is then of what is known" in page
    assert "A change is then of what is known" not in index_page([("2026-10", month("2026-10"))])


def test_from_nothing_there_is_no_percentage() -> None:
    row = newest(month("2026-09", Cost=0.0), OCTOBER)
    assert row.cells[2].change == "+12.50 USD"


def test_missing_periods_are_shown_as_missing() -> None:
    (group,) = grouped(*map(month, ("2026-01", "2026-04", "2026-06")))
    assert [(row.title, row.entry is None) for row in group.rows] == [
        ("June 2026", False),
        ("May 2026", True),
        ("April 2026", False),
        ("February 2026 to March 2026 (2 months)", True),
        ("January 2026", False),
    ]


def test_the_trend_shows_every_period_and_what_to_think_of_it() -> None:
    (group,) = grouped(
        month("2026-06", Tokens=1_000_000, EstimatedTokens=250_000),
        month("2026-07", Tokens=None, EstimatedTokens=None),
        month("2026-09", Tokens=2_000_000, EstimatedTokens=0, failed=True),
    )
    assert [bar.label for bar in group.bars] == [
        "June 2026: 1 M tokens",
        "July 2026: tokens unknown",
        "August 2026: no report",
        "September 2026: 2 M tokens, failed in part",
    ]
    assert [(bar.known, bar.estimated, bar.doubtful) for bar in group.bars] == [
        (37.5, 12.5, False), (None, 0, False), (None, 0, False), (100, 0, True),
    ]  # fmt: skip
    page = index_page([(each, month(each)) for each in ("2026-06", "2026-08")])
    assert 'role="img" aria-label="June 2026: 2 M tokens; July 2026: no report; August 2026: 2 M tokens"' in page


def test_one_report_makes_no_trend() -> None:
    assert grouped(month("2026-10"))[0].bars == ()


def test_a_report_that_failed_and_one_made_too_early_are_marked() -> None:
    page = index_page([("2026-10", month("2026-10", failed=True))])
    assert "Some reports failed in part" in page and ">failed in part</span>" in page
    assert "Some reports failed" not in index_page([("2026-10", OCTOBER)])
    row = newest(month("2026-10", made="2026-10-20T12:00:00+00:00", time_zone="Asia/Tokyo"))
    assert row.marks == ("period not over when made, 20 Oct 2026, 21:00",)
    assert newest(month("2026-10", Requests=0, Tokens=None)).marks == ("no traffic found",)
    assert newest(month("2026-10", show_prompts=True)).marks == ("may show prompts and responses",)


def test_texts_of_a_manifest_are_escaped() -> None:
    page = index_page([("x", manifest(None, source="<script>1</script>", period="<b>x"))])
    assert "<script>1" not in page and "<b>x" not in page and "&lt;b&gt;x" in page


def test_a_key_that_names_no_day_is_another_period() -> None:
    assert grouped(manifest("2026-13"), manifest("2026-W60"))[0].heading == "Other periods"


def test_an_index_without_reports_says_so() -> None:
    assert "No reports yet" in index_page([])


@pytest.mark.parametrize(
    ("value", "old", "said"),
    [
        (110, 100, "+10%"),
        (90, 100, "\N{MINUS SIGN}10%"),
        (3, 1, "+200%"),
        (100_001, 100_000, "< +0.1%"),
        (99_999, 100_000, "> \N{MINUS SIGN}0.1%"),
        (1, 100_000, "< \N{MINUS SIGN}99.99%"),
    ],
)
def test_a_change_in_percent_has_its_sign_and_is_never_nothing(value: float, old: float, said: str) -> None:
    assert relative(value, old) == said
