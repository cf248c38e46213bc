"""Functions and operators of KQL as data: name -> DuckDB expression. Each row says what Kusto documents.

https://learn.microsoft.com/kusto/query/scalar-functions, .../aggregation-functions
"""

from __future__ import annotations

# scalar function -> (argument counts, DuckDB expression; {0} is the first argument)
SCALARS: dict[str, tuple[tuple[int, ...], str]] = {
    # An array of the top-level keys; null for what is no property bag.
    "bag_keys": ((1,), "CASE WHEN json_type({0}) = 'OBJECT' THEN to_json(json_keys({0})) END"),
    **dict.fromkeys(("parse_json", "todynamic", "toobject", "parsejson"), ((1,), "kusto_json({0})")),
    # These give an int.
    **{
        name: ((1,), f"CAST({part}({{0}}) AS INTEGER)")
        for name, part in {
            "getyear": "year",
            "getmonth": "month",
            "monthofyear": "month",
            "dayofmonth": "day",
            "dayofyear": "dayofyear",
            "hourofday": "hour",
            "weekofyear": "weekofyear",
            "week_of_year": "weekofyear",
        }.items()
    },
    "array_index_of": (
        (2,),
        "CAST(coalesce(list_position(CAST(to_json({0}) AS JSON[]), CAST(to_json({1}) AS JSON)) - 1, -1) AS BIGINT)",
    ),
    "assert": ((2,), "CASE WHEN {0} THEN TRUE ELSE error(concat('assert() has failed: ', {1})) END"),
    "dcount_hll": ((1,), "json_array_length({0})"),
    "percentile_tdigest": ((2,), "list_aggregate(CAST({0} AS DOUBLE[]), 'quantile_disc', {1} / 100.0)"),
    "rank_tdigest": ((2,), "len(list_filter(CAST({0} AS DOUBLE[]), lambda _x: _x < {1}))"),
    # A lake has no geography: null.
    "geo_info_from_ip_address": ((1,), "CAST(NULL AS JSON)"),
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
    "strcmp": ((2,), "CAST(CASE WHEN {0} < {1} THEN -1 WHEN {0} > {1} THEN 1 ELSE 0 END AS BIGINT)"),
}

_SPREADS = {"stdev": "stddev_samp", "stdevp": "stddev_pop", "variance": "var_samp", "variancep": "var_pop"}
#: Of sorted numbers, so that it is the same on any number of threads.
_SPREAD = "coalesce({0}(kusto_number({{0}}) ORDER BY kusto_number({{0}})){1}, 0.0)"

