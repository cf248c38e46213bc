"""What the cells of a notebook call."""

from __future__ import annotations

from collections.abc import Callable
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.config import settings
from aoai_analytics.errors import UnknownName, WrongUse
from aoai_analytics.library.queries import Library
from aoai_analytics.reporting import Report, open_report
from aoai_analytics.reporting.render.blocks import MIME, PLOTLY
from aoai_analytics.reporting.render.display import bundles
from aoai_analytics.reporting.session.report import source_in_words

Make = Callable[..., Report]


def test_the_head_says_how_much_is_known_estimated_and_unknown(report: Make) -> None:
    head = report(time_zone="Europe/Berlin").head()
    assert head.lines[0] == (
        "1,000 requests, 1.28 M tokens (3.9% estimated, ±0.2%); "
        "4.1% of the requests have unknown tokens, which no total includes."
    )
    assert head.lines[1] == "The logs begin 1 Nov 2026, 01:30 and end 3 Nov 2026, 00:10 (Europe/Berlin)."
    assert "the gateway's LLM log 80%" in head.lines[2] and "unknown 4.1%" in head.lines[2]
    assert head.period == "1 Nov 2026 to 3 Nov 2026 (all data)"


def test_no_traffic_is_said_with_why_that_may_be_and_where_there_is_some(
    report: Make, fixed_engine: Any, nothing: dict[str, Any]
) -> None:
    made = report(fixed_engine(nothing), start=datetime(2026, 10, 1, tzinfo=UTC), end=datetime(2026, 11, 1, tzinfo=UTC))
    head = made.head()
    assert head.empty and head.period == "1 Oct 2026 to 31 Oct 2026"
    assert "restricted access" in head.lines[0]
    assert "1,000 requests from 1 Nov 2026, 00:30" in head.lines[1]


def test_no_secret_of_the_source_is_shown(report: Make) -> None:
    assert report().head().source == "kusto://contoso.kusto.windows.net/logs"
    assert source_in_words("../lake") == "../lake"


def test_a_narrowed_report_is_one_of_another_source(report: Make, monkeypatch: pytest.MonkeyPatch) -> None:
    """So it never replaces or is compared with the report of all requests, and every page, index and mail says it."""
    monkeypatch.setenv("AOAI_ONLY", '["subscriptionid=sub-a", "SubscriptionId=(none)", "User=ann"]')
    settings.cache_clear()
    try:
        assert source_in_words("../lake") == "../lake (only SubscriptionId sub-a or (none), User ann)"
        assert report().head().source.startswith("kusto://contoso.kusto.windows.net/logs (only SubscriptionId sub-a")
    finally:
        monkeypatch.delenv("AOAI_ONLY")
        settings.cache_clear()


def test_an_answer_has_the_figure_the_table_the_data_and_the_query(report: Make) -> None:
    answer = report().answer("tokens/by-team", topN=5)
    assert answer.headline == "claims used 70% of all tokens"
    assert answer.figure is not None and "template" not in answer.figure["layout"]
    assert "let topN = 5;" in answer.kql
    assert "<img" not in answer.table and "unknown" in answer.table
    assert "'=cmd()" in answer.csv
    assert answer.rows == 3 and len(answer.digest) == 64


def test_the_period_reaches_the_engine_in_utc(queries: Any, fixed_engine: Any, capsys: Any) -> None:
    engine = fixed_engine()
    opened = open_report("x", "2026-11-01", "2026-11-02", time_zone="Europe/Berlin", engine=engine, queries=queries)
    opened.show("tokens/by-team")
    start, end = datetime(2026, 10, 31, 23, tzinfo=UTC), datetime(2026, 11, 1, 23, tzinfo=UTC)
    assert [asked[1:] for asked in engine.asked] == [(start, end)] * 2
    assert "Tokens by team" in capsys.readouterr().out


