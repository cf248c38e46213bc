"""What a notebook's cell shows, as data: the report's head, and the answer to one question.

A cell's output carries its block under ``MIME`` beside what Jupyter shows, so that a page is rendered from
data and not from a notebook's HTML.
"""

from __future__ import annotations

from dataclasses import asdict, dataclass
from typing import Any

MIME = "application/vnd.aoai-analytics.block+json"


@dataclass(frozen=True)
class Problem:
    """Why a report's numbers may be wrong: ``where`` (a query's title), and ``what``. Plain text."""

    where: str
    what: str


@dataclass(frozen=True)
class Head:
    """What a report is made of. Texts are plain; ``numbers`` are those of kql/health/coverage-head.kql."""

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

    ``table_behind``: the table opens on request, as it only spells out a course in time. ``csv`` has the first
    ``csv_rows`` of the ``rows``; ``digest`` is the SHA-256 of the query as run.
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
    problems: tuple[Problem, ...] = ()
    kind: str = "answer"


Block = Head | Answer


def as_json(block: Block) -> dict[str, Any]:
    """The block as JSON-ready data."""
    return asdict(block)
