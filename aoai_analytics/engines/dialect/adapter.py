"""The one place that reaches into duckdb-kql: it has no public way to add to what it translates.

Everything here was written for the version below; a test fails where another one is installed, so that whoever raises
the pin looks at each line.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from contextvars import ContextVar
from dataclasses import fields, replace
from functools import cache, lru_cache
from typing import Any

from ..kql.remembered import remembered
from . import computed
from .arities import ARITIES, MANY
from .functions import AGGREGATES, BY_TYPE, NO_STRINGS, OPERATORS, SCALARS, STRINGS, WRAPPED
from .plugins import PLUGINS
from .rendering import by_key, element, union_without_null_strings, without_null_strings
from .rewriting import REWRITES, SEVERAL
from .windows import RESTART, WINDOW_FUNCTIONS

#: From a call, as duckdb-kql reads it, to SQL; None leaves it to the registry.
_Rendered = Callable[[Any], str | None]
#: What is no function of a registry, but is called as one.
_BY_KUSTO = (
    "column_ifexists",
    "columnifexists",
    "materialize",
    "not",
    "table",
    "toscalar",
    "typeof",
    "bin_auto",
    "pack_all",
)
_ARITHMETIC = frozenset("+-*/%")
#: Kusto's decimal has 34 digits, wherever the point is.
_DECIMAL = "DECIMAL(38, 12)"
#: Functions that give a dynamic value.
DYNAMIC_FUNCTIONS = frozenset(
    (
        *("array_concat", "array_slice", "array_sort_asc", "array_sort_desc", "bag_keys", "bag_merge", "bag_pack"),
        *(
            "extract_all",
            "pack",
            "pack_array",
            "parse_json",
            "parse_url",
            "parsejson",
            "split",
            "todynamic",
            "toobject",
        ),
        *(name for name, function in computed.FUNCTIONS.items() if function.type == "dynamic"),
    )
)
#: Columns that hold dynamic values: named where arithmetic on one of them failed.
dynamic_columns: ContextVar[frozenset[str]] = ContextVar("dynamic_columns", default=frozenset())
#: The fewest and the most arguments of the functions that Python computes, those of duckdb-kql's own forms among them.
_COMPUTED: dict[str, tuple[int, int]] = {}
#: Conversions of a part of a dynamic value, which is JSON: {} is the rest of the call that takes it. One that is null
#: within JSON is neither a number nor a text, so that the call need not be the macro's.
_OF_PARTS = {
    "kusto_tolong": "kusto_tolong_json(system.main.json_extract({})",
    "kusto_tostring": "coalesce(system.main.json_extract_string({}, '')",
}
#: The version of duckdb-kql whose inner parts these are.
VERSION = "1.1.2"


@cache
def install() -> None:
    """Add our functions and operators to duckdb-kql's. Its own stay but for those of the same name."""
    import duckdb_kql
    from duckdb_kql import ir, lower, translate
    from duckdb_kql.translate import functions

    # A query is read here, to check it, and there: half of a small query's time is the parser's.
    lowering: Any = lower
    lowering.parse = duckdb_kql.parse = lru_cache(maxsize=8)(duckdb_kql.parse)
    lowering._find_all = _every
    known_bin = translate._SPECIAL_FORMS["bin"]

    def binned(node: ir.FunctionCall) -> str | None:
        """Of times, in whole microseconds, and asking no calendar. duckdb-kql's weeks begin on Thursdays."""
        width = node.args[-1]
        if len(node.args) != 2 or not translate._is_timespan_expr(width):
            return known_bin(node)
        return _typed("kusto_bin", *node.args)

    _macros()  # in duckdb-kql's words, before ours take their place
    forms = translate._SPECIAL_FORMS
    forms["bin"] = binned
    for name in BY_TYPE:
        forms[name] = _by_type(name, forms[name])
    forms["coalesce"] = _coalesced(forms["coalesce"])
    translate.render_kql_tostring = _text
    forms["abs"] = lambda node: _typed("kusto_abs", *node.args) if len(node.args) == 1 else None
    for name, template in WRAPPED.items():
        forms[name] = _wrapped(forms[name], template)
    translate.render_expr = _with_types(translate.render_expr)
    for render, changed in (
        ("render_path", by_key(translate.render_path)),
        ("_dynamic_element", element(translate._dynamic_element)),
        ("render_in_list", _of_several(translate.render_in_list, _equals)),
        ("render_has_list", _of_several(translate.render_has_list, translate._has_toscalar)),
    ):
        setattr(translate, render, changed)
    for name, (arities, template) in SCALARS.items():
        functions.SCALAR_FUNCTIONS[name] = functions.FunctionSpec(name, "template", template, arities)
    # Its own read no IPv4 address, lose null in a list, and sort numbers with strings as texts.
    for name in ("parse_ipv6", "array_concat", "array_sort_asc", "array_sort_desc"):
        forms.pop(name, None)
        functions.SCALAR_FUNCTIONS.pop(name, None)
    for name, function in computed.FUNCTIONS.items():
        known = functions.SCALAR_FUNCTIONS.get(name)
        functions.SCALAR_FUNCTIONS[name] = _computed_spec(functions.FunctionSpec, name, function, known)
    for name, made in (("rand", _rand), ("array_concat", _array_concat)):
        functions.SCALAR_FUNCTIONS[name] = _spec(functions.FunctionSpec, name, made)
    for name, (arities, template, prefix) in AGGREGATES.items():
        functions.AGGREGATE_FUNCTIONS[name] = functions.AggregateSpec(
            name, template, arities, name_prefix=prefix, name_is_argument=not prefix
        )
    for name in ("render_join", "render_lookup"):
        setattr(translate, name, without_null_strings(getattr(translate, name)))
    translate.render_union = union_without_null_strings(translate.render_union)
    for name in forms:  # so that they may be of aggregates too: bin(max(x), 1h)
        functions.SCALAR_FUNCTIONS.setdefault(name, functions.FunctionSpec(name, "template", "", ()))
    for name in ("make_list", "make_set"):
        functions.AGGREGATE_FUNCTIONS[name] = _capped(functions.AGGREGATE_FUNCTIONS[name])
    for name, template in OPERATORS.items():
        for operator, rendered in ((name, template), (f"!{name}", f"NOT {template}")):
            functions.BINARY_OPERATORS[operator] = replace(functions.BINARY_OPERATORS[operator], template=rendered)


