"""The policies' simulator, and what it said of each request that these tests send.

A start of the simulator compiles every expression: seconds, for hundreds of requests. ``recorded.json`` holds its
answers under a digest of all that they depend on: the policy, the fragments it includes, the request with what the
backends answer, and the simulator. A request that is not in it is sent now; so is one of 64 that is, and must be
answered as recorded. ``python -m tests.policies.simulator`` records what is new and forgets what nothing sends.
"""

from __future__ import annotations

import functools
import hashlib
import json
import os
import re
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.recorder import REPO, Recorder

TOOLS = REPO.parent / "shared/tools"
SIMULATOR = TOOLS / "apim-policy"
RECORDER = Recorder(Path(__file__).parent / "recorded.json", "simulator", "POLICIES_RECORDED_INTO")
KEPT = ("client", "backend", "sendRequest", "traces", "metrics", "variables", "waitedSeconds", "notSimulated")
#: A part of the keys: 4 of 256.
SENT_AGAIN = ("00", "40", "80", "c0")
INCLUDED = re.compile(r'fragment-id="([^"]+)"')

Json = dict[str, Any]


@dataclass(frozen=True)
class Asked:
    """One request through one policy: ``request`` is the simulator's scenario, as JSON; ``fragments`` are by file."""

    policy: str
    request: str
    fragments: Mapping[str, str]

    @property
    def key(self) -> str:
        """A digest of what the answer depends on."""
        included = {f"{name}.xml": self.fragments[f"{name}.xml"] for name in INCLUDED.findall(self.policy)}
        return hashlib.sha256(json.dumps([self.policy, self.request, included], sort_keys=True).encode()).hexdigest()


@functools.cache
def recorded() -> Mapping[str, Json]:
    """Key -> answer; nothing where the simulator that is here is another than the one that was recorded."""
    return RECORDER.answers(digest() if SIMULATOR.exists() else "")


@functools.cache
def digest() -> str:
    """The simulator's own digest."""
    with SIMULATOR.open("rb") as file:
        return hashlib.file_digest(file, "sha256").hexdigest()


def answer(asked: Asked) -> Json:
    """The recorded answer, or the simulator's where there is none; one of 64 is asked in any case."""
    key = asked.key
    known = recorded().get(key)
    if not SIMULATOR.exists():
        if known is None:
            pytest.skip("not recorded of these policies, and ../shared/tools/apim-policy is not here")
        return known
    if known is None or key.startswith(SENT_AGAIN):
        found = ask(asked)
        assert known in (None, found), "the simulator answers otherwise than recorded"
        known = found
    RECORDER.note(key, known)
    return known


def ask(asked: Asked) -> Json:
    """The simulator's answer, asked now."""
    if not SIMULATOR.exists():
        pytest.skip("needs ../shared/tools/apim-policy")
    with tempfile.TemporaryDirectory() as folder:
        (document := Path(folder) / "policy.xml").write_text(asked.policy)
        (fragments := Path(folder) / "fragments").mkdir()
        for name, text in asked.fragments.items():
            (fragments / name).write_text(text)
        run = subprocess.run(
            [SIMULATOR, "run", document, "-", "--fragments", fragments],
            input=asked.request,
            # It runs for a second: what .NET learns for a long run costs more than it brings.
            env={**os.environ, "DOTNET_TieredPGO": "0"},
            capture_output=True,
            text=True,
            timeout=120,
        )
    assert run.returncode == 0, run.stderr
    result = json.loads(run.stdout)
    return {part: result[part] for part in KEPT}


def main() -> int:
    """Runs the tests that send requests, and records what they were answered; returns pytest's exit code."""
    folders = ["tests/policies", "tests/sandbox/test_policies.py"]
    return RECORDER.record(digest(), (["--numprocesses", "auto", *folders], {}))


if __name__ == "__main__":
    sys.exit(main())
