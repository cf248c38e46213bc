"""What duckdb-kql lacks of KQL that people use, and where its answer is not Kusto's: as data for its registries.

Each row says what Kusto documents (https://learn.microsoft.com/kusto/query/). ``install()`` adds the rows
once; the local engine calls it before it translates.
"""

from __future__ import annotations

import re
from collections.abc import Callable
from dataclasses import fields, replace
from functools import cache
from typing import Any

from ...schema.tables import TABLES
from ..kql.inlining import called_bare
from ..kql.parameters import declared
from . import computed, operators, windows
from .computed import register as register
from .rewriting import rewritten
from .stages import Stages
from .stages import staged as stages_of

# scalar function -> (argument counts, DuckDB expression; {0} is the first argument)
SCALARS: dict[str, tuple[tuple[int, ...], str]] = {
    # An array of the top-level keys; null for what is no property bag.
    "bag_keys": ((1,), "CASE WHEN json_type({0}) = 'OBJECT' THEN to_json(json_keys({0})) END"),
    "url_decode": ((1,), "url_decode(replace({0}, '+', ' '))"),
    "string_size": ((1,), "strlen({0})"),
    "unixtime_seconds_todatetime": ((1,), "make_timestamp(CAST({0} * 1000000 AS BIGINT))"),
    "unixtime_milliseconds_todatetime": ((1,), "make_timestamp(CAST({0} * 1000 AS BIGINT))"),
    "unixtime_microseconds_todatetime": ((1,), "make_timestamp(CAST({0} AS BIGINT))"),
    "unixtime_nanoseconds_todatetime": ((1,), "make_timestamp(CAST({0} AS BIGINT) // 1000)"),
    "datetime_to_unixtime_seconds": ((1,), "epoch_us({0}) // 1000000"),
    "todecimal": ((1,), "TRY_CAST(trim(CAST({0} AS VARCHAR), '\"') AS DECIMAL(38, 12))"),
    "sqrt": ((1,), "CASE WHEN {0} >= 0 THEN sqrt({0}) END"),
    "log": ((1,), "CASE WHEN {0} >= 0 THEN ln({0}) END"),
    "log10": ((1,), "CASE WHEN {0} >= 0 THEN log10({0}) END"),
    "log2": ((1,), "CASE WHEN {0} >= 0 THEN log2({0}) END"),
    "new_guid": ((0,), "uuid()"),
    "datetime_utc_to_local": ((2,), "timezone({1}, timezone('UTC', {0}))"),
    "datetime_local_to_utc": ((2,), "timezone('UTC', timezone({1}, {0}))"),
    "bag_merge": ((2,), "json_merge_patch({1}, {0})"),
    # Text is coded as UTF-8. duckdb-kql casts it to a BLOB, which DuckDB refuses past ASCII.
    "base64_encode_tostring": ((1,), "to_base64(encode({0}))"),
    "base64_decode_tostring": ((1,), "coalesce(TRY(decode(from_base64({0}))), '')"),
    # The same as duckdb-kql's, which names its argument twice: the text of a column takes a thousand characters of SQL,
    # and reading the SQL is most of what a query on a small lake costs.
    "isempty": ((1,), "(coalesce(CAST({0} AS VARCHAR), '') = '')"),
    "isnotempty": ((1,), "(coalesce(CAST({0} AS VARCHAR), '') <> '')"),
    "strcmp": ((2,), "CASE WHEN {0} < {1} THEN -1 WHEN {0} > {1} THEN 1 ELSE 0 END"),
}

