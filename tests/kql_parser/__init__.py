"""Microsoft's own KQL parser, for tests: does a query parse, and do its names and types hold?

The parser is the npm package ``@kusto/language-service-next``; ``make test`` installs it beside this file. It takes
minutes of a core for all queries, so ``recorded.json`` holds what it said of each, under a digest of the query and its
database: only what is new, and one of 32 of the rest, is parsed. ``python -m tests.kql_parser`` records what is new and
forgets what no test asks. A test whose query is not recorded skips where node or the package is missing.
"""

from __future__ import annotations

import hashlib
import json
import shutil
import subprocess
from collections.abc import Mapping
from dataclasses import dataclass
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.schema.tables import READ_TABLES
from tests.recorder import ASKED_AGAIN, Recorder

HERE = Path(__file__).parent
KQL = HERE.parents[1] / "kql"
RECORDER = Recorder(HERE / "recorded.json", "parser", "KQL_PARSER_RECORDED_INTO")
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
    Skips the calling test where the parser is missing and a query is not recorded.
    """
    database = {
        "tables": {name: dict(columns) for name, columns in tables.items()},
        "functions": dict(semantic_layer() if functions is None else functions),
    }
    keys = {name: _digest({**database, "query": text}) for name, text in queries.items()}
    found = {name: recorded()[key] for name, key in keys.items() if key in recorded() and not _is_asked_again(key)}
    if asked := {name: text for name, text in queries.items() if name not in found}:
        if reason := missing():
            pytest.skip(reason)
        found |= _parsed({**database, "queries": asked})
    for name, key in keys.items():
        assert found[name] == recorded().get(key, found[name]), f"the parser says otherwise of {name} than recorded"
        RECORDER.note(key, found[name])
    return {
        name: Analysis(
            [Diagnostic(**each) for each in found[name]["diagnostics"]],
            None if found[name]["columns"] is None else dict(found[name]["columns"]),
        )
        for name in queries
    }


@cache
def recorded() -> Mapping[str, Any]:
    """Key -> what the parser said; nothing where the parser that the project names is another than the recorded one."""
    return RECORDER.answers(digest())


def digest() -> str:
    """A digest of what decides an answer besides its query and database: the package's version and our script."""
    return _digest([(HERE / name).read_text("utf-8") for name in ("package-lock.json", "analyse.js")])


def _is_asked_again(key: str) -> bool:
    return key.startswith(ASKED_AGAIN) and missing() is None


def _digest(value: Any) -> str:
    return hashlib.sha256(json.dumps(value).encode()).hexdigest()[:24]


def _parsed(job: Mapping[str, Any]) -> dict[str, Any]:
    parser = _parser()
    assert parser.stdin and parser.stdout
    parser.stdin.write(json.dumps(job) + "\n")
    parser.stdin.flush()
    answers = parser.stdout.readline()
    assert answers, f"the KQL parser failed on one of {', '.join(job['queries'])}; its error is on standard error"
    return dict(json.loads(answers))


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
