"""Tables and headlines from rows."""

from __future__ import annotations

import re
from datetime import timedelta

import pandas as pd
import pytest

from aoai_analytics.charts import headline, table_html
from aoai_analytics.errors import WrongUse


def test_null_zero_and_empty_differ_and_numbers_have_separators() -> None:
    frame = pd.DataFrame({"User": ["a", "", "b"], "TotalTokens": pd.array([1_234_567, 0, None], dtype="Int64")})
    html = table_html(frame, {"User": "string", "TotalTokens": "long"}, {"TotalTokens": "tokens"})
    assert '<td class="number">1,234,567</td>' in html
    assert '<td class="number">0</td>' in html
    assert '<td class="number"><span class="unknown">unknown</span></td>' in html
    assert '<td><span class="unknown">(none)</span></td>' in html
    assert '<th scope="col" class="number">Total tokens</th>' in html


def test_text_is_escaped_in_cells_headings_and_the_caption() -> None:
    hostile = "<script>alert('x')</script>\u202e"
    html = table_html(pd.DataFrame({hostile: [hostile]}), {hostile: "string"}, {}, caption=hostile)
    assert "<script" not in html and "\u202e" not in html


def test_a_long_table_says_how_many_rows_it_leaves_out() -> None:
    frame = pd.DataFrame({"N": range(25)})
    assert "5 more rows in the data" in table_html(frame, {"N": "long"}, {})
    assert "1 more row in" in table_html(frame, {"N": "long"}, {}, max_rows=24)
    assert "more row" not in table_html(frame, {"N": "long"}, {}, max_rows=25)


COSTS = pd.DataFrame(
    {
        "Cost": [6.0, 3.0, 0.9, 0.1],
        "CorrelationId": list("wxyz"),
        "TeamName": ["a", "b", "c", "d"],
        "CostError": [0.5, 0.0, None, 0.0],
        "Share": [60.0, 30.0, 9.0, 1.0],
        "P95": [5, 6, 7, 8],
    }
)
COST_TYPES = {"Cost": "real", "CorrelationId": "string", "TeamName": "string", "CostError": "real", "Share": "real"}
COST_UNITS = {"Cost": "USD", "CostError": "USD", "Share": "%", "P95": "ms"}


def test_names_come_first_ids_last_and_an_error_is_the_range_of_its_number() -> None:
    table = table_html(COSTS[["TeamName", "Cost", "CorrelationId", "CostError"]], COST_TYPES, COST_UNITS)
    assert re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table) == [
        "Team name", "Cost (USD) ± 95%", "Correlation ID"
    ]  # fmt: skip
    assert re.findall(r'<td class="number">(.*?)</td>', table) == ["6.00 ± 0.98", "3.00", "0.90", "0.10"]


def test_an_error_that_stands_alone_is_called_a_standard_error() -> None:
    frame = pd.DataFrame({"Month": ["2026-11"], "ProjectedCost": [6.4], "CostError": [0.09], "LastError": ["timeout"]})
    types = {"Month": "string", "ProjectedCost": "real", "CostError": "real", "LastError": "string"}
    table = table_html(frame, types, {"ProjectedCost": "USD", "CostError": "USD"})
    assert "Cost standard error (USD)" in table and ">Last error<" in table


def test_among_many_names_the_first_measure_is_in_sight() -> None:
    names = [f"Name{number}" for number in range(8)]
    frame = pd.DataFrame({"At": ["a"], "Cost": [1.5], "Tokens": [3], **{name: ["x"] for name in names}})
    types = dict.fromkeys(frame.columns, "string") | {"Cost": "real", "Tokens": "long"}
    headings = re.findall(r"<th scope=\"col\"[^>]*>(.*?)</th>", table_html(frame, types, {}))
    assert headings[:3] == ["At", "Cost", "Name 0"] and headings[-1] == "Tokens"


def test_the_rows_of_a_whole_have_a_total_and_the_others_together() -> None:
    frame = COSTS.drop(columns=["CorrelationId", "CostError"])[["TeamName", "Cost", "Share", "P95"]]
    table = table_html(frame, COST_TYPES | {"P95": "long"}, COST_UNITS, max_rows=2)
    foot = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table)
    cells = {name: re.findall(r"<td[^>]*>(.*?)</td>", rest) for name, rest in foot}
    assert cells == {"2 others": ["1.00", "10.0%", ""], "Total": ["10.00", "100.0%", ""]}
    part = table_html(frame.head(2), COST_TYPES | {"P95": "long"}, COST_UNITS)
    assert "Total" not in part  # 90% of something is no whole


def _foot(table: str) -> dict[str, list[str]]:
    """The cells of the rows below, by their names."""
    rows = re.findall(r'<tr><th scope="row">(.*?)</th>(.*?)</tr>', table)
    return {name: re.findall(r"<td[^>]*>(.*?)</td>", cells) for name, cells in rows}


