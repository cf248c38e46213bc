"""Where a query can run, and what the services would do otherwise than a lake: read without being run."""

from __future__ import annotations

import time
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import Any

from ..errors import QueryError
from ..lake.delta import Lake
from ..lake.own import own_tables
from .dialect import dynamic_names
from .dialect.adapter import arities
from .dialect.naming import kql_name
from .dialect.plugins import INSTEAD, NOT_LOCAL
from .kql.classic import newer
from .kql.elsewhere import here
from .kql.flow import catalogue, checked, sources, undefined
from .kql.functions import definitions, shipped_functions
from .kql.inlining import scoped
from .kql.placeholders import with_lets
from .kql.several import first_table
from .kql.tree import Node, bare, call, named, read, stages, statements
from .kql.words import lacking, listed
from .lenient import refused
from .local import LocalEngine

#: What Azure Data Explorer has and Log Analytics has not: grammar rule -> word, and functions.
#: https://learn.microsoft.com/azure/azure-monitor/logs/log-query-overview (differences of KQL)
_NOT_IN_WORKSPACE = {"AliasDatabaseStatement": "alias", "DeclareQueryParametersStatement": "declare query_parameters"}
_NOT_IN_WORKSPACE_FUNCTIONS = frozenset(("cluster", "current_principal", "database", "extent_id", "extent_tags"))
#: https://learn.microsoft.com/azure/azure-monitor/alerts/alerts-log-query and …/alerts-create-log-alert-rule
_NOT_IN_ALERTS = {"UnionOperator": "union", "SearchOperator": "search", "FindOperator": "find", "TakeOperator": "take"}
_NOT_IN_ALERTS_PLUGINS = frozenset(("bag_unpack", "narrow", "pivot"))
#: https://learn.microsoft.com/azure/azure-monitor/logs/basic-logs-query
_SEVERAL_TABLES = {"UnionOperator": "union", "JoinOperator": "join", "SearchOperator": "search", "FindOperator": "find"}
#: What leaves few rows.
_FEW = listed(
    """CountOperator DistinctOperator GetSchemaOperator MakeSeriesOperator SampleOperator SummarizeOperator TakeOperator
    TopHittersOperator TopNestedOperator TopOperator"""
)
#: Rows that the portal shows, and rows and bytes that one call returns; a query's text in bytes is believed only.
#: https://learn.microsoft.com/azure/azure-monitor/service-limits
PORTAL_ROWS, ROWS, RESULT_BYTES, TEXT_BYTES = 30_000, 500_000, 64 * 2**20, 2_000_000

#: How long to look for types that only a lake takes.
_SECONDS = 4.0


@dataclass(frozen=True)
class Verdict:
    """Where a query runs: what a lake ``lacks``, and ``notes`` on what Azure does otherwise."""

    lacks: tuple[str, ...]
    notes: tuple[str, ...]


def verdict(kql: str, own: Mapping[str, Mapping[str, str]] | None = None) -> Verdict:
    """What in *kql* a lake and the services treat differently. *own* are the user's tables: name -> column -> type.

    Raises QueryError for what runs nowhere: a syntax error, or a column, table or function that is not there.
    """
    own = own or {}
    local, elsewhere = here(kql)
    local, several = first_table(local)
    lacks = tuple(_lacks(read(local)))
    if not lacks:
        checked(newer(local), catalogue(shipped_functions(), own), arities())
    notes = [*elsewhere, *several, *_own(local, own), *_other(read(kql)), *_types(local), *_size(local)]
    return Verdict(lacks, (*notes, *_plans(read(local))))


def verdict_of(kql: str, values: Mapping[str, Any], source: str) -> Verdict:
    """The ``verdict`` on *kql* with *values* for its parameters, and where a lake takes types that Azure refuses.

    A lake at *source* lends its own tables. Raises QueryError.
    """
    text, _ = with_lets(kql, values, undefined(kql))
    tables = own_tables(Lake(source)) if "://" not in source and Path(source).is_dir() else {}
    own = {name: table.columns for name, table in tables.items()}
    found = verdict(text, own)
    return found if found.lacks else Verdict((), (*_lenient(first_table(here(text)[0])[0], own), *found.notes))


def _at(node: Node, what: str) -> str:
    line, column = node.place
    return f"line {line}, column {column}: {what}"


