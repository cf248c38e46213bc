"""The guided setup against the sandbox: its Azure, its gateway and its logs, all on this machine."""

from __future__ import annotations

import re
import time
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.cli.workspace import LogsAsWorkspace
from aoai_analytics.errors import WrongUse
from aoai_analytics.sandbox.azure.arm import GROUP, ArmService
from aoai_analytics.sandbox.azure.services import gateway_installation
from aoai_analytics.sandbox.azure.serving import azure_of
from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.log import FLAWS_OF_SANDBOX
from aoai_analytics.sandbox.serve import make, running
from aoai_analytics.setup import open_setup
from aoai_analytics.setup.exercises import Gateway
from aoai_analytics.setup.guide import Guide
from aoai_analytics.setup.proof_page import page as page_of
from aoai_analytics.setup.proving import Ask, Proof, arrived, compared, cost_of, one_by_one
from aoai_analytics.setup.steps import STEPS, modules_of
from aoai_analytics.setup.told import Told, Total, call_many, totals


@dataclass
class Standing:
    """A sandbox with its Azure; ``calls`` are those that its gateway answered."""

    azure: ArmService
    url: str
    config: Path
    calls: list[Call]


@pytest.fixture
def sandbox(tmp_path: Path) -> Iterator[Standing]:
    calls: list[Call] = []
    # Rows that come late would only be computed again.
    flaws = replace(FLAWS_OF_SANDBOX, llm_row_late=0.0)
    made = make(tmp_path / "logs", installation=gateway_installation(), flaws=flaws, watch=calls.append)
    with running(made) as url, azure_of(made, url, LogsAsWorkspace(tmp_path / "logs", tmp_path / "lake")) as azure:
        config = tmp_path / "aoai.toml"
        config.write_text(f"[setup]\nsandbox = true\nsandbox_port = {url.rpartition(':')[2]}\n", "utf-8")
        yield Standing(azure, url, config, calls)