def test_a_partial_result_and_a_warning_are_problems(report: Make, fixed_engine: Any) -> None:
    answer = report(fixed_engine(partial=True, warnings=("a limit was hit",))).answer("tokens/by-team")
    assert [problem.what for problem in answer.problems] == [
        "the service left out rows, so these numbers are too low",
        "a limit was hit",
    ]


def test_an_answer_carries_the_sums_of_what_can_be_added_up_unless_it_is_in_doubt(
    report: Make, fixed_engine: Any
) -> None:
    assert report().answer("tokens/by-team").totals == {"TotalTokens": 1000}
    nothing = pd.DataFrame({"Team": ["a"], "TotalTokens": pd.array([None], dtype="Int64"), "Share": [None]})
    assert report(fixed_engine(rows=nothing)).answer("tokens/by-team").totals == {"TotalTokens": None}
    assert report(fixed_engine(partial=True)).answer("tokens/by-team").totals == {}


@pytest.mark.parametrize(
    ("end", "step"),
    [
        ("2026-11-02", "0.01:00"),
        ("2026-11-03", "0.01:00"),
        ("2026-11-04", "1.00:00"),
        ("2027-02-01", "1.00:00"),
        ("2027-06-01", "7.00:00"),
    ],
)
def test_the_grain_of_a_course_in_time_follows_the_period(report: Make, fixed_engine: Any, end: str, step: str) -> None:
    start, last = (datetime.fromisoformat(day).replace(tzinfo=UTC) for day in ("2026-11-01", end))
    made = report(fixed_engine(), start=start, end=last)
    kql = "let step = 6h; // time per point\nAoaiRequests | summarize count() by bin(TimeGenerated, step)"
    assert f"let step = time({step}:00" in made.answer_kql(kql).kql
    assert "let step = time(0.00:05:00" in made.answer_kql(kql, step="5m").kql
    assert "let step = 3;" in made.answer_kql("let step = 3;\nAoaiRequests | take step").kql


def test_the_grain_of_an_open_period_follows_the_logs_and_is_the_query_s_own_where_they_are_unknown(
    report: Make, fixed_engine: Any
) -> None:
    kql = "let step = 6h;\nAoaiRequests | summarize count() by bin(TimeGenerated, step)"
    made = report(fixed_engine())
    assert "let step = 6h;" in made.answer_kql(kql).kql
    made.head()  # two days of logs
    assert "let step = time(0.01:00:00" in made.answer_kql(kql).kql
    year = report(fixed_engine(), start=datetime(2026, 1, 1, tzinfo=UTC), end=datetime(2027, 1, 1, tzinfo=UTC))
    year.head()
    assert "let step = time(0.01:00:00" in year.answer_kql(kql).kql, "as on the index, where two days are not one bar"


def test_prompts_are_hidden_unless_wanted(report: Make, fixed_engine: Any) -> None:
    private = fixed_engine(rows=pd.DataFrame({"Prompt": ["my secret"]}))
    answer = report(private).answer("prompts/some")
    assert "my secret" not in str(answer) and "9 characters" in answer.table and "hidden" in answer.note
    shown = report(private, show_prompts=True).answer("prompts/some")
    assert "my secret" in shown.table and "my secret" in shown.csv and "hidden" not in shown.note


def test_rows_that_a_hidden_text_would_name_are_numbered(report: Make, fixed_engine: Any) -> None:
    rows = pd.DataFrame({"Prompt": ["my secret", "another"], "Requests": [7, 2]})
    hidden = report(fixed_engine(rows=rows)).answer("prompts/some")
    assert hidden.csv.splitlines() == ["Prompt,Requests", "#1,7", "#2,2"]
    assert "#1</bdi>" in hidden.table and "secret" not in str(hidden)
    later = rows[["Requests", "Prompt"]]
    assert report(fixed_engine(rows=later)).answer("prompts/some").csv.splitlines() == ["Requests", "7", "2"]


