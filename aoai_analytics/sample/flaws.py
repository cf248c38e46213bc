"""Flaws in the sample's logs, by mix: each number is the share of affected requests (or rows)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from datetime import datetime, timedelta
from typing import Literal, get_args

Mix = Literal["default", "complete", "languages", "unseen-model"]
MIXES: tuple[str, ...] = get_args(Mix)

BODY_LIMIT = 8_192
ENTRY_LIMIT = 32_768
CHUNK_LIMIT = 32_768
NO_LIMIT = 1 << 60


@dataclass(frozen=True)
class Flaws:
    """Shares between 0 and 1; the limits are bytes. ``incidents`` are time windows, see ``Windows``."""

    body_limit: int = BODY_LIMIT
    entry_limit: int = ENTRY_LIMIT
    body_logging_off: bool = True  # an API whose bodies are not logged
    bodies_lost: float = 0.06
    llm_rows_lost: float = 0.04
    llm_logging_partial: bool = True  # completions, and the v1 API at first, have no LLM rows
    stream_without_usage: bool = True
    stream_zero_tokens: float = 0.66  # of those streams, how many have 0 tokens in the LLM log
    llm_rows_alone: float = 0.003
    gateway_twice: float = 0.006
    llm_row_twice: float = 0.003
    llm_row_late: float = 0.01
    long_answers: float = 0.004
    closed_while_streaming: bool = True
    incidents: bool = True
    text_scale: float = 0.7
    documents: bool = True
    hidden_deployment: str = ""  # its tokens are never logged


FLAWS: dict[str, Flaws] = {
    "default": Flaws(),
    "languages": Flaws(),
    "unseen-model": replace(Flaws(), hidden_deployment="brand-new"),
    # Bodies are unlimited here, so texts are short; otherwise event streams would fill the folder.
    "complete": Flaws(
        body_limit=NO_LIMIT,
        entry_limit=NO_LIMIT,
        body_logging_off=False,
        bodies_lost=0,
        llm_rows_lost=0,
        llm_logging_partial=False,
        stream_without_usage=False,
        stream_zero_tokens=0,
        llm_rows_alone=0,
        gateway_twice=0,
        llm_row_twice=0,
        llm_row_late=0,
        long_answers=0,
        closed_while_streaming=False,
        incidents=False,
        text_scale=0.4,
        documents=False,
    ),
}


@dataclass(frozen=True)
class Window:
    """From ``start`` (inclusive) to ``end`` (exclusive), in UTC."""

    start: datetime
    end: datetime

    def holds(self, moment: datetime) -> bool:
        return self.start <= moment < self.end


@dataclass(frozen=True)
class Windows:
    """The incidents of a period. ``None`` means a period without incidents."""

    gap: Window  # no record at all
    sampling: Window  # the diagnostic kept half of the requests
    llm_logging_off: Window  # the v1 API was not yet set to log messages
    backend_trouble: Window  # the first backend refused most requests

    SAMPLING_SHARE = 0.5


def windows(first: datetime, days: int) -> Windows:
    """The incident times of a period: during a working day if the period has one."""

    def during(share: float, start: int, hours: int) -> Window:
        day = min(int(days * share), days - 1)
        while (first + timedelta(days=day)).weekday() >= 5 and day + 1 < days:
            day += 1
        begin = first + timedelta(days=day, hours=start)
        return Window(begin, begin + timedelta(hours=hours))

    return Windows(
        gap=during(0.42, 2, 3),
        sampling=during(0.6, 8, 8),
        llm_logging_off=Window(first, first + timedelta(hours=max(2, round(days * 24 * 0.06)))),
        backend_trouble=during(0.72, 13, 2),
    )
