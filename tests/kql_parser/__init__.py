"""Microsoft's own KQL parser, for tests: does a query parse, and do its names and types hold?

The parser is the npm package ``@kusto/language-service-next``; ``make test`` installs it beside this file. A test that
asks for an analysis skips where node or the package is missing.
"""

from __future__ import annotations

import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path

import pytest

from aoai_analytics.schema.tables import READ_TABLES

HERE = Path(__file__).parent
KQL = HERE.parents[1] / "kql"
LOG_COLUMNS = {name: table.workspace_columns for name, table in READ_TABLES.items()}


@dataclass(frozen=True)
class Diagnostic:
    """What the parser has to say about a place in a query; ``line`` and ``column`` count from 1."""

    severity: str
    code: str
    message: str
    line: int
    column: int
    text: str

    def __str__(self) -> str:
        return f"{self.line}:{self.column}: {self.severity} {self.code}: {self.message} ({self.text!r})"


@dataclass(frozen=True)
class Analysis:
    """Diagnostics of a query, and its result's columns (name -> KQL type, in order), None where it is not tabular."""

    diagnostics: list[Diagnostic]
    columns: dict[str, str] | None


def missing() -> str | None:
    """The name of the program or package that is not here, with how to get it; None where both are."""
    if shutil.which("node") is None:
        return "needs node (Node.js)"
    if not (HERE / "node_modules/@kusto/language-service-next").is_dir():
        return "needs the npm package @kusto/language-service-next: npm ci --prefix tests/kql_parser"
    return None


def semantic_layer() -> dict[str, str]:
    """The semantic layer's functions: name -> body, from ``kql/functions/*.kql``."""
    return {path.stem: path.read_text("utf-8") for path in sorted((KQL / "functions").glob("*.kql"))}


def analyse(
    queries: Mapping[str, str],
    *,
    tables: Mapping[str, Mapping[str, str]] = LOG_COLUMNS,
    functions: Mapping[str, str] | None = None,
) -> dict[str, Analysis]:
    """Analyse queries (name -> KQL) in a database of ``tables`` and ``functions``.

    By default the database is a Log Analytics workspace: the two log tables and the semantic layer's functions.
    Skips the calling test where the parser is missing.
    """
    if reason := missing():
        pytest.skip(reason)
    job = {
        "tables": {name: dict(columns) for name, columns in tables.items()},
        "functions": dict(semantic_layer() if functions is None else functions),
        "queries": dict(queries),
    }
    parser = _parser()
    assert parser.stdin and parser.stdout
    parser.stdin.write(json.dumps(job) + "\n")
    parser.stdin.flush()
    answers = parser.stdout.readline()
    assert answers, f"the KQL parser failed on one of {', '.join(queries)}; its error is on standard error"
    return {
        name: Analysis(
            [Diagnostic(**found) for found in answer["diagnostics"]],
            None if answer["columns"] is None else dict(answer["columns"]),
        )
        for name, answer in json.loads(answers).items()
    }


@cache
def _parser() -> subprocess.Popen[str]:
    """The parser's process, which serves all tests of this one: it takes longer to start than to read a query."""
    pipe = subprocess.PIPE
    return subprocess.Popen(["node", "analyse.js"], cwd=HERE, stdin=pipe, stdout=pipe, text=True, encoding="utf-8")


def diagnostics(queries: Mapping[str, str]) -> dict[str, list[Diagnostic]]:
    """What the parser says about each query (name -> KQL) in a Log Analytics workspace; an empty list is a good query.

    Skips the calling test where the parser is missing.
    """
    return {name: analysis.diagnostics for name, analysis in analyse(queries).items()}
