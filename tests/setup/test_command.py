"""``aoai setup`` from a terminal: tables and JSON on standard output, words on standard error, exit codes."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.errors import WrongUse
from aoai_analytics.setup import Guide
from aoai_analytics.setup.running import chosen
from tests.setup.arm_service import ArmService
from tests.setup.conftest import install


def test_verify_prints_a_table_and_exits_1_where_something_is_not_met(
    guide: Guide, azure: ArmService, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    install(azure, guide)
    assert main(["setup", "verify", "--config", str(config), "--step", "02"]) == 0
    ended = capsys.readouterr()
    assert "gateway-identity" in ended.out and ended.err.strip() == "All requirements are met."
    assert main(["setup", "verify", "--config", str(config), "--json"]) == 1
    ended = capsys.readouterr()
    rows = {row["check"]: row for row in json.loads(ended.out)}
    assert rows["logs-arrive"]["state"] == "not met" and "aoai doctor" in rows["logs-arrive"]["found"]
    assert ended.err.strip() == "1 of 35 requirements are not met."


def test_status_tells_what_is_deployed_and_what_holds(
    guide: Guide, azure: ArmService, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setup", "status", "--config", str(config), "--json"]) == 0
    assert {row["deployed"] for row in json.loads(capsys.readouterr().out)} == {"", "not yet"}
    guide.prepare()
    guide.deploy("01")
    assert main(["setup", "status", "--config", str(config), "--json"]) == 0
    rows = {row["step"]: row for row in json.loads(capsys.readouterr().out)}
    assert (rows["01-openai"]["deployed"], rows["01-openai"]["requirements_met"]) == ("Succeeded", "3 of 3")
    assert rows["02-gateway"]["deployed"] == "not yet"


def test_check_and_what_if_make_nothing(
    guide: Guide, azure: ArmService, config: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert main(["setup", "check", "--config", str(config)]) == 1
    assert "Microsoft.ApiManagement is NotRegistered" in " ".join(capsys.readouterr().out.split())
    guide.prepare()
    made = len(azure.deployments.made)
    assert main(["setup", "what-if", "01", "--config", str(config)]) == 0
    assert "create" in capsys.readouterr().out
    assert len(azure.deployments.made) == made


def test_a_missing_file_is_one_line_and_wrong_use(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "status", "--config", str(tmp_path / "aoai.toml")]) == 2
    assert capsys.readouterr().err.count("\n") == 1


def test_without_a_choice_everything_that_builds_is_run_and_nothing_that_removes() -> None:
    assert [step.name[:2] for step in chosen(None, None, [])] == ["00", "01", "02", "03", "04", "05", "06", "07"]
    assert [step.name[:2] for step in chosen("3", "05-access-and-throttling", [])] == ["03", "04", "05"]
    assert [step.name[:2] for step in chosen("06", None, [])] == ["06", "07"]
    assert [step.name[:2] for step in chosen(None, None, ["09", "00"])] == ["00", "09"]


@pytest.mark.parametrize(("first", "last", "only"), [("05", "02", []), ("05", None, ["01"])])
def test_a_choice_that_contradicts_itself_is_wrong_use(first: str, last: str | None, only: list[str]) -> None:
    with pytest.raises(WrongUse):
        chosen(first, last, only)


def test_the_notebook_of_clients_needs_a_key_and_says_so(
    azure: ArmService, config: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.delenv("GATEWAY_KEY", raising=False)
    assert main(["setup", "run", "--only", "08", "--config", str(config)]) == 2
    assert "set GATEWAY_KEY to a subscription key" in capsys.readouterr().err
