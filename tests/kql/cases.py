"""Cases of the queries: a few requests and the answer worked out by hand, as readable tables.

``cases/SECTION/NAME.txt`` holds the cases of the query SECTION/NAME. Each has a heading (a sentence), a table of
requests, one or more lines ``=> parameter=value, …`` each followed by the rows expected of the query so asked::

    # Known tokens are summed
    TimeGenerated    | SubscriptionId | PromptTokens | CompletionTokens
    2026-11-02 08:00 | sub-a          | 100          | 20

    => topN=1
    SubscriptionId | TotalTokens
    sub-a          | 120

A request's other columns have the values of ``USUAL``: a success that the LLM log tells all of; User and the
sums of errors follow as in AoaiRequests. ``null`` is an unknown value. The expected table names every column of the
answer, in order; a column ``…`` says that those from there on are of no concern to this case.
"""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import dataclass
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pyarrow as pa

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.format.numbers import is_missing
from aoai_analytics.lake.delta import Lake
from aoai_analytics.schema.tables import REQUESTS

FOLDER = Path(__file__).parent / "cases"
REST = "…"

USUAL: dict[str, Any] = {
    "ApiId": "azure-openai",
    "OperationId": "ChatCompletions_Create",
    "Surface": "chat",
    "CallerIpAddress": "203.0.113.1",
    "SubscriptionId": "sub-a",
    "ProductId": "gold",
    "DeploymentName": "chat-prod",
    "ModelName": "gpt-4o",
    "ModelVersion": "2024-08-06",
    "BackendId": "pool",
    "BackendHost": "aoai-1",
    "ResponseCode": 200,
    "BackendResponseCode": 200,
    "Outcome": "success",
    "IsStream": False,
    "CacheHit": False,
    "FailedOver": False,
    "Attempts": 1,
    "TokenSource": "llm-log",
    "BodyState": "full",
    "Region": "East US",
    "PromptTokensError": 0.0,
    "CompletionTokensError": 0.0,
    "PromptTokensSharedError": 0.0,
    "CompletionTokensSharedError": 0.0,
}
_TOKENS = ("PromptTokens", "CachedTokens", "CompletionTokens", "ReasoningTokens", "TotalTokens")
_ERRORS = tuple(name for name in USUAL if name.endswith("Error"))


@dataclass(frozen=True)
class Asked:
    """One asking of a case's query: its parameters, and the columns and rows expected (cells as text)."""

    parameters: dict[str, str]
    columns: list[str]
    rows: list[list[str]]


@dataclass(frozen=True)
class Case:
    """Requests (column -> text, one dict a request) and what a query answers of them."""

    query: str
    title: str
    requests: list[dict[str, str]]
    asked: list[Asked]

    def __str__(self) -> str:
        return f"{self.query}: {self.title}"


def cases() -> Iterator[Case]:
    """All cases, in order of their files. Raises ValueError where a file is no such text."""
    for path in sorted(FOLDER.glob("*/*.txt")):
        query = f"{path.parent.name}/{path.stem}"
        found = [part for part in ("\n" + path.read_text("utf-8")).split("\n# ") if part.strip()]
        for part in found:
            title, _, body = part.partition("\n")
            given, *answers = body.split("\n=>")
            if not answers:
                raise ValueError(f"{path}: '{title}' expects nothing")
            columns, rows = _table(given, path)
            asked = []
            for answer in answers:
                first, _, table = answer.partition("\n")
                pairs = [pair.partition("=") for pair in first.split(", ") if pair.strip()]
                asked.append(Asked({name.strip(): value.strip() for name, _, value in pairs}, *_table(table, path)))
            yield Case(query, title.strip(), [dict(zip(columns, row, strict=True)) for row in rows], asked)


def _table(text: str, path: Path) -> tuple[list[str], list[list[str]]]:
    lines = [[cell.strip() for cell in line.split("|")] for line in text.strip("\n").split("\n") if line.strip()]
    if not lines:
        return [], []
    for line in lines:
        if len(line) != len(lines[0]):
            raise ValueError(f"{path}: {len(line)} cells below {len(lines[0])} columns: {' | '.join(line)}")
    return lines[0], lines[1:]


def engine_over(requests: list[dict[str, Any]], folder: Path, functions: dict[str, str] | None = None) -> LocalEngine:
    """An engine over a new lake in *folder* that holds *requests* (column -> value, or its text)."""
    rows = [_request(number, request) for number, request in enumerate(requests, 1)]
    lake = Lake.create(folder)
    if rows:
        table = pa.Table.from_pylist(rows, schema=REQUESTS.arrow_schema())
        lake.replace_dates(REQUESTS.name, table, sorted({row["date"] for row in rows}))
    return LocalEngine(lake, str(folder), functions)


def _request(number: int, given: dict[str, Any]) -> dict[str, Any]:
    """A request's row: what is given, else what is usual; a sum of tokens that is not given follows from its parts."""
    unknown = set(given) - set(REQUESTS.columns)
    if unknown:
        raise ValueError(f"there is no column {', '.join(sorted(unknown))}")
    row: dict[str, Any] = {name: "" if kind == "string" else None for name, kind in REQUESTS.columns.items()}
    row |= USUAL | {"CorrelationId": f"r{number}"}
    row |= {name: value_of(value, REQUESTS.columns[name]) for name, value in given.items()}
    if row["TokenSource"] == "not-billed":
        row |= {name: 0 for name in _TOKENS if name not in given}
    if row["TokenSource"] == "none":
        row |= dict.fromkeys(_ERRORS)
    if "TotalTokens" not in given and None not in (row["PromptTokens"], row["CompletionTokens"]):
        row["TotalTokens"] = row["PromptTokens"] + row["CompletionTokens"]
    if not given.get("User"):
        row["User"] = row["EndUserId"] or row["UserId"] or row["CallerIpAddress"]
    if None not in (errors := [row[name] for name in _ERRORS]):
        row["TokensOwnVariance"] = errors[0] ** 2 + errors[1] ** 2
        row["TokensSharedError"] = errors[2] + errors[3]
    row["date"] = row["TimeGenerated"].date().isoformat()
    return row


def value_of(cell: Any, kind: str) -> Any:
    """A cell's text as a value of the Kusto type *kind*; ``null`` is None, but in a string, which is never null."""
    if not isinstance(cell, str):
        return cell
    if kind == "string":
        return cell
    if cell == "null":
        return None
    if kind == "datetime":
        return datetime.fromisoformat(cell).replace(tzinfo=UTC)
    if kind == "bool":
        return {"true": True, "false": False}[cell]
    return int(cell) if kind in ("int", "long") else float(cell)


def plain(value: Any, kind: str) -> Any:
    """A value of a result's frame as ``value_of`` gives it."""
    if is_missing(value):
        return "" if kind == "string" else None
    if kind == "string":
        return value
    if kind == "datetime":
        return value.to_pydatetime()
    return {"bool": bool, "int": int, "long": int, "real": float}[kind](value)


def same(one: Any, other: Any) -> bool:
    """Equal; real numbers but for what they lose in the last digits."""
    if isinstance(one, float) and isinstance(other, float):
        return math.isclose(one, other, rel_tol=1e-9, abs_tol=1e-9)
    return bool(one == other)
