"""How long `aoai report` takes for all standing notebooks, against `papermill` and `jupyter nbconvert` for each.

    report.py [--lake DIR] [--requests N] [NAME...]

Both ways run the same notebooks with the same parameters on the same lake, one after the other on the same cores, each
once on a small lake before, so that neither pays for the compiling of Python or for a cold disk. A machine's own pace
may change by a fifth within minutes, so the report is made before and after the plain commands, and its mean counts.
Prints the seconds of both and their ratio. Ends with 1 where a notebook failed, where the answers differ between the
two ways, or where the ratio is above 0.4. The lake of made-up traffic is made in DIR where there is none yet, which
takes a while: a million requests are 12 GB of logs, which are removed once they are read.
"""

from __future__ import annotations

import argparse
import json
import os
import shutil
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

from aoai_analytics.reporting.render.blocks import MIME
from aoai_analytics.reporting.run.notebooks import notebooks, standing
from aoai_analytics.reporting.run.report import cores

BOUND = 0.4
REQUESTS = 1_000_000
#: Of an answer: which query, as it was run, and how many rows it gave.
Answers = Mapping[str, list[tuple[str, str, int]]]


def run(*words: object, env: Mapping[str, str]) -> float:
    """Seconds that a command takes, which must not fail."""
    began = time.perf_counter()
    subprocess.run(list(map(str, words)), env=env, check=True, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE)
    return time.perf_counter() - began


def program(name: str) -> Path:
    """The command of that name beside this Python."""
    return Path(sys.executable).parent / name


def make_lake(folder: Path, requests: int, env: Mapping[str, str]) -> Path:
    """The lake of made-up traffic in *folder*."""
    lake = folder / f"lake-{requests}"
    if not (folder / f"{lake.name}.done").exists():
        logs = folder / f"logs-{requests}"
        print(f"making a lake of {requests:,} requests in {lake}", flush=True)
        run(program("aoai"), "sample", logs, "--requests", requests, "--days", 28, env=env)
        run(program("aoai"), "ingest", logs / "logs", "--lake", lake, env=env)
        shutil.rmtree(logs)
        (folder / f"{lake.name}.done").touch()
    return lake


def one_by_one(names: Sequence[str], lake: Path, out: Path, env: Mapping[str, str]) -> tuple[float, Answers]:
    """Each notebook by the plain commands: seconds, and the answers by notebook."""
    seconds = 0.0
    answers = {}
    for name in names:
        made = out / f"{name}.ipynb"
        words = ("--no-progress-bar", "-p", "source", lake, "-p", "time_zone", "UTC")
        ran = run(program("papermill"), notebooks()[name], made, *words, env=env)
        converted = run(program("jupyter"), "nbconvert", "--to", "html", made, env=env)
        print(f"  {name:12} papermill {ran:6.1f} s, nbconvert {converted:6.1f} s", flush=True)
        seconds += ran + converted
        cells = json.loads(made.read_text("utf-8"))["cells"]
        blocks = [block_of(output) for cell in cells for output in cell.get("outputs", [])]
        answers[name] = [(b["name"], b["digest"], b["rows"]) for b in blocks if b and b["kind"] == "answer"]
    return seconds, answers


def block_of(output: Mapping[str, Any]) -> Any:
    """What of a cell's output the report's pages are made of."""
    return output.get("data", {}).get(MIME)


def as_report(names: Sequence[str], lake: Path, out: Path, env: Mapping[str, str]) -> tuple[float, Answers]:
    """All of them by `aoai report`: seconds, and the answers by notebook."""
    words = ("--source", lake, "--time-zone", "UTC", "--output", out / "report")
    seconds = run(program("aoai"), "report", *names, *words, env=env)
    manifest = json.loads((out / "report/manifest.json").read_text("utf-8"))
    for page in manifest["pages"]:
        print(f"  {page['name']:12} {page['seconds']:6.1f} s, with others at the same time", flush=True)
    return seconds, {
        page["name"]: [(query["name"], query["digest"], query["rows"]) for query in page["queries"]]
        for page in manifest["pages"]
    }


def main() -> int:
    """Measure, print, and give the exit code."""
    reader = argparse.ArgumentParser(description="aoai report against papermill and nbconvert")
    reader.add_argument("--lake", type=Path, default=Path("bench-report"), help="where the lakes are, or are made")
    reader.add_argument("--requests", type=int, default=REQUESTS)
    reader.add_argument("names", nargs="*", help="notebooks; the standing ones without it")
    given = reader.parse_args()
    names = given.names or standing()
    with tempfile.TemporaryDirectory() as scratch:
        # Wherever Python was told to leave nothing compiled, both ways would compile everything each time.
        compiled = str(given.lake.resolve() / "compiled")
        env = os.environ | {"PYTHONDONTWRITEBYTECODE": "", "PYTHONPYCACHEPREFIX": compiled}
        given.lake.mkdir(parents=True, exist_ok=True)
        lake = make_lake(given.lake.resolve(), given.requests, env)
        small = make_lake(given.lake.resolve(), 2_000, env)
        out = Path(scratch)
        try:
            print("before, on a small lake, not counted")
            for way in (as_report, one_by_one):
                way(names, small, out, env)
            print(f"aoai report, {cores()} cores")
            before, ours = as_report(names, lake, out, env)
            print("papermill and jupyter nbconvert, one notebook after the other")
            plain, theirs = one_by_one(names, lake, out, env)
            print("aoai report, again")
            after, again = as_report(names, lake, out, env)
        except subprocess.CalledProcessError as error:
            print(f"{' '.join(map(str, error.cmd))}\n{error.stderr.decode()}", file=sys.stderr)
            return 1
    for name in names:
        if not ours[name] == theirs[name] == again[name]:
            print(f"{name}: the answers differ", file=sys.stderr)
            return 1
    answered = sum(map(len, ours.values()))
    print(f"{len(names)} notebooks, {answered} answers, the same queries and rows in both")
    report = (before + after) / 2
    print(f"aoai report {before:.1f} s and {after:.1f} s, papermill and nbconvert {plain:.1f} s")
    print(f"ratio {report / plain:.2f} (bound {BOUND})")
    return int(report > BOUND * plain)


if __name__ == "__main__":
    sys.exit(main())
