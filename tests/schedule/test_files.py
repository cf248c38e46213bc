"""The shipped schedules are what 'aoai schedule show' prints, and what those who run them accept."""

from __future__ import annotations

import fcntl
import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
import tomllib
import zipfile
from collections.abc import Iterator
from dataclasses import replace
from datetime import time
from pathlib import Path
from typing import Any

import pytest
import yaml

from aoai_analytics.cli import main
from aoai_analytics.config import settings
from aoai_analytics.errors import UnknownName
from aoai_analytics.reporting.schedule import Schedule, checked, fill, kinds, together
from tests.conftest import REPO
from tests.schedule.reading import cron_command

SHIPPED = REPO / "setup_scripts/schedule"
FILES = [(name, file) for name, kind in kinds().items() for file in kind.files]
DOCKERFILE = SHIPPED / "container-apps/Dockerfile"


@pytest.fixture(autouse=True)
def fresh_settings(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield
    settings.cache_clear()


def program(name: str) -> str:
    """The program beside this Python, else on PATH; skips where there is none."""
    found = shutil.which(name, path=os.pathsep.join([str(Path(sys.executable).parent), os.environ["PATH"]]))
    if found is None:
        pytest.skip(f"needs {name}")
    return found


@pytest.mark.parametrize(("name", "file"), FILES)
def test_a_shipped_file_is_what_the_defaults_give(name: str, file: str) -> None:
    assert fill(name, Schedule())[Path(file).name] == (SHIPPED / file).read_text("utf-8")


def test_every_shipped_file_is_of_a_schedule() -> None:
    ours = {file for _, file in FILES} | {"container-apps/Dockerfile", "container-apps/Dockerfile.dockerignore"}
    assert {str(path.relative_to(SHIPPED)) for path in SHIPPED.rglob("*") if path.is_file()} == ours


def test_the_command_prints_the_shipped_file_for_its_values(capsys: pytest.CaptureFixture[str]) -> None:
    default = Schedule()
    given = ["--source", default.source, "--pages", "reports", "--program", default.program, "--folder", default.folder]
    assert main(["schedule", "show", "systemd", *given]) == 0
    service, timer = ((SHIPPED / f"systemd/aoai-report.{end}").read_text("utf-8") for end in ("service", "timer"))
    assert capsys.readouterr().out == f"# aoai-report.service\n{service}\n# aoai-report.timer\n{timer}"
    assert main(["schedule", "show", "github", "--source", default.source]) == 0
    assert capsys.readouterr().out == (SHIPPED / "github/aoai-report.yml").read_text("utf-8")


def test_what_is_not_given_comes_from_the_settings(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "aoai.toml").write_text(
        'source = "kusto://contoso/logs"\ntime_zone = "Europe/Berlin"\nreports = "/srv/pages"\nkeep = "800d"\n'
        'credential = "ManagedIdentityCredential"\n'
    )
    assert main(["schedule", "show", "crontab", "--every", "weekly", "--deliver", "/mnt/share"]) == 0
    line = capsys.readouterr().out.splitlines()[-1]
    for said in (
        "--due weekly", "--source kusto://contoso/logs", "--time-zone Europe/Berlin", "--output /srv/pages",
        "--keep 800d", "--credential ManagedIdentityCredential", "--deliver /mnt/share", f"cd {tmp_path} ",
    ):  # fmt: skip
        assert said in line


def test_the_list_names_each_schedule(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", "list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == list(kinds())


@pytest.mark.parametrize(
    ("words", "said"),
    [
        (["cron"], "unknown schedule 'cron'; use crontab, systemd, github, container-apps"),
        (["crontab", "--workspace", "log-x"], "the schedule crontab does not take --workspace"),
        (["container-apps", "--source", "lake"], "the schedule container-apps does not take --source"),
        (["container-apps", "--name", "aoai"], "the schedule container-apps needs --workspace NAME"),
        (["crontab", "--at", "6 am"], "--at '6 am' is not a time of day: use HH:MM, e.g. 06:00"),
        (["github"], "use --source log-analytics://WORKSPACE-ID"),
    ],
)
def test_wrong_use_is_a_line(words: list[str], said: str, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", "show", *words]) == 2
    caught = capsys.readouterr()
    assert said in caught.err
    assert (caught.out, caught.err.count("\n")) == ("", 1)


def test_files_are_written_with_what_they_need(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["schedule", "show", "container-apps", "--name", "aoai", "--workspace", "log-x", "-o", "made"]) == 0
    made = {path.name for path in (tmp_path / "made").iterdir()}
    assert {"report.bicepparam", "report-schedule.bicep"} <= made
    texts = "".join(path.read_text("utf-8") for path in (tmp_path / "made").iterdir())
    assert set(re.findall(r"'([\w./-]+\.bicep)'", texts)) <= made
    assert set(capsys.readouterr().out.split()) == {f"made/{name}" for name in made}


def test_every_value_of_a_schedule_is_taken_by_one() -> None:
    taken = set().union(*(kind.takes for kind in kinds().values()))
    assert taken == set(Schedule.__dataclass_fields__)
    with pytest.raises(UnknownName):
        checked("cron", [])


# ---- cron


def cron_line(folder: Path, script: str) -> str:
    program = folder / "aoai"
    program.write_text(f"#!/bin/sh\n{script}\n")
    program.chmod(0o755)
    schedule = replace(Schedule(), program=str(program), folder=str(folder))
    return cron_command(fill("crontab", schedule)["crontab"].splitlines()[-1])


def run(command: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run(["sh", "-c", command], cwd="/", capture_output=True, text=True, timeout=30)


def test_crons_command_logs_what_is_said_and_mails_the_end_of_a_failure(tmp_path: Path) -> None:
    program("flock")
    done = run(cron_line(tmp_path, "pwd; echo trouble >&2"))
    assert (done.returncode, done.stdout, done.stderr) == (0, "", "")
    assert (tmp_path / "report.log").read_text() == f"{tmp_path}\ntrouble\n"
    done = run(cron_line(tmp_path, "echo 'the workspace refused'; exit 1"))
    assert done.stdout.splitlines()[-1] == "the workspace refused"


def test_crons_command_leaves_where_another_one_runs(tmp_path: Path) -> None:
    program("flock")
    command = cron_line(tmp_path, "echo ran")
    with open(tmp_path / ".report.lock", "w") as held:
        fcntl.flock(held, fcntl.LOCK_EX)
        assert run(command).returncode == 0
        assert (tmp_path / "report.log").read_text() == ""
    run(command)
    assert (tmp_path / "report.log").read_text() == "ran\n"


# ---- systemd


def test_systemd_accepts_the_units(tmp_path: Path) -> None:
    analyze = program("systemd-analyze")
    schedule = replace(
        Schedule(), program=sys.executable, folder=str(tmp_path), logs=("/var/lo%gs $x",), source="lake",
        at=time(0, 30), time_zone="Europe/Berlin",
    )  # fmt: skip
    units = fill("systemd", schedule)
    for file, text in units.items():
        (tmp_path / file).write_text(text, "utf-8")
    verified = subprocess.run([analyze, "verify", *units], cwd=tmp_path, capture_output=True, text=True, timeout=30)
    assert (verified.returncode, verified.stderr) == (0, "")
    (calendar,) = re.findall(r"^OnCalendar=(.*)$", units["aoai-report.timer"], re.M)
    # The clock goes back in Berlin on 25 October 2026, between these two.
    base = ["calendar", "--iterations=2", "--base-time=2026-10-24 12:00:00 UTC", calendar]
    said = subprocess.run([analyze, *base], capture_output=True, text=True, timeout=30, env=os.environ | {"TZ": "UTC"})
    assert said.returncode == 0
    times = re.findall(r"2026-10-2\d \d\d:\d\d:\d\d UTC", said.stdout)
    assert times == ["2026-10-24 22:30:00 UTC", "2026-10-25 23:30:00 UTC"]
    assert "\nPersistent=true\n" in units["aoai-report.timer"]


# ---- GitHub Actions


@pytest.fixture
def workflow() -> dict[str, Any]:
    return yaml.safe_load((SHIPPED / "github/aoai-report.yml").read_text("utf-8"))


def test_githubs_schema_accepts_the_workflow(workflow: dict[Any, Any]) -> None:
    """The schema of workflows that editors use, as the package check-jsonschema carries it."""
    fastjsonschema = pytest.importorskip("fastjsonschema")
    package = importlib.util.find_spec("check_jsonschema")
    if package is None or package.origin is None:
        pytest.skip("needs check-jsonschema")
    schema = Path(package.origin).parent / "builtin_schemas/vendor/github-workflows.json"
    check = fastjsonschema.compile(json.loads(schema.read_text("utf-8")))
    # YAML 1.1 reads the key "on" as a truth value.
    read = {"on" if key is True else key: value for key, value in workflow.items()}
    check(read)
    with pytest.raises(fastjsonschema.JsonSchemaValueException):
        check(read | {"permissions": {"id-token": "please"}})


def test_the_workflow_signs_in_without_a_secret_and_runs_once_at_a_time(workflow: dict[str, Any]) -> None:
    assert workflow["permissions"] == {"contents": "read", "id-token": "write"}
    assert workflow["concurrency"] == {"group": "aoai-report", "cancel-in-progress": False}
    steps = workflow["jobs"]["report"]["steps"]
    used = [step["uses"] for step in steps if "uses" in step]
    assert all(re.fullmatch(r"(actions|azure)/[\w/-]+@v\d+", each) for each in used)
    (login,) = [step for step in steps if step.get("uses", "").startswith("azure/login")]
    assert set(login["with"]) == {"client-id", "tenant-id", "subscription-id"}
    assert "secrets." not in (SHIPPED / "github/aoai-report.yml").read_text("utf-8")


@pytest.mark.parametrize("code", [0, 1])
def test_what_was_made_is_kept_also_where_a_part_failed(workflow: dict[str, Any], tmp_path: Path, code: int) -> None:
    report = tmp_path / "reports/2026-10"
    report.mkdir(parents=True)
    (report / "summary.txt").write_text("Azure OpenAI gateway report, October 2026\n")
    stub = tmp_path / "aoai"
    stub.write_text(f"#!/bin/sh\necho reports/2026-10/index.html\nexit {code}\n")
    stub.chmod(0o755)
    files = {name: str(tmp_path / name) for name in ("GITHUB_OUTPUT", "GITHUB_STEP_SUMMARY")}
    there = os.environ | files | {"RUNNER_TEMP": str(tmp_path), "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"}
    steps = workflow["jobs"]["report"]["steps"]

    def bash(script: str) -> int:
        # As GitHub runs a step.
        done = subprocess.run(["bash", "-e", "-c", script], cwd=tmp_path, env=there, timeout=30, capture_output=True)
        return done.returncode

    (make,) = [step["run"] for step in steps if step.get("id") == "report"]
    assert bash(make) == code
    assert (tmp_path / "GITHUB_OUTPUT").read_text() == "made=true\n"
    (say,) = [step for step in steps if "GITHUB_STEP_SUMMARY" in step.get("run", "")]
    assert bash(say["run"]) == 0
    assert "October 2026" in (tmp_path / "GITHUB_STEP_SUMMARY").read_text()
    later = steps[steps.index(say) :]
    assert all(step["if"] == "always() && steps.report.outputs.made" for step in later)


def test_nothing_due_keeps_and_says_nothing(workflow: dict[str, Any], tmp_path: Path) -> None:
    stub = tmp_path / "aoai"
    stub.write_text("#!/bin/sh\nexit 0\n")
    stub.chmod(0o755)
    there = os.environ | {
        "RUNNER_TEMP": str(tmp_path), "GITHUB_OUTPUT": str(tmp_path / "out"),
        "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}",
    }  # fmt: skip
    (make,) = [step["run"] for step in workflow["jobs"]["report"]["steps"] if step.get("id") == "report"]
    assert subprocess.run(["bash", "-e", "-c", make], cwd=tmp_path, env=there, timeout=30).returncode == 0
    assert not (tmp_path / "out").exists()


# ---- Container Apps


def test_hadolint_has_nothing_to_say_of_the_dockerfile() -> None:
    done = subprocess.run([program("hadolint"), str(DOCKERFILE)], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout) == (0, "")


def test_the_image_runs_as_nobody_special_and_begins_with_the_report() -> None:
    text = DOCKERFILE.read_text("utf-8")
    assert text.rindex("\nUSER 10001\n") > text.rindex("\nRUN ")
    assert re.search(r"^FROM python:3\.\d+-slim$", text, re.M)
    assert text.rstrip().endswith('ENTRYPOINT ["aoai", "report"]')
    assert "--constraint constraints.txt" in text


def test_what_the_image_copies_is_enough_to_install(tmp_path: Path) -> None:
    """A wheel built of nothing but the copied files carries the queries, the notebooks and the templates."""
    build = tmp_path / "src"
    build.mkdir()
    copied = [
        word for line in re.findall(r"^COPY (.+) \S+$", DOCKERFILE.read_text("utf-8"), re.M) for word in line.split()
    ]
    ignored = (DOCKERFILE.parent / "Dockerfile.dockerignore").read_text("utf-8").splitlines()
    assert {f"!{name}" for name in copied} == {line for line in ignored if line.startswith("!")}
    assert "*" in ignored
    skipped = shutil.ignore_patterns("__pycache__", "node_modules")
    for name in copied:
        source = REPO / name
        if source.is_dir():
            shutil.copytree(source, build / name, ignore=skipped)
        else:
            shutil.copy2(source, build / name)
    done = subprocess.run(
        [sys.executable, "-m", "hatchling", "build", "-t", "wheel"],
        cwd=build,
        capture_output=True,
        text=True,
        timeout=120,
    )
    assert done.returncode == 0, done.stderr
    (wheel,) = (build / "dist").glob("*.whl")
    with zipfile.ZipFile(wheel) as archive:
        names = set(archive.namelist())
    assert {
        "aoai_analytics/kql/tokens/by-caller-and-model.kql", "aoai_analytics/setup_scripts/schedule/crontab",
        "aoai_analytics/notebooks/analysis/tokens.ipynb",
        "aoai_analytics/setup_scripts/infra/modules/report-schedule.bicep",
    } <= names  # fmt: skip
    scripts = tomllib.loads((REPO / "pyproject.toml").read_text("utf-8"))["project"]["scripts"]
    assert "aoai" in scripts


def test_the_files_for_container_apps_are_the_modules_that_main_deploys() -> None:
    written = together("container-apps", Schedule())
    for name, text in written.items():
        if name.endswith(".bicep"):
            assert text == (REPO / "setup_scripts/infra/modules" / name).read_text("utf-8")
    assert "\nusing 'report-schedule.bicep'\n" in written["report.bicepparam"]


def test_the_schedules_use_options_that_there_are(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["report", "--help"]) == 0
    known = set(re.findall(r"--[a-z-]+", capsys.readouterr().out))
    full = replace(Schedule(), deliver="x", link="https://contoso.net", keep="400d", credential="AzureCliCredential")
    module = (REPO / "setup_scripts/infra/modules/report-schedule.bicep").read_text("utf-8")
    used = {group[0] for group in full.report()[1:]} | set(re.findall(r"'(--[a-z-]+)'", module))
    assert {"--due", "--deliver", "--link", "--keep"} <= used
    assert used <= known