def _lacks(root: Node) -> Iterator[str]:
    for node in root.walk():
        if node.kind in NOT_LOCAL:
            yield _at(node, f"a lake cannot run {NOT_LOCAL[node.kind]}")
        elif node.kind == "EvaluateOperator":
            name = next((call(rule) for rule in node.rules if call(rule)), "").lower()
            if name in INSTEAD:
                yield _at(node, f"a lake has no plugin '{name}'; {INSTEAD[name]}")
        elif way := lacking(call(node).lower(), arities()):
            yield _at(node, f"a lake has no function '{call(node)}'; {way}")


def _own(kql: str, own: Mapping[str, Mapping[str, str]]) -> Iterator[str]:
    for name in sorted(sources(kql) & own.keys()):
        yield f"{name} is a table of this lake: a workspace has it only if you upload it there"


def _other(root: Node) -> Iterator[str]:
    """What Log Analytics lacks of Azure Data Explorer."""
    for node in root.walk():
        name = _NOT_IN_WORKSPACE.get(node.kind) or (f"{call(node)}()" * (call(node) in _NOT_IN_WORKSPACE_FUNCTIONS))
        if name:
            yield _at(node, f"Azure Data Explorer has {name}, Log Analytics has not")


def _types(kql: str) -> Iterator[str]:
    """Keys of a dynamic value: a lake takes them, Azure refuses them."""
    made = {name for one in read(kql).find("NamedExpression") for name in named(one)[0]}
    dynamic = dynamic_names(kql) - made
    for clause in read(kql).find("SummarizeOperatorByClause", "SortOperator", "TopOperator"):
        for rule in clause.rules[clause.kind == "TopOperator" :]:
            key = bare(rule.rules[0] if rule.kind == "OrderedExpression" else rule)
            if key.kind == "FunctionCallOrPathPathExpression" or key.name in dynamic:
                yield _at(key, f"Azure takes no dynamic value here: write tostring({key.text})")


def _lenient(kql: str, own: Mapping[str, Mapping[str, str]]) -> list[str]:
    """Types that a lake takes and Azure refuses. What takes too long to find is left out."""
    made = "".join(
        f"let {name} = datatable({', '.join(f'{kql_name(column)}: {kind}' for column, kind in columns.items())})[]; "
        for name, columns in own.items()
        if name in sources(kql)
    )
    until = time.monotonic() + _SECONDS

    def types(text: str) -> dict[str, str] | None:
        try:
            return engine.types(made + newer(text)) if time.monotonic() < until else None
        except QueryError:
            return None

    with TemporaryDirectory() as folder:
        engine = LocalEngine(Lake.create(Path(folder) / "lake"), "types")
        try:
            return [_at(node, f"a lake takes this, Azure does not: {what}") for node, what in refused(kql, types)]
        finally:
            engine.close()


def _size(kql: str) -> Iterator[str]:
    """The size of the text with its functions, and of the result."""
    text = scoped(kql, (None, None), functions=definitions(), is_there=lambda _: False).text
    if (size := len(text.encode())) > 0.8 * TEXT_BYTES:
        yield f"the query with its functions is {size:,} bytes long; services take some {TEXT_BYTES:,}"
    operators = stages(statements(read(kql))[-1])[1:]
    takes = [node for node in operators if node.kind in ("TakeOperator", "TopOperator")]
    counts = [int(node.rules[0].text) for node in takes if node.rules[0].text.isdigit()]
    many = min(counts) > PORTAL_ROWS if counts else not any(node.kind in _FEW for node in operators)
    if many and operators:
        yield (
            f"a lake returns every row; the portal shows {PORTAL_ROWS:,}, "
            f"and one call returns {ROWS:,} rows or {RESULT_BYTES // 2**20} MB"
        )


def _plans(root: Node) -> Iterator[str]:
    """What alert rules and cheaper table plans refuse."""
    alerts, several = [], []
    for node in root.walk():
        plugin = call(node).lower() if node.kind == "NamedFunctionCallExpression" else ""
        word = _NOT_IN_ALERTS.get(node.kind) or (plugin if plugin in _NOT_IN_ALERTS_PLUGINS else "")
        alerts += [f"{word} (line {node.place[0]})"] if word else []
        if node.kind in _SEVERAL_TABLES or node.kind == "ExternalDataExpression":
            several.append(f"{_SEVERAL_TABLES.get(node.kind, 'externaldata')} (line {node.place[0]})")
    if alerts:
        yield "alert rules refuse or advise against " + ", ".join(dict.fromkeys(alerts))
    if several:
        yield "tables on the Basic or Auxiliary plan may refuse " + ", ".join(dict.fromkeys(several))
