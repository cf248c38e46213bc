"""``aoai doctor``: data on standard output, words on standard error."""

from __future__ import annotations

import json

import pytest
import typer
from typer.testing import CliRunner, Result

from aoai_analytics.cli.doctor import doctor
from tests.doctor.conftest import Sampled

app = typer.Typer()
app.command()(doctor)


def run(*arguments: str) -> Result:
    return CliRunner().invoke(app, list(arguments))


def test_findings_are_blocks_of_lines_where_no_terminal_is(small_sample: Sampled) -> None:
    result = run("--source", str(small_sample.lake))
    assert result.exit_code == 0
    blocks = result.stdout.strip().split("\n\n")
    assert len(blocks) > 3
    for block in blocks:
        first, *rest = block.splitlines()
        assert first.split(": ")[0] in ("problem", "warning", "note")
        assert {line.split(":")[0].strip() for line in rest} >= {"impact", "fix", "query"}


def test_words_about_the_findings_go_to_standard_error(small_sample: Sampled) -> None:
    result = run("--source", str(small_sample.lake))
    assert "warnings" in result.stderr and "Not detectable from logs" in result.stderr
    assert "Not detectable from logs" not in result.stdout


def test_json_is_a_list_of_findings(small_sample: Sampled) -> None:
    findings = json.loads(run("--source", str(small_sample.lake), "--format", "json").stdout)
    assert {"kind", "severity", "what", "where", "hidden", "impact", "fix", "query"} <= findings[0].keys()


def test_complete_logs_have_no_finding_but_notes_on_prices_and_other_apis(complete_sample: Sampled) -> None:
    result = run("--source", str(complete_sample.lake), "--strict")
    assert result.exit_code == 0
    # The sample's gpt-9-preview is in no price book, and its gateway has other APIs, one of which has a path that ends
    # in /completions. Of the logs themselves nothing is to be said.
    findings = json.loads(run("--source", str(complete_sample.lake), "--format", "json").stdout)
    assert {finding["severity"] for finding in findings} == {"note"}
    found = {finding["kind"]: finding for finding in findings}
    assert list(found) == ["models-unpriced", "outside-requests"]
    (others,) = (planted["count"] for planted in complete_sample.planted if planted["kind"] == "other-apis")
    assert found["outside-requests"]["what"].startswith(
        f"{others:,} gateway records are not model requests; 0 of them look like model traffic: "
    )


def test_strict_ends_with_1_where_there_is_a_warning(small_sample: Sampled) -> None:
    assert run("--source", str(small_sample.lake), "--strict").exit_code == 1


def test_an_empty_period_is_said_to_be_nothing_known(small_sample: Sampled) -> None:
    result = run("--source", str(small_sample.lake), "--start", "2020-01-01", "--end", "2020-02-01")
    assert result.stdout.startswith("problem: no-records")
    assert "No findings" not in result.stderr


def test_on_a_terminal_it_is_a_table(small_sample: Sampled, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("sys.stdout.isatty", lambda: True, raising=False)
    from aoai_analytics import connect
    from aoai_analytics.cli.doctor import _on_terminal
    from aoai_analytics.doctor import diagnose

    engine = connect(small_sample.lake)
    findings = diagnose(engine)
    engine.close()
    from rich import console

    recorded = console.Console(record=True, width=160, file=open("/dev/null", "w"))  # noqa: SIM115
    monkeypatch.setattr(console, "Console", lambda: recorded)
    _on_terminal(findings, "UTC")
    text = recorded.export_text()
    for finding in findings:
        assert finding.kind in text
