"""A workspace's summary rule that keeps hourly totals for years, and the library's queries over those totals.

The rule stores the rows of the function ``AoaiHourly``. Azure shows a run only the logs of its own bin, without saved
functions (https://learn.microsoft.com/azure/azure-monitor/logs/summary-rules), so its query contains the
functions, prices included. ``AoaiHistory`` reads the stored totals, and computes missing hours from the
logs. ``over_hours`` rewrites a query whose header says ``// rollup: yes`` to use it.
"""

from __future__ import annotations

import json
import re
from collections import Counter
from collections.abc import Iterable, Mapping
from typing import Any

from ..engines.kql.functions import definitions, in_force, names_in, needed, own_lets, shipped_functions
from ..engines.kql.inlining import as_lets, with_names
from ..engines.kql.parameters import declared
from ..engines.kql.tree import edited, read, without_comments
from ..errors import WrongUse
from ..library import library
from ..library.queries import Query
from ..schema.tables import GATEWAY_LOGS, LLM_LOG, REQUESTS, TABLES

HOURLY = "AoaiHourly"
HISTORY = "AoaiHistory"
TABLE = "AoaiHourly_CL"
RULE = "aoai-hourly"
#: ``AoaiHourly``'s columns (name -> KQL type). In the table the hour is ``Hour``, because Azure reserves TimeGenerated.
COLUMNS = {
    "TimeGenerated": "datetime",
    **dict.fromkeys(("ApiId", "Surface", "SubscriptionId", "ProductId", "DeploymentName", "ModelName"), "string"),
    **dict.fromkeys(("ModelVersion", "BackendHost", "Region", "Outcome", "TokenSource", "Scope"), "string"),
    "CostState": "string",
    "IsCacheEstimated": "bool",
    **dict.fromkeys(("Requests", "PromptTokens", "CompletionTokens", "TotalTokens"), "long"),
    **dict.fromkeys(("PromptTokensError", "CompletionTokensError"), "real"),
    **dict.fromkeys(("PromptTokensSharedError", "CompletionTokensSharedError"), "real"),
    **dict.fromkeys(("TokensOwnVariance", "TokensSharedError"), "real"),
    **dict.fromkeys(("Cost", "CostError", "CostSharedError", "CostOwnVariance", "CacheSavings"), "real"),
    **dict.fromkeys(("Team", "CostCenter", "Environment", "Application"), "string"),
}
#: KQL type -> column type in Azure's resource model.
_COLUMN_TYPES = {"datetime": "dateTime", "bool": "boolean"}
_ROWS = ("AoaiRequests", "AoaiCosts")
#: Signs that end a word, and of which none begins another together with what may follow it.
_SIGNS = frozenset((",", "=", "==", "!=", "|", "+", "*"))
#: In the rows of a long table, which is no part of a query's tree: what to keep, or what is between values.
_BETWEEN = re.compile(r'(@"(?:[^"]|"")*"|"(?:[^"\\]|\\.)*")|, ')
_NARROWED = re.compile(rf"\b({'|'.join(_ROWS)})\s*\|\s*project\s+[\w,\s]+?(?=\s*[|;)])")
#: Makes a sum null where all is unknown, or all that was billed; holds for hourly totals too.
_IS_KNOWN = re.compile(r" \+ 0 \* (?:max\(\w+\)|iff\(sumif\(Requests, IsBilled\) > 0, maxif\(\w+, IsBilled\), 0\))")
_NOT_OF_SUMS = re.compile(
    r"\|\s*count\b|\b(?:percentiles?\w*|avg\w*|stdev\w*|variance\w*|min|max|minif|maxif|arg_m\w+|make_\w+|take_any\w*|hll\w*)\s*\("
)


def rollup(own: Mapping[str, str] | None = None) -> dict[str, Any]:
    """Value of the parameter ``rollup`` of ``modules/summary-rules.bicep``, at the prices that *own* functions hold."""
    return {
        "name": RULE,
        "description": "Hourly totals of requests to language models: tokens, cost and outcomes by team and model.",
        "table": TABLE,
        "columns": [
            {"name": "Hour" if name == "TimeGenerated" else name, "type": _COLUMN_TYPES.get(kind, kind)}
            for name, kind in COLUMNS.items()
        ],
        "query": rule_query(own),
        "function": HISTORY,
        "functionQuery": history_function(own),
    }


def rollup_json(own: Mapping[str, str] | None = None) -> str:
    """``rollup`` as the JSON for a parameter file."""
    return json.dumps(rollup(own), indent=2, ensure_ascii=False) + "\n"


def rule_query(own: Mapping[str, str] | None = None) -> str:
    """The rule's query for each bin: the hours' totals, with the functions in its text."""
    return _inlined({}, own) + f"{HOURLY}\n| project-rename Hour = TimeGenerated\n"


