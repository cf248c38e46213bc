"""The benchmark of following: its clients note what they were told."""

from __future__ import annotations

from pathlib import Path

from aoai_analytics.sandbox.call import Call
from aoai_analytics.sandbox.serve import make, running
from benchmarks.follow import Clients
from tests.sandbox.waiting import wait_for


def test_each_call_is_noted_with_the_tokens_that_its_answer_had(tmp_path: Path) -> None:
    finished: list[Call] = []
    with running(make(tmp_path, watch=finished.append)) as url:
        clients = Clients(int(url.rpartition(":")[2]), rate=100, seconds=0.2)
        clients.run()
        wait_for(lambda: len(finished) == 20)
    told = {call.correlation_id: call.tokens for call in clients.calls}
    counted = {call.correlation_id: call.attempts[-1].reply.usage.total for call in finished if call.attempts[-1].reply}
    assert told == counted and len(told) == 20 and clients.failed == 0


def test_a_call_that_fails_is_counted_as_failed(tmp_path: Path) -> None:
    sandbox = make(tmp_path)
    for backend in sandbox.deciding.pools.backends.values():
        backend.broken = 500
    with running(sandbox) as url:
        clients = Clients(int(url.rpartition(":")[2]), rate=100, seconds=0.04)
        clients.run()
    assert (clients.failed, clients.calls) == (4, [])
