"""KQL's own words, and which of several known names a wrong one is nearest to."""

from __future__ import annotations

import difflib
from collections.abc import Iterable


def listed(text: str) -> frozenset[str]:
    """The words of *text*."""
    return frozenset(text.split())


#: https://learn.microsoft.com/kusto/query/tabular-operators: what may follow a pipe.
OPERATORS = listed(
    """as assert-schema consume count distinct evaluate extend facet filter find fork getschema graph-match invoke
    join limit lookup macro-expand make-graph make-series mv-apply mv-expand mvapply mvexpand order parse parse-kv
    parse-where partition print project project-away project-keep project-rename project-reorder range reduce
    render sample sample-distinct scan search serialize sort summarize take top top-hitters top-nested union where"""
)


#: How an operator is written, where its name alone does not say it.
USAGE = {
    "as": "as NAME",
    "count": "count",
    "distinct": "distinct COLUMN, …",
    "evaluate": "evaluate PLUGIN(…)",
    "extend": "extend NAME = EXPRESSION, …",
    "join": "join kind=KIND (TABLE) on COLUMN",
    "limit": "limit NUMBER",
    "lookup": "lookup (TABLE) on COLUMN",
    "make-series": "make-series NAME = AGGREGATE on COLUMN from START to END step STEP by COLUMN",
    "mv-apply": "mv-apply COLUMN on (OPERATORS)",
    "mv-expand": "mv-expand COLUMN",
    "order": "order by COLUMN asc",
    "parse": "parse COLUMN with 'text' NAME 'text'",
    "parse-where": "parse-where COLUMN with 'text' NAME 'text'",
    "partition": "partition by COLUMN (OPERATORS)",
    "project": "project NAME = EXPRESSION, …",
    "range": "range NAME from START to END step STEP, at the beginning of a query",
    "render": "render CHART",
    "sample": "sample NUMBER",
    "scan": "scan declare (NAME: TYPE) with (step NAME: CONDITION => NAME = EXPRESSION;)",
    "sort": "sort by COLUMN asc",
    "summarize": "summarize NAME = AGGREGATE by COLUMN",
    "take": "take NUMBER",
    "top": "top NUMBER by COLUMN desc",
    "top-nested": "top-nested NUMBER of COLUMN by AGGREGATE",
    "union": "union TABLE, …",
    "where": "where CONDITION",
}
#: Names that other languages have -> what KQL calls it.
_SYNONYMS = {
    "average": "avg",
    "averge": "avg",
    "concat": "strcat",
    "current_timestamp": "now",
    "date": "todatetime",
    "date_trunc": "bin",
    "from": "where",
    "getdate": "now",
    "group": "summarize",
    "group_concat": "strcat_array",
    "having": "where",
    "ifnull": "coalesce",
    "json_extract": "extract_json",
    "json_value": "extract_json",
    "len": "strlen",
    "length": "strlen",
    "median": "percentile",
    "mean": "avg",
    "nvl": "coalesce",
    "offset": "serialize",
    "regexp_replace": "replace_regex",
    "select": "project",
    "stddev": "stdev",
    "substr": "substring",
    "timestampdiff": "datetime_diff",
    "to_char": "format_datetime",
    "year": "getyear",
}


_PARTS = "a lake has geohashes, distances, circles and polygons of points; run the rest on Azure"
_SERIES = "run the query on Azure, or compute with the result's DataFrame"
_CLUSTER = "only a cluster knows it; run the query on Azure"
#: Kusto's functions that the local engine lacks -> what to do instead; those of a family by how they begin.
_LACKING = {
    "geo_": _PARTS,
    "graph_": "name the nodes and edges with make-graph in the query",
    **dict.fromkeys(("hash_combine", "hash_many"), "use hash(strcat(…))"),
    "parse_user_agent": "AoaiRequests has ClientName; elsewhere use extract()",
    **dict.fromkeys(listed("series_fft series_ifft series_fit_2lines series_fit_poly series_periods_detect"), _SERIES),
    **dict.fromkeys(("current_", "cursor_", "extent_", "ingestion_time", "rowstore_", "estimate_data_size"), _CLUSTER),
}


def lacking(name: str, known: Iterable[str]) -> str:
    """What to do where a lake lacks Kusto's function *name*; '' where it has it, or Kusto lacks it too."""
    if not name or name in known:
        return ""
    return next((way for start, way in _LACKING.items() if name.startswith(start)), "")


def usage(word: str) -> str:
    """``'top' is written: top NUMBER by COLUMN``, or that the operator is not written as KQL expects."""
    written = USAGE.get(word.lower())
    return f"'{word}' is written: {written}" if written else f"'{word}' is not written as KQL expects"


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'X'?`` for the known name nearest to *name*, '' where none is near."""
    known = list(known)
    if (other := _SYNONYMS.get(name.lower(), "")) in known and other:
        return f"; did you mean '{other}'?"
    candidates = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), candidates, n=1)
    return f"; did you mean '{candidates[near[0]]}'?" if near else ""
