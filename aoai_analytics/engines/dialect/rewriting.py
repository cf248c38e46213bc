"""Calls that duckdb-kql does not know as they are written, and does in another form: KQL to KQL."""

from __future__ import annotations

import re
from collections.abc import Callable, Iterator

from ..kql.operators import unnamed
from ..kql.parameters import literal
from ..kql.tree import NAMES, Node, call, edited, named, read, readable
from . import series
from .let_functions import inlined
from .naming import kql_name, refused

_Rewrite = Callable[[Node, list[str]], str | None]


def _typed(node: Node, arguments: list[str]) -> str | None:
    """A call whose last argument is a type, as a conversion of the call without it."""
    typed = re.fullmatch(r"typeof\(\s*(\w+)\s*\)", arguments[-1].strip()) if arguments else None
    if not typed:
        return None
    inner = f"{node.rules[0].text}({', '.join(arguments[:-1])})"
    return inner if typed[1] == "string" else f"to{typed[1]}({inner})"


def _bin_at(node: Node, arguments: list[str]) -> str | None:
    if len(arguments) != 3:
        return None
    value, size, point = arguments
    return f"(({point}) + ({size}) * tolong(floor((({value}) - ({point})) * 1.0 / ({size}), 1)))"


def _datetime_diff(node: Node, arguments: list[str]) -> str | None:
    """Weeks begin on Sundays."""
    if len(arguments) != 3 or arguments[0].strip("'\"").lower() != "week":
        return None
    _, first, second = arguments
    return f"tolong((startofweek({first}) - startofweek({second})) / 7d)"


def _make_datetime(node: Node, arguments: list[str]) -> str | None:
    return f"make_datetime({', '.join([*arguments, '0', '0'][:6])})" if len(arguments) in (4, 5) else None


def _make_timespan(node: Node, arguments: list[str]) -> str | None:
    if len(arguments) != 4:
        return None
    return f"(1d * ({arguments[0]}) + make_timespan({', '.join(arguments[1:])}))"


def _pack_dictionary(node: Node, arguments: list[str]) -> str | None:
    return f"bag_pack({', '.join(arguments)})"


def _bag_pack_columns(node: Node, arguments: list[str]) -> str | None:
    return "bag_pack(" + ", ".join(f"{literal(rule.name, 'string')}, {rule.text}" for rule in node.rules[1:]) + ")"


def _around(node: Node, arguments: list[str]) -> str | None:
    if len(arguments) != 3:
        return None
    value, center, delta = arguments
    return f"(({value}) >= ({center}) - ({delta}) and ({value}) <= ({center}) + ({delta}))"


def _called(name: str) -> _Rewrite:
    return lambda node, arguments: f"{name}({', '.join(arguments)})"


#: Older names of functions -> the names that they have.
_RENAMED = {
    "argmax": "arg_max",
    "argmin": "arg_min",
    "array_strcat": "strcat_array",
    "arraylength": "array_length",
    "cnt": "count",
    "datepart": "datetime_part",
    "extractall": "extract_all",
    "make_dictionary": "make_bag",
    "makelist": "make_list",
    "makeset": "make_set",
    "notempty": "isnotempty",
    "parseurl": "parse_url",
    "parseurlquery": "parse_urlquery",
    "totime": "totimespan",
}

REWRITES: dict[str, _Rewrite] = {
    **{old: _called(new) for old, new in _RENAMED.items()},
    "around": _around,
    "bag_pack_columns": _bag_pack_columns,
    "pack_dictionary": _pack_dictionary,
    "extract": _typed,
    "extract_json": _typed,
    "extractjson": _typed,
    "bin_at": _bin_at,
    "datetime_diff": _datetime_diff,
    "make_datetime": _make_datetime,
    "make_timespan": _make_timespan,
}


def _word(text: str) -> str:
    return re.sub(r"\W", "_", text)


def _percentiles(node: Node, names: list[str], function: Node) -> str | None:
    """One percentile for each rank."""
    value, *ranks = (rule.text for rule in function.rules[1:])
    one = "percentile" if call(function) == "percentiles" else "percentile_weighted"
    weight = "" if one == "percentile" else f", {ranks.pop(0)}"
    unnamed = [f"percentile_{_word(value)}_{_word(rank)}" if weight or "." in rank else "" for rank in ranks]
    given = [*names, *unnamed] if len(names) > 1 or len(ranks) == 1 else unnamed
    return ", ".join(
        (f"{name} = " if name else "") + f"{one}({value}{weight}, {rank})"
        for name, rank in zip(given, ranks, strict=False)
    )


