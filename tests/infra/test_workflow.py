"""The workflow that deploys the gateway: GitHub's schema, least permissions, and nothing deployed by a pull request."""

from __future__ import annotations

import importlib.util
import re
import shlex
import subprocess
import sys
from typing import Any

import pytest
import yaml

from tests.conftest import REPO

FILE = REPO / "setup_scripts/deploy/github/aoai-gateway.yml"
WORKFLOW: dict[str, Any] = yaml.safe_load(FILE.read_text("utf-8"))
JOBS = WORKFLOW["jobs"]


def commands(job: str) -> list[list[str]]:
    """The words of each az command of a job."""
    text = "\n".join(step.get("run", "") for step in JOBS[job]["steps"]).replace("\\\n", " ")
    return [shlex.split(found) for found in re.findall(r"az deployment [^;|\n]+", text)]


def test_it_follows_githubs_schema() -> None:
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("needs check-jsonschema")
    check = [sys.executable, "-m", "check_jsonschema", "--builtin-schema", "vendor.github-workflows", str(FILE)]
    done = subprocess.run(check, capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_a_pull_request_only_looks_and_a_push_deploys_in_an_environment() -> None:
    for job, verb in (("what-if", "what-if"), ("deploy", "create")):
        (words,) = commands(job)
        assert words[:4] == ["az", "deployment", "group", verb]
        assert "$RESOURCE_GROUP" in words and "$PARAMETERS" in words
    assert "pull_request" in JOBS["what-if"]["if"] and "github.repository" in JOBS["what-if"]["if"]
    assert "!= 'pull_request'" in JOBS["deploy"]["if"] and JOBS["deploy"]["environment"] == "gateway"


def test_only_the_jobs_that_sign_in_get_a_token_and_no_secret_is_read() -> None:
    assert WORKFLOW["permissions"] == {"contents": "read"}
    signs_in = {"contents": "read", "id-token": "write"}
    assert JOBS.keys() == {"what-if", "deploy"}
    assert all(job["permissions"] == signs_in for job in JOBS.values())
    text = FILE.read_text("utf-8")
    assert "secrets." not in text
    # Values of a pull request's author reach no shell.
    assert not [step for job in JOBS.values() for step in job["steps"] if "${{" in step.get("run", "")]
