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


def nearest(name: str, known: Iterable[str]) -> str:
    """``; did you mean 'X'?`` for the known name nearest to *name*, '' where none is near."""
    candidates = {other.lower(): other for other in known}
    near = difflib.get_close_matches(name.lower(), candidates, n=1)
    return f"; did you mean '{candidates[near[0]]}'?" if near else ""
