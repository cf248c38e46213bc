"""``%%kql`` in a notebook's cell."""

from __future__ import annotations

import pytest
from IPython.core.completer import provisionalcompleter
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from aoai_analytics.interactive.complete import words
from aoai_analytics.interactive.render import Render, chart_of, split
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.library import library
from aoai_analytics.sample import write_sample


@pytest.fixture(scope="module")
def lake(tmp_path_factory):
    folder = tmp_path_factory.mktemp("magic")
    write_sample(folder / "sample", requests=120, days=1, seed=5)
    lake = Lake.create(folder / "lake")
    ingest([folder / "sample" / "logs"], lake)
    recompute(lake)
    return lake.path


@pytest.fixture(scope="module")
def shell():
    shell = InteractiveShell.instance()
    shell.run_line_magic("load_ext", "aoai_analytics")
    yield shell
    shell.run_line_magic("unload_ext", "aoai_analytics")
    InteractiveShell.clear_instance()


def run(shell, cell: str):
    """The cell's result, what it printed and displayed; as a notebook would."""
    with capture_output() as seen:
        result = shell.run_cell(cell)
    return result, seen


def test_a_cell_gives_a_dataframe_and_keeps_the_last_one(shell, lake):
    result, _ = run(shell, f"%%kql {lake}\nAoaiRequests | summarize Requests = count() by Surface | top 2 by Requests")
    assert list(result.result.columns) == ["Surface", "Requests"]
    assert len(result.result) == 2
    assert shell.user_ns["_kql_"] is result.result


def test_check_says_where_a_query_runs_and_runs_nothing(shell, lake):
    result, seen = run(shell, f"%%kql {lake} --check\nAoaiRequests | take 50000")
    assert result.result is None
    assert "Note: a lake returns every row; the portal shows 30,000" in seen.stdout
    assert seen.stdout.endswith("The query runs on a lake and in Azure.\n")


def test_check_of_a_library_query_runs_nothing_and_refuses_an_unknown_parameter(shell, lake):
    run(shell, f"%%kql {lake}\nprint kept = 1")
    for cell in (f"%kql tokens/by-subscription {lake} --check -p topN=2", "%%kql tokens/by-subscription --check"):
        result, seen = run(shell, cell)
        assert result.success and result.result is None and not seen.outputs
        assert seen.stdout.endswith("The query runs on a lake and in Azure.\n")
    assert list(shell.user_ns["_kql_"].columns) == ["kept"]
    wrong, _ = run(shell, "%kql tokens/by-subscription --check -p topM=2")
    assert "did you mean 'topN'?" in str(wrong.error_in_exec)


def test_parameters_and_a_period_reach_the_query(shell, lake):
    cell = "let n = 3;\nAoaiRequests | take n | project CorrelationId"
    assert len(run(shell, f"%%kql {lake} -p n=5\n{cell}")[0].result) == 5
    assert len(run(shell, f"%%kql {lake} --start 2027-01-01\n{cell}")[0].result) == 0


def test_render_draws_a_plotly_chart(shell, lake):
    query = "AoaiRequests | summarize Requests = count() by bin(TimeGenerated, 1h), Surface | render timechart"
    result, seen = run(shell, f"%%kql {lake}\n{query}")
    assert "TimeGenerated" in result.result.columns
    figures = [output for output in seen.outputs if "application/vnd.plotly.v1+json" in output.data]
    assert len(figures) == 1


@pytest.mark.parametrize(
    ("clause", "chart"),
    [
        ("timechart", "line x=T y=A color=S"),
        ("columnchart with (series=S, ycolumns=B, xcolumn=T)", "bar x=T y=B color=S"),
        ("barchart with (title='x', series=S)", "bar x=A y=T color=S"),
        ("table", ""),
        ("timechart with (ycolumns=Nothing)", ""),
    ],
)
def test_a_render_clause_names_a_chart(clause, chart):
    query, render = split(f"X | take 1\n| render {clause};\n")
    assert query.strip() == "X | take 1"
    assert chart_of(render, {"T": "datetime", "A": "long", "B": "real", "S": "string"}) == chart


def test_only_a_clause_at_the_end_is_one():
    assert split("print render = 1")[1] is None
    assert split('X | render barchart with (title="a, b")')[1] == Render("barchart", {"title": "a, b"})


def test_numbers_stand_right_with_thousands_separators_and_text_is_escaped(shell, lake):
    result, _ = run(shell, f"%%kql {lake}\nprint Tokens = 1234567, Name = '<b>x</b>', Nothing = long(null)")
    shown = shell.display_formatter.formatters["text/html"](result.result)
    assert "1,234,567" in shown
    assert "<b>x</b>" not in shown
    assert "unknown" in shown
    assert "text-align: right" in shown


