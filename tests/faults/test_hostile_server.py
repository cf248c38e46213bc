"""A Log Analytics endpoint that means harm: every answer ends in one clear line, soon, within memory."""

from __future__ import annotations

import threading
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import pytest

from aoai_analytics.engines import log_analytics_api
from aoai_analytics.engines.log_analytics_api import LogsApi
from aoai_analytics.engines.pace import Pace
from aoai_analytics.errors import AoaiError, SourceError
from tests.contract.log_analytics_service import Credential

Reply = Callable[[BaseHTTPRequestHandler], None]


@contextmanager
def asked(reply: Reply, **pace: float) -> Iterator[LogsApi]:
    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            reply(self)

        def log_message(self, *_: object) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    server.daemon_threads = True
    threading.Thread(target=server.serve_forever, daemon=True).start()
    endpoint = f"http://127.0.0.1:{server.server_port}"
    options = {"first_wait": 0.01, "longest_wait": 0.02, "tries": 3} | pace
    api = LogsApi("workspaces/x", credential=Credential(), endpoint=endpoint, pace=Pace(**options))  # type: ignore[arg-type]
    try:
        yield api
    finally:
        api.close()
        server.shutdown()
        server.server_close()


def says(status: int, body: bytes, **headers: str) -> Reply:
    def reply(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            handler.send_header(name.replace("_", "-"), value)
        handler.send_header("Content-Length", str(len(body)))
        handler.end_headers()
        handler.wfile.write(body)

    return reply


def rows(kind: str, value: str) -> bytes:
    return (
        f'{{"tables": [{{"name": "T", "columns": [{{"name": "A", "type": "{kind}"}}], "rows": [[{value}]]}}]}}'.encode()
    )


@pytest.mark.parametrize("wait", ["86400", "1e300", "Fri, 31 Dec 9999 23:59:59 GMT", "inf"])
def test_a_wait_that_nobody_would_wait_is_refused_at_once(wait):
    began = time.monotonic()
    with asked(says(429, b"{}", Retry_After=wait)) as api, pytest.raises(SourceError, match="reasonable time"):
        api.ask("T", (None, None))
    assert time.monotonic() - began < 30


def test_all_tries_together_have_a_deadline():
    with asked(says(503, b"{}", Retry_After="20"), deadline=5.0, tries=1000) as api:
        began = time.monotonic()
        with pytest.raises(SourceError, match="reasonable time"):
            api.ask("T", (None, None))
        assert time.monotonic() - began < 30


def test_an_answer_without_an_end_is_cut_off(monkeypatch):
    monkeypatch.setattr(log_analytics_api, "MAX_BYTES", 5_000_000)
    sent = []

    def endless(handler: BaseHTTPRequestHandler) -> None:
        handler.send_response(200)
        handler.end_headers()
        try:
            while len(sent) < 1000:
                handler.wfile.write(b"[" * 1_000_000)
                sent.append(1)
        except OSError:
            pass

    with asked(endless) as api, pytest.raises(SourceError, match="more than 5 MB"):
        api.ask("T", (None, None))
    assert len(sent) < 100


@pytest.mark.parametrize(
    "body",
    [
        rows("long", "9" * 40),
        rows("long", '"' + "9" * 5000 + '"'),
        rows("int", "3000000000"),
        rows("real", '"1e999x"'),
        rows("datetime", '"99999-01-01"'),
        rows("datetime", "7"),
        rows("timespan", '"x"'),
        b'{"tables": 7}',
        b'{"tables": [{"columns": 7, "rows": []}]}',
        b'{"tables": [{"columns": [7], "rows": []}]}',
        b"[]",
        b"[" * 900 + b"]" * 900,
    ],
)
def test_values_that_fit_no_column_and_answers_that_are_none_are_one_line(body):
    with asked(says(200, body)) as api, pytest.raises(AoaiError) as caught:
        api.ask("T", (None, None))
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize("status", [400, 403, 500])
def test_no_escape_sequence_of_a_message_reaches_the_terminal(status):
    nested = b'{"error": {"code": "\\u001b[31mX", "message": "a\\u001b]0;title\\u0007b\\u202ec\\r\\nd", "details": 7}}'
    with asked(says(status, nested)) as api, pytest.raises(AoaiError) as caught:
        api.ask("T", (None, None))
    assert all(character.isprintable() for character in str(caught.value))


def test_errors_within_errors_without_end_are_no_endless_work():
    deep = b'{"error": ' + b'{"innererror": ' * 400 + b"{}" + b"}" * 400 + b"}"
    with asked(says(400, deep)) as api, pytest.raises(AoaiError):
        api.ask("T", (None, None))
