"""One's values reach the command as they are, however a schedule's format would read them."""

from __future__ import annotations

import json
import os
import re
import shutil
import subprocess
import tempfile
from dataclasses import replace
from datetime import time
from pathlib import Path

import pytest
import yaml
from hypothesis import given, settings
from hypothesis import strategies as st

from aoai_analytics.errors import WrongUse
from aoai_analytics.reporting.schedule import Schedule, fill, together
from tests.infra.conftest import bicep_program
from tests.schedule.reading import cron_command, github_text, systemd_words, words_of_shell

#: What the shells, cron, systemd, YAML, GitHub and Bicep each read as more than a text.
PIECES = [
    "'", '"', "\\", "%", "\\%", "%%", "$", "${", "${{ secrets.X }}", "}}", "$(id)", "`id`", "$$", ";", "&&", "|", "#",
    " # ", ": ", "- ", "*", "~", "!", "{", "}", "%h", "%%n", "\\n", "\\x41", "é", "日本", "a", "b c", "'''", "=", "@",
    "<", ">",
]  # fmt: skip
NASTY = st.lists(st.sampled_from(PIECES), min_size=1, max_size=6).map(lambda pieces: "x" + "".join(pieces) + "x")
SETTINGS = settings(max_examples=40, deadline=None)


def options(words: list[str]) -> dict[str, str]:
    """The options of a command and their values."""
    assert words[0] == "report"
    return dict(zip(words[1::2], words[2::2], strict=True))


@SETTINGS
@given(NASTY, NASTY, NASTY)
def test_cron_and_the_shell_give_the_command_its_values(source: str, out: str, deliver: str) -> None:
    with tempfile.TemporaryDirectory() as name:
        folder = Path(name)
        schedule = Schedule(
            source=source, logs=(out, deliver), pages=out, deliver=deliver, program=f"{folder}/aoai", folder=str(folder)
        )
        line = fill("crontab", schedule)["crontab"].splitlines()[-1]
        ingest, report = words_of_shell(cron_command(line), folder)
    assert ingest == ["ingest", out, deliver, "--lake", source]
    assert options(report) == {
        "--due": "monthly", "--source": source, "--time-zone": "UTC", "--output": out, "--deliver": deliver,
    }  # fmt: skip


@SETTINGS
@given(NASTY, NASTY, NASTY)
def test_systemd_gives_the_command_its_values(source: str, out: str, folder: str) -> None:
    schedule = Schedule(source=source, logs=(out,), pages=out, program=f"/opt/{out}/aoai", folder=f"/srv/{folder}")
    unit = fill("systemd", schedule)["aoai-report.service"]
    values = {name: re.search(rf"^{name}=((?:.*\\\n)*.*)$", unit, re.M) for name in ("ExecStart", "ExecStartPre")}
    before, start = (systemd_words(found[1]) for name in ("ExecStartPre", "ExecStart") if (found := values[name]))
    assert before == [schedule.program, "ingest", out, "--lake", source]
    assert start[0] == schedule.program
    assert options(start[1:]) == {"--due": "monthly", "--source": source, "--time-zone": "UTC", "--output": out}
    assert re.search(r"^WorkingDirectory=(.*)$", unit, re.M)[1].replace("%%", "%") == schedule.folder  # type: ignore[index]


@SETTINGS
@given(NASTY, NASTY)
def test_github_and_bash_give_the_command_its_values(database: str, deliver: str) -> None:
    schedule = Schedule(source=f"kusto://contoso/{database}", deliver=deliver, every="weekly")
    workflow = yaml.safe_load(fill("github", schedule)["aoai-report.yml"])
    (script,) = [step["run"] for step in workflow["jobs"]["report"]["steps"] if step.get("id") == "report"]
    with tempfile.TemporaryDirectory() as name:
        command = f'PATH="{name}:$PATH" RUNNER_TEMP="{name}" GITHUB_OUTPUT=/dev/null\n{github_text(script)}'
        (report,) = words_of_shell(command, Path(name), "bash")
    assert options(report) == {
        "--due": "weekly", "--source": f"kusto://contoso/{database}", "--time-zone": "UTC", "--output": "reports",
        "--deliver": deliver, "--credential": "AzureCliCredential",
    }  # fmt: skip