def test_every_notebook_runs_and_what_it_verifies_was_deployed_called_and_logged(
    sandbox: Standing, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    for name in ("openai", "langchain_openai", "llama_index.llms.openai_like", "mcp"):
        pytest.importorskip(name)
    monkeypatch.setenv("GATEWAY_KEY", "key-of-sub-support-bot")
    arguments = ["--config", str(sandbox.config), "--output", str(tmp_path / "runs"), "--wait-minutes", "1"]
    for part in (["--to", "07"], ["--from", "08", "--to", "09"]):
        assert main(["setup", "run", *part, *arguments]) == 0, capsys.readouterr().err[-3000:]
    assert [path.stem for path in sorted((tmp_path / "runs").glob("*.ipynb"))] == [step.name for step in STEPS]

    assert [name for name, _ in sandbox.azure.deployments.made if name[-2:] != "rt"] == [
        f"setup-aoai-try-{step.name}" for step in STEPS if modules_of(step)
    ]
    ran = "".join(path.read_text("utf-8") for path in (tmp_path / "runs").glob("*.ipynb"))
    assert "key-of-" not in ran and "e30." not in ran
    # The exercises met this gateway: its limit refused, and a burst went over to the second account.
    by_caller = {(call.subscription, call.status) for call in sandbox.calls}
    assert {("sub-try-out", 429), ("sub-support-bot", 200), ("master", 200), ("", 401)} <= by_caller
    assert {each.backend for call in sandbox.calls for each in call.attempts} >= {"aoai-eastus2", "aoai-westus3"}
    assert {call.mcp.client[0] for call in sandbox.calls if call.mcp} == {"mcp"}
    assert "aoai-westus3" in (tmp_path / "runs/06-high-availability.ipynb").read_text("utf-8")

    # What is verified is what stands: once a resource is gone, its requirement is not met.
    capsys.readouterr()
    assert main(["setup", "verify", "--config", str(sandbox.config)]) == 0
    (key,) = [key for key in sandbox.azure.state.resources if key.endswith("/loggers/azuremonitor")]
    del sandbox.azure.state.resources[key]
    assert main(["setup", "verify", "--config", str(sandbox.config)]) == 1
    assert sandbox.azure.state.get(GROUP), "the clean-up notebook deletes nothing by itself"


def test_settings_beside_sandbox_are_refused(tmp_path: Path) -> None:
    config = tmp_path / "aoai.toml"
    config.write_text('[setup]\nsandbox = true\nlocation = "eastus2"\n', "utf-8")
    with pytest.raises(WrongUse, match="remove location, or sandbox = true"):
        open_setup(config)


def test_without_a_sandbox_it_says_how_to_start_one(tmp_path: Path) -> None:
    config = tmp_path / "aoai.toml"
    with running(make(tmp_path / "logs")) as url:
        config.write_text(f"[setup]\nsandbox = true\nsandbox_port = {url.rpartition(':')[2]}\n", "utf-8")
        with pytest.raises(WrongUse, match="aoai sandbox start --setup"):
            open_setup(config)


def test_a_proof_deploys_calls_compares_and_removes_everything(
    sandbox: Standing, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    pytest.importorskip("openai")
    page = tmp_path / "proof.html"
    words = ["--config", str(sandbox.config), "-o", str(page), "--calls", "60", "--wait-minutes", "2", "--yes"]
    ended = main(["setup", "prove", *words, "--query", "tokens/by-subscription", "--query", "alerts/throttling"])
    said = capsys.readouterr()
    text = page.read_text("utf-8")
    assert ended == 0, said.err + text
    assert "Everything agrees" in text and "key-of-" not in text
    for part in ("Calls: clients and the workspace", "Calls: clients and the archive", "Library queries", "Alert"):
        assert f"{part}" in text
    assert "Call by call: clients and the workspace: good" in text and ">60 calls<" in text
    assert re.search(r"alerts/throttling</td><td>fires: \d+ rows?<", text)
    assert re.search("<td>throttling</td><td>1 row</td><td>0 rows</td><td>fires<", text)
    assert "alerts/throttling" in text and "x HTTP 200" in text and "then HTTP 429" in text
    # Nothing of it is left, not even recoverable.
    assert sandbox.azure.state.get(GROUP) is None and sandbox.azure.deleted == {}


def test_a_proof_that_stops_in_a_way_that_nobody_foresaw_has_its_page_and_deletes_all_the_same(
    sandbox: Standing, tmp_path: Path, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def broken(*_: object) -> None:
        raise ZeroDivisionError("a prompt of somebody")

    monkeypatch.setattr(Guide, "deploy", broken)
    page = tmp_path / "proof.html"
    words = ["setup", "prove", "--config", str(sandbox.config), "--yes"]
    assert main([*words, "-o", str(page)]) == 1
    text = page.read_text("utf-8")
    assert "unexpected ZeroDivisionError" in text and "Deleted and purged" in text and "a prompt" not in text
    assert sandbox.azure.state.get(GROUP) is None
    capsys.readouterr()
    assert main([*words, "-o", str(tmp_path / "missing/proof.html")]) == 2
    assert "missing/proof.html: its folder is not there" in capsys.readouterr().err


def test_a_difference_is_a_failure_and_says_both_numbers() -> None:
    told = totals([Told("sub-a", "chat", "chat-mini", 200, 14, 7), Told("sub-a", "chat", "x", 404)])
    logged = {("sub-a", "chat", "chat-mini", 200): Total(1, 14, 6), ("sub-a", "chat", "", 404): Total(1)}
    part = compared("Calls", told, logged)
    assert part.failed == 1
    assert [row[-2:] for row in part.rows] == [("0", "same"), ("7 told, 6 logged", "different")]
    text = page_of(Proof(datetime.now(UTC), "<b>here</b>", [part]))
    assert "1 difference or failure<" in text and "<b>here" not in text


def test_each_call_is_found_again_and_one_that_differs_is_shown() -> None:
    told = [
        Told("sub-a", "chat", "chat-mini", 200, 14, 7, 0),
        Told("sub-a", "chat", "chat-mini", 200, 14, 7, 1),
        Told("sub-a", "chat", "no-such", 404, number=2),
        Told("", "chat", "chat-mini", 401, number=3),
        Told("sub-a", "chat", "chat-mini", 0, number=4),
        Told("sub-a", "chat", "chat-mini", 200, 9, 1, 5),
    ]

    def row(number: int, status: int = 200, **other: object) -> dict[str, object]:
        deployment = "chat-mini" if status == 200 else ""
        found = {"Number": number, "SubscriptionId": "sub-a", "Surface": "chat", "Deployment": deployment}
        return found | {"ResponseCode": status, "Prompt": 14, "Completion": 7} | other

    # Two calls whose tokens were exchanged have the same totals: call by call they differ.
    rows = [row(0, Completion=8), row(1, Completion=6), row(2, 404, Prompt=0), row(3, 401, SubscriptionId="")]
    part = one_by_one("Calls", told, [*rows, row(5, Prompt=9, Completion=1), row(5, Prompt=9, Completion=1)])
    assert part.failed == 3 and [row[0] for row in part.rows] == ["0", "1", "5", "2 calls"]
    assert part.rows[0][1:] == (
        "sub-a, chat chat-mini, 200, 14 + 7 tokens", "sub-a, chat chat-mini, 200, 14 + 8 tokens", "different"
    )  # fmt: skip
    assert " and " in part.rows[2][2], "a call that is logged twice"
    missing = one_by_one("Calls", told[:1], [])
    assert missing.failed == 1 and missing.rows[0][2:] == ("nothing", "not logged")


def test_a_proof_waits_for_tokens_that_come_after_their_requests() -> None:
    told = totals([Told("sub-a", "chat", "chat-mini", 200, 14, 7)])
    waited: list[int] = []

    def source() -> Ask:
        waited.append(1)
        there = len(waited) > 2

        def ask(kql: str, *_: object) -> list[dict[str, object]]:
            if "Completion" not in kql:
                return [{"Requests": 0 if there else 1}]
            row = {"SubscriptionId": "sub-a", "Surface": "chat", "ResponseCode": 200, "Requests": 1}
            given = {"Deployment": "chat-mini", "Prompt": 14, "Completion": 7}
            return [row | (given if there else {"Deployment": "", "Prompt": None, "Completion": None})]

        return ask

    now = datetime.now(UTC)
    arrived(source, told, (now, now, now), time.monotonic() + 60, 0)
    assert len(waited) == 3
    waited.clear()
    arrived(source, told, (now, now, now), time.monotonic() - 1, 0)
    assert len(waited) == 1, "no longer than it may"


def test_a_gateway_that_does_not_answer_is_told_as_such() -> None:
    pytest.importorskip("openai")
    accounts = [{"deployments": [{"name": "chat", "model": "gpt-5.4-mini"}]}]
    told = call_many({"sub-a": Gateway("http://127.0.0.1:9/openai", "key")}, accounts, 3)
    assert {each.status for each in told} == {0}


def test_a_proof_states_its_cost_and_asks_first(sandbox: Standing, monkeypatch: pytest.MonkeyPatch) -> None:
    guide = open_setup(sandbox.config)
    assert "USD for 3 hours of rg-aoai-try" in cost_of(guide, 2000)
    monkeypatch.setattr("typer.confirm", lambda *_, **__: False)
    assert main(["setup", "prove", "--config", str(sandbox.config)]) == 1
    assert sandbox.azure.state.get(GROUP) is None