# aggregate -> (argument counts, DuckDB expression, prefix of the column it names by itself)
AGGREGATES: dict[str, tuple[tuple[int, ...], str, str]] = {
    "maxif": ((2,), "max({0}) FILTER (WHERE {1})", "maxif"),
    "minif": ((2,), "min({0}) FILTER (WHERE {1})", "minif"),
    "count_distinct": ((1,), "count(DISTINCT {0})", "count_distinct"),
    "count_distinctif": ((2,), "count(DISTINCT {0}) FILTER (WHERE {1})", "count_distinctif"),
    "variancep": ((1,), "coalesce(var_pop({0}), 0.0)", "variancep"),
    "stdevp": ((1,), "coalesce(stddev_pop({0}), 0.0)", "stdevp"),
    "binary_all_and": ((1,), "bit_and({0})", "binary_all_and"),
    "binary_all_or": ((1,), "bit_or({0})", "binary_all_or"),
    "binary_all_xor": ((1,), "bit_xor({0})", "binary_all_xor"),
    "make_bag": ((1, 2), "CAST(kusto_function('bag_union', CAST(to_json(list({0})) AS VARCHAR)) AS JSON)", "bag"),
    "make_list_with_nulls": ((1,), "coalesce(list({0}), [])", "list"),
    "take_anyif": ((2,), "any_value({0}) FILTER (WHERE {1})", "take_anyif"),
    "make_list_if": (
        (2, 3),
        "coalesce(list({0}) FILTER (WHERE ({1}) AND {0} IS NOT NULL), [])",
        "list",
    ),
    "percentileif": ((3,), "quantile_disc({0}, {1} / 100.0) FILTER (WHERE {2})", "percentileif"),
    # duckdb-kql tries to read every string as a JSON array, to union arrays as Kusto does with dynamic
    # ones; a string that merely looks like one must stay itself. Values keep the order they came in
    # (Kusto's own habit), for as long as that stays cheap.
    "make_set": (
        (1, 2),
        "to_json(list_transform([coalesce(list({0}) FILTER (WHERE {0} IS NOT NULL), [])], lambda _l: "
        "CASE WHEN len(_l) <= 1000 THEN list_filter(_l, lambda _x, _i: list_position(_l, _x) = _i) "
        "ELSE list_distinct(_l) END)[1])",
        "set",
    ),
}

# operator -> DuckDB expression. The same as duckdb-kql's, which makes a pattern for LIKE ... ESCAPE of the text that is
# looked for: DuckDB looks for a plain text several times as fast.
OPERATORS = {
    "contains": "contains(lower(CAST({0} AS VARCHAR)), lower(CAST({1} AS VARCHAR)))",
    "contains_cs": "contains(CAST({0} AS VARCHAR), CAST({1} AS VARCHAR))",
}

#: How duckdb-kql begins a bin() of moments by a literal timespan: by seconds as doubles, and a calendar's time zone.
_BINNED_MOMENT = "to_timestamp(floor("

# The default is a literal or one call, as in column_ifexists("PromptCachedTokens", int(null)).
_IF_EXISTS = re.compile(r"\bcolumn_?ifexists\(\s*[\"'](\w+)[\"']\s*,\s*([^(),]*(?:\([^()]*\))?)\s*\)")
_STRING_OR_COMMENT = re.compile(r"//[^\n]*|@\"(?:[^\"]|\"\")*\"|@'(?:[^']|'')*'|\"(?:[^\"\\]|\\.)*\"|'(?:[^'\\]|\\.)*'")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|x([0-9A-Fa-f]{2})|.)", re.DOTALL)


def decode_numbered_escapes(kql: str) -> str:
    r"""*kql* with ``\uHHHH`` and ``\xHH`` in its string literals replaced by their characters.

    Kusto's string literals know them; duckdb-kql 1.1 reads ``\u0041`` as ``u0041``.
    """

    def escape(match: re.Match[str]) -> str:
        number = match[1] or match[2]
        if number is None:
            return match[0]
        character = chr(int(number, 16))
        return {'"': '\\"', "'": "\\'", "\\": "\\\\", "\n": "\\n", "\r": "\\r"}.get(character, character)

    def string(match: re.Match[str]) -> str:
        text = match[0]
        return text if text.startswith(("//", "@")) else _ESCAPE.sub(escape, text)

    return _STRING_OR_COMMENT.sub(string, kql) if "\\u" in kql or "\\x" in kql else kql


def inline_row_counts(kql: str) -> str:
    """*kql* with ``top n``, ``take n`` and ``limit n`` given their number where *n* is a parameter.

    Kusto takes any constant there, duckdb-kql 1.1 a literal only.
    """
    for parameter in declared(kql).values():
        if parameter.type in ("long", "int"):
            kql = re.sub(rf"(\|\s*(?:top|take|limit)\s+){parameter.name}\b", rf"\g<1>{parameter.default}", kql)
    return kql


def existing_columns(kql: str) -> str:
    """*kql* with each ``column_ifexists("Name", default)`` as the column itself: a lake has every column it knows.

    A name that no table of a lake has is replaced by its default.
    """
    return _IF_EXISTS.sub(lambda match: match[1] if match[1] in _columns() else match[2].strip(), kql)


@cache
def _columns() -> frozenset[str]:
    return frozenset(column for table in TABLES.values() for column in table.columns)


