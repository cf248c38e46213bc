"""The commands do their work: data on standard output, words on standard error, and the right exit code."""

from __future__ import annotations

import csv
import io
import json
import re
import subprocess
import sys
from datetime import datetime

import pyarrow.parquet as pq
import pytest
import typer

from aoai_analytics import cli
from aoai_analytics.errors import AoaiError
from aoai_analytics.library.queries import Library


def test_help_lists_the_commands_and_loads_nothing_heavy():
    code = (
        "import sys; from aoai_analytics.cli import main; code = main(['--help']); "
        "heavy = {'pandas', 'pyarrow', 'duckdb', 'duckdb_kql', 'deltalake', 'plotly', 'papermill', 'azure', 'numpy', "
        "'pydantic', 'pydantic_settings', 'rich'} & sys.modules.keys(); "
        "print(sorted(heavy), file=sys.stderr); sys.exit(code)"
    )
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=False)
    assert done.returncode == 0
    assert all(f"  {name} " in done.stdout for name in ("sample", "ingest", "queries", "query", "report", "doctor"))
    assert done.stderr.strip() == "[]"


def test_no_words_show_the_help(aoai):
    assert aoai().out.startswith("Usage: aoai")


def test_from_sample_to_answer(aoai):
    made = aoai("sample", "s", "--requests", 60, "--days", 1, "--seed", 3)
    assert (made.code, made.out.startswith("60 requests from ")) == (0, True)
    assert made.err == "Next: aoai ingest s/logs\n"
    read = aoai("ingest", "s/logs")
    assert read.code == 0
    summary = dict(line.split("  ", 1) for line in read.out.splitlines())
    assert int(summary["new"]) > 60
    assert {"files", "records", "duplicate", "quarantined", "MB/s"} <= summary.keys()
    again = aoai("ingest", "s/logs")
    assert dict(line.split("  ", 1) for line in again.out.splitlines())["new"].strip() == "0"
    answer = aoai("query", "--kql", "AoaiRequests | count", "--format", "csv")
    assert answer.out.splitlines()[0] == "Count"
    assert int(answer.out.splitlines()[1]) >= 50


def test_nothing_is_said_but_the_answer_to_the_very_end(lake):
    code = "import sys; from aoai_analytics.cli import main; sys.exit(main())"
    words = [sys.executable, "-c", code, "query", "tokens/by-subscription", "--source", str(lake)]
    done = subprocess.run(words, capture_output=True, text=True, check=False)
    assert (done.returncode, done.stderr) == (0, "") and done.stdout.startswith("SubscriptionId")


def test_check_says_where_a_query_runs_and_what_azure_does_otherwise(aoai, lake):
    runs = aoai("query", "--check", "--kql", "workspace('a').AoaiRequests | where IsStream", "-s", lake)
    assert (runs.code, runs.out) == (0, "")
    assert "Note: workspace('a'): a lake is one source" in runs.err and "the portal shows 30,000" in runs.err
    assert runs.err.endswith("The query runs on a lake and in Azure.\n")
    lacks = aoai("query", "--check", "--kql", "AoaiRequests | reduce by User", "-s", lake)
    assert lacks.code == 1 and lacks.err.startswith("line 1, column 16: a lake cannot run reduce: use 'summarize")


def test_queries_lists_names_and_questions(aoai):
    listed = aoai("queries", "tokens")
    assert "tokens/by-caller-and-model" in listed.out
    assert all(line.startswith("tokens/") for line in listed.out.splitlines())
    entry = next(e for e in json.loads(aoai("queries", "--json").out) if e["name"] == "tokens/by-subscription")
    assert entry["parameters"]["topN"] == {"type": "long", "default": "20", "about": "rows to show"}


