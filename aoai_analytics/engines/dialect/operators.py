"""Tabular operators and plugins that duckdb-kql lacks, each computed over the stage before it (``stages.py``).

Sources: the page of each at https://learn.microsoft.com/kusto/query/.
"""

from __future__ import annotations

import fnmatch
import re

from ..kql.parameters import declared
from ..kql.tree import NAMES, Node, named, operator
from .naming import column as _column
from .naming import kql_name, listed, refused, sql_name
from .nesting import top_nested
from .pairs import parse_kv
from .plugins import evaluate
from .scanning import scan, scanned
from .stages import Handler, Stage
from .windows import windows_in, windows_of

#: A column that tells apart the rows, or the parts, that a sub-query works on by themselves.
_PART = "Part__"
#: Columns that keep the order of an array's items, and of the rows that a sub-query makes of them.
_ITEM, _ORDER = "Item__", "Order__"


# Columns


def _matching(node: Node, columns: dict[str, str]) -> list[str]:
    pattern = node.text.strip() if node.kind.startswith("Wildcarded") else ""
    if not pattern:
        return [_column(node)] if _column(node) in columns else []
    return [name for name in columns if fnmatch.fnmatchcase(name, pattern)]


def _project_keep(node: Node, stage: Stage) -> str:
    kept = {name for rule in node.rules for name in _matching(rule, stage.columns)}
    return f"{stage.name} | project {listed([name for name in stage.columns if name in kept])}"


def _project_away(node: Node, stage: Stage) -> str:
    gone = {name for rule in node.rules for name in _matching(rule, stage.columns)}
    return f"{stage.name} | project {listed([name for name in stage.columns if name not in gone])}"


def _project_reorder(node: Node, stage: Stage) -> str:
    first: list[str] = []
    for rule in node.rules:
        inner = rule.rules[0] if rule.kind == "ProjectReorderExpression" and rule.rules else rule
        names = _matching(inner, stage.columns)
        way = rule.text.split()[-1].lower() if rule.kind == "ProjectReorderExpression" else ""
        if way in ("asc", "desc", "granny-asc", "granny-desc"):
            names = sorted(names, reverse=way.endswith("desc"))
        first += [name for name in names if name not in first]
    return f"{stage.name} | project {listed(first + [name for name in stage.columns if name not in first])}"


def _distinct(node: Node, stage: Stage) -> str:
    return f"{stage.name} | distinct {listed(list(stage.columns))}"


# Rows


def _top_hitters(node: Node, stage: Stage) -> str:
    count, of, *by = node.rules
    column = _column(of)
    if by:
        expression = by[0].rules[0].text.strip()
        name, total = f"approximate_sum_{_column(by[0])}", f"sum({expression})"
    else:
        name, total = f"approximate_count_{column}", "count()"
    return f"{stage.name} | summarize {name} = {total} by {of.text} | top {count.text} by {name} desc"


def _sample(node: Node, stage: Stage) -> str:
    return f"{stage.name} | take {node.rules[0].text}"


def _sample_distinct(node: Node, stage: Stage) -> str:
    count, of = node.rules[:2]
    return f"{stage.name} | distinct {of.text} | take {count.text}"


def _same(node: Node, stage: Stage) -> str:
    return stage.name


def _as(node: Node, stage: Stage) -> str:
    name = _column(node.rules[-1])
    return stage.stages.made(f'SELECT * FROM "{stage.name}"', name=name)


# Sub-queries for each part


