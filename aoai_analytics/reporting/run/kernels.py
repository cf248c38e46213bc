"""Kernels for notebooks: each a fresh process, on Linux forked from one process that has imported what notebooks use.

Importing ipykernel, pandas, DuckDB and the rest takes seconds of CPU per notebook. One process imports them once and
forks for each notebook; the fork becomes a kernel with a namespace of its own, as fresh as one started cold. It opens
no source and runs no query before a fork, so no kernel sees what another did. Elsewhere forking a process that has
loaded such libraries is not safe, and kernels start cold.

multiprocessing's fork server does not do: it runs the caller's main script again in each child, is shared by the whole
process and cannot be closed, and ends its children without their exit handlers on Python 3.11.
"""

from __future__ import annotations

import atexit
import gc
import importlib
import json
import os
import select
import signal
import socket
import subprocess
import sys
import threading
from collections.abc import Mapping, Sequence
from contextlib import suppress
from pathlib import Path
from typing import Any

from ...engines.running import private_folder, remove

#: What every analysis notebook imports.
_IMPORTED = (
    "ipykernel.kernelapp",
    "ipykernel.debugger",
    "pandas",
    "duckdb",
    "duckdb_kql",
    "deltalake",
    "plotly.graph_objects",
    "aoai_analytics.engines.local",
    "aoai_analytics.library.queries",
    "aoai_analytics.reporting.session",
    "jinja2",
    "pydantic_settings",
)
#: Seconds to wait for a fork: the server's imports, on a busy machine.
_PATIENCE = 120


class Kernels:
    """Starts kernels for notebooks, and ends those that still run when it is closed."""

    def __init__(self, *, warmed: bool = True):
        """*warmed*: fork them from a process that has imported what they need, where the system allows it."""
        #: The kernels' connection files and sockets, readable by this user only.
        self.folder = private_folder("aoai-kernels-")
        self._lock = threading.Lock()
        self._closed = False
        self._running: list[Any] = []
        self._server: Server | None = None
        if warmed and sys.platform == "linux":
            with suppress(OSError):
                self._server = Server()

    def fork(self, argv: Sequence[str], env: Mapping[str, str], cwd: str | None) -> Forked | None:
        """A kernel forked with ipykernel's arguments *argv*; None where it has to be started cold."""
        if self._server is None:
            return None
        try:
            return self._server.fork(argv, env, cwd)
        except OSError:
            return None

    def add(self, process: Any) -> None:
        """End the kernel's *process* when this is closed. Raises OSError where it is closed already."""
        with self._lock:
            if not self._closed:
                self._running.append(process)
                return
        process.kill()
        raise OSError("the run was stopped")

    def close(self) -> None:
        """End the kernels that still run."""
        with self._lock:
            self._closed = True
        if self._server is not None:
            self._server.close()
        for process in self._running:
            if process.poll() is None:
                with suppress(OSError):
                    process.kill()
        remove(self.folder)

    def __enter__(self) -> Kernels:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()


def environment() -> dict[str, str]:
    """What a kernel's environment needs beside this one's: to import this very package, also from a checkout."""
    package = str(Path(__file__).resolve().parents[3])
    known = os.environ.get("PYTHONPATH", "")
    return {"PYTHONPATH": os.pathsep.join(filter(None, [package, known])), "PYDEVD_DISABLE_FILE_VALIDATION": "1"}


class Server:
    """The process that kernels are forked from. It and its kernels end when this process does, however that ends."""

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
        self._answers = self._socket.makefile("r", encoding="utf-8")

    def fork(self, argv: Sequence[str], env: Mapping[str, str], cwd: str | None) -> Forked:
        """A new kernel, started with ipykernel's arguments *argv*. Raises OSError where the server is gone."""
        request = json.dumps({"argv": list(argv), "env": dict(env), "cwd": cwd})
        with self._lock:
            self._socket.sendall(f"{request}\n".encode())
            answer = self._answers.readline()
            if not answer:
                raise OSError("the process that kernels are forked from is gone")
            return Forked(int(answer))

    def close(self) -> None:
        """End it; its kernels notice within a second, where nobody ends them before."""
        self._process.kill()
        self._process.wait()
        with suppress(OSError):
            self._socket.shutdown(socket.SHUT_RDWR)  # whoever waits for a fork waits no longer
        self._socket.close()