MANY = pd.DataFrame(
    {
        "User": list("abcd"),
        "TotalTokens": pd.array([4_000, 300, 20, None], dtype="Int64"),
        "TokensError": [100.0, 20.0, 0.0, None],
        "LargestTokens": [9, 8, 7, 6],
        "Cost": [5.0, -1.5, 0.25, 0.25],
        "Users": [2, 2, 2, 2],
    }
)
MANY_TYPES = {"User": "string", "TotalTokens": "long", "TokensError": "real", "LargestTokens": "long", "Cost": "real"}
MANY_UNITS = {"TotalTokens": "tokens", "LargestTokens": "tokens", "Cost": "USD", "Users": "users"}


def test_rows_that_are_no_shares_have_others_and_a_total_in_the_columns_that_add_up() -> None:
    types = MANY_TYPES | {"Users": "long"}
    adding = ("TotalTokens", "Cost", "Users")  # users may be in several rows: their unit does not add up
    frame = MANY.drop(columns="TokensError")
    assert _foot(table_html(frame, types, MANY_UNITS, max_rows=1, summed=adding)) == {
        "3 others": ["320", "", "-1.00", ""],
        "Total": ["4,320", "", "4.00", ""],
    }
    assert list(_foot(table_html(frame, types, MANY_UNITS, max_rows=3, summed=adding))) == ["1 other", "Total"]
    assert "3 more rows in the data" in table_html(frame, types, MANY_UNITS, max_rows=1)
    assert "Total<" not in table_html(frame.head(1), types, MANY_UNITS, summed=adding)


def test_a_total_has_the_range_of_its_one_estimate_or_at_most_the_sum_of_its_rows_ranges() -> None:
    frame = MANY[["User", "TotalTokens", "TokensError"]]
    table = table_html(frame, MANY_TYPES, MANY_UNITS, max_rows=1, summed=["TotalTokens"])
    # 1.96 * 20 is 39.2; 1.96 * (100 + 20) is 235.2.
    assert _foot(table) == {"3 others": ["320 ± 39"], "Total": ["4,320 (at most ± 235)"]}
    unknown = frame.assign(TokensError=[100.0, None, 0.0, None])
    table = table_html(unknown, MANY_TYPES, MANY_UNITS, max_rows=2, summed=["TotalTokens"])
    assert _foot(table) == {"2 others": ["20"], "Total": ["4,320"]}


def test_a_small_amount_is_not_shown_as_nothing() -> None:
    frame = pd.DataFrame({"User": ["a", "b", "c"], "Cost": [12.5, 0.0003, 0.0]})
    types, units = {"User": "string", "Cost": "real"}, {"Cost": "USD"}
    all_of_them = table_html(frame, types, units)
    assert re.findall(r'<td class="number">(.*?)</td>', all_of_them) == ["12.50", "&lt; 0.01", "0.00"]
    small = table_html(frame.iloc[1:], types, units)
    assert re.findall(r'<td class="number">(.*?)</td>', small) == ["0.0003", "0.0000"]


def test_moments_are_in_the_reports_time_zone_which_the_heading_names() -> None:
    frame = pd.DataFrame({"LastSeen": pd.to_datetime(["2026-07-01T10:30Z", None])})
    html = table_html(frame, {"LastSeen": "datetime"}, {}, time_zone="Europe/Berlin")
    assert '<th scope="col">Last seen (Europe/Berlin)</th>' in html
    assert "<time>2026-07-01</time> <time>12:30:00</time>" in html
    assert ">unknown<" in html


def test_times_names_and_ids_with_hyphens_stay_on_one_line() -> None:
    frame = pd.DataFrame(
        {
            "LastSeen": pd.to_datetime(["2026-07-01T10:30Z"]),
            "ModelVersion": ["2024-08-06"],
            "ErrorMessage": ["no such-model"],
            "CorrelationId": ["e83d2450-05c9-49ea-a07f-bf92c1fb4808"],
            "Application": ["an-application-of-a-name-that-is-very-long"],
        }
    )
    types = dict.fromkeys(frame.columns, "string") | {"LastSeen": "datetime"}
    cells = re.findall(r"<td([^>]*)>(?:<bdi>|<time>)?([^<]+)", table_html(frame, types, {}))
    assert {text: words for words, text in cells} == {
        "2026-07-01": ' class="word"',
        "2024-08-06": ' class="word"',
        "no such-model": "",
        "e83d2450-05c9-49ea-a07f-bf92c1fb4808": ' class="word"',
        "an-application-of-a-name-that-is-very-long": ' class="phrase"',
    }


def test_other_types_are_set_as_their_kind() -> None:
    frame = pd.DataFrame(
        {
            "Share": [41.234, 0.5],
            "Took": pd.Series([timedelta(seconds=90), None], dtype="timedelta64[us]"),
            "Ok": pd.array([True, None], dtype="boolean"),
            "Tags": [{"a": "<"}, None],
        }
    )
    html = table_html(frame, {"Share": "real", "Took": "timespan", "Ok": "bool", "Tags": "dynamic"}, {"Share": "%"})
    cells = re.findall(r"<td[^>]*>(.*?)</td>", html)
    unknown = '<span class="unknown">unknown</span>'
    assert cells[:4] == ["41.2%", "1 min 30 s", "yes", "<bdi>{&quot;a&quot;: &quot;&lt;&quot;}</bdi>"]
    assert cells[4:] == ["0.5%", unknown, unknown, unknown]