def _in_parts(body: Node, stage: Stage) -> Stage:
    """The stage after the operators of *body*, computed for the rows of each part by themselves."""
    piped = [body] if body.kind.endswith("Operator") else list(body.rules)
    for node in map(operator, piped):
        text = node.text.strip()
        if windows_in(node):
            stage = windows_of(node, stage, _PART)
        elif node.kind in (
            "WhereOperator",
            "ExtendOperator",
            "MvexpandOperator",
            "ParseOperator",
            "ProjectAwayOperator",
        ):
            stage = stage.then(f"| {text}")
        elif node.kind == "SerializeOperator":
            stage = stage.then(f"| extend {text[len('serialize') :]}") if node.rules else stage
        elif node.kind == "ProjectOperator":
            stage = stage.then(f"| {text}, {_PART}")
        elif node.kind == "SummarizeOperator":
            by = any(rule.kind == "SummarizeOperatorByClause" for rule in node.rules)
            stage = stage.then(f"| {text}{', ' if by else ' by '}{_PART}")
        elif node.kind == "CountOperator":
            stage = stage.then(f"| summarize Count = count() by {_PART}")
        elif node.kind == "DistinctOperator":
            stage = stage.then(f"| {text}, {_PART}")
        elif node.kind in ("TopOperator", "TakeOperator"):
            keys = node.rules[1:] if node.kind == "TopOperator" else ()
            stage = _first_of_parts(stage, node.rules[0].text, keys)
        elif node.kind in ("SortOperator", "OrderOperator"):
            stage = stage.then(f"| {text}", stored=True)
        elif node.kind == "ScanOperator":
            stage = stage.sql(f'SELECT * FROM "{stage.name}" ORDER BY {_PART}', stored=True)
            stage = scanned(node, stage, _PART)
        else:
            raise refused(node, f"the local engine cannot run '{text.split()[0]}' for each part of a table")
    return stage


def _first_of_parts(stage: Stage, count: str, keys: tuple[Node, ...]) -> Stage:
    ordered = []
    for place, key in enumerate(keys):
        expression = (
            key.rules[0].text if key.kind == "OrderedExpression" else re.sub(r"\s+(asc|desc)\s*$", "", key.text)
        )
        stage = stage.then(f"| extend Key{place}__ = {expression}")
        way = "ASC NULLS FIRST" if re.search(r"\basc\b", key.text) else "DESC NULLS LAST"
        ordered.append(f"Key{place}__ {way}")
    ordered = ordered or [sql_name(name) for name in (_ITEM,) if name in stage.columns]
    order = f"ORDER BY {', '.join(ordered)}" if ordered else ""
    gone = "".join(f" EXCLUDE (Key{place}__)" if len(keys) == 1 else "" for place in range(min(1, len(keys))))
    return stage.sql(
        f'SELECT *{gone} FROM "{stage.name}" '
        f"QUALIFY row_number() OVER (PARTITION BY {_PART} {order}) <= {stage.value(count)} "
        f"ORDER BY {_PART}{', ' + ', '.join(ordered) if ordered else ''}"
    )


def _mv_apply(node: Node, stage: Stage) -> str:
    body = node.rules[-1]
    limit = next((rule.text for rule in node.rules if rule.kind == "MvapplyOperatorLimitClause"), "")
    items = [rule.text for rule in node.rules[:-1] if not rule.kind.endswith(("LimitClause", "Parameter", "IdClause"))]
    index = next((rule.rules[-1].name for rule in node.rules if rule.words[:1] == ("with_itemindex",)), "")
    base = stage.sql(f'SELECT *, row_number() OVER () AS {_PART} FROM "{stage.name}"', stored=True)
    expanded = base.then(
        f"| mv-expand with_itemindex={_ITEM} {', '.join(items)} {limit}"
        + (f" | extend {kql_name(index)} = {_ITEM}" if index else "")
        + f" | sort by {_PART} asc, {_ITEM} asc",
        stored=True,
    )
    new = [name for name in expanded.columns if name not in base.columns]
    taken = [
        _column(rule) for rule in node.rules[:-1] if rule.kind in NAMES or rule.kind == "MvapplyOperatorExpression"
    ]
    found = _in_parts(body, expanded)
    found = found.sql(f'SELECT *, row_number() OVER () AS {_ORDER} FROM "{found.name}"', stored=True)
    added = [name for name in found.columns if name not in base.columns or (name in taken and name not in new)]
    added = [name for name in added if name not in (_PART, _ITEM, _ORDER)]
    own = [name for name in stage.columns if name not in added]
    joined = ", ".join([*(f"b.{sql_name(name)}" for name in own), *(f"f.{sql_name(name)}" for name in added)])
    return stage.sql(
        f'SELECT {joined} FROM "{base.name}" b JOIN "{found.name}" f ON b.{_PART} = f.{_PART} '
        f"ORDER BY b.{_PART}, f.{_ORDER}",
        stored=True,
    ).name


