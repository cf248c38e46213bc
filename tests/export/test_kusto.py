"""The commands for a Kusto database make tables, mappings and functions that fit each other and the logs."""

from __future__ import annotations

import json
import re
from pathlib import Path

import duckdb
import pytest

from aoai_analytics.engines import dialect
from aoai_analytics.export.kusto import LANDING, LOGS, function_command, kusto_commands
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.library import library
from aoai_analytics.sample import write_sample
from aoai_analytics.schema.tables import LOG_TABLES
from tests.kql_parser import analyse

_FUNCTION = re.compile(r"^\.create-or-alter function with \([^)]*\) (\w+)\(\) \{\n(.*?)\n\}$", re.MULTILINE | re.DOTALL)
LANDED = {LANDING: {"records": "dynamic", "record": "dynamic"}}


@pytest.fixture(scope="module")
def commands() -> list[str]:
    return kusto_commands().strip().split("\n\n")


def test_every_command_may_be_run_again(commands: list[str]) -> None:
    again = (".create-merge table ", ".create-or-alter ", ".alter-merge table ", ".alter table ")
    assert all(command.startswith(again) for command in commands)
    assert len(commands) == len(set(commands)) > 10


def test_what_lands_becomes_the_tables_columns_with_their_types(commands: list[str]) -> None:
    bodies = dict(found for command in commands for found in _FUNCTION.findall(command))
    queries = {name: bodies[f"Expand{name}"] for name in LOGS}
    for name, analysis in analyse(queries, tables=LANDED, functions={}).items():
        assert analysis.diagnostics == []
        assert analysis.columns == LOGS[name].columns


def test_the_functions_are_the_librarys_and_parse(commands: list[str]) -> None:
    bodies = dict(found for command in commands for found in _FUNCTION.findall(command))
    names = library().functions()
    assert set(bodies) == set(names) | {f"Expand{table}" for table in LOGS}
    for name, analysis in analyse({name: bodies[name] for name in names}).items():
        assert [d for d in analysis.diagnostics if d.severity == "Error"] == [], name


def test_the_mappings_are_json_that_names_each_column(commands: list[str]) -> None:
    for table in LOGS.values():
        (command,) = (c for c in commands if c.startswith(f".create-or-alter table {table.name} ingestion"))
        mapping = json.loads(command.split("'", 3)[3].rstrip("'").replace("\\'", "'"))
        assert [column["column"] for column in mapping] == list(table.columns)


def test_an_update_policy_reads_the_function_of_its_table(commands: list[str]) -> None:
    for table in LOGS:
        (command,) = (c for c in commands if c.startswith(f".alter table {table} policy update"))
        (policy,) = json.loads(command.split("'", 1)[1].rstrip("'"))
        assert (policy["Source"], policy["Query"]) == (LANDING, f"Expand{table}()")
        assert policy["IsEnabled"] and policy["IsTransactional"]


def test_a_quote_in_a_title_stays_in_its_literal() -> None:
    assert "docstring='one\\'s \\\\ own'" in function_command("F", "one's \\ own", "// a comment\nT\n| take 1")


@pytest.mark.parametrize("wrapped", [False, True], ids=["a record a line", "records in an envelope"])
def test_what_landed_gives_the_rows_that_an_ingest_gives(
    wrapped: bool, commands: list[str], tmp_path_factory: pytest.TempPathFactory
) -> None:
    folder = tmp_path_factory.mktemp("landed")
    write_sample(folder / "sample", requests=60, days=1)
    lake = Lake.create(folder / "lake")
    ingest([folder / "sample/logs"], lake)
    lines = [line for blob in sorted(Path(folder / "sample/logs").rglob("PT1H.json")) for line in _records(blob)]
    landed = [(json.dumps(lines), "{}")] if wrapped else [(None, json.dumps(line)) for line in lines]
    bodies = dict(found for command in commands for found in _FUNCTION.findall(command))
    dialect.install()
    with duckdb.connect() as connection:
        import duckdb_kql

        connection.execute("SET TimeZone='UTC'")
        dialect.register(connection)
        connection.execute(f"CREATE TABLE {LANDING} (records JSON, record JSON)")
        connection.executemany(f"INSERT INTO {LANDING} VALUES (?, ?)", landed)
        # The sample has no MCP calls.
        for table in LOG_TABLES.values():
            kept = ["CorrelationId", *(name for name in _COMPARED if name in table.columns)]
            kql = f"{bodies[f'Expand{table.name}']}\n| project {', '.join(kept)}"
            sql = duckdb_kql.to_sql(dialect.prepared(kql), schema={LANDING: ["records", "record"]})
            got = connection.execute(f"SELECT DISTINCT * FROM ({sql}) ORDER BY ALL").fetchall()
            columns = ", ".join(f"coalesce({n}, '')" if table.columns[n] == "string" else n for n in kept)
            files = lake.files(table.name)
            stored = f"SELECT DISTINCT {columns} FROM read_parquet({files}) ORDER BY ALL"
            assert got == connection.execute(stored).fetchall() and len(got) > 50


_COMPARED = ("ApiId", "Url", "CallerIpAddress", "Region", "ResponseCode", "TotalTime", "RequestSize", "LastErrorReason")
_COMPARED += ("SequenceNumber", "ModelName", "PromptTokens", "TotalTokens", "IsStreamCompletion", "Category")


def _records(blob: Path) -> list[dict[str, object]]:
    found = []
    for line in blob.read_text("utf-8").splitlines():
        try:
            found.append(json.loads(line))
        except json.JSONDecodeError:
            continue
    return found