def _percentiles_array(node: Node, names: list[str], function: Node) -> str:
    """An array of one percentile for each rank."""
    value, *ranks = (rule.text for rule in function.rules[1:])
    if len(ranks) == 1 and function.rules[2].kind == "DynamicLiteralExpression":
        ranks = [item.text for array in function.rules[2].find("JsonArray") for item in array.rules]
    name = names[0] if names else f"percentiles_{_word(value)}"
    return f"{name} = pack_array({', '.join(f'percentile({value}, {rank})' for rank in ranks)})"


def _tuple(node: Node, names: list[str], function: Node) -> str | None:
    """One column for each that a function of a series gives."""
    name = call(function)
    _, columns = series.TUPLES[name]
    arguments = ", ".join(rule.text for rule in function.rules[1:])
    of = re.sub(r"\W", "_", function.rules[1].text)
    given = [*names, *(f"{name}_{of}_{column}" for column in columns[len(names) :])]
    arrays = ("line_fit", "baseline", "seasonal", "trend", "residual", "ad_flag", "ad_score", "periods", "scores")
    return ", ".join(
        f"{own} = {'' if column in arrays else 'toreal'}({name}_row({arguments})[{place}])"
        for place, (own, column) in enumerate(zip(given, columns, strict=False))
    )


def _sorted(node: Node, names: list[str], function: Node) -> str | None:
    """``(A, B) = array_sort_asc(a, b)``: a column for each array."""
    if len(names) < 2:
        return None
    return ", ".join(f"{name} = {function.text}[{place}]" for place, name in enumerate(names))


#: Calls that give several columns, by name.
SEVERAL: dict[str, Callable[[Node, list[str], Node], str | None]] = {
    "percentiles": _percentiles,
    "percentilesw": _percentiles,
    "percentilew": _percentiles,
    "percentiles_array": _percentiles_array,
    "array_sort_asc": _sorted,
    "array_sort_desc": _sorted,
    **dict.fromkeys(series.TUPLES, _tuple),
}
#: A setting of the service.
_SETTING = re.compile(r"\s*set\s+(\w+)(?:\s*=\s*([^;]+))?;")
_HIDDEN = re.compile(r"\b[hH]@?[\"']")
_YEAR = re.compile(r"datetime\(\s*(\d{4})\s*\)")
_NEGATIVE = re.compile(r"(?:time|timespan)\(\s*-\s*([\w.:]+)\s*\)")
_DECIMAL = re.compile(r"decimal\(\s*([-\d.eE+]+)\s*\)")
_ANY_NAME = re.compile(r"\b(" + "|".join(sorted({*REWRITES, *SEVERAL})) + r")\s*\(")


def rewritten(kql: str) -> str:
    """*kql* with such calls in the form that duckdb-kql knows. Raises QueryError where it does not parse."""
    kql = readable(kql)
    settings = {}
    while setting := _SETTING.match(kql):
        settings[setting[1]] = setting[2] or "true"
        kql = kql[setting.end() :]
    if "bin_auto" in kql:
        kql = edited(kql, filter(None, (_bin_auto(node, settings) for node in read(kql).walk())))
    if "view" in kql:
        kql = edited(kql, filter(None, map(_view, read(kql).walk())))
    if "query_parameters" in kql:
        kql = edited(kql, filter(None, map(_parameters, read(kql).walk())))
    if "summarize" in kql:
        kql = edited(kql, _constants(read(kql)))
    if "parse" in kql:
        kql = edited(kql, (edit for node in read(kql).walk() for edit in _parse(node)))
    if "{" in kql:
        kql = inlined(kql)
    if any(pattern.search(kql) for pattern in (_HIDDEN, _YEAR, _NEGATIVE)):
        kql = edited(kql, filter(None, map(_plain_literal, read(kql).walk())))
    if _DECIMAL.search(kql):
        kql = edited(kql, _decimals(read(kql)))
    while _ANY_NAME.search(kql):
        edit = next(filter(None, map(_edit, read(kql).walk())), None)
        if edit is None:
            break
        kql = edited(kql, [edit])
    return kql


def _bin_auto(node: Node, settings: dict[str, str]) -> tuple[int, int, str] | None:
    """``bin_auto``: the width and a point of the bins are settings of the query."""
    if call(node) != "bin_auto" or len(node.rules) != 2:
        return None
    width = settings.get("query_bin_auto_size")
    if width is None:
        raise refused(node, "bin_auto() takes its width from 'set query_bin_auto_size=1h;' before the query")
    point = settings.get("query_bin_auto_at")
    value = node.rules[1].text
    return node.start, node.end, f"bin_at({value}, {width}, {point})" if point else f"bin({value}, {width})"