#: What tells that a query has an operator to be computed as a stage; reading others as a tree would cost for nothing.
_STAGED = re.compile(
    r"\b(project-(keep|away|reorder)|top-(hitters|nested)|sample|consume|as|mv-?apply|partition|make-series|evaluate|"
    rf"search|serialize|column_?ifexists|{'|'.join(windows.WINDOW_FUNCTIONS)})\b"
    r"|\bdistinct\s*\*|\*\s*(!?has|!?contains|==|=~|!?startswith|!?endswith|matches)"
)


def staged(kql: str, stages: Stages) -> str:
    """*kql* with the operators that duckdb-kql lacks computed as *stages*. Raises QueryError."""
    if not _STAGED.search(kql):
        return kql
    handlers = operators.HANDLERS | windows.HANDLERS
    return stages_of(rewritten(kql), stages, handlers, lambda node: operators.needs(node) or windows.needs(node))


def prepared(kql: str) -> str:
    """*kql* as duckdb-kql can read it."""
    return decode_numbered_escapes(inline_row_counts(existing_columns(called_bare(rewritten(kql)))))


def _rand(arguments: list[str]) -> str:
    """A real below 1, or a whole number below the argument."""
    return f"CAST(floor(random() * ({arguments[0]})) AS BIGINT)" if arguments else "random()"


@cache
def install() -> None:
    """Add the rows above to duckdb-kql's registries. Its own rows win but for those named here."""
    from duckdb_kql import ir, translate
    from duckdb_kql.translate import functions

    def binned(node: ir.FunctionCall) -> str:
        """The same as duckdb-kql's, from the Unix epoch too, but in whole microseconds, and asking no calendar."""
        sql = str(known_bin(node))
        if not sql.startswith(_BINNED_MOMENT):
            return sql
        value, width = map(translate.render_expr, node.args)
        return f"time_bucket(NULLIF({width}, INTERVAL 0 SECONDS), CAST({value} AS TIMESTAMP), TIMESTAMP '1970-01-01')"

    known_bin = translate._SPECIAL_FORMS["bin"]
    translate._SPECIAL_FORMS["bin"] = binned

    for name, (arities, template) in SCALARS.items():
        functions.SCALAR_FUNCTIONS[name] = functions.FunctionSpec(name, "template", template, arities)
    for name, function in computed.FUNCTIONS.items():
        known = functions.SCALAR_FUNCTIONS.get(name)
        functions.SCALAR_FUNCTIONS[name] = _computed_spec(functions.FunctionSpec, name, function, known)
    functions.SCALAR_FUNCTIONS["rand"] = _spec(functions.FunctionSpec, "rand", _rand)
    for name, (arities, template, prefix) in AGGREGATES.items():
        functions.AGGREGATE_FUNCTIONS[name] = functions.AggregateSpec(name, template, arities, name_prefix=prefix)
    for name in ("make_list", "make_set"):
        functions.AGGREGATE_FUNCTIONS[name] = _capped(functions.AGGREGATE_FUNCTIONS[name])
    for name, template in OPERATORS.items():
        for operator, rendered in ((name, template), (f"!{name}", f"NOT {template}")):
            functions.BINARY_OPERATORS[operator] = replace(functions.BINARY_OPERATORS[operator], template=rendered)


def _computed_spec(base: type, name: str, function: computed.Computed, known: Any) -> Any:
    """A row of duckdb-kql's registry for a function computed in Python; calls that it knew itself stay as they are."""

    def render(arguments: list[str]) -> str:
        if known is not None and len(arguments) in known.arities:
            return str(known.render(arguments))
        return function.sql(name, arguments)

    return _spec(base, name, render)


def _spec(base: type, name: str, rendered: Callable[[list[str]], str]) -> Any:
    class Spec(base):  # type: ignore[misc]  # the class differs by function
        def render(self, args: list[str]) -> str:
            return rendered(args)

    return Spec(name, "udf", "")


def _capped(known: Any) -> Any:
    """An aggregate of duckdb-kql's that makes a list, of as many values at most as its second argument says."""

    base: Any = type(known)

    class Spec(base):  # type: ignore[misc]  # the class differs by function
        def render(self, args: list[str]) -> str:
            made = known.render(args)
            return f"to_json(CAST(to_json({made}) AS JSON[])[1:{args[1]}])" if len(args) > 1 else str(made)

    return Spec(**{field.name: getattr(known, field.name) for field in fields(known)})