def _every(node: Any, rule: str) -> list[Any]:
    """The pieces of a parsed query of one grammar rule, none within another, in order: as duckdb-kql finds them."""
    found, waiting = [], [node]
    while waiting:
        node = waiting.pop()
        if type(node).__name__ == f"{rule}Context":
            found.append(node)
        else:
            waiting += reversed(getattr(node, "children", None) or ())
    return found


@contextmanager
def computing(columns: frozenset[str]) -> Iterator[None]:
    """While a query is translated: *columns* hold dynamic values."""
    token = dynamic_columns.set(columns)
    try:
        yield
    finally:
        dynamic_columns.reset(token)


@cache
def function_names() -> frozenset[str]:
    """Every function that the local engine knows, in lower case."""
    from duckdb_kql import translate
    from duckdb_kql.translate.functions import AGGREGATE_FUNCTIONS, SCALAR_FUNCTIONS

    install()
    ours = {*REWRITES, *SEVERAL, *WINDOW_FUNCTIONS, *PLUGINS, *_BY_KUSTO}
    return frozenset({*SCALAR_FUNCTIONS, *AGGREGATE_FUNCTIONS, *translate._SPECIAL_FORMS, *ours})


@cache
def arities() -> dict[str, tuple[int, int]]:
    """Every function that the local engine knows, in lower case, with the fewest and the most arguments it takes."""
    from duckdb_kql.translate.functions import AGGREGATE_FUNCTIONS, SCALAR_FUNCTIONS

    found = dict.fromkeys(function_names(), (0, MANY))
    specs: dict[str, Any] = {**AGGREGATE_FUNCTIONS, **SCALAR_FUNCTIONS}
    for name, spec in specs.items():
        if spec.arities:
            found[name] = (min(spec.arities), max(spec.arities))
    windows = {name: (low, high + (name in RESTART)) for name, (low, high) in WINDOW_FUNCTIONS.items()}
    return found | _COMPUTED | windows | ARITIES


def is_aggregate(name: str) -> bool:
    """Whether *name* is a function of a ``summarize``."""
    from duckdb_kql.translate.functions import AGGREGATE_FUNCTIONS

    install()
    return name.lower() in AGGREGATE_FUNCTIONS or (name.lower() in SEVERAL and name.lower().startswith("percentile"))


@remembered()
def macros() -> dict[str, str]:
    """The macros that make conversions by type short: name -> SQL about its value ``v``."""
    return _macros()


@cache
def _macros() -> dict[str, str]:
    from duckdb_kql import ir, translate

    value = ir.ColumnRef("v")
    bodies = {f"kusto_{name}": str(translate.render_expr(ir.FunctionCall(name, (value,)))) for name in BY_TYPE}
    return bodies | {"kusto_present": "CASE WHEN CAST(v AS VARCHAR) <> '' THEN v END"}