def test_a_very_long_text_is_cut_and_says_how_long_it_is() -> None:
    assert "(1,000 characters)" in table_html(pd.DataFrame({"T": ["x" * 1000]}), {"T": "string"}, {})


FRAME = pd.DataFrame({"SubscriptionId": ["sub-claims", "sub-search"], "Share": [41.2, 20.0]})
TEMPLATE = "{SubscriptionId} used {Share} of all tokens"


def test_a_headline_is_filled_in_from_the_first_row() -> None:
    assert headline(FRAME, TEMPLATE, {"Share": "%"}) == "sub-claims used 41% of all tokens"


def test_there_is_no_headline_where_a_value_is_unknown_or_there_is_no_row() -> None:
    assert headline(FRAME.head(0), TEMPLATE, {}) == ""
    assert headline(FRAME.assign(Share=[None, 1.0]), TEMPLATE, {}) == ""
    assert headline(FRAME.assign(SubscriptionId=""), TEMPLATE, {}) == ""
    assert headline(FRAME, "", {}) == ""


def test_a_headline_names_all_traffic_begins_with_a_capital_and_tells_no_amount_of_nothing() -> None:
    frame = pd.DataFrame({"Scope": ["(all)"], "Cost": [12.5]})
    assert headline(frame, "{Scope} will cost {Cost}", {"Cost": "USD"}) == "All traffic will cost 12.50 USD"
    assert headline(frame, "saved {Cost}", {"Cost": "USD"}) == "Saved 12.50 USD"
    assert headline(frame.assign(Cost=0.0), "saved {Cost}", {"Cost": "USD"}) == ""
    assert headline(frame.assign(Cost=0), "{Cost} failed", {"Cost": "requests"}) == "0 requests failed"


def test_rounded_shares_add_up_to_all_and_sums_have_the_decimals_of_their_column() -> None:
    shares = [33.3, 33.3, 11.1, 11.1, 11.1]  # 99.9 in all
    frame = pd.DataFrame({"Team": list("abcde"), "Cost": [3.0, 3.0, 1.0, 1.0, 0.00123], "Share": shares})
    html = table_html(
        frame, {"Team": "string", "Cost": "real", "Share": "real"}, {"Cost": "USD", "Share": "%"}, max_rows=4
    )
    others, total = re.findall(r'<th scope="row">(?:.*?)</tr>', html)
    assert re.findall(r'"number">(.*?)<', others) == ["&lt; 0.01", "11.2%"]
    assert re.findall(r'"number">(.*?)<', total) == ["8.00", "100.0%"]


def test_the_share_of_the_others_is_exact_where_the_table_has_the_sum_it_is_of() -> None:
    frame = pd.DataFrame({"Team": list("abcd"), "Cost": [333.34, 333.34, 333.28, 0.04]})
    frame["Share"] = (frame["Cost"] / 10).round(1)
    types, units = {"Team": "string", "Cost": "real", "Share": "real"}, {"Cost": "USD", "Share": "%"}
    (others, _) = re.findall(r'<th scope="row">(?:.*?)</tr>', table_html(frame, types, units, max_rows=3))
    assert "&lt; 0.1%" in others  # 100% less three times 33.3% would be 0.1%


def test_a_whole_of_nothing_has_no_shares() -> None:
    frame = pd.DataFrame({"Kind": ["a", "b"], "Tokens": [0, 0], "Share": [0.0, 0.0]})
    types, units = {"Kind": "string", "Tokens": "long", "Share": "real"}, {"Tokens": "tokens", "Share": "%"}
    assert "Total" not in table_html(frame, types, units, max_rows=1)


def test_many_small_shares_of_more_than_the_table_are_no_whole() -> None:
    rows = 3_000
    frame = pd.DataFrame({"User": [f"u{n}" for n in range(rows)], "Tokens": 10, "Share": 0.0})
    frame.loc[0, ["Tokens", "Share"]] = [40_000, 10.0]  # of 400,000 tokens, most of which nobody's name is on
    types, units = {"User": "string", "Tokens": "long", "Share": "real"}, {"Tokens": "tokens", "Share": "%"}
    assert "Total" not in table_html(frame, types, units)


def test_a_month_reads_as_a_month() -> None:
    frame = pd.DataFrame({"Month": pd.to_datetime(["2026-11-01", "2026-12-01"], utc=True)})
    assert "<time>Nov 2026</time>" in table_html(frame, {"Month": "datetime"}, {})
    days = frame.assign(Month=pd.to_datetime(["2026-11-01", "2026-12-02"], utc=True))
    assert "<time>2026-11-01</time>" in table_html(days, {"Month": "datetime"}, {})


def test_a_headline_of_a_column_that_is_not_there_is_refused() -> None:
    with pytest.raises(WrongUse, match="Team"):
        headline(FRAME, "{Team} leads", {})
