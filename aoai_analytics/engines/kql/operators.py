"""What each tabular operator does to the columns it is given."""

from __future__ import annotations

from collections.abc import Callable, Iterator, Mapping
from dataclasses import replace
from fnmatch import fnmatchcase
from typing import TYPE_CHECKING

from ...schema.tables import TABLES
from .joins import join
from .rows import UNKNOWN, Rows, Scope
from .tree import Node, bare, call, named, operator, string_value
from .words import listed

if TYPE_CHECKING:
    from .flow import Flow

#: Aggregates that name their column ``prefix_argument``.
_PREFIXES = {
    **{name: name for name in listed("avg avgif countif dcount dcountif max maxif min minif stdev sum sumif variance")},
    **dict.fromkeys(("make_list", "make_list_if", "makelist"), "list"),
    **dict.fromkeys(("make_set", "make_set_if", "makeset"), "set"),
}
#: Functions that leave their argument's name to the column.
_KEEP_NAME = listed(
    """bin floor startofday startofhour startofweek startofmonth startofyear tostring toint tolong todouble toreal
    todatetime totimespan tobool toguid tolower toupper any take_any round abs"""
)
_ARG = frozenset(("arg_max", "arg_min", "argmax", "argmin"))
_ANY = frozenset(("take_any", "any", "anyif", "take_anyif"))


def unnamed(node: Node) -> str:
    """The name that Kusto gives to a column of this expression; '' where that is not known here."""
    node = bare(node)
    if node.kind == "CountExpression":
        return f"count_{unnamed(node.rules[0])}" if node.rules else "count_"
    if node.kind == "FunctionCallOrPathPathExpression" and node.rules[0].name:
        steps = [inner.name or string_value(inner.text) for step in node.rules[1:] for inner in step.rules]
        plain = all(inner.name or inner.kind.startswith("String") for step in node.rules[1:] for inner in step.rules)
        return "_".join([node.rules[0].name, *steps]) if plain else ""
    function, arguments = call(node), node.rules[1:]
    if not function or not arguments:
        return node.name
    inner = unnamed(arguments[0])
    if function in _PREFIXES:
        return f"{_PREFIXES[function]}_{inner}" if inner or function == "countif" else ""
    return inner if function in _KEEP_NAME else ""


