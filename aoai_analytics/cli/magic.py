"""The ``%aoai`` magic: commands of ``aoai`` in a notebook, in its own process or, with ``--background``, beside it."""

from __future__ import annotations

import atexit
import queue
import shlex
import subprocess
import sys
import threading
from collections import deque
from collections.abc import Iterator
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from IPython.core.interactiveshell import InteractiveShell

#: Seconds until a command in the background has said something, and of silence after it.
_FIRST, _QUIET = 60.0, 1.0


def load(shell: InteractiveShell) -> None:
    """Add ``%aoai`` to *shell*."""
    shell.register_magic_function(aoai, "line", "aoai")  # type: ignore[arg-type]


def unload(shell: InteractiveShell) -> None:
    """Take ``%aoai`` away; commands in the background go on until the notebook's kernel ends."""
    shell.magics_manager.magics["line"].pop("aoai", None)


def aoai(line: str) -> None:
    """Run a command of ``aoai``, e.g. %aoai queries tokens.

    %aoai --background COMMAND starts one that does not end by itself, such as a sandbox; it ends with the kernel.
    """
    from IPython.core.error import UsageError

    from . import main

    words = shlex.split(line)
    code = _background(words[1:]) if words[:1] == ["--background"] else main(words)
    if code:
        raise UsageError(f"aoai {' '.join(words)}: exit code {code}")


def _background(words: list[str]) -> int:
    """Start a command and print what it says at first; its exit code if it ends by then, else 0."""
    start = "import sys; from aoai_analytics.cli import main; sys.exit(main())"
    process = subprocess.Popen(
        [sys.executable, "-u", "-c", start, *words], stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    atexit.register(process.terminate)
    lines: queue.Queue[str] = queue.Queue()
    threading.Thread(target=lambda: deque(map(lines.put, process.stdout or ()), maxlen=0), daemon=True).start()
    for line in _said(lines, process):
        print(line, end="", flush=True)
    return process.poll() or 0


def _said(lines: queue.Queue[str], process: subprocess.Popen[str]) -> Iterator[str]:
    wait = _FIRST
    while True:
        try:
            yield lines.get(timeout=min(wait, 0.2) if process.poll() is not None else wait)
        except queue.Empty:
            return
        wait = _QUIET