def test_one_answer_in_every_format(aoai, lake, tmp_path):
    words = ("query", "tokens/by-subscription", "--source", lake, "--param", "topN=3")
    from_csv = list(csv.DictReader(io.StringIO(aoai(*words, "--format", "csv").out)))
    from_json = json.loads(aoai(*words, "--format", "json").out)
    assert aoai(*words, "--format", "parquet", "-o", tmp_path / "x.parquet").out == ""
    from_parquet = pq.read_table(tmp_path / "x.parquet").to_pylist()
    assert [row["SubscriptionId"] for row in from_csv] == [row["SubscriptionId"] for row in from_json]
    assert [int(row["TotalTokens"]) for row in from_csv] == [row["TotalTokens"] for row in from_json]
    assert [row["TotalTokens"] for row in from_parquet] == [row["TotalTokens"] for row in from_json]
    table = aoai(*words).out.splitlines()
    assert len(table) == 2 + len(from_json)
    assert f"{from_json[0]['TotalTokens']:,}" in table[2]


def test_the_file_s_ending_is_the_format_and_a_contradiction_is_refused(aoai, lake, tmp_path):
    import openpyxl

    words = ("query", "tokens/by-subscription", "--source", lake, "-o")
    for name in ("x.csv", "x.json", "x.parquet", "x.xlsx", "x.html", "x.txt"):
        assert aoai(*words, tmp_path / name).code == 0
    rows = json.loads((tmp_path / "x.json").read_text())
    assert len((tmp_path / "x.csv").read_text().splitlines()) == len(rows) + 1
    assert pq.read_table(tmp_path / "x.parquet").num_rows == len(rows)
    sheet = openpyxl.load_workbook(tmp_path / "x.xlsx").active
    names = [cell.value.split(" ")[0] for cell in sheet[1]]
    assert [
        dict(zip(names, row, strict=True))["TotalTokens"] for row in sheet.iter_rows(min_row=2, values_only=True)
    ] == [row["TotalTokens"] for row in rows]
    page = (tmp_path / "x.html").read_text()
    # A row for the headings, and one for the total.
    assert page.count("<tr>") == len(rows) + 2 and f"{rows[0]['TotalTokens']:,}" in page
    contradiction = aoai(*words, tmp_path / "y.csv", "--format", "json")
    assert (contradiction.code, "contradicts" in contradiction.err) == (2, True)
    unknown = aoai(*words, tmp_path / "y.docx")
    assert (unknown.code, "names no format" in unknown.err) == (2, True)
    assert not (tmp_path / "y.csv").exists() and not (tmp_path / "y.docx").exists()


def test_the_time_zone_moves_days_and_times(aoai, lake):
    words = ("query", "tokens/by-day", "-s", lake, "-f", "csv")
    days = [row["Day"] for row in csv.DictReader(io.StringIO(aoai(*words, "--time-zone", "Asia/Tokyo").out))]
    assert days[0] == "2026-11-14T00:00:00+09:00" and len(days) == 3
    first = ("query", "--kql", "AoaiRequests | summarize First = min(TimeGenerated)", "-s", lake)
    utc, tokyo = (
        json.loads(aoai(*first, "-f", "json", "--time-zone", z).out)[0]["First"] for z in ("UTC", "Asia/Tokyo")
    )
    assert datetime.fromisoformat(utc) == datetime.fromisoformat(tokyo) and tokyo.endswith("+09:00")
    assert "+0900" in aoai(*first, "--time-zone", "Asia/Tokyo").out


def test_a_section_is_listed(aoai):
    assert aoai("query", "tokens").out == aoai("queries", "tokens").out


def test_a_query_says_on_standard_error_what_it_leaves_out(aoai, lake, tmp_path, monkeypatch):
    (tmp_path / "kql" / "tokens").mkdir(parents=True)
    text = "// title: T\n// question: Q?\n// leaves-out: users whose requests were all refused\nAoaiRequests | count\n"
    (tmp_path / "kql" / "tokens" / "some.kql").write_text(text)
    monkeypatch.setattr("aoai_analytics.library.library", lambda: Library(tmp_path / "kql"))
    ended = aoai("query", "tokens/some", "--source", lake)
    assert ended.code == 0 and ended.err == "Leaves out users whose requests were all refused.\n"
    assert ended.out.split() == ["Count", "-----", "300"]