def history_function(own: Mapping[str, str] | None = None) -> str:
    """Body of ``AoaiHistory``: ``AoaiHourly``'s rows, stored ones if the hour has any.

    Hours without a stored row (before the rule, not yet summed, skipped by Azure) are computed from the available
    logs. If two versions of the rule summed an hour, the later rows count.
    """
    gateway, llm = GATEWAY_LOGS.name, LLM_LOG.name
    return f"""\
let {TABLE}_Latest = {TABLE} | summarize Modified = max(_RuleLastModifiedTime) by Hour;
let {gateway}_Open = {gateway}
    | extend Hour = bin(TimeGenerated, 1h)
    | join kind=leftanti {TABLE}_Latest on Hour
    | project-away Hour;
let {llm}_Open = {llm}
    | join kind=leftsemi ({gateway}_Open | project CorrelationId) on CorrelationId;
{_inlined({gateway: f"{gateway}_Open", llm: f"{llm}_Open"}, own)}union
    ({TABLE}
    | lookup kind=inner {TABLE}_Latest on Hour
    | where _RuleLastModifiedTime == Modified
    | project {", ".join("TimeGenerated = Hour" if name == "TimeGenerated" else name for name in COLUMNS)}),
    {HOURLY}
"""


def _inlined(renamed: Mapping[str, str], own: Mapping[str, str] | None) -> str:
    """``let`` statements of ``AoaiHourly`` and the functions it needs, dense and with short names.

    A template holds no text of more than 131,072 characters, and this one comes near.
    """
    # A rule runs before Azure's metrics are complete: it sums estimates as they are. What *own* adds to them stays.
    shipped = shipped_functions()[REQUESTS.name].rstrip()
    requests = in_force(own)[REQUESTS.name].replace(shipped, f"{REQUESTS.name}Estimated")
    functions = definitions({**(own or {}), REQUESTS.name: requests})
    wanted = needed(HOURLY, functions)
    short = {**renamed, **_short(wanted)}
    return "".join(
        _dense(as_lets(short[name], text, short, _short(sorted(own_lets(text))).__getitem__))
        for name, text in ((name, functions[name]) for name in wanted)
    )


def _short(names: Iterable[str]) -> dict[str, str]:
    """Two letters of each word in place of a name: AoaiPromptFits is PrFi, and the next of these letters PrFi2.

    AoaiHourly keeps its name, and so do the tables of a lake, since the local engine computes those apart by theirs.
    """
    found: dict[str, str] = {}
    taken: Counter[str] = Counter()
    for name in names:
        letters = "".join(word[:2] for word in re.findall(r"[A-Z][a-z]+", name.removeprefix("Aoai"))) or "X"
        taken[letters] += 1
        found[name] = name if name in (HOURLY, *TABLES) else f"{letters}{taken[letters] if taken[letters] > 1 else ''}"
    return found


def _dense(kql: str) -> str:
    """*kql* without indentation, without blanks around most signs, and without line breaks in lists."""
    lines = [line.strip() for line in kql.splitlines()]
    kql = "".join(
        _BETWEEN.sub(lambda found: found[1] or ",", line) + "\n"
        if line.startswith('"')
        else line + ("" if line.endswith((",", "(")) else "\n")
        for line in lines
    )
    blanks = {
        place
        for node in read(kql).walk()
        if not node.kind and node.text in _SIGNS
        for place in (node.start - 1, node.end)
        if kql[place] == " "
    }
    return edited(kql, [(place, place + 1, "") for place in blanks])


def of_sums() -> list[Query]:
    """The library's queries that support hourly totals."""
    return [query for query in library() if query.header.get("rollup")]


def over_hours(query: Query, source: str = HISTORY) -> str:
    """*query* over hourly totals: the function *source* with ``AoaiHourly``'s columns replaces the requests.

    A count of requests becomes a sum of ``Requests``. Columns that totals cannot provide are omitted if the header
    names them, ``// rollup: without Callers``. Raises WrongUse if the query does not declare or allow the rewrite.
    """
    can = query.header.get("rollup", "")
    if can != "yes" and not can.startswith("without "):
        raise WrongUse(f"{query.name}: the header needs '// rollup: yes', or '// rollup: without COLUMN, COLUMN'")
    taken = {parameter.line for parameter in declared(query.text).values()}
    lines = query.text.split("\n")
    given = "".join(f"{lines[number]}\n" for number in sorted(taken))
    code = without_comments("\n".join(line for number, line in enumerate(lines) if number not in taken))
    for column in re.findall(r"\w+", can.removeprefix("without ")) if can != "yes" else ():
        code, found = re.subn(rf"^\s*{column} = [^\n]*,\n", "", code, flags=re.MULTILINE)
        if found != 1:
            raise WrongUse(f"{query.name}: '// rollup: {can}': no line '{column} = …,' to remove")
    code = _NARROWED.sub(r"\1", code)
    code = re.sub(r"\bcountif\(", "sumif(Requests, ", re.sub(r"\bcount\(\)", "sum(Requests)", code))
    unknown = (names_in(code) & _columns_of_requests()) - COLUMNS.keys()
    if unknown or (lost := _NOT_OF_SUMS.search(_IS_KNOWN.sub("", code))):
        what = ", ".join(sorted(unknown)) or lost[0].strip()  # type: ignore[index]
        raise WrongUse(f"{query.name}: hourly totals lack data it needs: {what}")
    code = with_names(code, dict.fromkeys(_ROWS, source))
    return given + "".join(f"{line.rstrip()}\n" for line in code.split("\n") if line.strip())


def _columns_of_requests() -> set[str]:
    columns = {*REQUESTS.columns, "CachedCost", "PromptCost", "CompletionCost", "PromptPrice", "CachedPrice"}
    return columns | {"CompletionPrice", "CacheWriteCost", "CacheWritePrice", "CacheWriteTokens", "ServiceTier"}
