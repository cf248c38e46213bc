"""Every tile of the workbook asked with its whole text, and held against the library's own answer: a table to read.

    python -m tests.export.workbook_tiles LAKE START END [--stored] [-o FILE]

The whole text takes the local engine some ten seconds a tile to read; ``--stored`` leaves out what the lake stores.
"""

from __future__ import annotations

import argparse
import dataclasses
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from aoai_analytics.engines.kql.parameters import bind
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.engines.protocol import QueryResult
from aoai_analytics.export.workbook import workbook
from aoai_analytics.export.workbook.filling import Chosen, filled, grain, parameters, steps
from aoai_analytics.export.workbook.kpis import folded
from aoai_analytics.export.workbook.layout import TABS, Tile
from aoai_analytics.export.workbook.parameters import CHOICES
from aoai_analytics.export.workbook.steps import KEY, PRICES, shown_as, with_matrix
from aoai_analytics.library import library
from tests.export.conftest import coded, same_rows


def tiles() -> Iterator[tuple[str, Tile]]:
    """Every tile of the layout with the name of its step."""
    for tab in TABS:
        for view in tab.views:
            where = f"{tab.name} {view.name}"
            for tile in view.tiles:
                yield step_name(where, tile), tile
            for parameter, title, more in view.opens:
                for tile in more or (Tile("prompts/conversation", values={"correlationId": parameter}),):
                    yield step_name(f"{where} {title}", tile), tile


def step_name(where: str, tile: Tile) -> str:
    return f"{where} {tile.query}{' share' if shown_as(tile) == 'pie' else ''}"


def selected(engine: LocalEngine, start: datetime, end: datetime) -> tuple[str, str]:
    """A user with many requests, and one of the requests whose text is logged."""
    busiest = "AoaiRequests | summarize N = count() by User | sort by N desc, User asc | take 1"
    user = engine.query(busiest, start=start, end=end).frame["User"][0]
    texts = "AoaiMessages | where isnotempty(Prompt) and isnotempty(Response) | sort by CorrelationId asc | take 1"
    return str(user), str(engine.query(texts, start=start, end=end).frame["CorrelationId"][0])


def values_of(user: str, request: str) -> dict[str, str]:
    """The parameters that clicks set, as though this user and this request had been selected."""
    names = {name for _, tile in tiles() for name in tile.values.values()} | {tile.sets for _, tile in tiles()}
    requests = {name: coded(request) for name in names if name.endswith("Request")}
    return {"SelectedUser": coded(user), **requests}


def asked_of_library(tile: Tile, start: datetime, end: datetime, user: str, request: str) -> str:
    """The library's query with the values that the tile has, and folded as the tile shows it."""
    query = PRICES if tile.query == "prices" else library().get(tile.query)
    given: dict[str, Any] = {name: CHOICES[by].default for name, by in tile.values.items() if by in CHOICES}
    if "step" in query.parameters:
        given["step"] = grain(end - start)
    if "user" in tile.values and tile.values["user"] == "SelectedUser":
        given["user"] = user
    if "correlationId" in tile.values:
        given["correlationId"] = request
    kql = bind(query.text, given).rstrip()
    if shown_as(tile) == "kpi":
        kql += "\n" + folded(tile.query)
    elif shown_as(tile) == "matrix":
        kql = with_matrix(kql, query)
    return kql


def expected(engine: LocalEngine, tile: Tile, start: datetime, end: datetime, user: str, request: str) -> QueryResult:
    """The library's answer, in the form in which the tile shows it."""
    return engine.query(asked_of_library(tile, start, end, user, request), start=start, end=end)


def is_equal(answer: QueryResult, library_answer: QueryResult) -> bool:
    """Whether a tile's rows are the library's; the column that clicks use aside."""
    frame = answer.frame.drop(columns=[KEY], errors="ignore")
    return same_rows(dataclasses.replace(answer, frame=frame), library_answer)


def main() -> None:
    arguments = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    arguments.add_argument("lake")
    arguments.add_argument("start", type=datetime.fromisoformat)
    arguments.add_argument("end", type=datetime.fromisoformat)
    arguments.add_argument("--stored", action="store_true")
    arguments.add_argument("-o", dest="output", type=Path)
    given = arguments.parse_args()
    start, end = given.start.replace(tzinfo=UTC), given.end.replace(tzinfo=UTC)
    engine = LocalEngine.open(given.lake)
    user, request = selected(engine, start, end)
    made = workbook()
    texts = {step["name"]: step["content"]["query"] for step in steps(made["items"]) if step["type"] == 3}
    chosen = Chosen(start, end, values_of(user, request), stored=given.stored, computed=given.stored)
    within = {"start": start, "end": end} if given.stored else {}
    lines = ["| tile | query | rows | equal |", "|---|---|---|---|"]
    for name, tile in tiles():
        answer = engine.query(filled(texts[name], parameters(made), chosen), **within)
        equal = "its own"
        if tile.query != "prices":
            equal = "yes" if is_equal(answer, expected(engine, tile, start, end, user, request)) else "NO"
        lines.append(f"| {name} | {tile.query} | {len(answer.frame)} | {equal} |")
        print(lines[-1], flush=True)
        if given.output:
            given.output.write_text("\n".join(lines) + "\n", encoding="utf-8")


if __name__ == "__main__":
    main()