@pytest.mark.parametrize(
    "words",
    ["-o sec.csv", "-f csv", "-p topN=3", "--period 2026-13", "--since x", "--time-zone Mars", "--check"],
)
def test_a_section_takes_no_option_of_a_query(aoai, tmp_path, monkeypatch, words):
    monkeypatch.chdir(tmp_path)
    ended = aoai("query", "tokens", "--source", "lake", *words.split())
    assert (ended.code, ended.out, list(tmp_path.iterdir())) == (2, "", [])
    assert re.fullmatch(
        r"aoai: 'tokens' is a section, which --[a-z-]+ does not fit: name a query of it, e.g. tokens/\S+\n", ended.err
    )


def test_a_terminal_s_table_fits_and_says_what_it_leaves_out():
    import pandas as pd

    from aoai_analytics.cli.output import table_text
    from aoai_analytics.engines.protocol import QueryResult

    frame = pd.DataFrame(
        {"Team": ["a"] * 201, "Cost": [1234.567] * 201, "Share": [0.1234] * 201, "Note": ["n" * 50] * 201}
    )
    types = {"Team": "string", "Cost": "real", "Share": "real", "Note": "string"}
    lines = table_text(QueryResult(frame, types), {"Cost": "USD", "Share": "share"}, 40, 20).splitlines()
    assert lines[0].split() == ["Team", "Cost", "(USD)", "Share"]
    assert lines[2].split() == ["a", "1,234.57", "12.3%"]
    assert lines[-1] == "20 of 201 rows; columns without room: Note; -o FILE writes all"
    assert max(map(len, lines[:-1])) <= 40
    whole = table_text(QueryResult(frame, types), {}, None, None).splitlines()
    assert len(whole) == 203 and "rows" not in whole[-1]
    # Who made a request is not what the table lacks room for.
    asked = pd.DataFrame({"TokenSource": ["usage"], "TotalTokens": [7], "SubscriptionId": ["sub-a"], "User": ["ann"]})
    types = dict.fromkeys(asked.columns, "string") | {"TotalTokens": "long"}
    assert table_text(QueryResult(asked, types), {}, 30, 20).split()[:2] == ["TokenSource", "SubscriptionId"]
    moved = asked[["TotalTokens", "TokenSource", "SubscriptionId", "User"]]
    assert table_text(QueryResult(moved, types), {}, 40, 20).split()[:3] == ["TotalTokens", "SubscriptionId", "User"]
    # Long names are cut around what differs, and a text at its end.
    long = [f"{'contoso-' * 8}{number:03d}-prod" for number in (1, 2)]
    told = table_text(QueryResult(pd.DataFrame({"Team": [*long, "x" * 900]}), {"Team": "string"}), {}, None, None)
    cells = told.splitlines()[2:]
    assert "001" in cells[0] and "002" in cells[1] and cells[2].endswith("x…") and max(map(len, cells)) == 60
    small = pd.DataFrame({"Cost": [0.00031, 12.5]})
    assert "0.00031" in table_text(QueryResult(small, {"Cost": "real"}), {"Cost": "USD"}, None, None)


def test_null_is_unknown_in_a_table_and_null_in_json(aoai, lake):
    kql = "print A = long(null), B = real(null), C = datetime(null), D = dynamic(null)"
    assert aoai("query", "--kql", kql, "-s", lake).out.splitlines()[2].split() == ["unknown"] * 4
    assert json.loads(aoai("query", "--kql", kql, "-s", lake, "-f", "json").out) == [dict.fromkeys("ABCD")]


