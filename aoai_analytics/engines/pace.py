"""How fast a service may be asked, and how long to wait when it says: not now."""

from __future__ import annotations

import math
import random
import threading
import time
from collections import deque
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from email.utils import parsedate_to_datetime


class TooSlow(Exception):
    """The service asks to wait longer than anybody would, or was asked for so long already."""


class Stopped(Exception):
    """Asking was ended by ``Pace.stop``."""


class Pace:
    """At most ``at_once`` requests under way and ``requests`` begun in any ``seconds``; one for all threads.

    Log Analytics allows a user 200 requests in 30 seconds and 5 at once
    (https://learn.microsoft.com/azure/azure-monitor/service-limits#log-analytics-query-api).
    A service may ask for a wait of ``longest_asked`` seconds at most, and one request, with all its tries and waits,
    may take ``deadline`` seconds. *clock* and *sleep* are for tests.
    """

    def __init__(
        self,
        *,
        requests: int | None = 200,
        seconds: float = 30.0,
        at_once: int = 5,
        first_wait: float = 1.0,
        longest_wait: float = 60.0,
        longest_asked: float = 300.0,
        deadline: float = 3600.0,
        tries: int = 10,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ):
        self.tries = tries
        self._requests, self._seconds = requests, seconds
        self._first_wait, self._longest_wait = first_wait, longest_wait
        self._longest_asked, self.deadline = longest_asked, deadline
        self._slots = threading.BoundedSemaphore(at_once)
        self._begun: deque[float] = deque()
        self._lock = threading.Lock()
        self._not_before = 0.0
        self._stopped = threading.Event()
        self._clock = clock
        # An event's wait ends at once when asking is stopped.
        self._sleep = sleep or self._stopped.wait

    @contextmanager
    def turn(self) -> Iterator[None]:
        """Waits until one more request may be made, and counts it. Raises Stopped."""
        with self._slots:
            while (wait := self._take()) > 0:
                self._sleep(wait)
            yield

    def _take(self) -> float:
        """Takes a place where there is one; else the seconds until there may be."""
        if self._stopped.is_set():
            raise Stopped
        with self._lock:
            now = self._clock()
            if now < self._not_before:
                return self._not_before - now
            if self._requests is None:
                return 0.0
            while self._begun and now - self._begun[0] >= self._seconds:
                self._begun.popleft()
            if len(self._begun) >= self._requests:
                return self._begun[0] + self._seconds - now
            self._begun.append(now)
            return 0.0

    def now(self) -> float:
        """The clock that ``deadline`` is counted by."""
        return self._clock()

    def wait_before_try(
        self, attempt: int, retry_after: str | None, *, everyone: bool = False, until: float = math.inf
    ) -> None:
        """Waits before another try, as the service asks, or longer each time. Raises Stopped.

        Raises TooSlow where that is longer than ``longest_asked``, or ends after *until*, a time of ``now``. With
        *everyone* other threads begin no request meanwhile: a service that is asked too often counts them too.
        """
        wait = seconds_of(retry_after)
        asked = wait or 0.0
        if wait is None:
            # Some chance keeps threads that failed together from asking again together.
            wait = min(self._longest_wait, self._first_wait * 2**attempt) * random.uniform(0.5, 1.0)
        if asked > self._longest_asked or self._clock() + wait > until:
            raise TooSlow
        if everyone:
            with self._lock:
                self._not_before = max(self._not_before, self._clock() + wait)
        elif wait > 0:
            self._sleep(wait)
        if self._stopped.is_set():
            raise Stopped

    def stop(self) -> None:
        """Ends all waiting; no further request is begun."""
        self._stopped.set()


def seconds_of(retry_after: str | None) -> float | None:
    """A Retry-After header (seconds, or an HTTP date) in seconds; None where there is none, or it is no time."""
    if not retry_after:
        return None
    try:
        seconds = float(retry_after)
        return max(0.0, seconds) if seconds == seconds else None
    except ValueError:
        pass
    try:
        return max(0.0, parsedate_to_datetime(retry_after).timestamp() - time.time())
    except (TypeError, ValueError, OverflowError):
        return None
