"""Answers of a slow tool, recorded in a file beside the tests that ask it, so that only what is new is asked."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import tempfile
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

REPO = Path(__file__).resolve().parents[1]
#: A part of the keys, 8 of 256: a tool is asked of these although they are recorded.
ASKED_AGAIN = ("00", "20", "40", "60", "80", "a0", "c0", "e0")


@dataclass(frozen=True)
class Recorder:
    """``file`` has the answers by key, and under the name ``tool`` the digest of the tool that gave them.

    ``into`` is the variable that names the folder in which a run leaves what it found, to be recorded.
    """

    file: Path
    tool: str
    into: str

    def answers(self, digest: str = "") -> Mapping[str, Any]:
        """The answers by key; none where the tool that is here has another *digest* than the recorded one."""
        record = json.loads(self.file.read_text("utf-8")) if self.file.exists() else {self.tool: "", "answers": {}}
        answers: Mapping[str, Any] = record["answers"]
        return {} if digest and digest != record[self.tool] else answers

    def note(self, key: str, found: Any) -> None:
        """Leaves what was found to be right, where a run is to be recorded."""
        if self.into in os.environ:
            (Path(os.environ[self.into]) / key).write_text(json.dumps(found), "utf-8")

    def record(self, digest: str, *runs: tuple[list[str], Mapping[str, str]]) -> int:
        """Records what *runs* of pytest, with arguments and variables, leave; returns pytest's exit code."""
        with tempfile.TemporaryDirectory() as folder:
            for arguments, variables in runs:
                command = [sys.executable, "-m", "pytest", "-q", *arguments]
                environment = {**os.environ, self.into: folder, **variables}
                if code := subprocess.run(command, cwd=REPO, env=environment).returncode:
                    return code
            found = {file.name: file.read_text("utf-8") for file in sorted(Path(folder).iterdir())}
        lines = ",\n".join(f"{json.dumps(key)}: {text}" for key, text in found.items())
        self.file.write_text(f'{{"{self.tool}": "{digest}", "answers": {{\n{lines}\n}}}}\n', "utf-8")
        return 0
