"""Planted text comes out of no query without --show-prompts, however the query is written, in no format.

A few dozen queries by default; ``make faults`` asks ten thousand.
"""

from __future__ import annotations

import io
import os
import random
import sys
import time
import zipfile
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pyarrow.parquet as pq
import pytest

from aoai_analytics.cli.output import write
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import AoaiError
from aoai_analytics.prompts import ask

from .planting import leaks, plant, query

MINUTES = float(os.environ.get("FAULTS_MINUTES", "0"))
QUERIES = int(os.environ.get("FAULTS_QUERIES", "10000" if MINUTES else "30"))
FORMATS = ("table", "csv", "json", "html", "xlsx", "parquet")


@pytest.fixture(scope="module")
def planted(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    lake = plant(tmp_path_factory.mktemp("planted") / "lake")
    engine = LocalEngine(lake, "planted")
    yield engine
    engine.close()


def written(path: Path) -> str:
    """All that a file says: a spreadsheet's parts and a Parquet file's rows unpacked."""
    content = path.read_bytes()
    if path.suffix == ".xlsx":
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            return "\n".join(book.read(name).decode("utf-8") for name in book.namelist())
    if path.suffix == ".parquet":
        return str(pq.read_table(io.BytesIO(content)).to_pydict())
    return content.decode("utf-8")


def said(engine: LocalEngine, kql: str, folder: Path) -> tuple[str, Iterator[tuple[str, str]]]:
    """Whether a query was answered, and what each format, warning or error says of it."""
    try:
        asked = ask(engine, kql)
    except AoaiError as error:
        return "refused", iter([("error", str(error))])

    def outputs() -> Iterator[tuple[str, str]]:
        yield "warnings", "\n".join([*asked.result.warnings, asked.note])
        for form in FORMATS:
            path = folder / f"out.{form if form != 'table' else 'txt'}"
            write(asked.result, form, path, "UTC", units=asked.units)
            yield form, written(path)

    return "hidden" if asked.texts_hidden else "shown", outputs()


def test_no_query_shows_planted_text_in_any_format(
    planted: LocalEngine, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    seed = int(time.time()) if MINUTES else 5
    files = planted._lake.files("AoaiMessages")
    counts: Counter[str] = Counter()
    found: list[str] = []
    for number in range(QUERIES):
        kql = query(random.Random(f"{seed}-{number}"), files)
        try:
            how, outputs = said(planted, kql, tmp_path)
            counts[how] += 1
            found += [f"{place} of: {kql}" for place, text in outputs if leaks(text)]
        except Exception as error:  # unforeseen, and no answer either
            found.append(f"{type(error).__name__} {str(error)[:200]} of: {kql}")
    print(f"{QUERIES} queries, seed {seed}: {dict(counts)}", file=sys.stderr)
    assert not found, "\n\n".join(found[:20])
    assert counts["hidden"] > QUERIES / 5 and counts["shown"]
