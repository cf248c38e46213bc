"""``llm-token-limit`` as the product policies use it: tokens of the last minute and of the calendar month.

A request is let through while the limit is not used up, since the policies do not estimate its prompt; what it used
counts once it is answered. The minute is a window of 60 seconds.
"""

from __future__ import annotations

import math
import time
from collections import deque
from collections.abc import Callable
from dataclasses import dataclass, field
from datetime import UTC, datetime

from .installation import Product

_MINUTE = 60.0


@dataclass(frozen=True)
class Exceeded:
    """A limit that is used up. ``wait`` is in seconds; a quota names none."""

    status: int
    reason: str
    message: str
    wait: int | None


@dataclass
class _Counter:
    used: deque[tuple[float, int]] = field(default_factory=deque)
    minute: int = 0
    month: int = 0
    of_month: str = ""


class Limits:
    """The counters of all callers."""

    def __init__(self, clock: Callable[[], float] = time.monotonic) -> None:
        self._clock = clock
        self._counters: dict[str, _Counter] = {}

    def exceeded(self, caller: str, product: Product) -> Exceeded | None:
        """The limit that *caller* has used up."""
        counter = self._current(caller)
        if product.tokens_per_month is not None and counter.month >= product.tokens_per_month:
            return Exceeded(403, "TokenQuotaExceeded", "Token quota is exceeded. It is renewed next month.", None)
        if product.tokens_per_minute is None or counter.minute < product.tokens_per_minute:
            return None
        over = counter.minute - product.tokens_per_minute
        now, wait = self._clock(), _MINUTE
        for moment, tokens in counter.used:
            over -= tokens
            if over < 0:
                wait = moment + _MINUTE - now
                break
        seconds = max(1, math.ceil(wait))
        message = f"Token limit is exceeded. Try again in {seconds} seconds."
        return Exceeded(429, "TokenLimitExceeded", message, seconds)

    def count(self, caller: str, tokens: int) -> None:
        """Tokens that *caller* has used."""
        counter = self._current(caller)
        counter.used.append((self._clock(), tokens))
        counter.minute += tokens
        counter.month += tokens

    def left(self, caller: str, product: Product) -> tuple[int, int] | None:
        """Tokens left of the minute and of the month; None: the product has no limits."""
        if product.tokens_per_minute is None or product.tokens_per_month is None:
            return None
        counter = self._current(caller)
        return max(0, product.tokens_per_minute - counter.minute), max(0, product.tokens_per_month - counter.month)

    def _current(self, caller: str) -> _Counter:
        counter = self._counters.setdefault(caller, _Counter())
        since = self._clock() - _MINUTE
        while counter.used and counter.used[0][0] <= since:
            counter.minute -= counter.used.popleft()[1]
        month = f"{datetime.now(UTC):%Y-%m}"
        if counter.of_month != month:
            counter.month, counter.of_month = 0, month
        return counter
