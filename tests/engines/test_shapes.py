"""The columns of an answer, told without rows, are those that DuckDB describes with them."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor

import duckdb
import pytest

from aoai_analytics.engines import shapes
from aoai_analytics.engines.local import LocalEngine

TABLE = (("Name", "VARCHAR"), ("Tokens", "BIGINT"), ("Begun", "TIMESTAMP"), ("Bag", "JSON"))
STATEMENTS = (
    'SELECT * FROM "T"',
    'SELECT "Name", sum("Tokens") AS "Tokens", avg("Tokens") AS "Mean" FROM "T" GROUP BY ALL',
    'SELECT max("Begun") - min("Begun") AS "For", count(*) AS "Rows" FROM "T"',
    'SELECT list("Name") AS "Names", NULL AS "Nothing", 1::DECIMAL(9, 2) AS "Price", "Bag" FROM "T" GROUP BY "Bag"',
    'SELECT 1 AS "One", \'a\' AS "Text"',
)


@pytest.mark.parametrize("sql", STATEMENTS)
def test_columns_are_those_that_duckdb_describes_over_the_table(sql: str) -> None:
    with duckdb.connect() as connection:
        listed = ", ".join(f'"{name}" {kind}' for name, kind in TABLE)
        connection.execute(f'CREATE TABLE "T" ({listed})')
        described = [tuple(row[:2]) for row in connection.execute(f"DESCRIBE {sql}").fetchall()]
    assert list(shapes.Shapes().of(sql, {"T": TABLE})) == described


def test_a_table_of_other_columns_is_another_table() -> None:
    told = shapes.Shapes()
    assert told.of('FROM "T"', {"T": (("A", "BIGINT"),)}) == (("A", "BIGINT"),)
    assert told.of('FROM "T"', {"T": (("A", "VARCHAR"), ("B", "JSON"))}) == (("A", "VARCHAR"), ("B", "JSON"))
    assert told.of('FROM "T"', {"T": (("A", "BIGINT"),)}) == (("A", "BIGINT"),)


def test_what_does_not_bind_is_an_error_each_time() -> None:
    told = shapes.Shapes()
    for _ in range(2):
        with pytest.raises(duckdb.BinderException):
            told.of('SELECT "Nowhere" FROM "T"', {"T": TABLE})


def test_threads_may_ask_about_tables_of_one_name() -> None:
    told = shapes.Shapes()
    tables = [((f"C{number}", "BIGINT"),) for number in range(4)]
    with ThreadPoolExecutor(4) as pool:
        answers = list(pool.map(lambda n: told.of(f'SELECT *, {n} AS N FROM "T"', {"T": tables[n % 4]}), range(80)))
    assert [answer[0][0] for answer in answers] == [f"C{number % 4}" for number in range(80)]


def test_texts_of_the_semantic_layer_are_read_once_for_all_lakes(sample_lake, monkeypatch) -> None:
    read: list[str] = []
    known = shapes.Shapes._read

    def counted(self, sql, tables):
        read.append(sql)
        return known(self, sql, tables)

    monkeypatch.setattr(shapes.Shapes, "_read", counted)
    fresh = shapes.Shapes()
    monkeypatch.setattr("aoai_analytics.engines.views.shapes", lambda: fresh)
    # What other tests asked is remembered, by this process and beside the lake.
    monkeypatch.setattr(shapes, "recalled", lambda key, compute: compute())
    for _ in range(2):
        engine = LocalEngine.open(sample_lake)
        assert engine.query("AoaiCosts | summarize Cost = sum(Cost), Requests = count()").frame["Requests"].iloc[0] > 0
        engine.close()
    assert len(read) == len(set(read)) > 1


def test_no_more_texts_are_kept_than_fit(monkeypatch) -> None:
    monkeypatch.setattr(shapes, "_MOST", 3)
    told = shapes.Shapes()
    for number in range(9):
        told.of(f"SELECT {number} AS N", {})
    assert len(told._known) == 3