def test_bicep_reads_the_values_as_they_are(tmp_path: Path) -> None:
    program = bicep_program()
    if program is None:
        pytest.skip("needs bicep: ../shared/tools/bicep or a bicep on PATH")
    reports = tuple(f"r{piece}r" for piece in PIECES)
    schedule = Schedule(reports=reports, every="daily", time_zone="Europe/Berlin", name="aoai-try", workspace="log-try")
    for file, text in together("container-apps", schedule).items():
        (tmp_path / file).write_text(text, "utf-8")
    home = {"HOME": str(tmp_path), "DOTNET_BUNDLE_EXTRACT_BASE_DIR": str(tmp_path)}
    done = subprocess.run(
        [program, "build-params", "report.bicepparam", "--stdout"],
        cwd=tmp_path, env=os.environ | home, capture_output=True, text=True, timeout=60,
    )  # fmt: skip
    assert (done.returncode, done.stderr) == (0, "")
    values = {
        name: entry["value"]
        for name, entry in json.loads(json.loads(done.stdout)["parametersJson"])["parameters"].items()
    }
    assert values["reports"] == list(reports)
    assert (values["name"], values["workspaceName"], values["every"]) == ("aoai-try", "log-try", "daily")
    assert (values["timeZone"], values["cron"], values["image"]) == ("Europe/Berlin", "0 5 * * *", "")


WRONG = {
    "control": ({"pages": "a\nb"}, "--pages holds a control character"),
    "separator": ({"source": "a\u2028b"}, "--source holds a control character"),
    "space": ({"folder": "/srv "}, "--folder holds a control character or ends in a space"),
    "relative": ({"program": "aoai"}, "--program 'aoai' must be an absolute path"),
    "every": ({"every": "hourly"}, "--every 'hourly' is not valid: use yearly, quarterly, monthly, weekly, daily"),
    "zone": ({"time_zone": "Mars/Olympus"}, "unknown time zone 'Mars/Olympus'"),
    "keep": ({"keep": "forever"}, "use e.g. 400d"),
    "link": ({"link": "contoso"}, "--link is not a page URL"),
    "logs": ({"logs": ("logs",)}, "--logs needs a lake"),
    "report": ({"reports": ("--out",)}, "'--out' is not a report name"),
    "name": ({"name": "a"}, "3 to 12 letters"),
}


@pytest.mark.parametrize("wrong", WRONG)
def test_a_value_that_cannot_be_one_is_said_in_a_line(wrong: str) -> None:
    values, said = WRONG[wrong]
    with pytest.raises(WrongUse) as caught:
        Schedule(**values)  # type: ignore[arg-type]
    assert said in str(caught.value)
    assert "\n" not in str(caught.value)


def test_what_a_format_cannot_say_is_refused() -> None:
    with pytest.raises(WrongUse, match="too long for cron"):
        fill("crontab", Schedule(deliver="x" * 1000))
    with pytest.raises(WrongUse, match="ends in a backslash"):
        fill("systemd", Schedule(folder="/srv/a\\"))
    with pytest.raises(WrongUse, match="which a remote runner does not have"):
        fill("github", replace(Schedule(), source="lake"))


def test_the_readers_of_these_tests_see_what_is_wrong(tmp_path: Path) -> None:
    """A value that is only put between quotes comes out as something else, or not at all."""
    assert cron_command("0 6 * * * echo 'a%b'") == "echo 'a"
    assert cron_command("0 6 * * * echo 'a\\\\%b'") == "echo 'a\\\\"
    assert systemd_words('"a\\\\b" c') == ["a\\b", "c"]
    with pytest.raises(AssertionError):
        systemd_words("a%h")
    with pytest.raises(AssertionError):
        github_text("${{ secrets.X }}")
    assert words_of_shell(f"{tmp_path}/aoai 'a b' c", tmp_path) == [["a b", "c"]]
    assert shutil.which("sh")
    assert fill("crontab", Schedule(at=time(23, 59)))["crontab"].splitlines()[-1].startswith("59 23 * * * ")
