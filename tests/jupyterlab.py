"""A JupyterLab of a test, worked by a browser."""

from __future__ import annotations

import os
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from tests.sandbox.waiting import wait_for

TOKEN = "of-the-test"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


@contextmanager
def running(folder: Path, notebook: str, **environment: str) -> Iterator[str]:
    """A JupyterLab in *folder*; the address of its *notebook*."""
    port = free_port()
    arguments = [f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={folder}"]
    environment = {**os.environ, "JUPYTER_CONFIG_DIR": str(folder / "config"), "HOME": str(folder), **environment}
    with (folder / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", *arguments],
            stdout=log, stderr=log, env=environment,
        )  # fmt: skip
        try:
            wait_for(lambda: read(f"http://127.0.0.1:{port}/api/status?token={TOKEN}") or process.poll(), 60)
            assert process.poll() is None, (folder / "lab.log").read_text("utf-8")
            yield f"http://127.0.0.1:{port}/lab/tree/{notebook}?token={TOKEN}"
        finally:
            process.terminate()
            process.wait(30)


def read(url: str) -> str:
    """What an address answers; '' while it does not."""
    try:
        with urllib.request.urlopen(url, timeout=5) as answer:
            return str(answer.read().decode())
    except OSError:
        return ""


def run_all_cells(page: Any, lab: str) -> None:
    """Open the notebook at *lab* in a browser's page and run it."""
    page.goto(lab)
    page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=90_000)
    # Without a kernel, "Run All Cells" would do nothing.
    address, _, token = lab.partition("?")
    sessions = f"{address.partition('/lab/tree/')[0]}/api/sessions?{token}"
    wait_for(lambda: "kernel" in read(sessions), 60)
    page.locator(".jp-KernelName", has_text="Python 3").first.wait_for(timeout=60_000)
    page.get_by_role("menuitem", name="Run", exact=True).click()
    page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