def _of_macro(name: str, argument: Any) -> str:
    """A call of a macro. DuckDB puts the argument wherever the macro names it: a long one is computed before."""
    from duckdb_kql import ir, translate

    sql = str(translate.render_expr(argument))
    if isinstance(argument, ir.PathAccess) and sql.startswith("json_extract(") and name in _OF_PARTS:
        return _OF_PARTS[name].format(sql.removeprefix("json_extract("))
    is_short = isinstance(argument, ir.ColumnRef)
    return f"{name}({sql})" if is_short else f"list_transform([{sql}], lambda _m: {name}(_m))[1]"


def _typed(macro: str, *arguments: Any) -> str:
    """A call of a macro that has a form for each type. DuckDB knows no aggregate's type there: it is named before."""
    from duckdb_kql import translate

    value, *others = map(translate.render_expr, arguments)
    if not _is_of_aggregate(arguments[0]):
        return f"{macro}({', '.join([value, *others])})"
    return f"list_transform([{value}], lambda _m: {macro}({', '.join(['_m', *others])}))[1]"


def _is_of_aggregate(node: Any) -> bool:
    from duckdb_kql import ir

    if isinstance(node, ir.RenderedAggregate):
        return True
    inner = [getattr(node, name, None) for name in ("left", "right", "operand")]
    return any(_is_of_aggregate(one) for one in (*inner, *getattr(node, "args", ())) if one is not None)


def _text(node: Any) -> str:
    """SQL for Kusto's string of *node*: '' for null."""
    from duckdb_kql import ir, translate

    if isinstance(node, ir.Literal) and node.kind == "string":
        return str(translate.render_expr(node))
    if isinstance(node, ir.FunctionCall) and node.name.lower() in STRINGS:
        return f"coalesce({translate.render_expr(node)}, '')"
    return _of_macro("kusto_tostring", node)


def _by_type(name: str, known: _Rendered) -> _Rendered:
    from duckdb_kql import ir

    def render(node: Any) -> str | None:
        if len(node.args) != 1 or isinstance(node.args[0], ir.Literal):
            return known(node)
        return _of_macro(f"kusto_{name}", node.args[0])

    return render


def _coalesced(known: _Rendered) -> _Rendered:
    """``coalesce`` passes over empty strings too. Its arguments are of one type: one that is known tells all."""
    from duckdb_kql import ir, translate

    def is_no_string(argument: Any) -> bool:
        if isinstance(argument, ir.Literal):
            return argument.kind not in ("string", "dynamic", "null")
        return isinstance(argument, ir.FunctionCall) and argument.name.lower() in NO_STRINGS

    def render(node: Any) -> str | None:
        known(node)  # refuses what Kusto refuses
        plain = [str(translate.render_expr(argument)) for argument in node.args]
        if any(map(is_no_string, node.args)):
            return f"coalesce({', '.join(plain)})"
        return f"coalesce({', '.join([*(f'kusto_present({sql})' for sql in plain), *plain])})"

    return render


def _wrapped(known: _Rendered, template: str) -> _Rendered:
    def render(node: Any) -> str | None:
        made = known(node)
        return made and template.format(made)

    return render


def _with_types(known: Callable[..., str]) -> Callable[..., str]:
    """duckdb-kql's *known* rendering of an expression, with arithmetic on timespans, decimals and dynamic values."""
    from duckdb_kql import ir, translate

    called = {"/": "kusto_divided", "%": "kusto_rest"}

    def is_span(node: ir.BinaryOp) -> bool:
        """Whether a timespan is divided, for all that the text tells: a difference may be of moments."""
        if translate._is_timespan_expr(node.left) or (node.op == "%" and translate._is_timespan_expr(node.right)):
            return True
        is_difference = isinstance(node.left, ir.BinaryOp) and node.left.op == "-" and node.op == "/"
        return is_difference and not any(map(translate._is_real_expr, (node.left, node.right)))

    def render(node: Any) -> str:
        if isinstance(node, ir.Literal) and node.kind == "decimal" and node.value is not None:
            return f"CAST('{node.value}' AS {_DECIMAL})"
        if isinstance(node, ir.UnaryOp) and node.op == "-" and _is_dynamic(node.operand):
            return f"(-{_number(node.operand)})"
        if not isinstance(node, ir.BinaryOp) or node.op not in _ARITHMETIC:
            return known(node)
        if node.op in called and is_span(node):
            return _typed(called[node.op], node.left, node.right)
        if any(map(_is_decimal, (node.left, node.right))):
            left, right = map(translate.render_expr, (node.left, node.right))
            divisor = f"nullif({right}, 0)" if node.op in called else right
            return f"CAST({left} {node.op} {divisor} AS {_DECIMAL})"
        if any(map(_is_dynamic, (node.left, node.right))):
            return _of_dynamic(node)
        return known(node)

    return render


