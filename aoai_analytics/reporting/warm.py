"""Kernels forked from one process that has imported what notebooks use.

Importing ipykernel, pandas, DuckDB and the rest takes seconds of a core, and every notebook would pay it. One process
imports them once and, for each notebook, forks: the fork becomes a kernel with a namespace of its own, as fresh as one
started cold. It opens no source and asks nothing before a fork, so that it has no thread of its own to lose and no
kernel sees what another did. Linux only: elsewhere forking a process that has loaded such libraries is not safe, and
kernels start cold.
"""

from __future__ import annotations

import atexit
import contextlib
import gc
import json
import os
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any

#: What every analysis notebook imports; what only one of them needs, that one imports itself.
_IMPORTED = (
    "ipykernel.kernelapp",
    "pandas",
    "duckdb",
    "duckdb_kql",
    "deltalake",
    "plotly.graph_objects",
    "aoai_analytics.engines.local",
    "aoai_analytics.library.queries",
    "aoai_analytics.reporting.rendering",
    "aoai_analytics.reporting.session",
    "jinja2",
    "pydantic_settings",
)
#: Seconds to wait for the process's word: its imports, on a machine that is busy.
_PATIENCE = 120
#: And for its end.
_LAST_PATIENCE = 5


def supported() -> bool:
    """Whether kernels can be forked here."""
    return sys.platform == "linux"


def environment() -> dict[str, str]:
    """What a kernel's environment needs beside this one's: to import this very package, also from a checkout."""
    package = str(Path(__file__).resolve().parents[2])
    known = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [package, known])), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


class Warm:
    """The process that kernels are forked from. It and its kernels end when this one does, however that ends."""

    def __init__(self) -> None:
        """Start it; it imports while this process goes on. Raises OSError."""
        self._lock = threading.Lock()
        self._socket, theirs = socket.socketpair()
        self._socket.settimeout(_PATIENCE)
        with theirs:
            self._process = subprocess.Popen(
                [sys.executable, "-P", "-m", __name__, str(theirs.fileno())],
                pass_fds=[theirs.fileno()],
                stdin=subprocess.DEVNULL,
                stdout=sys.__stderr__.fileno() if sys.__stderr__ else subprocess.DEVNULL,
                env=os.environ | environment(),
                start_new_session=True,
            )
        self._words = self._socket.makefile("rw", encoding="utf-8")
        self._forked = False

    def fork(self, argv: Sequence[str], env: Mapping[str, str], cwd: str | None) -> Forked:
        """A new kernel, started with ipykernel's arguments *argv*. Raises OSError where the process is gone."""
        self._forked = True
        return Forked(self, int(self._ask({"argv": list(argv), "env": dict(env), "cwd": cwd})))

    def _ask(self, request: Mapping[str, Any]) -> Any:
        with self._lock:
            try:
                self._words.write(json.dumps(request) + "\n")
                self._words.flush()
                return json.loads(self._words.readline())
            except ValueError as error:  # closed, or an empty line: it is gone
                raise OSError("the process that kernels are forked from is gone") from error

    def close(self) -> None:
        """End it and its kernels."""
        if not self._forked:
            self._process.kill()  # it may be at its imports, and would see to the end of them first
        with contextlib.suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)
        try:
            self._process.wait(_LAST_PATIENCE)
        except subprocess.TimeoutExpired:
            self._process.kill()  # its kernels end as soon as they miss it
            self._process.wait()
        with contextlib.suppress(OSError):
            self._words.close()
        self._socket.close()


class Forked:
    """A forked kernel, as far as subprocess.Popen's methods are asked of it."""

    stdin = stdout = stderr = None

    def __init__(self, warm: Warm, pid: int):
        self.pid = pid
        self.returncode: int | None = None
        self._warm = warm

    def poll(self) -> int | None:
        """The exit code, a signal's number below zero; None while it runs."""
        if self.returncode is None:
            try:
                self.returncode = self._warm._ask({"poll": self.pid})
            except OSError:
                self.returncode = -signal.SIGKILL  # it ended with the process that it was forked from
        return self.returncode

    def wait(self) -> int | None:
        """The exit code of a kernel that has ended."""
        return self.poll()

    def send_signal(self, number: int) -> None:
        """As subprocess.Popen's."""
        if self.poll() is None:
            os.kill(self.pid, number)

    def kill(self) -> None:
        """As subprocess.Popen's."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """As subprocess.Popen's."""
        self.send_signal(signal.SIGTERM)


@contextlib.contextmanager
def without(module: str) -> Iterator[None]:
    """Import as though *module* were not installed; for what does without it. What is loaded already stays."""
    blocked = module not in sys.modules
    if blocked:
        sys.modules[module] = None  # type: ignore[assignment]
    try:
        yield
    finally:
        if blocked:
            del sys.modules[module]


