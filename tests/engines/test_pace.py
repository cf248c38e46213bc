"""A client keeps to a service's limits, and waits as it is told."""

from __future__ import annotations

import threading
from datetime import UTC, datetime, timedelta
from email.utils import format_datetime

import pytest

from aoai_analytics.engines.pace import Pace, Stopped, seconds_of


class Clock:
    """A clock that moves only when someone sleeps by it."""

    def __init__(self) -> None:
        self.now = 100.0
        self.slept: list[float] = []

    def __call__(self) -> float:
        return self.now

    def sleep(self, seconds: float) -> None:
        self.slept.append(seconds)
        self.now += seconds


def test_no_window_has_more_requests_than_allowed() -> None:
    clock = Clock()
    pace = Pace(requests=3, seconds=30, clock=clock, sleep=clock.sleep)
    begun = []
    for _ in range(10):
        with pace.turn():
            begun.append(clock.now)
        clock.now += 1
    assert all(sum(first <= moment < first + 30 for moment in begun) <= 3 for first in begun)
    assert clock.now < 100 + 4 * 30


def test_no_more_are_under_way_at_once_than_allowed() -> None:
    pace = Pace(requests=None, at_once=2)
    inside, most, lock, go = [0], [0], threading.Lock(), threading.Barrier(2)

    def ask() -> None:
        with pace.turn():
            with lock:
                inside[0] += 1
                most[0] = max(most[0], inside[0])
            go.wait(timeout=10)
            with lock:
                inside[0] -= 1

    threads = [threading.Thread(target=ask) for _ in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(timeout=10)
    assert most[0] == 2 and inside[0] == 0


def test_a_wait_for_everyone_holds_the_next_request_back() -> None:
    clock = Clock()
    pace = Pace(requests=None, clock=clock, sleep=clock.sleep)
    pace.wait_before_try(0, "7", everyone=True)
    assert clock.slept == []
    with pace.turn():
        assert clock.slept == [7.0]


def test_a_wait_grows_and_has_a_longest() -> None:
    clock = Clock()
    pace = Pace(clock=clock, sleep=clock.sleep, first_wait=1.0, longest_wait=10.0)
    for attempt in range(8):
        pace.wait_before_try(attempt, None)
    assert all(min(10, 2**n) / 2 <= seconds <= min(10, 2**n) for n, seconds in enumerate(clock.slept))


def test_stopping_ends_a_wait_at_once() -> None:
    pace = Pace(first_wait=600.0, longest_wait=600.0)
    ended = threading.Event()

    def wait() -> None:
        with pytest.raises(Stopped):
            pace.wait_before_try(0, None)
        ended.set()

    thread = threading.Thread(target=wait)
    thread.start()
    pace.stop()
    assert ended.wait(timeout=10)
    thread.join()
    with pytest.raises(Stopped), pace.turn():
        pass


def test_retry_after_is_seconds_or_a_date() -> None:
    assert seconds_of("12") == 12 and seconds_of("0") == 0 and seconds_of("-3") == 0
    assert seconds_of(None) is None and seconds_of("soon") is None
    later = format_datetime(datetime.now(UTC) + timedelta(seconds=90), usegmt=True)
    assert 80 < (seconds_of(later) or 0) <= 90
