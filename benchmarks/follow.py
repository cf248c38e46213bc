"""How soon a call to the sandbox is in the lake, while the sandbox is busy and its logs are followed.

    follow.py [--rate 200] [--seconds 60] [--bound 30]

The sandbox, ``aoai ingest --follow`` and the clients are a process each. Half of the calls are streams. Prints the
calls a second that were answered, the lag from an answer to its row in AoaiRequests (median and 95th percentile), and
what was lost. Ends with 1 where a call is missing, or has other tokens than its client was told, where the calls were
answered at less than 95 % of the rate, or where the 95th percentile is above the bound.
"""

from __future__ import annotations

import argparse
import http.client
import json
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

sys.path.insert(0, str(Path(__file__).resolve().parents[1]))

import duckdb

from aoai_analytics.lake.delta import Lake
from aoai_analytics.sandbox.app import CORRELATION_HEADER
from aoai_analytics.sandbox.serve import bound

THREADS = 120
#: After the last call, rows may be late by a minute and a half, and the ingest by a few rounds.
PATIENCE = 240.0
_HEADERS = {"api-key": "key-of-sub-platform", "Content-Type": "application/json"}


@dataclass(frozen=True)
class Call:
    """A call that was answered: its id, when, and the tokens that the client was told."""

    correlation_id: str
    moment: float
    tokens: int


class Clients:
    """Calls at a steady rate, whether or not earlier ones are answered."""

    def __init__(self, port: int, rate: float, seconds: float) -> None:
        self.port, self.rate, self.count = port, rate, round(rate * seconds)
        self.calls: list[Call] = []
        self.failed = 0
        self._own = threading.local()

    def run(self) -> float:
        """Makes all calls; the seconds that it took until the last was answered."""
        begun = time.perf_counter()
        with ThreadPoolExecutor(THREADS) as pool:
            for number in range(self.count):
                wait = begun + number / self.rate - time.perf_counter()
                if wait > 0:
                    time.sleep(wait)
                pool.submit(self._call, number)
        return time.perf_counter() - begun

    def _call(self, number: int) -> None:
        connection = getattr(self._own, "connection", None)
        if connection is None:
            connection = self._own.connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=60)
        body: dict[str, Any] = {
            "model": "chat-mini",
            "messages": [{"role": "user", "content": f"Question {number}"}],
            "max_completion_tokens": 60,
            "stream": number % 2 == 0,
        }
        try:
            connection.request("POST", "/openai/v1/chat/completions", json.dumps(body), _HEADERS)
            answer = connection.getresponse()
            text = answer.read().decode()
        except OSError:
            self._own.connection = None
            self.failed += 1
            return
        if answer.status != 200:
            self.failed += 1
            return
        last = text.split("data: ")[-2] if text.startswith("data:") else text
        tokens = json.loads(last)["usage"]["total_tokens"]
        self.calls.append(Call(answer.headers[CORRELATION_HEADER], time.time(), tokens))


class Seen:
    """When each request was first in the lake, and the tokens that it has now."""

    def __init__(self, lake: Path) -> None:
        self.path = lake
        self.first: dict[str, float] = {}
        self.tokens: dict[str, int | None] = {}

    def look(self) -> None:
        """Reads the table as any reader would."""
        if not (self.path / "AoaiRequests").is_dir():
            return
        files = Lake(self.path).files("AoaiRequests")
        if not files:
            return
        rows = duckdb.execute(f"SELECT CorrelationId, TotalTokens FROM read_parquet({files})").fetchall()
        now = time.time()
        for name, tokens in rows:
            self.first.setdefault(name, now)
            self.tokens[name] = tokens


def measure(rate: float, seconds: float, folder: Path) -> tuple[Clients, Seen, float]:
    """Runs all three; the clients, what was seen, and the seconds that the calls took."""
    with bound("127.0.0.1", 0) as free:
        port = free.getsockname()[1]
    logs, lake = folder / "sandbox/logs", folder / "lake"
    aoai = [sys.executable, "-c", "import sys; from aoai_analytics.cli import main; sys.exit(main())"]
    commands = (
        [*aoai, "sandbox", "start", "--output", str(folder / "sandbox"), "--port", str(port)],
        [*aoai, "ingest", str(logs), "--lake", str(lake), "--follow"],
    )
    processes = [subprocess.Popen(each, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL) for each in commands]
    try:
        _wait_for(port)
        clients, seen = Clients(port, rate, seconds), Seen(lake)
        took: list[float] = []
        calling = threading.Thread(target=lambda: took.append(clients.run()))
        calling.start()
        until = time.monotonic() + seconds + PATIENCE
        while time.monotonic() < until:
            time.sleep(0.5)
            seen.look()
            if not calling.is_alive() and all(
                seen.tokens.get(each.correlation_id) == each.tokens for each in clients.calls
            ):
                break
        calling.join()
    finally:
        for process in processes:
            process.terminate()
            process.wait(30)
    return clients, seen, took[0]


def _wait_for(port: int) -> None:
    until = time.monotonic() + 60
    while True:
        try:
            http.client.HTTPConnection("127.0.0.1", port, timeout=5).request("GET", "/")
            return
        except OSError:
            if time.monotonic() > until:
                raise
            time.sleep(0.1)


def main(arguments: list[str] | None = None) -> int:
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[0])
    parser.add_argument("--rate", type=float, default=200)
    parser.add_argument("--seconds", type=float, default=60)
    parser.add_argument("--bound", type=float, default=30)
    given = parser.parse_args(arguments)
    with tempfile.TemporaryDirectory(prefix="follow-") as folder:
        clients, seen, took = measure(given.rate, given.seconds, Path(folder))
    calls = clients.calls
    lags = sorted(seen.first[each.correlation_id] - each.moment for each in calls if each.correlation_id in seen.first)
    lost = len(calls) - len(lags)
    other = sum(seen.tokens.get(each.correlation_id) != each.tokens for each in calls) - lost
    answered = len(calls) / took
    median, late = (statistics.median(lags), lags[int(0.95 * len(lags))]) if lags else (0.0, float("inf"))
    print(f"{len(calls):,} calls at {answered:,.0f}/s (asked: {given.rate:,.0f}/s), {clients.failed} failed")
    print(f"lag p50 {median:.1f} s, p95 {late:.1f} s (bound: {given.bound:g} s); lost {lost}, other tokens {other}")
    wrong = bool(lost or other or clients.failed) or late > given.bound or answered < 0.95 * given.rate
    return int(wrong)


if __name__ == "__main__":
    sys.exit(main())