def test_a_question_of_one_s_own_is_answered_with_its_own_chart_and_parameters(report: Make, fixed_engine: Any) -> None:
    engine = fixed_engine()
    header = "// title: Mine\n// chart: bar x=TotalTokens y=Team\n// unit: TotalTokens=tokens\n"
    kql = header + "let n = 3;\nAoaiRequests | take n"
    answer = report(engine).answer_kql(kql, n=5)
    assert answer.title == "Mine" and answer.figure is not None and "let n = 5;" in engine.asked[-1][0]
    assert len(report(engine).frame("AoaiRequests")) == 3
    with pytest.raises(WrongUse, match="bar"):
        report(engine).answer_kql("// chart: baar x=TotalTokens y=Team\nAoaiRequests")


def test_what_a_query_leaves_out_is_a_note_under_its_figure_and_table(
    tmp_path: Path, report: Make, fixed_engine: Any
) -> None:
    (tmp_path / "own" / "tokens").mkdir(parents=True)
    text = "// title: T\n// question: Q?\n// leaves-out: users whose requests were all refused\nAoaiRequests\n"
    (tmp_path / "own" / "tokens" / "some.kql").write_text(text)
    of_library = Report(fixed_engine(), Library(tmp_path / "own")).answer("tokens/some")
    for answer in (of_library, report().answer_kql(text)):
        assert answer.note == "Leaves out users whose requests were all refused."
        assert any(answer.note in data.get("text/html", "") for data, _ in bundles(answer))
    assert report().answer("tokens/by-team").note == ""


def test_what_a_parameter_lacks_is_the_first_row_s(report: Make, fixed_engine: Any) -> None:
    made = report(fixed_engine())
    assert made.first("tokens/by-team", "Team") == "claims"
    assert made.first("tokens/by-team", "Team", given="legal") == "legal"
    with pytest.raises(WrongUse, match="no column 'Name'"):
        made.first("tokens/by-team", "Name")
    nobody = fixed_engine()
    nobody.rows = nobody.rows.head(0)
    assert report(nobody).first("tokens/by-team", "Team") == ""


def test_an_answer_without_a_template_has_its_figures_finding_unless_rows_may_be_missing(
    report: Make, fixed_engine: Any
) -> None:
    """TEAMS has 700 known tokens of claims, 300 of another and an unknown number; a template comes first."""
    kql = "// chart: bar x=TotalTokens y=Team\n// unit: TotalTokens=tokens\nlet topN = 20;\nAoaiRequests | take topN"
    assert report().answer_kql(kql).headline == "claims: 70% of the known 1,000 tokens"
    assert report().answer_kql(kql, topN=4).headline == "claims: 70% of the known 1,000 tokens"
    assert report().answer_kql(kql, topN=3).headline == ""
    assert report().answer("tokens/by-team").headline == "claims used 70% of all tokens"
    assert report(fixed_engine(partial=True)).answer_kql(kql).headline == ""


def test_no_rows_are_an_answer_without_figure_and_table(report: Make, fixed_engine: Any) -> None:
    empty = fixed_engine()
    empty.rows = empty.rows.head(0)
    answer = report(empty).answer("tokens/by-team")
    assert answer.figure is None and answer.table == "" and answer.headline == "" and answer.problems == ()


def test_a_wrong_name_or_time_zone_says_so(report: Make) -> None:
    with pytest.raises(UnknownName, match="tokens/by-team"):
        report().answer("tokens/by-teem")
    with pytest.raises(WrongUse, match="IANA"):
        open_report("x", time_zone="Berlin/Mitte")


def test_jupyter_gets_html_and_a_plotly_figure_and_the_page_the_block(report: Make) -> None:
    top, drawn, bottom = bundles(report().answer("tokens/by-team"))
    assert top[0][MIME]["name"] == "tokens/by-team"
    assert "claims used 70% of all tokens" in top[0]["text/html"]
    assert drawn[0][PLOTLY]["layout"]["template"]
    # plotly's own default is a button that uploads the figure.
    assert drawn[0][PLOTLY]["config"]["showSendToCloud"] is False
    assert "data:text/csv" in bottom[0]["text/html"] and "<img" not in bottom[0]["text/html"]
    assert drawn[1] == bottom[1] != top[1]
