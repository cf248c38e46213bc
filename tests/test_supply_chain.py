"""What is installed is what was tested: locked by hash, and every action of a workflow by commit."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

REPO = Path(__file__).resolve().parents[1]
LOCKS = (REPO / "requirements.lock", REPO / ".github/release-tools.txt")
WORKFLOWS = sorted((REPO / ".github/workflows").glob("*.y*ml"))


def requirements(path: Path) -> list[str]:
    return re.sub(r"\\\n\s*", "", path.read_text()).splitlines()


@pytest.mark.parametrize("path", LOCKS, ids=lambda path: path.name)
def test_every_locked_package_has_a_version_and_a_hash(path):
    lines = [line for line in requirements(path) if line and not line.startswith("#")]
    assert len(lines) > 20
    for line in lines:
        assert re.match(r"[A-Za-z0-9._-]+(\[[\w,-]+\])?==[^ ;]+", line), line
        assert re.search(r"--hash=sha256:[0-9a-f]{64}", line), line


def test_the_lock_holds_the_very_versions_of_the_constraints():
    def versions(lines: list[str]) -> set[str]:
        return {re.split(r" |;|--hash", line)[0].strip() for line in lines if "==" in line}

    assert versions(requirements(LOCKS[0])) == versions((REPO / "constraints.txt").read_text().splitlines())


@pytest.mark.parametrize("path", WORKFLOWS, ids=lambda path: path.name)
def test_actions_are_named_by_commit_and_no_workflow_may_write_as_a_whole(path):
    text = path.read_text()
    for used in re.findall(r"uses:\s*(\S+)", text):
        assert re.fullmatch(r"[\w./-]+@[0-9a-f]{40}", used), used
    assert re.search(r"^permissions:\n  contents: read$", text, re.MULTILINE)
