"""``notebooks/tutorial.ipynb`` runs in a real JupyterLab by "Run All Cells", and shows the numbers of its calls."""

from __future__ import annotations

import json
import os
import re
import socket
import subprocess
import sys
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.conftest import REPO
from tests.reporting.render.test_browser import ARGUMENTS
from tests.sandbox.test_tutorial import steps
from tests.sandbox.waiting import wait_for

NOTEBOOK = REPO / "notebooks/tutorial.ipynb"
CODE = [
    "".join(cell["source"]) for cell in json.loads(NOTEBOOK.read_text("utf-8"))["cells"] if cell["cell_type"] == "code"
]
TOKEN = "of-the-test"


def free_port() -> int:
    with socket.socket() as found:
        found.bind(("127.0.0.1", 0))
        port: int = found.getsockname()[1]
        return port


def test_its_commands_and_questions_are_those_of_the_page() -> None:
    commands = [command for step in steps() for command in step.commands]
    sandbox = [line.removeprefix("%aoai ").replace('"', "") for line in CODE if line.startswith("%aoai sandbox")]
    assert sandbox == [" ".join(words) for words in commands if words[0] == "sandbox"]
    shown = re.findall(r'report\.show\("([^"]+)"\)', "\n".join(CODE))
    assert shown == [words[1] for words in commands if words[0] == "query"]
    assert any(line.startswith("%aoai export workbook") for line in CODE)


def test_a_codespace_opens_on_it() -> None:
    settings = (REPO / ".devcontainer/devcontainer.json").read_text("utf-8")
    assert f'"openFiles": ["{NOTEBOOK.relative_to(REPO).as_posix()}"]' in settings


@pytest.fixture
def lab(tmp_path: Path) -> Iterator[str]:
    """A JupyterLab in a folder with the notebook, its sandbox at a free port; the notebook's address."""
    notebook = json.loads(NOTEBOOK.read_text("utf-8"))
    sandbox = f" --port {free_port()}"
    for cell in notebook["cells"]:
        if re.match("%aoai (--background )?sandbox", text := "".join(cell["source"])):
            cell["source"] = text + sandbox
    (tmp_path / "tutorial.ipynb").write_text(json.dumps(notebook), "utf-8")
    port = free_port()
    arguments = [f"--ServerApp.port={port}", f"--IdentityProvider.token={TOKEN}", f"--ServerApp.root_dir={tmp_path}"]
    environment = os.environ | {"JUPYTER_CONFIG_DIR": str(tmp_path / "config"), "HOME": str(tmp_path)}
    with (tmp_path / "lab.log").open("wb") as log:
        process = subprocess.Popen(
            [sys.executable, "-m", "jupyterlab", "--no-browser", "--allow-root", "--ip=127.0.0.1", *arguments],
            stdout=log, stderr=log, env=environment,
        )  # fmt: skip
        try:
            wait_for(lambda: read(f"http://127.0.0.1:{port}/api/status?token={TOKEN}") or process.poll(), 60)
            assert process.poll() is None, (tmp_path / "lab.log").read_text("utf-8")
            yield f"http://127.0.0.1:{port}/lab/tree/tutorial.ipynb?token={TOKEN}"
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


def test_it_runs_in_jupyterlab_and_shows_the_numbers_of_the_calls(lab: str, chromium: str, tmp_path: Path) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as started:
        browser = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1400, "height": 2400})
        page.goto(lab)
        page.locator(".jp-Notebook .jp-CodeCell").first.wait_for(timeout=90_000)
        # Without a kernel, "Run All Cells" would do nothing.
        sessions = lab.replace("/lab/tree/tutorial.ipynb", "/api/sessions")
        wait_for(lambda: "kernel" in read(sessions), 60)
        page.locator(".jp-KernelName", has_text="Python 3").first.wait_for(timeout=60_000)
        page.get_by_role("menuitem", name="Run", exact=True).click()
        page.get_by_role("menuitem", name="Run All Cells", exact=True).click()
        wait_for((tmp_path / "sandbox/workbook.json").exists, 180)
        page.keyboard.press("Control+s")
        wait_for(lambda: len(outputs(tmp_path)) == len(CODE) - 2, 60)
        browser.close()

    done = outputs(tmp_path)
    assert not [name for name, text in done.items() if '"output_type": "error"' in text]
    assert done["call-finance"].count("200  14 + 7 tokens  The capital of France is Paris.") == 3
    assert done["call-limited"].count("429  Token limit is exceeded.") == 2
    assert "sub-finance" in done["show-teams"] and "63" in done["show-teams"]
    assert "aoai-swedencentral" in done["show-failover"]
    assert "silver" in done["show-throttling"]


def outputs(folder: Path) -> dict[str, str]:
    """Cell -> what it shows, in the saved notebook; nothing while it is being saved."""
    try:
        cells: list[dict[str, Any]] = json.loads((folder / "tutorial.ipynb").read_text("utf-8"))["cells"]
    except ValueError:
        return {}
    return {cell["id"]: json.dumps(cell["outputs"]) for cell in cells if cell.get("outputs")}