class Forked:
    """A forked kernel, with the methods of subprocess.Popen that a kernel manager uses. It leads its own group."""

    stdin = stdout = stderr = None

    def __init__(self, pid: int):
        self.pid = pid
        self.returncode: int | None = None
        self._handle = os.pidfd_open(pid)

    def poll(self) -> int | None:
        """None while it runs, else 0: how it ended is not known, as it is not this process's child."""
        if self.returncode is None and select.select([self._handle], [], [], 0)[0]:
            self.returncode = 0
            os.close(self._handle)
        return self.returncode

    def wait(self) -> int:
        """Wait for its end."""
        if self.returncode is None:
            select.select([self._handle], [], [])
        return self.poll() or 0

    def send_signal(self, number: int) -> None:
        """Send a signal to it and to what it started."""
        if self.poll() is None:
            try:
                os.killpg(self.pid, number)
            except ProcessLookupError:  # it has just been forked
                signal.pidfd_send_signal(self._handle, number)

    def kill(self) -> None:
        """As subprocess.Popen's."""
        self.send_signal(signal.SIGKILL)

    def terminate(self) -> None:
        """As subprocess.Popen's."""
        self.send_signal(signal.SIGTERM)


def _serve(requests: socket.socket) -> dict[str, Any] | None:
    """Fork for each request until the other side is gone. Returns the request in the fork, else None."""
    kernels: set[int] = set()
    try:
        for line in requests.makefile("r", encoding="utf-8"):
            for pid in list(kernels):
                if os.waitpid(pid, os.WNOHANG)[0]:
                    kernels.remove(pid)
            pid = os.fork()
            if not pid:
                return dict(json.loads(line))
            kernels.add(pid)
            requests.sendall(f"{pid}\n".encode())
    except OSError:
        pass  # It is gone.
    for pid in kernels:
        for kill in (os.killpg, os.kill):  # a fork that does not yet lead a group is killed alone
            with suppress(ProcessLookupError):
                kill(pid, signal.SIGKILL)
    return None


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
    """End a kernel as Python would, but without freeing one by one all that was imported: 0.9 s of CPU per notebook."""
    app.shell.user_ns.clear()  # closes, and so writes out, what the notebook left open
    gc.collect()
    # It would wait for a thread that may wait, for seconds, for another that it has just ended.
    atexit.unregister(app.close)
    atexit._run_exitfuncs()
    for stream in (sys.__stdout__, sys.__stderr__):
        if stream is not None:
            stream.flush()
    os._exit(0)  # as Python's documentation has a forked child end


def _rehearse() -> None:
    """Render an answer once and translate two queries: libraries load parts, and build their tables, on first use.

    Nothing here depends on settings or on a source, which are a kernel's own.
    """
    import pandas as pd

    from ...charts import describe, figure, table_html
    from ...engines.translation import translate
    from ...library.queries import library
    from ..render.blocks import Answer, Head
    from ..render.display import bundles
    from ..session.coverage import HEAD_QUERY

    frame = pd.DataFrame({"Name": ["a", "b"], "Value": pd.array([1, 2], dtype="Int64")})
    drawn = figure(frame, "bar x=Value y=Name", title="", units={})
    assert drawn is not None
    texts: dict[str, Any] = dict.fromkeys(("name", "title", "headline", "question", "kql", "digest", "csv"), "")
    table = table_html(frame, {"Name": "string", "Value": "long"}, {}, caption="")
    shown = {"data": drawn.to_plotly_json()["data"], "layout": {"height": 1}}
    answer = Answer(**texts, table=table, csv_rows=0, rows=0, seconds=0, figure=shown, alt=describe(drawn))
    bundles(answer)
    bundles(Head(source="", period="", time_zone="UTC", lines=(), numbers={}, empty=True))
    for name in (HEAD_QUERY, "reliability/anomalies"):
        translate(library().get(name).text)


def main() -> None:
    """Import, then serve until the process that started this one is gone."""
    import warnings

    signal.signal(signal.SIGINT, signal.SIG_IGN)  # Ctrl-C is the starting process's to handle
    requests = socket.socket(fileno=int(sys.argv[1]))
    for module in _IMPORTED:
        importlib.import_module(module)
    _rehearse()
    # Python 3.12 and later warn of threads at a fork: these are OpenBLAS's, which stops and restarts its own.
    warnings.filterwarnings("ignore", "This process .* is multi-threaded", DeprecationWarning)
    request = _serve(requests)
    requests.close()
    if request is not None:
        signal.signal(signal.SIGINT, signal.default_int_handler)
        _become_kernel(request)


if __name__ == "__main__":
    main()