# aggregate -> (argument counts, DuckDB expression, prefix of the column it names by itself; '' for its argument's name)
AGGREGATES: dict[str, tuple[tuple[int, ...], str, str]] = {
    "maxif": ((2,), "max({0}) FILTER (WHERE {1})", "maxif"),
    "minif": ((2,), "min({0}) FILTER (WHERE {1})", "minif"),
    "count_distinct": ((1,), "count(DISTINCT {0})", "count_distinct"),
    "count_distinctif": ((2,), "count(DISTINCT {0}) FILTER (WHERE {1})", "count_distinctif"),
    "sum": ((1,), "kusto_sum({0})", "sum"),
    "sumif": ((2,), "kusto_sumif({0}, {1})", "sumif"),
    "avg": ((1,), "kusto_avg({0})", "avg"),
    "avgif": ((2,), "kusto_avgif({0}, {1})", "avgif"),
    **{name: ((1,), _SPREAD.format(function, ""), name) for name, function in _SPREADS.items()},
    **{
        f"{name}if": ((2,), _SPREAD.format(_SPREADS[name], " FILTER (WHERE {1})"), f"{name}if")
        for name in ("stdev", "variance", "variancep")
    },
    "binary_all_and": ((1,), "bit_and({0})", ""),
    "binary_all_or": ((1,), "bit_or({0})", ""),
    "binary_all_xor": ((1,), "bit_xor({0})", ""),
    "make_bag": ((1, 2), "CAST(kusto_function('bag_union', CAST(to_json(list({0})) AS VARCHAR)) AS JSON)", "bag"),
    "make_bag_if": (
        (2, 3),
        "CAST(kusto_function('bag_union', "
        "CAST(to_json(coalesce(list({0}) FILTER (WHERE {1}), [])) AS VARCHAR)) AS JSON)",
        "bag",
    ),
    "make_set_if": (
        (2, 3),
        "to_json(list_transform([coalesce(list(kusto_item({0})) FILTER (WHERE ({1}) AND {0} IS NOT NULL), [])], "
        "lambda _l: list_filter(_l, lambda _x, _i: list_position(_l, _x) = _i))[1])",
        "set",
    ),
    "buildschema": (
        (1,),
        "CAST(kusto_function('buildschema_of', CAST(json_array(coalesce(list(to_json({0})), [])) AS VARCHAR)) AS JSON)",
        "schema",
    ),
    "covariance": ((2,), "covar_samp({0}, {1})", "covariance"),
    "covarianceif": ((3,), "covar_samp({0}, {1}) FILTER (WHERE {2})", "covarianceif"),
    "covariancep": ((2,), "covar_pop({0}, {1})", "covariancep"),
    "covariancepif": ((3,), "covar_pop({0}, {1}) FILTER (WHERE {2})", "covariancepif"),
    "hll_if": ((2, 3), "to_json(coalesce(list(DISTINCT {0}) FILTER (WHERE ({1}) AND {0} IS NOT NULL), []))", "hll_if"),
    "make_list_with_nulls": ((1,), "coalesce(list(kusto_item({0})), [])", "list"),
    "anyif": ((2,), "any_value({0}) FILTER (WHERE {1})", "anyif"),
    "take_anyif": ((2,), "any_value({0}) FILTER (WHERE {1})", "take_anyif"),
    "make_list": ((1, 2), "coalesce(list(kusto_item({0})) FILTER (WHERE {0} IS NOT NULL), [])", "list"),
    "make_list_if": (
        (2, 3),
        "coalesce(list(kusto_item({0})) FILTER (WHERE ({1}) AND {0} IS NOT NULL), [])",
        "list",
    ),
    # The value at which the weights, added up in the values' order, reach their part of the sum.
    "percentile_weighted": (
        (3,),
        "list_transform([struct_pack(l := list_sort(list(struct_pack(v := {0}, w := CAST({1} AS DOUBLE))) "
        "FILTER (WHERE {0} IS NOT NULL AND {1} > 0)), t := sum(CASE WHEN {1} > 0 THEN {1} END) * {2} / 100.0)], "
        "lambda _s: list_reduce(_s.l, lambda _a, _b: CASE WHEN _a.w >= _s.t THEN _a "
        "ELSE struct_pack(v := _b.v, w := _a.w + _b.w) END).v)[1]",
        "percentile_weighted",
    ),
    # Sketches are kept whole: distinct values, and all values.
    "hll": ((1, 2), "to_json(coalesce(list(DISTINCT {0}) FILTER (WHERE {0} IS NOT NULL), []))", "hll"),
    "hll_merge": ((1,), "to_json(list_distinct(flatten(list(CAST({0} AS JSON[])))))", "hll_merge"),
    "tdigest": ((1,), "to_json(coalesce(list({0}) FILTER (WHERE {0} IS NOT NULL), []))", "tdigest"),
    "tdigest_merge": ((1,), "to_json(flatten(list(CAST({0} AS JSON[]))))", "tdigest_merge"),
    "merge_tdigest": ((1,), "to_json(flatten(list(CAST({0} AS JSON[]))))", "merge_tdigest"),
    "percentileif": ((3,), "quantile_disc({0}, {1} / 100.0) FILTER (WHERE {2})", "percentileif"),
    # The set of dynamic arrays is that of their items. duckdb-kql tries to read every string as such an array; a string
    # that merely looks like one must stay itself. Values keep the order they came in (Kusto's own habit), for as long
    # as that stays cheap.
    "make_set": (
        (1, 2),
        "to_json(list_transform([coalesce(flatten(list(kusto_items(kusto_item({0}))) FILTER (WHERE {0} IS NOT NULL)), "
        "[])], lambda _l: CASE WHEN len(_l) <= 1000 THEN list_filter(_l, lambda _x, _i: list_position(_l, _x) = _i) "
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

# Functions of duckdb-kql's that treat their one argument by its type, which it does not know: it writes out what each
# type would need. Written once, as a macro, that makes a tenth of the SQL, and reading the SQL is most of what a query
# on a small lake costs.
BY_TYPE = ("tolong", "toint", "todouble", "toreal", "gettype")
# Functions whose answer is always a string, and those whose answer never is.
STRINGS = frozenset(
    (
        *("base64_decode_tostring", "base64_encode_tostring", "format_datetime", "format_timespan", "gettype"),
        *("replace", "replace_regex", "replace_string", "reverse", "strcat", "strcat_array", "strcat_delim"),
        *("substring", "tolower", "tostring", "toupper", "trim", "trim_end", "trim_start", "url_decode", "url_encode"),
    )
)
NO_STRINGS = frozenset(
    (
        *("array_length", "countof", "indexof", "string_size", "strlen", "todatetime", "todouble", "toint", "tolong"),
        *("toreal", "totimespan"),
    )
)

# function -> what becomes of duckdb-kql's expression for it: an int, and null for a date that is none.
WRAPPED = {"datetime_part": "CAST({} AS INTEGER)", "make_datetime": "TRY({})"}