def _partition(node: Node, stage: Stage) -> str:
    key = next((rule for rule in node.rules if rule.kind in NAMES), None)
    body = node.rules[-1]
    if key is None or body.kind != "PartitionOperatorSubExpressionBody":
        raise refused(node, "the local engine runs 'partition by COLUMN (operators)' only")
    parts = stage.then(f"| extend {_PART} = {key.text}")
    found = _in_parts(body.rules[0], parts)
    return f"{found.name} | project-away {_PART}"


# Series


def _make_series(node: Node, stage: Stage) -> str:
    head = node.text.partition(" on ")[0]
    on = next(rule for rule in node.rules if rule.kind == "MakeSeriesOperatorOnClause").rules[-1].text
    steps = next(
        rule for rule in node.rules if rule.kind.startswith("MakeSeriesOperatorFrom") or "InRange" in rule.kind
    )
    by = next((rule for rule in node.rules if rule.kind == "MakeSeriesOperatorByClause"), None)
    begin, end, step = _steps(steps)
    axis = _column(next(rule for rule in node.rules if rule.kind == "MakeSeriesOperatorOnClause"))
    aggregates = [_aggregate(text) for text in _split_list(re.sub(r"^make-series(\s+kind\s*=\s*\w+)?", "", head))]
    bins = stage
    if begin:
        bins = bins.then(f"| where {on} >= {begin}")
    if end:
        bins = bins.then(f"| where {on} < {end}")
    start = begin or stage.sql(f'SELECT min({sql_name(axis)}) AS Start FROM "{bins.name}"').name
    origin = begin or f"bin(toscalar({start} | project Start), {step})"
    groups = [named(rule) for rule in by.rules] if by else []
    keys = [names[0] if names else _column(expression) for names, expression in groups]
    grouped = "".join(f", {rule.text}" for rule in by.rules) if by else ""
    totals = ", ".join(f"{kql_name(name)} = {text}" for name, text, _ in aggregates)
    found = bins.then(f"| summarize {totals} by Axis__ = bin_at({on}, {step}, {origin}){grouped}")
    is_time = stage.columns.get(axis) == "datetime"
    first = stage.value(begin) if begin else f'(SELECT min(Axis__) FROM "{found.name}")'
    stop = stage.value(end) if end else f'(SELECT max(Axis__) FROM "{found.name}")'
    width = stage.value(step)
    series = (
        f"unnest(generate_series({first}, {stop}, {width}))" if is_time else f"unnest(range({first}, {stop}, {width}))"
    )
    if not is_time and not end:
        series = f"unnest(generate_series({first}, {stop}, {width}))"
    points = f"SELECT {series} AS Axis__"
    if end and is_time:
        points = f"SELECT * FROM ({points}) WHERE Axis__ < {stop}"
    groups_sql = (
        f'SELECT DISTINCT {", ".join(map(sql_name, keys))} FROM "{found.name}"' if keys else "SELECT 1 AS One__"
    )
    if not keys and not re.search(r"kind\s*=\s*nonempty", head):
        groups_sql += f' WHERE EXISTS (FROM "{stage.name}")'
    same = " AND ".join(
        ["f.Axis__ = p.Axis__", *(f"f.{sql_name(k)} IS NOT DISTINCT FROM g.{sql_name(k)}" for k in keys)]
    )
    arrays = [
        f"to_json(list(coalesce(f.{own}, {stage.value(default) if default else 0}) ORDER BY p.Axis__)) AS {own}"
        for own, default in ((sql_name(name), default) for name, _, default in aggregates)
    ]
    shown = "strftime(p.Axis__, '%Y-%m-%dT%H:%M:%S.%f0Z')" if is_time else "p.Axis__"
    arrays.append(f"to_json(list({shown} ORDER BY p.Axis__)) AS {sql_name(axis)}")
    selected = ", ".join([*(f"g.{sql_name(key)}" for key in keys), *arrays])
    by_keys = f" GROUP BY {', '.join(f'g.{sql_name(key)}' for key in keys)}" if keys else " HAVING count(*) > 0"
    return stage.sql(
        f'SELECT {selected} FROM ({groups_sql}) g CROSS JOIN ({points}) p LEFT JOIN "{found.name}" f ON {same}{by_keys}'
    ).name


