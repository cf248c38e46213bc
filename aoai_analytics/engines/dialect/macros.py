"""DuckDB macros that the translated SQL calls. Each gives what Kusto documents for values of any type.

A column has no type while KQL is translated. DuckDB knows it: a macro has a form for each type, or a condition on
``typeof``, which DuckDB decides before it runs the query.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import duckdb

#: A moment as a dynamic holds it.
_MOMENT = "strftime(value, '%Y-%m-%dT%H:%M:%S.%f') || '0Z'"
#: A timespan as a dynamic holds it: [-][d.]hh:mm:ss[.fffffff].
_TIMESPAN = """
    list_transform([epoch_us(value)], lambda us: concat(
        CASE WHEN us < 0 THEN '-' END, CASE WHEN abs(us) >= 86400000000 THEN (abs(us) // 86400000000) || '.' END,
        strftime(make_timestamp(abs(us) % 86400000000), '%H:%M:%S'),
        CASE WHEN us % 1000000 <> 0 THEN '.' || lpad((abs(us) % 1000000)::VARCHAR, 6, '0') || '0' END))[1]
"""
#: Ticks of 100 ns, from the year 1 for a moment.
_TICKS = "(epoch_us(value) + 62135596800000000) * 10.0"

#: Added up as whole numbers of 1/1024 and of 2^-72, which is the same in any order of rows, and so on any number of
#: threads. DuckDB adds doubles in the order in which its threads have them. Out of these bounds it adds as it does.
_IN_BOUNDS = "max(abs(value)){0} BETWEEN 1e-6 AND 9e15"
_SUM = """(CAST(sum(TRY_CAST(trunc(value * 1024) AS BIGINT)){0} AS DOUBLE)
    + CAST(sum(TRY_CAST((value * 1024 - trunc(value * 1024)) * 4611686018427387904 AS BIGINT)){0} AS DOUBLE)
    / 4611686018427387904) / 1024"""
#: The second parameter and the filter of those that end in ``if``.
_CHOSEN = (", chosen", " FILTER (WHERE chosen)")
#: DuckDB takes a form for doubles for any number that no other form is for.
_WHOLE = ("BIGINT", "HUGEINT", "UBIGINT", "DECIMAL(38, 12)")


#: A dynamic value as a whole number, by what it holds.
_WHOLE_OF_JSON = """list_transform([value], lambda _v: CASE json_type(_v)
    WHEN 'BIGINT' THEN TRY_CAST(_v AS BIGINT)
    WHEN 'UBIGINT' THEN TRY_CAST(_v AS BIGINT)
    WHEN 'BOOLEAN' THEN CAST(CAST(_v AS BOOLEAN) AS BIGINT)
    WHEN 'DOUBLE' THEN coalesce(TRY_CAST(trunc(CAST(_v AS DOUBLE)) AS BIGINT),
        CASE WHEN CAST(_v AS DOUBLE) > 0 THEN 9223372036854775807 ELSE -9223372036854775808 END)
    WHEN 'VARCHAR' THEN CASE WHEN regexp_matches(_v ->> '$', '^\\s*[+-]?([0-9]+|0[xX][0-9a-fA-F]+)\\s*$')
        THEN TRY_CAST(trim(_v ->> '$') AS BIGINT) END END)[1]"""


def _sum(more: str = "", chosen: str = "") -> tuple[tuple[str, str], ...]:
    """The forms of a sum, of a timespan too."""
    plain = f"coalesce(sum(value){chosen}, 0)"
    exact = _SUM.format(chosen)
    real = f"CASE WHEN {_IN_BOUNDS.format(chosen)} THEN {exact} ELSE coalesce(sum(value){chosen}, 0.0) END"
    return (
        (f"value INTERVAL{more}", f"to_microseconds(CAST(coalesce(sum(epoch_us(value)){chosen}, 0) AS BIGINT))"),
        *((f"value {kind}{more}", plain) for kind in _WHOLE),
        (f"value DOUBLE{more}", real),
        (f"value{more}", plain),
    )


def _mean(more: str = "", chosen: str = "") -> tuple[tuple[str, str], ...]:
    """The forms of an average, of a timespan and a moment too."""
    moment = f"CAST(avg(epoch_us(value)){chosen} AS BIGINT)"
    plain = f"coalesce(avg(value){chosen}, CAST('NaN' AS DOUBLE))"
    exact = f"{_SUM.format(chosen)} / count(value){chosen}"
    return (
        (f"value INTERVAL{more}", f"to_microseconds({moment})"),
        (f"value TIMESTAMP{more}", f"make_timestamp({moment})"),
        *((f"value {kind}{more}", plain) for kind in _WHOLE),
        (f"value DOUBLE{more}", f"CASE WHEN {_IN_BOUNDS.format(chosen)} THEN {exact}\n    ELSE {plain} END"),
        (f"value{more}", plain),
    )


#: name -> parameters and expression of each form.
MACROS: dict[str, tuple[tuple[str, str], ...]] = {
    # A null within JSON is null.
    "json_extract": (("value, path", "nullif(system.main.json_extract(value, path), 'null'::JSON)"),),
    # parse_json: text that is not JSON becomes a string that holds it, and empty text null.
    "kusto_json": (
        (
            "value",
            "CASE WHEN CAST(value AS VARCHAR) NOT IN ('', 'null') "
            "THEN coalesce(TRY_CAST(value AS JSON), to_json(value)) END",
        ),
    ),
    # A dynamic array is its items, any other dynamic value itself.
    "kusto_in": (
        (
            "value, item",
            "CASE WHEN json_type(CAST(to_json(item) AS JSON)) = 'ARRAY' "
            "THEN list_contains(CAST(CAST(to_json(item) AS JSON) AS VARCHAR[]), value) "
            "ELSE json_extract_string(CAST(to_json(item) AS JSON), '$') = value END",
        ),
    ),
    # A part of a dynamic value: by a key, or by a place, counted from the end where it is below 0.
    "kusto_part": (
        (
            "value, part",
            "system.main.json_extract(value, list_transform([json_extract_string(to_json(part), '$')], lambda _k: CASE "
            "WHEN json_type(to_json(part)) = 'VARCHAR' THEN concat('$.\"', replace(_k, '\"', '\\\"'), '\"') "
            "ELSE concat('$[', CASE WHEN _k LIKE '-%' THEN '#' END, _k, ']') END)[1])",
        ),
    ),
    "kusto_tolong_json": (("value", _WHOLE_OF_JSON),),
    "kusto_tostring": (
        ("value TIMESTAMP", f"coalesce({_MOMENT}, '')"),
        ("value INTERVAL", f"coalesce({_TIMESPAN}, '')"),
        (
            "value",
            "coalesce(CASE WHEN typeof(value) = 'JSON' THEN value ->> '$' WHEN typeof(value) = 'BOOLEAN' "
            "THEN CASE CAST(value AS VARCHAR) WHEN 'true' THEN 'True' WHEN 'false' THEN 'False' END "
            "WHEN typeof(value) = 'DOUBLE' AND isnan(TRY_CAST(value AS DOUBLE)) THEN 'NaN' "
            "WHEN starts_with(typeof(value), 'DECIMAL') THEN rtrim(rtrim(CAST(value AS VARCHAR), '0'), '.') "
            "ELSE CAST(value AS VARCHAR) END, '')",
        ),
    ),
    # Kusto has no null strings.
    "kusto_text": (("value", "CASE WHEN value IS NULL AND typeof(value) = 'VARCHAR' THEN '' ELSE value END"),),
    # Times within a dynamic are text.
    "kusto_item": (("value TIMESTAMP", _MOMENT), ("value INTERVAL", _TIMESPAN), ("value", "value")),
    "kusto_items": (
        (
            "value",
            "CASE WHEN typeof(value) = 'JSON' AND json_type(to_json(value)) = 'ARRAY' "
            "THEN CAST(to_json(value) AS JSON[]) ELSE [to_json(value)] END",
        ),
    ),
    "kusto_abs": (("value INTERVAL", "to_microseconds(abs(epoch_us(value)))"), ("value", "abs(value)")),
    # Multiples of the width from the year 1, as Kusto's ticks are: weeks begin on Mondays.
    "kusto_bin": (
        (
            "value INTERVAL, width",
            "to_microseconds(CAST(floor(epoch_us(value) / epoch_us(width)) AS BIGINT) * epoch_us(width))",
        ),
        (
            "value, width",
            "time_bucket(nullif(width, INTERVAL 0 SECONDS), CAST(value AS TIMESTAMP), TIMESTAMP '0001-01-01')",
        ),
    ),
    "kusto_divided": (
        ("value INTERVAL, divisor INTERVAL", "epoch(value) / epoch(divisor)"),
        ("value INTERVAL, divisor", "to_microseconds(CAST(trunc(epoch_us(value) / divisor) AS BIGINT))"),
        ("value, divisor", "value // nullif(divisor, 0)"),
    ),
    "kusto_rest": (
        (
            "value, divisor",
            "to_microseconds((epoch_us(value) % epoch_us(divisor) + abs(epoch_us(divisor))) % abs(epoch_us(divisor)))",
        ),
    ),
    # Numbers that aggregates of times are made of.
    "kusto_number": (
        ("value INTERVAL", "epoch_us(value) * 10.0"),
        ("value TIMESTAMP", _TICKS),
        ("value", "value"),
    ),
    "kusto_sum": _sum(),
    "kusto_sumif": _sum(*_CHOSEN),
    "kusto_avg": _mean(),
    "kusto_avgif": _mean(*_CHOSEN),
}


def define(connection: duckdb.DuckDBPyConnection, more: Mapping[str, str]) -> None:
    """Let *connection* call the macros, and *more*: name -> SQL about its value ``v``."""
    forms = MACROS | {name: (("v", sql),) for name, sql in more.items()}
    for name, written in forms.items():
        connection.execute(
            f"CREATE OR REPLACE MACRO {name} " + ", ".join(f"({parameters}) AS {sql}" for parameters, sql in written)
        )
