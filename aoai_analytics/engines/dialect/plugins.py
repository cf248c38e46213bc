"""Plugins: ``evaluate pivot(…)``.

Sources: the page of each at https://learn.microsoft.com/kusto/query/.
"""

from __future__ import annotations

import re
from collections.abc import Callable

from ..kql.tree import NAMES, Node, bare, call, named, string_value
from . import activity
from .computed import FUNCTIONS
from .naming import column as _column
from .naming import kql_name, refused, sql_name
from .stages import Stage

#: Aggregates that are 0 where there is nothing to aggregate.
_ZERO = {"count", "countif", "sum", "sumif", "dcount", "dcountif", "count_distinct"}


def evaluate(node: Node, stage: Stage) -> str:
    """The stage after a plugin. Raises QueryError where there is no such plugin."""
    function = next((rule for rule in node.rules if call(rule)), None)
    plugin = PLUGINS.get(call(function).lower()) if function else None
    if function is None or plugin is None:
        name = call(function) if function else "evaluate"
        instead = INSTEAD.get(name.lower(), f"it has {', '.join(sorted(PLUGINS))}")
        raise refused(function or node, f"the local engine has no plugin '{name}'; {instead}")
    made = plugin(function, stage)
    declared = [rule.rules for clause in node.find("EvaluateOperatorSchemaClause") for rule in clause.rules[0].rules]
    if not declared:
        return made
    # The columns that the query says the plugin makes, null where it makes none.
    columns = stage.kql(made).columns
    cells = (
        f"{name.text} = to{kind.text}({name.text if name.name in columns else repr('')})" for name, kind in declared
    )
    return f"{made} | project {', '.join(cells)}"


def _pivot(function: Node, stage: Stage) -> str:
    column, *rest = function.rules[1:]
    aggregate = rest[0].text if rest else "count()"
    keys = [rule.text for rule in rest[1:]]
    key = _column(column)
    if not keys:
        used = {name.name for rule in rest[:1] for name in rule.walk() if name.kind in NAMES}
        keys = [kql_name(name) for name in stage.columns if name != key and name not in used]
    found = stage.then(f"| summarize Value__ = {aggregate} by {', '.join([*keys, kql_name(key)])}")
    values = [
        row[0]
        for row in stage.values(f'SELECT DISTINCT CAST({sql_name(key)} AS VARCHAR) FROM "{found.name}" ORDER BY 1')
    ]
    zero = re.match(r"\s*(\w+)", aggregate)
    other = "0" if zero and zero[1] in _ZERO else "NULL"
    cells = []
    for value in values:
        text = "'" + str(value if value is not None else "").replace("'", "''") + "'"
        of_value = f"any_value(Value__) FILTER (WHERE CAST({sql_name(key)} AS VARCHAR) = {text})"
        cells.append(f"coalesce({of_value}, {other}) AS {sql_name(str(value))}")
    names = [name for name in found.columns if name not in (key, "Value__")]
    by = f" GROUP BY {', '.join(map(sql_name, names))}" if names else ""
    return stage.sql(f'SELECT {", ".join([*map(sql_name, names), *cells])} FROM "{found.name}"{by}').name


def _bag_unpack(function: Node, stage: Stage) -> str:
    column, *options = function.rules[1:]
    name = _column(column)
    order = ("OutputColumnPrefix", "columnsConflict", "ignoredProperties")
    given = {(names or [order[place]])[0]: value for place, (names, value) in enumerate(map(named, options))}
    prefix, conflict = (
        string_value(given[option].text) if option in given and given[option].kind.startswith("String") else ""
        for option in order[:2]
    )
    ignored = (
        {string_value(item.text) for item in given["ignoredProperties"].find("JsonString")}
        if "ignoredProperties" in given
        else set()
    )
    bag = sql_name(name)
    kinds = stage.values(
        f"SELECT Key, list_sort(list(DISTINCT json_type(Bag, '$.\"' || Key || '\"'))) FROM (SELECT {bag} AS Bag, "
        f'unnest(json_keys({bag})) AS Key FROM "{stage.name}") GROUP BY Key ORDER BY Key'
    )
    cells = []
    for key, types in kinds:
        if str(key) in ignored or (conflict == "keep_source" and prefix + str(key) in stage.columns):
            continue
        path = "'$.\"" + str(key).replace("'", "''") + "\"'"
        known = {str(kind) for kind in types if kind != "NULL"}  # type: ignore[attr-defined]
        sql_type = _bag_type(known)
        value = f"json_extract_string({bag}, {path})" if sql_type != "JSON" else f"json_extract({bag}, {path})"
        cells.append(f"TRY_CAST({value} AS {sql_type}) AS {sql_name(prefix + str(key))}")
    made = {prefix + str(key) for key, _ in kinds if str(key) not in ignored}
    if made & set(stage.columns) - {name} and not conflict:
        # Which one is not said: a key may be someone's text.
        raise refused(function, "bag_unpack() makes a column that is there; say which to keep with columnsConflict")
    gone = made if conflict == "replace_source" else set()
    others = [sql_name(other) for other in stage.columns if other != name and other not in gone]
    return stage.sql(f'SELECT {", ".join([*others, *cells])} FROM "{stage.name}"').name


