"""Makes the same report again and again, each time in a process of its own that may be killed somewhere.

    killed_run.py OUT NOTEBOOKS LAKE

For each line on standard input there is a run, and then a line on standard output. A line says how many times the run
may touch the file system at OUT or beside it before it is killed: ``inf`` lets it end. The answer is how often it
touched, or ``killed``.
"""

from __future__ import annotations

import os
import signal
import sys
from pathlib import Path

from aoai_analytics.reporting.render import html
from aoai_analytics.reporting.run.kernels import Kernels
from aoai_analytics.reporting.run.report import make_report

#: What the interpreter tells of the file system (PEP 578).
TOUCHES = {"open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "shutil.rmtree"}


def run(out: Path, notebooks: Path, lake: Path, allowed: float) -> int:
    """Make the report, killing this process at the touch that is not *allowed*; how often it touched."""
    touches = 0
    near = str(out.parent.resolve())

    def told(event: str, details: tuple[object, ...]) -> None:
        nonlocal touches
        if event in TOUCHES and near in str(details[0]) and str(notebooks) not in str(details[0]):
            if touches == allowed:
                os.kill(os.getpid(), signal.SIGKILL)
            touches += 1

    sys.addaudithook(told)
    with Kernels(warmed=False) as kernels:
        make_report(["tiny"], source=lake, out=out, period="2026-11", folder=notebooks, kernels=kernels)
    return touches


def main() -> None:
    out, notebooks, lake = map(Path, sys.argv[1:4])
    # Once, before the forks.
    import papermill.execute  # noqa: F401
    import pydantic_settings  # noqa: F401

    html.plotly_script()
    for template in ("page.html", "index.html", "reports.html"):
        html.environment().get_template(template)
    for line in sys.stdin:
        if (pid := os.fork()) == 0:
            print(run(out, notebooks, lake, float(line)), flush=True)
            os._exit(0)
        _, status = os.waitpid(pid, 0)
        if os.waitstatus_to_exitcode(status) == -signal.SIGKILL:
            print("killed", flush=True)


if __name__ == "__main__":
    main()
