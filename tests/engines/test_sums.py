"""Sums of reals are the same to the last bit, whatever the number of threads and the order of rows."""

from __future__ import annotations

import math
import random
from collections.abc import Iterator

import duckdb
import pyarrow as pa
import pytest

from aoai_analytics.engines import dialect

ROWS = 400_000


def values(chance: random.Random, exponents: tuple[float, float]) -> list[float]:
    return [chance.choice((1, -0.3)) * 10 ** chance.uniform(*exponents) for _ in range(ROWS)]


@pytest.fixture(scope="module")
def connection() -> Iterator[duckdb.DuckDBPyConnection]:
    chance = random.Random(1)
    with duckdb.connect() as made:
        dialect.register(made)
        columns = {name: values(chance, exponents) for name, exponents in {"a": (-5, 2), "b": (-2, 14)}.items()}
        given = pa.table(columns)
        made.register("given", given)
        made.execute("CREATE TABLE numbers AS SELECT row_number() OVER () % 7 AS k, * FROM given")
        made.execute("CREATE TABLE shuffled AS FROM numbers ORDER BY hash(a)")
        yield made


@pytest.mark.parametrize("column", ["a", "b"])
def test_sums_of_reals_are_exact_in_any_order_on_any_number_of_threads(
    connection: duckdb.DuckDBPyConnection, column: str
) -> None:
    told = set()
    for table in ("numbers", "shuffled"):
        for threads in (1, 2, 4, 4):
            connection.execute(f"SET threads={threads}")
            told.add(
                connection.execute(
                    f"SELECT kusto_sum({column}), kusto_sumif({column}, k = 3), kusto_avg({column}), "
                    f"kusto_avgif({column}, k = 3) FROM {table}"
                ).fetchone()
            )
    rows = connection.execute(f"SELECT k, {column} FROM numbers").fetchall()
    every, some = [value for _, value in rows], [value for k, value in rows if k == 3]
    exact = (math.fsum(every), math.fsum(some), math.fsum(every) / len(every), math.fsum(some) / len(some))
    assert len(told) == 1
    assert told.pop() == pytest.approx(exact, rel=1e-15)


@pytest.mark.parametrize(
    ("given", "total"),
    [
        ([], 0.0),
        ([None], 0.0),
        ([0.0, 0.0], 0.0),
        ([1e-9, 2e-9], 3e-9),
        ([1e300, 1e-3], 1e300),
        ([1.0, math.inf], math.inf),
        ([1.0, math.nan], math.nan),
        ([-2.5, None, 0.1], -2.4),
        ([9e15, 0.5, -9e15], 0.5),
    ],
)
def test_a_sum_of_few_reals_is_what_it_is(given: list[float | None], total: float) -> None:
    with duckdb.connect() as connection:
        dialect.register(connection)
        column = pa.table({"a": pa.array(given, pa.float64())})
        connection.register("given", column)
        assert connection.execute("SELECT kusto_sum(a) FROM given").fetchone() == (pytest.approx(total, nan_ok=True),)


def test_whole_numbers_and_decimals_keep_their_types(connection: duckdb.DuckDBPyConnection) -> None:
    given = "SELECT 2::BIGINT l, 3::INTEGER i, 5::UBIGINT u, 1.5::DECIMAL(38, 12) d, 0.5::DOUBLE r"
    cells = ", ".join(f"typeof(kusto_sum({name})), typeof(kusto_sumif({name}, true))" for name in "liudr")
    kinds = connection.execute(f"SELECT {cells} FROM ({given})").fetchone()
    assert kinds == (*["HUGEINT"] * 6, *["DECIMAL(38,12)"] * 2, *["DOUBLE"] * 2)
