"""Records what Microsoft's parser says of each query that a test asks it about."""

from __future__ import annotations

import subprocess
import sys

from tests.kql_parser import RECORDER, digest, missing
from tests.recorder import REPO


def main() -> int:
    """Runs the tests that ask the parser, and records what it said; returns pytest's exit code."""
    if reason := missing():
        print(reason, file=sys.stderr)
        return 1
    found = subprocess.run(
        ["git", "grep", "-l", "^from tests.kql_parser", "tests/*test_*.py"],
        cwd=REPO,
        capture_output=True,
        text=True,
        check=True,
    )
    return RECORDER.record(digest(), (["--numprocesses", "auto", "--dist", "loadfile", *found.stdout.split()], {}))


if __name__ == "__main__":
    sys.exit(main())
