"""What a notebook cell shows, as data: the report's head, or the answer to one question.

A cell's output carries its block under ``MIME`` beside what Jupyter shows, so that pages and numbers come from data
and never from a notebook's HTML.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass, field
from typing import Any

MIME = "application/vnd.aoai-analytics.block+json"
PLOTLY = "application/vnd.plotly.v1+json"
#: The metadata of outputs that a page skips, as the block has the same.
SHOWN_BY_BLOCK = {"aoai_analytics": {"shown_by": "block"}}


@dataclass(frozen=True)
class Problem:
    """Why numbers may be wrong: ``where`` (a query's title) and ``what``, in plain text."""

    where: str
    what: str


@dataclass(frozen=True)
class Head:
    """A report's source, period and coverage, in plain text; ``numbers`` are those of kql/health/coverage-head.kql."""

    source: str
    period: str
    time_zone: str
    lines: tuple[str, ...]
    numbers: dict[str, Any]
    empty: bool = False
    show_prompts: bool = False
    problems: tuple[Problem, ...] = ()
    kind: str = "head"


@dataclass(frozen=True)
class Answer:
    """A question and its answer. ``figure`` is plotly's JSON without a template, or None; ``table`` is safe HTML.

    ``table_behind``: the table is folded, as there is a figure or there are ``cards``. ``csv`` has the first
    ``csv_rows`` of the ``rows``; ``digest`` is the SHA-256 of the query as run. ``totals`` are the sums, over all rows,
    of the columns that can be added up; None where no row has a value, and no totals where the result is in doubt.
    """

    name: str
    title: str
    headline: str
    question: str
    kql: str
    digest: str
    table: str
    csv: str
    csv_rows: int
    rows: int
    seconds: float
    figure: dict[str, Any] | None = None
    alt: str = ""
    note: str = ""
    table_behind: bool = False
    cards: tuple[dict[str, str], ...] = ()
    totals: dict[str, float | None] = field(default_factory=dict)
    problems: tuple[Problem, ...] = ()
    kind: str = "answer"


@dataclass(frozen=True)
class Finding:
    """A sentence with its numbers, and the query that shows more. ``mood`` is ``good``, ``bad`` or ''."""

    text: str
    query: str
    mood: str = ""
    weight: float = 0


@dataclass(frozen=True)
class Measure:
    """A number of the period in words, its change from the period before, and whether that is good (None: neither).

    ``more`` says what it counts, where that is not plain.
    """

    label: str
    value: str
    change: str = ""
    good: bool | None = None
    more: str = ""


@dataclass(frozen=True)
class Top:
    """The first of a list: rows of (name, cost, share, change); how many more there are, and their cost and share."""

    title: str
    query: str
    rows: tuple[tuple[str, str, str, str], ...]
    more: int = 0
    others: tuple[str, str] = ("", "")


@dataclass(frozen=True)
class Overview:
    """A period in brief. ``before`` names the period it is compared with, ``why_not`` says why there is none.
    ``latest`` names the part of the period that is compared, where that is not the whole; ``example`` is a period that
    could be.

    ``compared`` has by headline number what is compared, then that of the time before; empty where nothing is.
    ``numbers`` are headline numbers of the period (see ``headline``) as data; null is unknown.
    ``findings`` are the weightiest, ``wrong`` says what failed and when, ``advice`` how to save money; ``budget`` and
    ``blind`` are sentences: the state of the budgets, and what the logs cannot tell.
    """

    period: str
    before: str = ""
    latest: str = ""
    why_not: str = ""
    example: str = ""
    measures: tuple[Measure, ...] = ()
    compared: dict[str, tuple[float | None, float | None]] = field(default_factory=dict)
    numbers: dict[str, Any] = field(default_factory=dict)
    figure: dict[str, Any] | None = None
    alt: str = ""
    tops: tuple[Top, ...] = ()
    findings: tuple[Finding, ...] = ()
    wrong: tuple[Finding, ...] = ()
    advice: tuple[Finding, ...] = ()
    budget: tuple[str, ...] = ()
    blind: tuple[str, ...] = ()
    problems: tuple[Problem, ...] = ()
    empty: bool = False
    kind: str = "overview"


Block = Head | Answer | Overview


def as_json(block: Block) -> dict[str, Any]:
    """The block as JSON-ready data."""
    return asdict(block)
