"""Without the extras the command line ingests and answers; what needs an extra names it in one line."""

from __future__ import annotations

import json
import os
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

from aoai_analytics import extras
from aoai_analytics.errors import MissingExtra
from tests.conftest import REPO
from tests.lakes import Once

COMMANDS = """
import contextlib, io, json, sys
from aoai_analytics.cli import main
ended = []
for words in json.loads(sys.argv[1]):
    out, err = (io.TextIOWrapper(io.BytesIO(), "utf-8", write_through=True) for _ in range(2))
    with contextlib.redirect_stdout(out), contextlib.redirect_stderr(err):
        code = main(words)
    ended.append((code, *(stream.buffer.getvalue().decode() for stream in (out, err))))
print(json.dumps(ended))
"""


@pytest.fixture(scope="module")
def bare_python(once: Once) -> Path:
    """The Python of an environment with the packages that are no extra's, from uv's cache; skips without it."""
    beside = Path(sys.executable).with_name("uv")
    uv = str(beside) if beside.exists() else shutil.which("uv")
    if uv is None:
        pytest.skip("needs uv")

    def make(folder: Path) -> None:
        subprocess.run([uv, "venv", "--quiet", "--python", sys.executable, folder], check=True)
        install = [uv, "pip", "install", "--quiet", "--offline", "--python", folder]
        given = ["--constraint", REPO / "constraints.txt", "--requirements", REPO / "pyproject.toml"]
        installed = subprocess.run([*install, *given], capture_output=True, text=True)
        if installed.returncode:
            pytest.skip("needs the project's packages in uv's cache: make setup")

    folder = once("bare-environment", make)
    return folder / ("Scripts/python.exe" if os.name == "nt" else "bin/python")


def run(python: Path, folder: Path, *commands: list[str]) -> list[tuple[int, str, str]]:
    """Each command's exit code, standard output and standard error, all in one process."""
    environment = {name: value for name, value in os.environ.items() if not name.startswith("AOAI_")}
    done = subprocess.run(
        [python, "-c", COMMANDS, json.dumps(commands)],
        cwd=folder,
        env=environment | {"PYTHONPATH": str(REPO)},
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stderr
    return [tuple(ended) for ended in json.loads(done.stdout)]


def test_ingest_and_query_need_no_extra_and_what_does_says_which(bare_python: Path, tmp_path: Path) -> None:
    answered = [
        ["sample", "sample", "--requests", "40", "--days", "1"],
        ["ingest", "sample/logs", "--lake", "lake"],
        ["query", "tokens/by-subscription", "--source", "lake", "--format", "csv"],
        ["doctor", "--source", "lake"],
        ["export", "functions"],
        ["prices", "list"],
        ["notebooks", "copy", "mine"],
    ]
    refused = {
        "notebooks": ["report", "tokens", "--source", "lake", "--output", "out"],
        "prompts": ["query", "prompts/topics", "--source", "lake", "--show-prompts"],
        "sandbox": ["sandbox", "start", "--port", "0"],
        "setup": ["setup", "status", "--config", "aoai.toml"],
    }
    (tmp_path / "aoai.toml").write_bytes((REPO / "aoai_analytics/sandbox/azure/aoai.toml").read_bytes())
    *ended, report, topics, sandbox, status = run(bare_python, tmp_path, *answered, *refused.values())
    assert {words[0]: (code, err) for words, (code, _, err) in zip(answered, ended, strict=True) if code} == {}
    assert "TotalTokens" in ended[2][1]
    for extra, (code, out, err) in zip(refused, (report, topics, sandbox, status), strict=True):
        assert code == 1 and out == "", extra
        assert err.endswith(f"pip install 'aoai-analytics[{extra}]'\n") and err.count("\n") == 1, err
    assert not (tmp_path / "out").exists()


def test_another_missing_module_is_no_extras() -> None:
    for module, error in {"sklearn.cluster": MissingExtra, "nowhere": ModuleNotFoundError}.items():
        with pytest.raises(error) as raised, extras.named():
            raise ModuleNotFoundError(name=module)
        assert raised.type is error
