"""The commands of ``docs/tutorial.md`` run as they stand, and their output is what it shows."""

from __future__ import annotations

import csv
import io
import json
import re
import shlex
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.sandbox.serve import make, running
from tests.conftest import REPO

PAGE = (REPO / "docs/tutorial.md").read_text("utf-8")


@dataclass(frozen=True)
class Step:
    """A block of commands, and the output that is shown below it."""

    commands: list[list[str]]
    shown: list[str]

    @property
    def is_query(self) -> bool:
        return self.commands[0][0] == "query"


def steps() -> Iterator[Step]:
    for match in re.finditer(r"```bash\n(.*?)```(?:\n+(?:[^`#\n][^\n]*\n+)*```text\n(.*?)```)?", PAGE, re.S):
        commands = [shlex.split(line.removeprefix("aoai ")) for line in match[1].splitlines()]
        yield Step(commands, (match[2] or "").splitlines())


def columns(shown: list[str]) -> list[dict[str, str]]:
    """The rows of a table with two spaces or more between its columns."""
    head, *rows = [re.split(r" {2,}", line.strip()) for line in shown]
    return [dict(zip(head, row, strict=True)) for row in rows]


def test_the_page_has_what_a_reader_is_to_do() -> None:
    done = [command[:2] for step in steps() for command in step.commands]
    assert [words for words in done if words[0] == "sandbox" and words[1] != "call"] == [
        ["sandbox", name] for name in ("break", "restore", "limit")
    ]
    assert len([step for step in steps() if step.is_query and step.shown]) == 3
    assert ["export", "workbook"] in done


def test_its_commands_print_what_it_shows(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.chdir(tmp_path)
    sandbox = make(Path("sandbox/logs"))
    asked: list[tuple[Step, str]] = []

    def run(*words: str) -> str:
        assert main(list(words)) == 0, capsys.readouterr().err
        return capsys.readouterr().out

    with running(sandbox) as url:
        port = url.rpartition(":")[2]
        for step in steps():
            if step.is_query:
                asked.append((step, datetime.now(UTC).isoformat()))
                continue
            printed: list[str] = []
            for command in step.commands:
                ours = ["--port", port] if command[0] == "sandbox" else []
                out = run(*command, *ours)
                printed += out.splitlines() if command[1] == "call" else []
            if step.shown:
                wait = re.compile(r"\b(60|59|58|57)\b")
                assert {wait.sub("60", line) for line in printed} == set(step.shown)

    # Ingested once; each query gets what --follow would have ingested by then.
    run("ingest", "sandbox/logs", "--lake", "sandbox/lake")
    for step, moment in asked:
        rows = list(csv.DictReader(io.StringIO(run(*step.commands[0], "--end", moment, "--format", "csv"))))
        wanted = columns(step.shown)
        first = next(iter(wanted[0]))
        found = {row[first]: row for row in rows}
        assert [{name: found[row[first]][name] for name in row} for row in wanted] == wanted
        assert len(rows) == len(wanted)
    assert json.loads(Path("workbook.json").read_text("utf-8"))["items"]


def test_the_address_and_the_deployments_are_the_sandbox_s() -> None:
    from aoai_analytics.cli.sandbox import PORT
    from aoai_analytics.sandbox.installation import read_installation

    assert set(re.findall(r"127\.0\.0\.1:(\d+)", PAGE)) == {str(PORT)}
    installation = read_installation()
    assert set(re.findall(r"sub-\w+", PAGE)) <= set(installation.subscriptions)
    for deployment in installation.accounts[0].deployments:
        assert f"`{deployment.name}`" in PAGE
