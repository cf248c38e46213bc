"""The documented cases and the query library on a real cluster or Kusto's emulator: ``make kusto CLUSTER=…``.

Sample logs go into the tables of the database with ``.set-or-append``, then each library query is asked there and of a
lake made from the same logs. It writes only those tables; give it a database of its own.
"""

from __future__ import annotations

import argparse
import json
import sys
import tempfile
from collections.abc import Callable, Iterator
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, TypeVar

from aoai_analytics.engines import connect
from aoai_analytics.engines.credentials import credential_for
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import AoaiError
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.library import library
from aoai_analytics.sample import write_sample
from aoai_analytics.schema.tables import READ_TABLES
from tests.kql.conformance import Documented, documented
from tests.kql.second import comparable, local_answer

T = TypeVar("T")

#: Bytes of one command's rows.
_BATCH = 400_000
_EMULATOR = ("http://localhost", "http://127.0.0.1")


@dataclass
class Report:
    """What was asked, and what differs: name -> how."""

    asked: int = 0
    different: dict[str, str] = field(default_factory=dict)

    def __str__(self) -> str:
        lines = [f"{self.asked - len(self.different)} of {self.asked} agree"]
        return "\n".join([*lines, *(f"  {name}: {how}" for name, how in self.different.items())])


def client_of(cluster: str) -> Any:
    """A client of the cluster at a URL; the emulator knows no sign-in."""
    from azure.kusto.data import KustoClient, KustoConnectionStringBuilder

    if cluster.startswith(_EMULATOR):
        return KustoClient(KustoConnectionStringBuilder.with_no_authentication(cluster))
    return KustoClient(KustoConnectionStringBuilder.with_azure_token_credential(cluster, credential_for(None)))


def _tried(ask: Callable[[], T]) -> T:
    """What *ask* gives, at the third try at the latest where the network fails."""
    from azure.kusto.data.exceptions import KustoNetworkError

    for _ in range(2):
        try:
            return ask()
        except KustoNetworkError:
            continue
    return ask()


def _command(client: Any, database: str, command: str) -> None:
    """Run a command; one that appends is not tried again, since it may have been done."""
    if command.startswith(".set-or-append"):
        client.execute_mgmt(database, command)
    else:
        _tried(lambda: client.execute_mgmt(database, command))


def answered(client: Any, database: str, kql: str) -> list[list[Any]]:
    """The first table's rows as plain JSON values. Raises the client's errors."""
    table = _tried(lambda: client.execute_query(database, kql)).primary_results[0]
    kinds = [column.column_type for column in table.columns]
    return [[_plain(value, kind) for value, kind in zip(row, kinds, strict=True)] for row in table.raw_rows]


def _plain(value: Any, kind: str) -> Any:
    if kind == "dynamic" and isinstance(value, str) and value:
        try:
            return json.loads(value)
        except ValueError:
            return value
    if kind == "decimal" and isinstance(value, str):
        return float(value)
    if kind == "bool" and value in (0, 1):
        return bool(value)
    return "" if kind == "string" and value is None else value


def conformance(client: Any, database: str, cases: list[Documented]) -> Report:
    """Each documented case, asked of the cluster."""
    report = Report()
    for case in cases:
        report.asked += 1
        try:
            rows = answered(client, database, case.query)
        except Exception as error:
            report.different[f"{case}: {case.query}"] = f"refused: {str(error).splitlines()[0][:200]}"
            continue
        if comparable(rows) != comparable(case.rows):
            report.different[f"{case}: {case.query}"] = f"documented {case.rows}, answered {rows}"
    return report


def sample_lake(folder: Path, requests: int) -> LocalEngine:
    """A lake of sample logs."""
    write_sample(folder / "sample", requests=requests, days=2, seed=7)
    lake = Lake.create(folder / "lake")
    ingest([folder / "sample" / "logs"], lake)
    recompute(lake)
    return LocalEngine(lake, str(lake.path))