def test_text_cannot_command_the_terminal_or_a_spreadsheet(aoai, lake):
    kql = 'print A = "=HYPERLINK(1)", B = "\\u001b[31mred\\u0007"'
    table = aoai("query", "--kql", kql, "-s", lake)
    assert "\x1b" not in table.out
    assert "\x07" not in table.out
    assert "'=HYPERLINK(1)" in aoai("query", "--kql", kql, "-s", lake, "-f", "csv").out


def test_prompts_are_hidden_unless_asked_for(aoai, lake):
    quiet = aoai("query", "prompts/completions", "--source", lake, "--format", "json")
    assert quiet.code == 0
    texts = {row["Prompt"] for row in json.loads(quiet.out)}
    assert all(not text or text.startswith("[hidden: ") for text in texts)
    assert "--show-prompts" in quiet.err
    loud = aoai("query", "prompts/completions", "--source", lake, "--format", "json", "--show-prompts")
    assert not any(row["Prompt"].startswith("[hidden: ") for row in json.loads(loud.out))


def test_a_period_is_a_month_a_week_or_a_day_in_the_time_zone(aoai, lake):
    count = ("query", "--kql", "AoaiRequests | count", "-s", lake, "-f", "json")
    whole = json.loads(aoai(*count).out)[0]["Count"]
    assert json.loads(aoai(*count, "--period", "2026-11").out)[0]["Count"] == whole
    days = [json.loads(aoai(*count, "--period", f"2026-11-{day}").out)[0]["Count"] for day in (14, 15)]
    assert sum(days) == whole
    assert json.loads(aoai(*count, "--period", "2026-W46").out)[0]["Count"] == whole
    shifted = json.loads(aoai(*count, "--period", "2026-11-15", "--time-zone", "Asia/Tokyo").out)[0]["Count"]
    assert shifted != days[1]


def test_no_rows_are_not_called_no_traffic(aoai, lake):
    ended = aoai("query", "tokens/by-subscription", "-s", lake, "--since", "1h")
    assert ended.code == 0
    assert "does not mean there was no traffic" in ended.err
    assert "The source has 300 requests from 14 Nov 2026" in ended.err


def test_settings_come_from_flags_then_variables_then_the_file(aoai, lake, tmp_path, monkeypatch):
    from aoai_analytics.config import settings

    kql = ("query", "--kql", "AoaiRequests | count", "-f", "csv")
    (tmp_path / "aoai.toml").write_text(f'source = "{lake}"\n')
    settings.cache_clear()
    assert aoai(*kql).code == 0
    monkeypatch.setenv("AOAI_SOURCE", str(tmp_path / "nowhere"))
    settings.cache_clear()
    assert "nowhere is not a lake" in aoai(*kql).err
    assert aoai(*kql, "--source", lake).code == 0
    (tmp_path / "aoai.toml").write_text("source = \n")
    settings.cache_clear()
    broken = aoai(*kql)
    assert (broken.code, broken.err.startswith("aoai: aoai.toml is not valid TOML")) == (2, True)
    settings.cache_clear()