def _of_several(known: _Rendered, matched: Callable[[Any, str, str], str]) -> _Rendered:
    """``in`` and ``has_any`` with dynamic values that only running tells: an array is its items."""
    from duckdb_kql import ir, translate

    def render(node: Any) -> str | None:
        maybe = ir.ColumnRef if isinstance(node, ir.HasList) else ()  # nothing fails there to tell that it is dynamic
        several = [
            item
            for item in node.items
            if isinstance(item, maybe) or (_is_dynamic(item) and not isinstance(item, ir.Literal))
        ]
        if node.subquery is not None or not several:
            return known(node)
        value = _text(node.value)
        found = [matched(node, value, str(translate.render_expr(item))) for item in several]
        if others := [item for item in node.items if item not in several]:
            plain = replace(node, items=tuple(others), **({"negated": False} if hasattr(node, "negated") else {}))
            found.append(str(known(plain)))
        sql = f"coalesce({(' AND ' if getattr(node, 'require_all', False) else ' OR ').join(found)}, FALSE)"
        return f"(NOT {sql})" if getattr(node, "negated", False) else sql

    return render


def _equals(node: Any, value: str, item: str) -> str:
    """Whether *value* is one of the items of a dynamic *item*, or is it."""
    if not node.case_insensitive:
        return f"kusto_in({value}, {item})"
    return f"kusto_in(lower({value}), CAST(lower(CAST(to_json({item}) AS VARCHAR)) AS JSON))"


def _is_decimal(node: Any) -> bool:
    from duckdb_kql import ir

    if isinstance(node, ir.BinaryOp):
        return node.op in _ARITHMETIC and (_is_decimal(node.left) or _is_decimal(node.right))
    if isinstance(node, ir.UnaryOp):
        return _is_decimal(node.operand)
    if isinstance(node, ir.FunctionCall):
        return node.name.lower() == "todecimal"
    return isinstance(node, ir.Literal) and node.kind == "decimal"


def _is_dynamic(node: Any) -> bool:
    """Whether *node* is known to be dynamic: by its form, or by its name where an answer failed for its type."""
    from duckdb_kql import ir

    if isinstance(node, ir.FunctionCall):
        return node.name.lower() in DYNAMIC_FUNCTIONS
    if isinstance(node, ir.ColumnRef):
        return node.name in dynamic_columns.get()
    return isinstance(node, ir.PathAccess) or (isinstance(node, ir.Literal) and node.kind == "dynamic")


def _number(node: Any) -> str:
    from duckdb_kql import translate

    sql = str(translate.render_expr(node))
    return f"TRY_CAST({sql} AS DOUBLE)" if _is_dynamic(node) else sql


def _of_dynamic(node: Any) -> str:
    """Arithmetic on a dynamic value: a long with a long, else a real."""
    from duckdb_kql import ir, translate

    others = [side for side in (node.left, node.right) if not _is_dynamic(side)]
    if any(map(translate._is_timespan_expr, others)) or any(map(translate._is_datetime_expr, others)):
        times = [
            f"TRY_CAST({_text(side)} AS TIMESTAMP)" if _is_dynamic(side) else translate.render_expr(side)
            for side in (node.left, node.right)
        ]
        return f"({times[0]} {node.op} {times[1]})"
    right = f"nullif({_number(node.right)}, 0)" if node.op in "/%" else _number(node.right)
    made = f"({_number(node.left)} {node.op} {right})"
    whole = any(isinstance(side, ir.Literal) and side.kind in ("int", "long") for side in others)
    return f"CAST(trunc{made} AS BIGINT)" if whole else made


def _rand(arguments: list[str]) -> str:
    """A real below 1, or a whole number below the argument."""
    return f"CAST(floor(random() * ({arguments[0]})) AS BIGINT)" if arguments else "random()"


def _array_concat(arguments: list[str]) -> str:
    """Not ``CAST(… AS JSON)`` of the list: that writes NULL for null, and reading it ends DuckDB's connection."""
    lists = ", ".join(f"CAST(to_json({argument}) AS JSON[])" for argument in arguments)
    return f"to_json(list_concat({lists}))"


def _computed_spec(base: type, name: str, function: computed.Computed, known: Any) -> Any:
    """A row of duckdb-kql's registry for a function computed in Python; calls that it knew itself stay as they are."""

    counts = {*function.arities, *(known.arities if known is not None else ())}
    _COMPUTED[name] = (min(counts), max(counts))

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