def _steps(node: Node) -> tuple[str, str, str]:
    if "InRange" in node.kind:
        begin, end, step = (rule.text.strip() for rule in node.rules)
        return begin, f"({end}) + ({step})", step
    parts = re.fullmatch(r"(?:from\s+(.*?)\s+)?(?:to\s+(.*?)\s+)?step\s+(.*)", node.text.strip(), re.DOTALL)
    assert parts is not None
    return parts[1] or "", parts[2] or "", parts[3].strip()


def _split_list(text: str) -> list[str]:
    """*text* at its commas outside brackets and strings."""
    parts, depth, quote = [""], 0, ""
    for character in text:
        if quote:
            quote = "" if character == quote else quote
        elif character in "'\"":
            quote = character
        else:
            depth += (character in "([{") - (character in ")]}")
        if character == "," and not depth and not quote:
            parts.append("")
        else:
            parts[-1] += character
    return [part.strip() for part in parts if part.strip()]


def _aggregate(text: str) -> tuple[str, str, str]:
    """The name, the aggregate and the default of one series."""
    body, _, default = re.sub(r"\bdefault\s*=", "\0", text).partition("\0")
    name, equals, expression = body.partition("=")
    if equals and re.fullmatch(r"\s*([A-Za-z_]\w*|\['[^']*'\])\s*", name) and not expression.startswith("="):
        return name.strip().strip("[]'"), expression.strip(), default.strip()
    function, _, argument = body.strip().partition("(")
    inner = argument.rstrip(") ").strip()
    column = inner if re.fullmatch(r"\w+", inner) and function not in ("count", "countif") else ""
    return f"{function}_{column}", body.strip(), default.strip()


HANDLERS: dict[str, Handler] = {
    "ProjectKeepOperator": _project_keep,
    "ProjectReorderOperator": _project_reorder,
    "TopHittersOperator": _top_hitters,
    "SampleOperator": _sample,
    "SampleDistinctOperator": _sample_distinct,
    "ConsumeOperator": _same,
    "AsOperator": _as,
    "TopNestedOperator": top_nested,
    "TopNestedOperatorPart": top_nested,
    "MvapplyOperator": _mv_apply,
    "PartitionOperator": _partition,
    "MakeSeriesOperator": _make_series,
    "EvaluateOperator": evaluate,
    "ParseKvOperator": parse_kv,
    "ScanOperator": scan,
}


def _counted(node: Node, stage: Stage) -> str:
    """``take`` and ``top`` of an expression: of the number that it is."""
    count = node.rules[0]
    ((number,),) = stage.values(f"SELECT CAST({stage.value(count.text)} AS BIGINT)")
    text = node.text
    return f"{stage.name} | {text[: count.start - node.start]}{number}{text[count.end - node.start :]}"


def needs(node: Node) -> Handler | None:
    """The handler of an operator that needs one only as it is written here."""
    if node.kind in ("TakeOperator", "TopOperator") and not node.rules[0].kind.endswith("LiteralExpression"):
        return None if node.rules[0].name in declared(node.source) else _counted
    if node.kind == "ProjectAwayOperator" and any(rule.kind.startswith("Wildcarded") for rule in node.rules):
        return _project_away
    if node.kind == "DistinctOperator" and re.fullmatch(r"distinct\s*\*", node.text.strip()):
        return _distinct
    return None
