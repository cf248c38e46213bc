"""Starting a sandbox: on loopback only, until it is stopped, or in a thread for tests and notebooks."""

from __future__ import annotations

import ipaddress
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from pathlib import Path

import uvicorn

from ..errors import AoaiError, WrongUse
from ..sample.flaws import Flaws
from .app import Sandbox
from .call import Call
from .decide import Deciding
from .installation import Installation, read_installation
from .live import Live
from .log import FLAWS_OF_SANDBOX, Log


def loopback(host: str) -> str:
    """*host*, if it is an address of this machine alone. Raises WrongUse."""
    try:
        good = host == "localhost" or ipaddress.ip_address(host).is_loopback
    except ValueError:
        good = False
    if not good:
        raise WrongUse(f"{host}: the sandbox listens on this machine only; use 127.0.0.1, ::1 or localhost")
    return "127.0.0.1" if host == "localhost" else host


def make(
    logs: Path,
    *,
    installation: Installation | None = None,
    body_bytes: int | None = None,
    flaws: Flaws = FLAWS_OF_SANDBOX,
    seed: int = 1,
    first_token: float = 0.0,
    per_token: float = 0.0,
    watch: Callable[[Call], None] | None = None,
    show_prompts: bool = False,
) -> Sandbox:
    """A sandbox that logs to the folder *logs*; see ``Sandbox``.

    *body_bytes*: how much of each body is logged. *show_prompts*: the live page shows prompts.
    """
    standing = installation or read_installation()
    kept = standing.body_bytes if body_bytes is None else body_bytes
    log = Log(logs, body_bytes=kept, flaws=flaws, seed=seed)
    deciding = Deciding(standing, seed=seed)
    live = Live(prompts=show_prompts)
    return Sandbox(deciding, log, first_token=first_token, per_token=per_token, watch=watch, live=live)


def bound(host: str, port: int) -> socket.socket:
    """A socket that listens on loopback; port 0 takes a free one. Raises WrongUse, AoaiError."""
    address = loopback(host)
    found = socket.socket(socket.AF_INET6 if ":" in address else socket.AF_INET, socket.SOCK_STREAM)
    found.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    try:
        found.bind((address, port))
        # From here on nobody is refused, also before the server takes its first request.
        found.listen(128)
    except OSError as error:
        found.close()
        raise AoaiError(
            f"cannot listen on {host}, port {port}: {error.strerror}; choose another with --port"
        ) from error
    return found


def run(sandbox: Sandbox, listening: socket.socket) -> None:
    """Serves until Ctrl-C or a signal to end."""
    with suppress(KeyboardInterrupt):  # uvicorn raises it once more, after it has ended in order
        uvicorn.Server(_config(sandbox)).run(sockets=[listening])


@contextmanager
def running(sandbox: Sandbox, *, listening: socket.socket | None = None) -> Iterator[str]:
    """Serves in a thread, at a free port of 127.0.0.1 if not told otherwise; gives the URL.

    At the end all logs are written.
    """
    place = listening or bound("127.0.0.1", 0)
    server = uvicorn.Server(_config(sandbox))
    thread = threading.Thread(target=server.run, kwargs={"sockets": [place]}, daemon=True)
    thread.start()
    try:
        yield url_of(place)
    finally:
        server.should_exit = True
        thread.join(10)
        place.close()


def url_of(listening: socket.socket) -> str:
    """The URL of a socket that listens."""
    host, port = listening.getsockname()[:2]
    return f"http://{f'[{host}]' if ':' in host else host}:{port}"


def _config(sandbox: Sandbox) -> uvicorn.Config:
    return uvicorn.Config(
        sandbox.app, log_level="warning", access_log=False, timeout_graceful_shutdown=3, server_header=False
    )
