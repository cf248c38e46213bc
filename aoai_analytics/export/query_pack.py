"""The library as a query pack: in the portal's query picker, with titles, questions and labels.

The functions must be saved in the workspace. Queries that need a further step on this machine are left out, and so are
those that show prompts, unless requested: table permissions decide who may read prompts, but nobody should
see them by accident. Queries that support hourly totals are included a second time, over those totals.
"""

from __future__ import annotations

import json
from typing import Any
from uuid import NAMESPACE_OID, uuid5

from ..library import library
from ..library.privacy import SHOWS_PROMPTS
from ..library.queries import Query
from .summary_rules import HISTORY, of_sums, over_hours

#: Azure requires a GUID per query; it is derived from the name, so a changed query replaces its old version.
_KIT = uuid5(NAMESPACE_OID, "aoai-analytics/kql")
_BETWEEN = f"{HISTORY}_Between"


def query_pack(*, prompts: bool = False) -> list[dict[str, Any]]:
    """Value of the parameter ``queries`` of ``modules/query-pack.bicep``; *prompts* includes queries that show them."""
    packed = [_packed(query) for query in library() if not query.header.get("then") and (prompts or not _shows(query))]
    return packed + [_of_hours(query) for query in of_sums()]


def query_pack_json(*, prompts: bool = False) -> str:
    """``query_pack`` as the JSON for a parameter file."""
    return json.dumps(query_pack(prompts=prompts), indent=2, ensure_ascii=False) + "\n"


def _shows(query: Query) -> bool:
    return query.header.get("shows") == SHOWS_PROMPTS


def _packed(query: Query) -> dict[str, Any]:
    return {
        "id": str(uuid5(_KIT, query.name)),
        "displayName": query.title,
        "description": query.question,
        "body": query.text,
        "labels": [query.section, query.name],
    }


def _of_hours(query: Query) -> dict[str, Any]:
    """The query over stored totals. The portal filters by the time of storing, so the text sets its own range."""
    between = (
        "let start = startofyear(now()); // start (inclusive)\n"
        "let end = now(); // end (exclusive)\n"
        f"let {_BETWEEN} = {HISTORY} | where TimeGenerated >= start and TimeGenerated < end;\n"
    )
    header = f"// title: {query.title}, by hourly totals\n// question: {query.question}\n// query: {query.name}\n"
    return _packed(query) | {
        "id": str(uuid5(_KIT, f"{query.name} {HISTORY}")),
        "displayName": f"{query.title}, by hourly totals",
        "description": f"{query.question} For years of data: needs the summary rule and its function {HISTORY}.",
        "body": header + between + over_hours(query, _BETWEEN),
        "labels": [query.section, query.name, "hourly totals"],
    }