def _bag_type(kinds: set[str]) -> str:
    if kinds <= {"UBIGINT", "BIGINT"} and kinds:
        return "BIGINT"
    if kinds <= {"UBIGINT", "BIGINT", "DOUBLE"} and kinds:
        return "DOUBLE"
    return "BOOLEAN" if kinds == {"BOOLEAN"} else "VARCHAR" if kinds == {"VARCHAR"} else "JSON"


def _narrow(function: Node, stage: Stage) -> str:
    cells = " UNION ALL ".join(
        f'SELECT Row__ AS "Row", {place} AS Place__, \'{name.replace(chr(39), chr(39) * 2)}\' AS "Column", '
        f"coalesce(CAST({sql_name(name)} AS VARCHAR), '') AS \"Value\" FROM Numbered"
        for place, name in enumerate(stage.columns)
    )
    return stage.sql(
        f'WITH Numbered AS (SELECT *, row_number() OVER () - 1 AS Row__ FROM "{stage.name}") '
        f'SELECT "Row", "Column", "Value" FROM ({cells}) ORDER BY "Row", Place__'
    ).name


def _ip_lookup(function: Node, stage: Stage) -> str:
    table, address, network, *more = function.rules[1:]
    matching = "ipv6_is_in_range" if call(function).lower() == "ipv6_lookup" else "ipv4_is_in_range"
    unmatched = any(re.search(r"\btrue\s*$", rule.text, re.IGNORECASE) for rule in more)
    keys = [rule.name for rule in more if rule.name]
    ranges = stage.kql(bare(table).text)
    taken = {name.lower() for name in stage.columns}
    shown = [name for name in ranges.columns if name not in keys]
    renamed = [f"{name}1" if name.lower() in taken else name for name in shown]
    cells = ", ".join(
        f"kusto_text(r.{sql_name(name)}) AS {sql_name(new)}" for name, new in zip(shown, renamed, strict=True)
    )
    addresses = [f"l.{sql_name(_column(address))}", f"r.{sql_name(_column(network))}"]
    matched = FUNCTIONS[matching].sql(matching, addresses)
    same = "".join(f" AND l.{sql_name(key)} = r.{sql_name(key)}" for key in keys)
    kind = "LEFT " if unmatched else ""
    return stage.sql(
        f'SELECT l.*, {cells} FROM "{stage.name}" l {kind}JOIN "{ranges.name}" r ON {matched}{same}', stored=True
    ).name


PLUGINS: dict[str, Callable[[Node, Stage], str]] = {
    "ipv4_lookup": _ip_lookup,
    "ipv6_lookup": _ip_lookup,
    "pivot": _pivot,
    "bag_unpack": _bag_unpack,
    "narrow": _narrow,
    "identity": lambda function, stage: stage.name,
    "active_users_count": activity.active_users_count,
    "activity_counts_metrics": activity.activity_counts_metrics,
    "activity_metrics": activity.activity_metrics,
    "dcount_intersect": activity.dcount_intersect,
    "rolling_percentile": activity.rolling_percentile,
    "rows_near": activity.rows_near,
    "sliding_window_counts": activity.sliding_window_counts,
}

_GROUPS = "use 'summarize count() by …' over the columns in question, or run the query on Azure"
_SESSIONS = "use 'summarize dcount(…) by bin(…)' or 'scan', or run the query on Azure"
_OUTSIDE = "a lake reaches nothing outside; add what it would read with 'aoai lake table NAME FILE'"
#: Plugin -> what to do where the local engine lacks it.
INSTEAD = {
    **dict.fromkeys(("autocluster", "basket", "diffpatterns", "diffpatterns_text"), _GROUPS),
    **dict.fromkeys(
        (
            *("activity_engagement", "funnel_sequence", "funnel_sequence_completion", "new_activity_metrics"),
            *("session_count", "sequence_detect"),
        ),
        _SESSIONS,
    ),
    **dict.fromkeys(
        (
            *("ai_chat_completion", "ai_embeddings", "azure_digital_twins_query_request", "cosmosdb_sql_request"),
            *("http_request", "http_request_post", "mysql_request", "postgresql_request", "sql_request"),
        ),
        _OUTSIDE,
    ),
    **dict.fromkeys(("python", "r"), "run the query on Azure, or compute with the result's DataFrame"),
}

#: Operators and sources of KQL that the local engine lacks, by their grammar rule, and what to do instead.
NOT_LOCAL = {
    "ExternalDataExpression": "externaldata: add the file with 'aoai lake table NAME FILE', then query NAME",
    "MacroExpandOperator": "macro-expand: run the query on Azure",
    "ReduceByOperator": "reduce: use 'summarize count() by replace_regex(…)'",
}