def _serve(words: socket.socket) -> dict[str, Any] | None:
    """Answer requests until the other side is gone. Returns the request in the fork that is to serve it, else None."""
    kernels: dict[int, int | None] = {}
    try:
        for line in words.makefile("r", encoding="utf-8"):
            request = json.loads(line)
            if "poll" in request:
                answer = kernels[request["poll"]] = _ended(request["poll"], kernels)
            elif pid := os.fork():
                kernels[pid] = None
                answer = pid
            else:
                kernels.clear()
                return dict(request)
            words.sendall(f"{json.dumps(answer)}\n".encode())
    except OSError:
        pass  # It is gone.
    finally:
        for pid in kernels:
            if _ended(pid, kernels) is None:
                _kill(pid)
    return None


def _ended(pid: int, kernels: Mapping[int, int | None]) -> int | None:
    if kernels[pid] is not None:
        return kernels[pid]
    done, status = os.waitpid(pid, os.WNOHANG)
    return os.waitstatus_to_exitcode(status) if done else None


def _kill(pid: int) -> None:
    """Kill a kernel with what it started; before it leads a group of its own, just it."""
    for kill in (os.killpg, os.kill):
        with contextlib.suppress(ProcessLookupError):
            kill(pid, signal.SIGKILL)


def _become_kernel(request: Mapping[str, Any]) -> None:
    os.setsid()
    os.environ.clear()
    os.environ.update(request["env"] | {"JPY_PARENT_PID": str(os.getppid())})
    if request["cwd"]:
        os.chdir(request["cwd"])
    sys.argv = ["ipykernel_launcher", *request["argv"]]
    if numpy := sys.modules.get("numpy"):
        numpy.random.seed()  # else all kernels would draw the same numbers

    from ipykernel.kernelapp import IPKernelApp

    IPKernelApp.launch_instance(argv=request["argv"])
    _end(IPKernelApp.instance())


def _end(app: Any) -> None:
    """End a kernel whose notebook is done, as Python would, but for freeing one by one all that was imported.

    Which takes half a second of a core, while the next notebook waits.
    """
    app.shell.user_ns.clear()  # closes, and so writes out, what the notebook left open
    gc.collect()
    # It would wait for a thread that may wait, for seconds, for another that it has just ended.
    atexit.unregister(app.close)
    atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(0)


def _rehearse() -> None:
    """Go once through what every answer goes through: libraries load their parts, and build their tables, on first use.

    Nothing here depends on settings or on a source, which are a kernel's own.
    """
    import pandas as pd

    from ..charts import describe, figure, table_html
    from ..engines.translation import translate
    from ..library.queries import library
    from .blocks import Answer, Head
    from .display import bundles
    from .session import HEAD_QUERY

    frame = pd.DataFrame({"Name": ["a", "b"], "Value": pd.array([1, 2], dtype="Int64")})
    drawn = figure(frame, "bar x=Value y=Name", title="", units={})
    assert drawn is not None
    texts: dict[str, Any] = dict.fromkeys(("name", "title", "headline", "question", "kql", "digest", "csv"), "")
    table = table_html(frame, {"Name": "string", "Value": "long"}, {}, caption="")
    shown = {"data": drawn.to_plotly_json()["data"], "layout": {"height": 1}}
    answer = Answer(**texts, table=table, csv_rows=0, rows=0, seconds=0, figure=shown, alt=describe(drawn))
    bundles(answer)
    bundles(Head(source="", period="", time_zone="UTC", lines=(), numbers={}, empty=True))
    # A grammar's tables are built as it is read: the first texts cost the most. Every notebook begins with the head.
    for name in (HEAD_QUERY, "reliability/anomalies"):
        translate(library().get(name).text)


def main() -> None:
    """Import, then serve until the process that started this one is gone."""
    import importlib
    import warnings

    gc.disable()  # nothing here is garbage, and looking for it takes a fifth of the time that the first kernel waits
    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the starting process's to handle
    words = socket.socket(fileno=int(sys.argv[1]))
    # A kernel would load a debugger as it starts, which takes longer than all the rest: nobody debugs a report.
    with without("debugpy"):
        importlib.import_module("ipykernel.debugger")
    for module in _IMPORTED:
        importlib.import_module(module)
    _rehearse()
    gc.freeze()
    gc.enable()
    # Python 3.12 and later warn of threads at a fork: these are OpenBLAS's, which stops and restarts its own.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    request = _serve(words)
    words.close()
    if request is None:
        os._exit(0)  # it has nothing to tidy up
    signal.signal(signal.SIGINT, signal.default_int_handler)
    _become_kernel(request)


if __name__ == "__main__":
    main()