def _same(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    for child in node.rules:
        if not child.kind.endswith(("Parameter", "Clause")):
            flow.text(child, rows, scope)
    return rows


def _where(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    for child in node.rules:
        if child.kind == "NamedExpression" and named(child)[0]:
            flow.unknown.append((child.rules[0], "'=' gives a name to a value; compare with '=='"))
    return _same(flow, node, rows, scope)


def _unread(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    return rows


def _extend(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    made = flow.columns(node.rules, rows, scope)
    return replace(rows.with_(made.columns), opened=rows.opened or made.opened, rest=rows.rest or made.rest)


def _project(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    return flow.columns(node.rules, rows, scope)


def _distinct(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    targets = [rule for rule in node.rules if not rule.kind.endswith("Parameter")]
    if any(target.kind == "DistinctOperatorStarTarget" for target in targets):
        return rows
    flat = [
        inner for target in targets for inner in (target.rules if target.kind.startswith("Distinct") else (target,))
    ]
    return flow.columns(flat, rows, scope)


def _patterns(flow: Flow, node: Node, rows: Rows, scope: Scope) -> list[str]:
    """The names and ``a*`` patterns that an operator lists."""
    found = []
    for rule in node.rules:
        inner = rule.rules[0] if rule.kind == "ProjectReorderExpression" else rule
        if inner.name:
            flow.text(inner, rows, Scope())
        found.append(inner.name or inner.text)
    return found


def _matches(column: str, patterns: list[str]) -> bool:
    return any(column == pattern or ("*" in pattern and fnmatchcase(column, pattern)) for pattern in patterns)


def _away(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    patterns = _patterns(flow, node, rows, scope)
    return rows.only(lambda column: not _matches(column, patterns))


def _keep(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    patterns = _patterns(flow, node, rows, scope)
    return rows.only(lambda column: _matches(column, patterns))


def _reorder(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    _patterns(flow, node, rows, scope)
    return rows


def _rename(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    renamed: dict[str, str] = {}
    for rule in node.rules:
        given, value = named(rule)
        flow.text(value, rows, Scope())
        renamed |= dict.fromkeys([value.name], given[0]) if given else {}
    columns = {renamed.get(name, name): text for name, text in rows.columns.items()}
    columns |= {new: rows.is_text(old) for old, new in renamed.items()}
    return replace(rows, columns=columns)


def _summarize(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    by = node.child("SummarizeOperatorByClause")
    result = flow.columns(by.rules if by else (), rows, scope)
    for rule in node.rules:
        if rule is by or rule.kind.endswith("Parameter"):
            continue
        given, value = named(rule)
        function, arguments = call(value), value.rules[1:]
        if function in _ARG | _ANY and (len(arguments) > 1 or function in _ARG or _stars(arguments)):
            made = _of_arguments(flow, given, arguments, rows, result, scope)
        elif function.startswith("percentiles") and not given:
            made = Rows(opened=True, rest=flow.text(value, rows, scope))
        else:
            made = flow.columns((rule,), rows, scope)
        result = replace(result.with_(made.columns), opened=result.opened or made.opened, rest=result.rest or made.rest)
    return result


def _stars(arguments: tuple[Node, ...]) -> bool:
    return any(argument.kind == "StarExpression" for argument in arguments)


def _of_arguments(
    flow: Flow, given: list[str], arguments: tuple[Node, ...], rows: Rows, by: Rows, scope: Scope
) -> Rows:
    """The columns of ``arg_max(A, B, *)`` and ``take_any(A, B)``: one an argument."""
    plain = [argument for argument in arguments if argument.kind != "StarExpression"]
    columns, opened, rest = {}, False, False
    for position, argument in enumerate(plain):
        text = flow.text(argument, rows, scope)
        name = given[position] if position < len(given) else unnamed(argument)
        if name and name not in columns:
            columns[name] = text
        else:
            opened, rest = True, rest or text  # a second one of a name gets another
    if _stars(arguments):
        others = {name: text for name, text in rows.columns.items() if name not in columns and name not in by.columns}
        return Rows(columns | others, opened or rows.opened, rest or rows.rest)
    return Rows(columns, opened, rest)


def _union(flow: Flow, node: Node, rows: Rows | None, scope: Scope) -> Rows:
    found = [] if rows is None else [rows]
    columns: dict[str, bool] = {}
    for rule in node.rules:
        if rule.kind.endswith("Parameter"):
            if rule.words and rule.words[0] in ("withsource", "with_source"):
                columns[rule.rules[-1].text] = False
        elif "*" in rule.text and not rule.kind.startswith("Parenthesized"):
            if not any(fnmatchcase(name, rule.text.strip()) for name in (*TABLES, *scope.bound)):
                flow.unknown.append((rule, f"there is no table like '{rule.text.strip()}'"))
            found.append(UNKNOWN)
        else:
            found.append(flow.rows(rule, scope))
    for branch in found:
        for name, text in branch.columns.items():
            columns[name] = columns.get(name, False) or text
    return Rows(columns, any(branch.opened for branch in found), any(branch.rest for branch in found), united=True)


def _mv_expand(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    columns: dict[str, bool] = {}
    for rule in node.rules[:-1] if node.kind == "MvapplyOperator" else node.rules:
        if rule.kind.endswith("Parameter"):
            if rule.words and rule.words[0] == "with_itemindex":
                columns[rule.rules[-1].text] = False
        elif not rule.kind.endswith("Clause"):
            value = rule.rules[0] if rule.kind.endswith("OperatorExpression") else rule
            given, value = named(value)
            text = flow.text(value, rows, scope)
            columns |= {name: text for name in given or [unnamed(value)] if name}
    return rows.with_(columns)


def inner_stages(node: Node) -> Iterator[Node]:
    """The operators of the query in an operator's brackets, as of ``mv-apply`` and ``partition``."""
    body = node.rules[-1]
    while body.kind.endswith(("SubExpression", "SubExpressionBody")) and len(body.rules) == 1:
        body = body.rules[0]
    parts = body.rules if body.kind.endswith("SubExpression") else (body,)
    yield from (operator(part) for part in parts)


def _mv_apply(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    expanded = _mv_expand(flow, node, rows, scope)
    inner = expanded
    for stage in inner_stages(node):
        inner, scope = flow.operator(stage, inner, scope)
    kept = rows.only(lambda column: column not in expanded.columns or expanded.columns[column] == rows.columns[column])
    return Rows({**kept.columns, **inner.columns}, rows.opened or inner.opened, rows.rest or inner.rest)


def _partition(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    inner = rows
    for rule in node.rules:
        if rule.name:
            flow.text(rule, rows, scope)
    for stage in inner_stages(node):
        inner, scope = flow.operator(stage, inner, scope)
    return inner


def _top_nested(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    return Rows(opened=True, rest=any([flow.text(rule, rows, scope) for rule in _expressions(node)]))


def _parse(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    source, *pattern = (rule for rule in node.rules if not rule.kind.endswith(("Clause", "Parameter")))
    text = flow.text(source, rows, scope)
    return rows.with_({inner.name: text for part in pattern for inner in part.walk() if inner.name})


def _parse_kv(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    text = flow.text(node.rules[0], rows, scope)
    return rows.with_({inner.name: text for rule in node.rules[1:] for inner in rule.walk() if inner.name})


def _make_series(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    return Rows(opened=True, rest=any([flow.text(rule, rows, scope) for rule in _expressions(node)]))


def _expressions(node: Node) -> Iterator[Node]:
    """The expressions within an operator's clauses."""
    for rule in node.rules:
        if rule.kind.endswith(("Clause", "Expression", "Part")) and rule.kind.startswith(("MakeSeries", "TopNested")):
            yield from _expressions(rule)
        elif not rule.kind.endswith("Parameter"):
            yield rule


def _count(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    return Rows({next((inner.name for inner in node.walk() if inner.name), "Count"): False})


def _getschema(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    return Rows(dict.fromkeys(("ColumnName", "ColumnOrdinal", "DataType", "ColumnType"), False))


#: Plugin -> which of its arguments is a column of the rows that it is given.
_OWN_COLUMN = {"bag_unpack": 0, "ipv4_lookup": 1, "ipv6_lookup": 1, "pivot": 0}


def _evaluate(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    """A plugin names columns by values; which, the text does not tell."""
    plugin = next((inner for inner in node.walk() if call(inner)), None)
    if plugin is None:
        return Rows(opened=True, rest=rows.text)
    if wrong := flow.wrong_call(plugin):
        flow.unknown.append((plugin, wrong))
    for place, argument in enumerate(plugin.rules[1:]):
        is_own = place == _OWN_COLUMN.get(call(plugin).lower())
        flow.text(argument, rows if is_own else replace(rows, opened=True), scope)
    return Rows(opened=True, rest=rows.text)


def _sample_distinct(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    return flow.columns(node.rules[-1:], rows, scope)


def _top_hitters(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    value = node.rules[1]
    by = node.child("TopHittersOperatorByClause")
    if by:
        flow.text(by.rules[0], rows, scope)
    made = flow.columns((value,), rows, scope)
    return replace(made, opened=True)


def _invoke(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    function = next((inner for inner in node.walk() if call(inner)), None)
    return flow.invoked(function, rows, scope) if function else UNKNOWN


# Sources


def _print(flow: Flow, node: Node, scope: Scope) -> Rows:
    made = flow.columns(node.rules, Rows(), scope)
    names = {f"print_{position}": made.rest for position in range(len(node.rules))} if made.opened else {}
    return Rows({**names, **made.columns}, rest=made.rest)


def _range(flow: Flow, node: Node, scope: Scope) -> Rows:
    for rule in node.rules[1:]:
        flow.text(rule, Rows(), scope)
    return Rows({node.rules[0].name: False})


def _datatable(flow: Flow, node: Node, scope: Scope) -> Rows:
    declared = node.find("RowSchemaColumnDeclaration")
    return Rows({next(inner.name for inner in column.walk() if inner.name): False for column in declared})


def _union_source(flow: Flow, node: Node, scope: Scope) -> Rows:
    return _union(flow, node, None, scope)


def _everything(flow: Flow, node: Node, scope: Scope) -> Rows:
    """``search`` and ``find`` look into tables of any name, and show whole rows."""
    for clause in node.find("SearchOperatorInClause", "FindOperatorInClause"):
        for rule in clause.rules:
            if rule.name:
                flow.rows(rule, scope)
    return UNKNOWN


def _everything_of(flow: Flow, node: Node, rows: Rows, scope: Scope) -> Rows:
    return replace(rows, opened=True)


Handler = Callable[["Flow", Node, Rows, Scope], Rows]

#: Operator of the grammar -> what it does. Any other is not understood.
OPERATORS: Mapping[str, Handler] = {
    "WhereOperator": _where,
    "SortOperator": _same,
    "TopOperator": _same,
    "TakeOperator": _same,
    "SampleOperator": _same,
    "RenderOperator": _unread,
    "AssertSchemaOperator": _unread,
    "ConsumeOperator": _unread,
    "ExtendOperator": _extend,
    "SerializeOperator": _extend,
    "ProjectOperator": _project,
    "ProjectAwayOperator": _away,
    "ProjectKeepOperator": _keep,
    "ProjectReorderOperator": _reorder,
    "ProjectRenameOperator": _rename,
    "DistinctOperator": _distinct,
    "SummarizeOperator": _summarize,
    "JoinOperator": join,
    "LookupOperator": join,
    "UnionOperator": _union,
    "MvexpandOperator": _mv_expand,
    "MvapplyOperator": _mv_apply,
    "PartitionOperator": _partition,
    "PartitionByOperator": _partition,
    "ParseOperator": _parse,
    "ParseWhereOperator": _parse,
    "ParseKvOperator": _parse_kv,
    "MakeSeriesOperator": _make_series,
    "CountOperator": _count,
    "GetSchemaOperator": _getschema,
    "EvaluateOperator": _evaluate,
    "TopNestedOperator": _top_nested,
    "TopNestedOperatorPart": _top_nested,
    "SampleDistinctOperator": _sample_distinct,
    "TopHittersOperator": _top_hitters,
    "InvokeOperator": _invoke,
    "SearchOperator": _everything_of,
}

#: What a query may begin with, besides a name, a call or brackets.
SOURCES: Mapping[str, Callable[[Flow, Node, Scope], Rows]] = {
    "PrintOperator": _print,
    "RangeExpression": _range,
    "DataTableExpression": _datatable,
    "ContextualDataTableExpression": _datatable,
    "ExternalDataExpression": _datatable,
    "UnionOperator": _union_source,
    "SearchOperator": _everything,
    "FindOperator": _everything,
    "WildcardedEntityExpression": _everything,
}