def test_a_dataframe_of_ones_own_is_shown_as_pandas_does(shell):
    import pandas as pd

    frame = pd.DataFrame({"a": [1234567]})
    assert shell.display_formatter.formatters["text/html"](frame) == frame._repr_html_()


def test_a_syntax_error_shows_the_line_and_a_caret(shell, lake):
    result, _ = run(shell, f"%%kql {lake}\nAoaiRequests\n| whre X")
    lines = str(result.error_in_exec).split("\n")
    assert "there is no operator 'whre'; did you mean 'where'?" in lines[0]
    assert lines[1] == "| whre X"
    assert lines[2] == "  ^"


@pytest.mark.parametrize(
    ("query", "hint"),
    [
        ("AoaiRequests | where ModelNam == 'x'", "did you mean 'ModelName'?"),
        ("AoaiRequests | extend x = strcatt('a')", "did you mean 'strcat'?"),
        ("AoaiRequest | count", "did you mean 'AoaiRequests'?"),
    ],
)
def test_a_wrong_name_gets_the_nearest(shell, lake, query, hint):
    result, _ = run(shell, f"%%kql {lake}\n{query}")
    assert hint in str(result.error_in_exec)


def test_wrong_use_is_one_line_without_a_traceback(shell, lake):
    for line in ("nolake", f"{lake} --since x", f"{lake} -p n", f"{lake} --what"):
        result, seen = run(shell, f"%%kql {line}\nprint 1")
        assert result.error_in_exec is not None
        assert "Traceback" not in seen.stdout + seen.stderr


def test_prompts_are_hidden_unless_asked_for(shell, lake):
    query = "AoaiMessages | where isnotempty(Prompt) | project Prompt"
    quiet, seen = run(shell, f"%%kql {lake}\n{query}")
    assert quiet.result.Prompt.str.startswith("[hidden: ").all()
    assert "--show-prompts" in seen.stdout
    loud, _ = run(shell, f"%%kql {lake} --show-prompts\n{query}")
    assert not loud.result.Prompt.str.startswith("[hidden: ").any()


def test_tab_completes_tables_then_the_columns_of_those_named(shell):
    assert "AoaiRequests" in words("%%kql\nAoaiR", "AoaiR")
    assert "Prompt" in words("%%kql\nAoaiMessages | project Pro", "Pro")
    assert "PromptTokens" not in words("%%kql\nAoaiMessages | project Pro", "Pro")
    assert "summarize" in words("%%kql\nAoaiRequests | summ", "summ")
    with provisionalcompleter():
        found = [completion.text for completion in shell.Completer.completions("%%kql\nAoaiReq", 13)]
        elsewhere = [completion.text for completion in shell.Completer.completions("AoaiReq", 7)]
    assert "AoaiRequests" in found
    assert "AoaiRequests" not in elsewhere


def test_a_period_is_named_and_is_in_the_time_zone(shell, lake):
    query = "AoaiRequests | summarize First = min(TimeGenerated), Last = max(TimeGenerated), N = count()"
    whole = run(shell, f"%%kql {lake}\n{query}")[0].result.iloc[0]
    day = whole.Last.date()
    assert run(shell, f"%%kql {lake} --period {day.year}\n{query}")[0].result.N[0] == whole.N
    result, _ = run(shell, f"%%kql --period {day} {lake} --time-zone Asia/Tokyo\n{query}")
    first = result.result.First[0]
    assert (first.date(), str(first.tz)) == (day, "Asia/Tokyo") and result.result.N[0] < whole.N
    assert f"{first:%H:%M}" in shell.display_formatter.formatters["text/html"](result.result)
    wrong, _ = run(shell, f"%%kql {lake} --period 2026-10 --since 7d\n{query}")
    assert str(wrong.error_in_exec) == "--period cannot be combined with --since, --start or --end"


def test_a_library_query_s_days_are_those_of_the_time_zone(shell, lake):
    line = f"%kql tokens/by-day {lake} --time-zone Asia/Tokyo"
    days = run(shell, line)[0].result.Day
    assert str(days.dt.tz) == "Asia/Tokyo" and (days.dt.hour == 0).all()


def test_only_narrows_this_question_alone(shell, lake):
    query = "AoaiRequests | summarize N = count() by SubscriptionId | top 1 by N"
    name, count = run(shell, f"%%kql {lake}\n{query}")[0].result.iloc[0]
    rest = run(shell, f"%%kql {lake}\nAoaiRequests | count")[0].result.Count[0]
    narrowed, _ = run(shell, f"%%kql {lake} --only subscriptionid={name}\nAoaiRequests | count")
    assert narrowed.result.Count[0] == count < rest
    assert run(shell, f"%%kql {lake}\nAoaiRequests | count")[0].result.Count[0] == rest
    _, seen = run(shell, f"%%kql {lake} --only SubscriptionId={name}\nApiManagementGatewayLogs | count")
    assert "--only does not narrow ApiManagementGatewayLogs: this covers all traffic." in seen.stdout
    wrong, _ = run(shell, f"%%kql {lake} --only Nothing=1\nprint 1")
    assert "--only takes COLUMN=VALUE, not 'Nothing=1'" in str(wrong.error_in_exec)


