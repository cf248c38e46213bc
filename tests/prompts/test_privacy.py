"""What people wrote is nowhere unless asked for; and where it is shown, it is text and does nothing."""

from __future__ import annotations

import base64
import csv
import io
import json
import re
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aoai_analytics.cli import main
from aoai_analytics.library import library, privacy
from aoai_analytics.reporting.run.execution import run_notebook
from aoai_analytics.reporting.run.report import make_report, notebooks

PROMPTS = [query.name for query in library() if query.section == "prompts"]
# What a terminal would obey, and what reorders the text around it; line breaks are the formats' own.
DANGEROUS = re.compile("[\x00-\x08\x0b\x0c\x0e-\x1f\x7f-\x9f\u202a-\u202e\u2066-\u2069]")
# Ways to text that name no column of text, or give it a harmless name.
TRICKS = [
    "ApiManagementGatewayLogs | take 20",
    "ApiManagementGatewayLogs | project X = pack_all()",
    "ApiManagementGatewayLogs | where Url has 'openai' | summarize arg_max(TimeGenerated, *) by CorrelationId",
    "AoaiMessages | project CallerIpAddress = Prompt",
    "AoaiMessages | project-rename ModelName = Prompt",
    "AoaiMessages | summarize ModelName = take_any(Prompt) by CorrelationId",
    "AoaiMessages | parse Prompt with CallerIpAddress ' ' *",
    "AoaiMessages | summarize make_list(Prompt)",
    "AoaiConversation",
    "AoaiLlmTexts",
    "union withsource = T AoaiMessages, AoaiRequests",
    "AoaiMessages | summarize count() by Prompt | evaluate pivot(Prompt)",
    "AoaiMessages | extend D = bag_pack(Prompt, 1) | evaluate bag_unpack(D)",
]
# What fails on a value, and might say which.
FAILING = [
    "AoaiMessages | where 'x' matches regex Prompt",
    "AoaiMessages | extend X = extract(Prompt, 0, 'x')",
    "AoaiMessages | extend X = toguid(Prompt), Y = todatetime(Prompt), Z = totimespan(Prompt)",
    "AoaiMessages | extend X = parse_json(Prompt).a + 1",
    "AoaiMessages | extend X = Prompt + 1",
]


def bound(name: str) -> list[str]:
    """A query's name with the parameters without which it shows nothing."""
    return [name, "-p", "correlationId=id-3"] if name == "prompts/conversation" else [name]


def asked(capsys: pytest.CaptureFixture[str], lake: Path, *words: str) -> tuple[int, str, str]:
    code = main(["query", *words, "--source", str(lake)])
    said = capsys.readouterr()
    return code, said.out, said.err