def _view(node: Node) -> tuple[int, int, str] | None:
    """A view without parameters as what it shows."""
    if node.kind != "LetViewDeclaration" or node.child("LetFunctionBody") is None:
        return None
    body = node.rules[-1]
    if len(node.rules) != 2 or len(body.rules) != 1:
        return None
    return node.rules[0].end, node.end, f" = ({body.rules[0].text})"


def _parse(node: Node) -> Iterator[tuple[int, int, str]]:
    """A pattern that begins with a column gets a text to begin with; rows without a match go by a condition."""
    if node.kind not in ("ParseOperator", "ParseWhereOperator"):
        return
    *_, source, pattern = node.rules
    if not pattern.children:
        return
    if node.kind == "ParseWhereOperator":
        captured = [name.text for name in pattern.walk() if name.kind in NAMES]
        yield node.start, node.start + len("parse-where"), "parse"
        yield node.end, node.end, " | where " + " or ".join(f"isnotempty(tostring({name}))" for name in captured)
    if (
        pattern.children[0].kind in (*NAMES, "ParseOperatorNameAndOptionalType")
        and "regex" not in node.text.split("with")[0]
    ):
        yield source.start, source.end, f"strcat('~|~', {source.text})"
        yield pattern.start, pattern.start, "'~|~' "


def _parameters(node: Node) -> tuple[int, int, str] | None:
    """Parameters that a query declares, as lets of their defaults."""
    if node.kind != "DeclareQueryParametersStatement":
        return None
    lets = []
    for parameter in node.rules:
        name, kind, *default = parameter.rules
        nothing = '""' if kind.text == "string" else f"{kind.text}(null)"
        lets.append(f"let {name.text} = {default[0].rules[0].text if default else nothing}")
    return node.start, node.end, "; ".join(lets)


def _constants(root: Node) -> Iterator[tuple[int, int, str]]:
    """A constant among the aggregates of a summarize: any of the rows tells it. Hints go.

    Published queries count a column, ``count(CorrelationId)``: Kusto counts the rows, as ``count()`` does.
    """
    for counted in root.find("CountExpression"):
        if counted.rules:
            yield counted.start, counted.end, "count()"
    for operator in root.find("SummarizeOperator"):
        for rule in operator.rules:
            if rule.kind == "StrictQueryOperatorParameter":
                yield rule.start, rule.end, ""  # a hint to a cluster
            _, expression = named(rule)
            if rule.kind == "CountExpression" and rule.rules:
                yield rule.start, rule.start, f"{kql_name(unnamed(rule))} = "
            if rule.kind == "NamedExpression" and (expression.name or expression.kind.endswith("LiteralExpression")):
                yield expression.start, expression.end, f"take_any({expression.text})"


def _plain_literal(node: Node) -> tuple[int, int, str] | None:
    """A string that is hidden in traces as a plain one, a year as its first day, and a timespan without its sign."""
    if not node.kind and node.text[:1] in ("h", "H") and node.text[1:2] in ("'", '"', "@"):
        return node.start, node.start + 1, ""
    if year := _YEAR.fullmatch(node.text) if not node.kind else None:
        return node.start, node.end, f"datetime({year[1]}-01-01)"
    if negative := _NEGATIVE.fullmatch(node.text) if not node.kind else None:
        return node.start, node.end, f"(-time({negative[1]}))"
    return None


def _decimals(node: Node) -> Iterator[tuple[int, int, str]]:
    """Decimal literals, which duckdb-kql reads as reals, as conversions; a datatable converts its own."""
    if node.kind == "DataTableExpression":
        return
    if not node.children and (literal := _DECIMAL.fullmatch(node.text)):
        yield node.start, node.end, f'todecimal("{literal[1]}")'
    for child in node.children:
        yield from _decimals(child)


def _edit(node: Node) -> tuple[int, int, str] | None:
    names, expression = named(node)
    if call(expression) in SEVERAL and (names or node.kind == "NamedFunctionCallExpression"):
        new = SEVERAL[call(expression)](node, names, expression)
    elif call(node) in REWRITES:
        new = REWRITES[call(node)](node, [rule.text for rule in node.rules[1:]])
    else:
        return None
    return None if new is None or new == node.text else (node.start, node.end, new)