@pytest.mark.parametrize("ask", ["%kql tokens/by-subscription {} --end {}", "%%kql {} --end {}\nAoaiRequests | take 1"])
def test_an_answer_without_rows_says_what_the_source_holds(shell, lake, ask):
    result, seen = run(shell, ask.format(lake, "2025-02-01"))
    assert len(result.result) == 0
    assert seen.stdout.startswith("No rows in this period. This does not mean there was no traffic")
    assert "The source has 120 requests from " in seen.stdout


def test_the_last_source_is_kept_and_a_name_runs_a_query_of_the_library(shell, lake):
    run(shell, f"%%kql {lake}\nprint 1")
    assert run(shell, "%%kql\nAoaiRequests | count")[0].result.Count[0] > 0
    named, seen = run(shell, "%kql tokens/by-subscription -p topN=2")
    assert "SubscriptionId" in named.result.columns
    assert any("application/vnd.plotly.v1+json" in output.data for output in seen.outputs)
    wrong, _ = run(shell, "%kql tokens/by-subscriptoin")
    assert "did you mean tokens/by-subscription" in str(wrong.error_in_exec)


@pytest.mark.parametrize("cell", ["%%kql {}", "%%kql {}\n\n", "%kql {}"])
def test_a_source_alone_is_kept_for_later_cells(shell, lake, tmp_path, cell):
    Lake.create(tmp_path / "empty")
    run(shell, f"%%kql {tmp_path / 'empty'}\nprint 1")
    result, seen = run(shell, cell.format(lake))
    assert result.success and result.result is None
    assert seen.stdout == f"Later cells read {lake}. To query it here, write KQL below the line %%kql {lake}.\n"
    assert run(shell, "%%kql\nAoaiRequests | count")[0].result.Count[0] > 0


def test_a_folder_that_is_not_a_lake_is_no_misspelt_query(shell, tmp_path):
    wrong, _ = run(shell, f"%%kql {tmp_path}")
    assert "is not a lake; create one with" in str(wrong.error_in_exec)


@pytest.mark.parametrize("cell", ["%%kql --help\nprint 1", "%%kql --help", "%%kql", "%kql --help", "%kql"])
def test_help_says_how_it_is_used(shell, cell):
    result, seen = run(shell, cell)
    assert result.error_in_exec is None and result.result is None
    assert "--since SPAN" in seen.stdout and "%kql NAME" in seen.stdout


def test_a_cell_of_the_magic_s_line_alone_is_as_the_line(shell, lake):
    alone, _ = run(shell, f"%%kql tokens/by-subscription {lake}\n\n")
    line, _ = run(shell, f"%kql tokens/by-subscription {lake}")
    assert alone.result.equals(line.result)
    # In a terminal, the query can still be typed below.
    assert shell.input_transformer_manager.check_complete(f"%%kql {lake}")[0] == "incomplete"


def test_what_was_added_to_ipython_is_taken_away(shell):
    before = len(shell.input_transformers_cleanup)
    shell.run_line_magic("unload_ext", "aoai_analytics")
    assert len(shell.input_transformers_cleanup) == before - 1
    shell.run_line_magic("load_ext", "aoai_analytics")
    assert len(shell.input_transformers_cleanup) == before


def test_a_section_s_name_lists_its_queries_with_their_questions(shell):
    result, seen = run(shell, "%kql trust")
    assert result.error_in_exec is None and result.result is None
    assert [line.split()[0] for line in seen.stdout.splitlines()] == [
        query.name for query in library().section("trust")
    ]
    assert "Which deployments are used by others than the gateway, and how much?" in seen.stdout


def _offered(shell, cell: str) -> list[str]:
    with provisionalcompleter():
        return [completion.text for completion in shell.Completer.completions(cell, len(cell))]


@pytest.mark.parametrize(
    ("typed", "value"),
    [
        ('| where Surface == "cha', 'chat"'),
        ("| where Surface == ", '"chat"'),
        ("| where Surface in ('embeddings', '", "chat'"),
        ('| where ModelName =~ "GPT-4', 'gpt-4o"'),
    ],
)
def test_tab_completes_the_values_of_a_column(shell, lake, typed, value):
    assert value in _offered(shell, f"%%kql {lake}\nAoaiRequests {typed}")


def test_tab_shows_no_one_s_text(shell, lake):
    offered = _offered(shell, f'%%kql {lake}\nAoaiMessages | where Prompt == "')
    assert not [text for text in offered if text.endswith('"')]


def test_tab_completes_the_names_of_queries(shell):
    assert "tokens/by-subscription" in _offered(shell, "%kql tokens/by-s")