def load(client: Any, database: str, lake: LocalEngine) -> int:
    """Put the lake's logs into tables of the database, which are made where they are missing; how many rows."""
    count = 0
    there = {
        str(row[0]) for row in _tried(lambda: client.execute_mgmt(database, ".show tables")).primary_results[0].raw_rows
    }
    for name, table in READ_TABLES.items():
        schema = ", ".join(f"['{column}']: {kind}" for column, kind in table.columns.items())
        if name not in there:
            _command(client, database, f".create-merge table {name} ({schema})")
        answer = local_answer(*lake.arrow(f"{name} | project {', '.join(table.columns)}", {}))
        verb = ".set-or-replace"
        for rows in _batches(answer.rows, list(table.columns.values())):
            _command(client, database, f"{verb} {name} <| datatable({schema})[\n{rows}\n]")
            verb = ".set-or-append"
        count += len(answer.rows)
    return count


def _batches(rows: list[list[Any]], kinds: list[str]) -> Iterator[str]:
    batch: list[str] = []
    for row in rows:
        batch.append(", ".join(_literal(value, kind) for value, kind in zip(row, kinds, strict=True)))
        if sum(map(len, batch)) > _BATCH:
            yield ",\n".join(batch)
            batch = []
    if batch:
        yield ",\n".join(batch)


def _literal(value: Any, kind: str) -> str:
    if kind == "string":
        return json.dumps(value or "", ensure_ascii=False)
    if value is None:
        return f"{kind}(null)"
    if kind == "dynamic":
        return f"dynamic({json.dumps(value, ensure_ascii=False)})"
    return str(value).lower() if kind == "bool" else f"{kind}({value})"


def queries(cluster: str, database: str, lake: LocalEngine, names: list[str]) -> Report:
    """Each library query, asked of the cluster and of the lake."""
    report = Report()
    there = connect(f"kusto://contoso/{database}", endpoint=cluster)
    for query in library():
        if names and query.name not in names:
            continue
        report.asked += 1
        try:
            one, other = there.query(query.text), lake.query(query.text)
        except AoaiError as error:
            report.different[query.name] = f"refused: {str(error)[:200]}"
            continue
        if list(one.types.items()) != list(other.types.items()):
            report.different[query.name] = f"columns {one.types} there, {other.types} here"
        elif (differing := _differing(one.frame, other.frame)) is not None:
            report.different[query.name] = differing
    there.close()
    return report


def _differing(one: Any, other: Any) -> str | None:
    rows = [
        comparable(json.loads(frame.to_json(orient="values", date_format="iso", date_unit="us")), 9)
        for frame in (one, other)
    ]
    if rows[0] == rows[1]:
        return None
    ordered = [sorted(map(json.dumps, found)) for found in rows]
    if ordered[0] == ordered[1]:
        return "the same rows in another order"
    lost = len(set(ordered[1]) - set(ordered[0]))
    return f"{len(rows[0])} rows there, {len(rows[1])} here; {lost} of ours are not there"


def main(words: list[str] | None = None) -> int:
    """Run both parts and print what differs; 1 where anything does."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("cluster", help="https://NAME.REGION.kusto.windows.net, or http://localhost:8080")
    parser.add_argument("--database", default="NetDefaultDB")
    parser.add_argument("--requests", type=int, default=300, help="sample requests")
    parser.add_argument("--page", action="append", default=[], help="only the cases of this page")
    parser.add_argument("--query", action="append", default=[], help="only this library query")
    options = parser.parse_args(words)
    if not options.cluster.startswith(("http://", "https://")):
        parser.error("CLUSTER is a URL: https://NAME.REGION.kusto.windows.net, or http://localhost:8080")
    client = client_of(options.cluster)
    cases = [case for case in documented() if not options.page or case.page in options.page]
    documented_cases = conformance(client, options.database, cases)
    print(f"Documented cases: {documented_cases}")
    with tempfile.TemporaryDirectory() as folder:
        lake = sample_lake(Path(folder), options.requests)
        print(f"{load(client, options.database, lake):,} sample records loaded into {options.database}")
        asked = queries(options.cluster, options.database, lake, options.query)
        lake.close()
    print(f"Library queries: {asked}")
    return bool(documented_cases.different or asked.different)


if __name__ == "__main__":
    sys.exit(main())