@pytest.mark.parametrize("name", PROMPTS)
def test_a_query_hides_every_text_and_shows_it_only_where_asked(
    name: str, hostile_lake: Path, marker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    for form in ("table", "json"):
        code, out, err = asked(capsys, hostile_lake, *bound(name), "--format", form)
        assert code == 0 and out and marker not in out + err
    shown = asked(capsys, hostile_lake, *bound(name), "--format", "json", "--show-prompts")[1]
    texts = [row for row in json.loads(shown) if marker in json.dumps(row)]
    counts_only = {"languages", "scripts", "length-over-time", "texts-logged", "personal-data", "repeated"}
    counts_only |= {"cache-misses", "max-tokens"}
    found_only = {"personal-data-requests", "frequent", "topics"}
    assert bool(texts) == (name.split("/")[1] not in counts_only | found_only) or name == "prompts/topics"


@pytest.mark.parametrize("kql", TRICKS)
def test_kql_of_one_s_own_shows_no_text_by_a_back_door(
    kql: str, hostile_lake: Path, marker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, err = asked(capsys, hostile_lake, "--kql", kql, "--format", "csv")
    assert marker not in out + err
    assert "hidden" in out + err or code == 1


@pytest.mark.parametrize("kql", FAILING)
def test_an_error_never_says_a_text(
    kql: str, hostile_lake: Path, marker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    _, out, err = asked(capsys, hostile_lake, "--kql", kql, "--format", "csv")
    assert marker not in out + err


@pytest.mark.parametrize("form", ["table", "csv", "json"])
def test_shown_text_cannot_steer_a_terminal_or_a_spreadsheet(
    form: str, hostile_lake: Path, marker: str, capsys: pytest.CaptureFixture[str]
) -> None:
    code, out, _ = asked(
        capsys, hostile_lake, "prompts/completions", "-p", "length=500", "--format", form, "--show-prompts"
    )
    assert code == 0 and marker in out
    assert DANGEROUS.findall(out) == []
    if form == "csv":
        cells = [cell for row in csv.reader(io.StringIO(out)) for cell in row if marker in cell]
        assert len(cells) >= 18
        assert not [cell for cell in cells if cell.lstrip().startswith(("=", "+", "-", "@", "\t", "\r"))]
    if form == "json":
        assert "\x1b[31m" in next(row["Prompt"] for row in json.loads(out) if row["CorrelationId"] == "id-4")


def test_parquet_hides_too(hostile_lake: Path, marker: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    path = tmp_path / "out.parquet"
    assert asked(capsys, hostile_lake, "prompts/search", "--format", "parquet", "-o", str(path))[0] == 0
    assert marker not in str(pq.read_table(path).to_pylist()) and marker.encode() not in path.read_bytes()


def test_a_notebook_run_without_asking_holds_no_text(hostile_lake: Path, marker: str, tmp_path: Path) -> None:
    path = tmp_path / "prompts.ipynb"
    run_notebook(notebooks()["prompts"], {"source": str(hostile_lake)}, path)
    text = path.read_text("utf-8")
    assert "[hidden: " not in text and "show_prompts = True" in text
    assert marker not in text
    links = re.findall(r"base64,([A-Za-z0-9+/=]+)", text)
    assert links and not any(marker in base64.b64decode(link).decode("utf-8") for link in links)


def test_a_report_that_was_asked_to_shows_text_as_text_and_says_so_at_its_top(
    hostile_lake: Path, marker: str, tmp_path: Path
) -> None:
    result = make_report(["prompts"], source=hostile_lake, show_prompts=True, out=tmp_path / "out")
    assert not result.failed
    page = (tmp_path / "out/prompts.html").read_text("utf-8")
    top = page[: page.index("<h2")]
    assert "may show prompts and responses" in top
    assert marker in page
    assert f"<script>alert('{marker}')" not in page and f'<img src=x onerror="alert({marker})' not in page
    assert "evil.example/x.png)" in page and 'src="http://evil' not in page
    assert DANGEROUS.findall(page) == []
    links = [base64.b64decode(link).decode("utf-8-sig") for link in re.findall(r"csv;[^,]*base64,([\w+/=]+)", page)]
    cells = [cell for link in links for row in csv.reader(io.StringIO(link)) for cell in row if marker in cell]
    assert cells and not [cell for cell in cells if cell.lstrip(" ").startswith(("=", "+", "-", "@", "\t", "\r"))]


def test_a_lake_without_messages_holds_no_text_at_all(
    hostile_logs: Path, marker: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    lake = tmp_path / "lake"
    for _ in range(2):  # again, so that what is read, and what is computed, anew is looked at too
        assert main(["ingest", str(hostile_logs), "--lake", str(lake), "--no-messages"]) == 0
        said = capsys.readouterr()
        assert marker not in said.out + said.err
        files = [path for path in lake.rglob("*") if path.is_file()]
        assert any(path.suffix == ".parquet" for path in files)
        for path in files:
            assert marker.encode() not in path.read_bytes(), path
            if path.suffix == ".parquet":
                assert marker not in str(pq.read_table(path).to_pylist()), path
    assert json.loads(asked(capsys, lake, "--kql", "AoaiRequests | count", "--format", "json")[1]) == [{"Count": 10}]
    assert asked(capsys, lake, "prompts/search", "--format", "json", "--show-prompts")[1].strip() == "[]"


def test_only_the_header_of_a_library_s_query_vouches_for_a_column() -> None:
    for query in library():
        if privacy.no_text(query):
            # Of fields that no column holds it shows the names alone.
            assert query.section == "prompts" or query.name == "health/unknown-columns", query.name
    for name in ("AoaiMessages", "AoaiConversation", "AoaiLlmTexts"):
        assert privacy.reads_text(f"{name} | take 1")
    assert not privacy.reads_text("// AoaiMessages\nAoaiRequests | project Surface")
