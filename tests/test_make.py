"""The make targets run the commands they promise, and .ci/run says how the tests ended."""

from __future__ import annotations

import os
import re
import shutil
import subprocess
from pathlib import Path

import pytest

from tests.conftest import REPO

pytestmark = pytest.mark.skipif(shutil.which("make") is None, reason="needs make")


#: What a make that runs the tests hands down to the makes that they run.
OUTER_MAKE = {"MAKEFLAGS", "MAKELEVEL", "MFLAGS"}


def make(*arguments: str, folder: Path = REPO) -> subprocess.CompletedProcess[str]:
    """Run make as from a shell, also where make runs the tests."""
    environment = {name: value for name, value in os.environ.items() if name not in OUTER_MAKE}
    return subprocess.run(
        ["make", *arguments], cwd=folder, env=environment, stdin=subprocess.DEVNULL, capture_output=True, text=True
    )


def dry_run(*arguments: str) -> str:
    run = make("--dry-run", *arguments)
    assert run.returncode == 0, run.stderr
    return run.stdout


def test_make_alone_lists_the_targets() -> None:
    listed = set(re.findall(r"^  make ([a-z-]+)", make().stdout, re.M))
    assert listed == {
        *("accuracy", "bench", "bench-logs", "bench-report", "clean", "constraints", "docs", "exports", "faults"),
        *("help", "kusto", "lint", "report", "sandbox", "sandbox-report", "setup", "site", "test"),
    }


def test_setup_says_that_no_python_is_new_enough(tmp_path: Path) -> None:
    for name in ("Makefile", "pyproject.toml", "constraints.txt", "hatch_build.py"):
        shutil.copy(REPO / name, tmp_path)
    run = make("setup", "PYTHON=no-such-python", folder=tmp_path)
    assert run.returncode != 0
    assert "no Python 3.11 or newer found (tried: no-such-python)" in run.stderr
    assert not (tmp_path / ".venv").exists()


def test_a_report_of_sample_traffic_keeps_out_of_the_lake_of_your_own_logs() -> None:
    commands = dry_run("report")
    assert "aoai sample sample" in commands
    assert "aoai ingest sample/logs --lake sample/lake" in commands
    assert 'aoai report --source sample/lake --output "reports"' in commands


def test_a_report_of_the_sandbox_has_a_lake_of_its_own() -> None:
    commands = dry_run("sandbox-report")
    assert "aoai ingest sandbox/logs --lake sandbox/lake" in commands
    assert 'aoai report --source sandbox/lake --output "reports"' in commands


def test_a_report_of_your_own_logs_makes_no_sample() -> None:
    commands = dry_run("report", "LOGS=my logs")
    assert "aoai sample" not in commands
    assert 'aoai ingest "my logs" --lake lake' in commands


def test_a_report_of_a_source_ingests_nothing() -> None:
    commands = dry_run("report", "SOURCE=log-analytics://11111111-2222-3333-4444-555555555555")
    assert "aoai ingest" not in commands
    assert 'aoai report --source "log-analytics://11111111-2222-3333-4444-555555555555"' in commands


@pytest.mark.parametrize(
    ("printed", "make_exit", "last_line", "exit_code"),
    [
        ("===== 412 passed in 93.10s (0:01:33) =====", 0, "412 passed, 0 failed, 0 skipped", 0),
        ("== 1 failed, 410 passed, 3 skipped in 9.1s ==", 2, "410 passed, 1 failed, 3 skipped", 2),
        ("== 1 failed, 5 passed, 4 warnings, 2 errors in 9.1s ==", 2, "5 passed, 3 failed, 0 skipped", 2),
        ("\x1b[32m== \x1b[1m7 passed\x1b[0m, 1 xfailed in 0.1s ==\x1b[0m", 0, "7 passed, 0 failed, 0 skipped", 0),
        ("mypy: 3 errors", 2, "ci: no test ran", 2),
        ("========== no tests ran in 0.01s ==========", 0, "ci: no test ran", 1),
    ],
)
def test_ci_says_last_how_many_tests_passed(
    tmp_path: Path, printed: str, make_exit: int, last_line: str, exit_code: int
) -> None:
    fake = tmp_path / "make"
    fake.write_text(f"#!/bin/sh\ncat <<'END'\ncollected tests\n{printed}\nEND\nexit {make_exit}\n")
    fake.chmod(0o755)
    run = subprocess.run(
        ["bash", str(REPO / ".ci/run")],
        cwd=tmp_path,
        env={**os.environ, "PATH": f"{tmp_path}{os.pathsep}{os.environ['PATH']}"},
        stdin=subprocess.DEVNULL,
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
    )
    assert run.stdout.splitlines()[-1] == last_line
    assert run.returncode == exit_code