@pytest.mark.parametrize(
    ("words", "code", "message"),
    [
        (["nonsense"], 2, "No such command 'nonsense'"),
        (["query"], 2, "give exactly one of NAME ('aoai queries' lists them), --kql TEXT or --file F"),
        (["query", "tokens/by-subscriptio"], 2, "did you mean tokens/by-subscription"),
        (["query", "token"], 2, "there is no query 'token'; did you mean tokens or "),
        (["query", "tokens/by-subscription", "-p", "topN"], 2, "--param takes NAME=VALUE"),
        (["query", "tokens/by-subscription", "-p", "topN=x"], 2, "parameter 'topN' takes a long"),
        (["query", "tokens/by-subscription", "--since", "x"], 2, "--since 'x' is not a duration"),
        (["query", "tokens/by-subscription", "--since", "7d", "--start", "2026-01-01"], 2, "mutually exclusive"),
        (["query", "tokens/by-subscription", "--start", "x"], 2, "start 'x' is not a date"),
        (
            ["query", "tokens/by-subscription", "--start", "2026-02-01", "--end", "2026-01-01"],
            2,
            "ends before it starts",
        ),
        (["query", "tokens/by-subscription", "--period", "2026-13"], 2, "a month 2026-10"),
        (
            ["query", "tokens/by-subscription", "--time-zone", "Mars", "--period", "2026-10"],
            2,
            "unknown time zone 'Mars'",
        ),
        (["query", "--kql", "AoaiRequests | whre"], 1, "line 1, column 16: there is no operator 'whre'"),
        (["query", "--file", "none.kql"], 2, "cannot read none.kql"),
        (["query", "--kql", "AoaiRequests | count", "-o", "no/such/folder"], 2, "cannot write no/such/folder"),
        (["report", "nosuch"], 2, "unknown report 'nosuch'"),
        (["sample", "x", "--requests", "0"], 2, "a sample needs at least 1"),
    ],
)
def test_wrong_use_gets_one_line(aoai, lake, words, code, message):
    ended = aoai(*words, *(["--source", lake] if words[0] in ("query", "report") else []))
    assert ended.code == code
    assert message in ended.err
    assert ended.err.startswith("aoai: ")
    assert ended.err.count("\n") == 1


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["ingest", "nowhere"], "nowhere: no such file or folder"),
        (["ingest", "."], "no logs in"),
        (["query", "tokens/by-subscription", "-s", "nolake"], "nolake is not a lake; create one with"),
        (["query", "tokens/by-subscription", "-s", "ftp://x"], "unknown source 'ftp://…'"),
    ],
)
def test_what_cannot_be_read_gets_one_line(aoai, words, message):
    ended = aoai(*words)
    assert (ended.code, ended.err.count("\n")) == (1, 1)
    assert message in ended.err


def test_an_option_has_one_name_in_each_command():
    def commands(group):
        for command in group.commands.values():
            yield from commands(command) if hasattr(command, "commands") else [command]

    for command in commands(typer.main.get_command(cli.app)):
        names = [name for parameter in command.params for name in parameter.opts if name.startswith("--")]
        assert len(names) == len(set(names)) and "--out" not in names, command.name


@pytest.mark.parametrize("words", [["--out", "made.csv"], ["--out=made.csv"], ["--output", "made.csv"]])
def test_the_former_name_of_output_still_works(aoai, lake, tmp_path, words):
    assert aoai("query", "--kql", "print Out = 1", "-s", lake, *words).code == 0
    assert (tmp_path / "made.csv").read_text() == "Out\n1\n"
    shown = aoai("schedule", "show", "crontab", "--out", "/srv/pages")
    assert shown.code == 0 and "--output /srv/pages" in shown.out


def test_an_error_nobody_foresaw_tells_nothing_of_the_data(aoai, monkeypatch, lake):
    def fail(*_: object, **__: object) -> None:
        raise ValueError("a prompt")

    monkeypatch.setattr("aoai_analytics.cli.output.write", fail)
    ended = aoai("query", "--kql", "print 1", "-s", lake)
    assert ended.code == 1
    assert "a prompt" not in ended.err
    assert ended.err == "aoai: unexpected ValueError; run again with --debug to see where\n"
    assert "Traceback" in aoai("query", "--kql", "print 1", "-s", lake, "--debug").err


def test_stopping_by_hand_ends_with_130(aoai, monkeypatch, lake):
    def stop(*_: object, **__: object) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("aoai_analytics.cli.output.write", stop)
    assert aoai("query", "--kql", "print 1", "-s", lake).code == 130


def test_every_error_names_its_exit_code():
    def classes(kind: type[AoaiError]) -> set[type[AoaiError]]:
        return {kind}.union(*(classes(child) for child in kind.__subclasses__()))

    assert {kind.exit_code for kind in classes(AoaiError)} == {1, 2}
    assert cli.main(["--version"]) == 0
