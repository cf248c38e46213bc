"""What a query's columns are and which of them may hold what people wrote: by following them through its tree.

A column's name is resolved as Kusto does: to the letter, a column before a ``let``. Whatever is not understood here (an
operator, a plugin, a saved function, a table that nobody described) leaves its columns *open*: others may be there, and
every one may hold text where anything that went in may.
"""

from __future__ import annotations

from collections.abc import Callable, Iterable, Mapping
from functools import lru_cache

from ...errors import QueryError
from ...lake.records import TEXT_COLUMNS as LOGGED_TEXT
from ...schema.tables import TABLES
from .calls import is_moment, miscounted, wrong_unit
from .classic import CLASSIC_TABLES
from .functions import Functions, names_in, own_lets, shipped_functions
from .operators import OPERATORS, SOURCES, unnamed
from .remembered import remembered
from .rows import UNKNOWN, Bound, Function, Rows, Scope
from .tree import NAMES, Node, bare, call, named, read, stages, statements, string_value
from .words import lacking, listed, nearest

#: Columns that hold what people wrote, or were answered. A service's message about an error may quote the request, a
#: trace or a header may carry a part of it.
TEXT_COLUMNS = LOGGED_TEXT | listed(
    """Prompt Response Data Error ErrorMessage LastErrorMessage Errors OuterMessage InnermostMessage Details
    TraceRecords RequestHeaders ResponseHeaders BackendRequestHeaders BackendResponseHeaders event_s properties_s"""
)
#: Tables of Azure Monitor that hold numbers and names of resources, and no one's text.
_NUMBERS_ONLY = listed("""AppMetrics AzureMetrics Heartbeat Perf Usage""")
#: Functions whose result tells a text's size or form, not the text.
_TELLS_NO_TEXT = listed(
    """array_length bag_has_key binary_all_and count countif countof dcount dcountif gettype indexof indexof_regex
    isascii isempty isfinite isnan isnotempty isnotnull isnull isutf8 not row_number row_rank_dense row_rank_min
    strcmp string_size strlen"""
)
_WHOLE_ROW = frozenset(("pack_all",))
#: Comparisons and conditions: true or false.
_TRUTHS = listed(
    """BetweenEqualityExpression EqualityExpression EqualsEqualityExpression ListEqualityExpression
    LogicalAndExpression LogicalOrExpression RelationalExpression StarEqualityExpression
    StringBinaryOperatorExpression StringStarOperatorExpression"""
)


class Flow:
    """One reading of a query. ``read`` collects the tables that it names, ``unknown`` the places of wrong names."""

    def __init__(self, known: Callable[[str], Rows | None], functions: Mapping[str, tuple[int, int]] | None = None):
        self._known = known
        #: The functions that the engine has, in lower case, and how many arguments they take; none where not known.
        self._functions = functions or {}
        self.tables: dict[str, Node] = {}
        self.unknown: list[tuple[Node, str]] = []
        #: The columns that each operator is given, and which ``column_ifexists`` finds its column, for who rewrites.
        self.given: dict[Node, Rows] = {}
        self.exists: dict[Node, bool] = {}
        #: The columns that a call of ``pack_all`` packs.
        self.packed: dict[Node, Rows] = {}
        self.lets: list[Node] = []

    def query(self, kql: str) -> Rows:
        """The columns of the answer to *kql*. Raises QueryError where it does not parse."""
        return self._statements(statements(read(kql)), Scope())

    def _statements(self, parts: Iterable[Node], scope: Scope) -> Rows:
        rows = Rows()
        for part in parts:
            if part.kind.startswith("Let") and part.kind.endswith("Declaration"):
                scope = scope.with_({part.rules[0].name: self._bound(part, scope)})
            elif part.kind == "DeclareQueryParametersStatement":
                scope = scope.with_({name: False for parameter in part.rules for name in [_first_name(parameter)]})
            elif not part.kind.endswith("Statement"):
                rows = self.rows(part, scope)
        return rows

    def _bound(self, let: Node, scope: Scope) -> Bound:
        self.lets.append(let)
        if let.kind in ("LetFunctionDeclaration", "LetViewDeclaration"):
            return Function(let, scope)
        value = bare(let.rules[-1])
        if let.kind == "LetMaterializeDeclaration" or self._is_rows(value, scope):
            return self.rows(value, scope)
        return self.text(value, Rows(), scope)

    def _is_rows(self, node: Node, scope: Scope) -> bool:
        """Whether an expression gives rows rather than a value."""
        node = bare(node)
        if node.kind in NAMES:
            bound = scope.bound.get(node.name)
            return isinstance(bound, Rows) or (bound is None and self._known(node.name) is not None)
        if node.kind == "NamedFunctionCallExpression":
            name = call(node)
            bound = scope.bound.get(name)
            if isinstance(bound, Function):
                return self._call(bound, (), Rows(), scope)[1] is not None
            return name in ("table", "materialize") or self._known(name) is not None
        return node.kind in SOURCES or node.kind in ("PipeExpression", "ToTableExpression")

    # Rows

    def rows(self, node: Node, scope: Scope) -> Rows:
        """The columns that a tabular expression gives."""
        first, *operators = stages(node)
        rows = self._source(first, scope)
        for operator in operators:
            rows, scope = self.operator(operator, rows, scope)
        return rows

    def _source(self, node: Node, scope: Scope) -> Rows:
        node = bare(node)
        if node.kind == "PipeExpression":
            return self.rows(node, scope)
        if node.name:
            return self._table(node.name, node, scope)
        if node.kind == "NamedFunctionCallExpression":
            return self._called(node, scope)
        if node.kind in ("FunctionCallOrPathPathExpression", "DotCompositeFunctionCallExpression"):
            # database("Logs").T, workspace("x").T: the last name is the table's.
            last = [inner.name for inner in node.walk() if inner.name][-1]
            return self._known(last) or UNKNOWN
        handler = SOURCES.get(node.kind)
        return handler(self, node, scope) if handler else Rows(opened=True, rest=self.text(node, Rows(), scope))

    def _table(self, name: str, node: Node, scope: Scope) -> Rows:
        bound = scope.bound.get(name)
        if isinstance(bound, Rows):
            return bound
        if isinstance(bound, Function):
            return self._call(bound, (), Rows(), scope)[1] or UNKNOWN
        if bound is not None:
            return Rows(opened=True, rest=bound)
        self.tables.setdefault(name, node)
        return self._known(name) or UNKNOWN

    def _called(self, node: Node, scope: Scope) -> Rows:
        name, arguments = call(node), node.rules[1:]
        bound = scope.bound.get(name)
        if isinstance(bound, Function):
            return self._call(bound, arguments, Rows(), scope)[1] or UNKNOWN
        if name == "materialize" and arguments:
            return self.rows(arguments[0], scope)
        if name == "table" and arguments and arguments[0].kind == "StringLiteralExpression":
            return self._table(string_value(arguments[0].text), node, scope)
        self.tables.setdefault(name, node)
        return self._known(name) or UNKNOWN

    def _call(
        self, function: Function, given: Iterable[Node], rows: Rows, scope: Scope, *, piped: bool = False
    ) -> tuple[bool, Rows | None]:
        """What a function of a ``let`` gives: whether its value may hold text, its rows where it gives rows."""
        parameters = [
            node for node in function.declaration.walk() if node.kind in ("TabularParameter", "ScalarParameter")
        ]
        inner: dict[str, Bound] = {}
        arguments = list(given)
        for parameter in parameters:
            name = _first_name(parameter)
            if parameter.kind == "TabularParameter" and piped:
                inner[name], piped = rows, False
                continue
            argument = arguments.pop(0) if arguments else None
            if parameter.kind == "TabularParameter":
                inner[name] = self.rows(argument, scope) if argument else rows
            else:
                inner[name] = argument is not None and self.text(argument, rows, scope)
        body = function.declaration.child("LetFunctionBody")
        if body is None or len(scope.bound) > 10_000:
            return True, UNKNOWN
        parts = body.rules
        local = function.scope.with_(inner)
        for part in parts[:-1]:
            part = part.rules[0] if part.kind == "LetFunctionBodyStatement" and part.rules else part
            if part.kind.startswith("Let"):
                local = local.with_({part.rules[0].name: self._bound(part, local)})
        if not parts:
            return False, None
        if self._is_rows(parts[-1], local):
            found = self.rows(parts[-1], local)
            return found.text, found
        return self.text(parts[-1], Rows(opened=True, rest=rows.text), local), None

    def invoked(self, node: Node, rows: Rows, scope: Scope) -> Rows:
        """The rows of ``rows | invoke f(…)``."""
        bound = scope.bound.get(call(node))
        return (
            self._call(bound, node.rules[1:], rows, scope, piped=True)[1] if isinstance(bound, Function) else None
        ) or UNKNOWN

    def operator(self, node: Node, rows: Rows, scope: Scope) -> tuple[Rows, Scope]:
        """The columns after an operator, and what is bound behind it."""
        self.given[node] = rows
        if node.kind == "AsOperator":
            return rows, scope.with_({_first_name(node): rows})
        handler = OPERATORS.get(node.kind)
        if handler is None:
            return Rows(opened=True, rest=rows.text or self._reads_text(node, scope)), scope
        return handler(self, node, rows, scope), scope

    def _reads_text(self, node: Node, scope: Scope) -> bool:
        """Whether an operator that is not understood names rows with text."""
        bound = {name: value for name, value in scope.bound.items() if isinstance(value, Rows)}
        words = {inner.name for inner in node.walk() if inner.name}
        found = (bound.get(word) or self._known(word) for word in words)
        return any(rows.text for rows in found if rows is not None)

    # Values

    def text(self, node: Node, rows: Rows, scope: Scope) -> bool:
        """Whether the value of an expression over *rows* may hold text; notes the names that are not there."""
        if node.kind in NAMES:
            return self._name(node, rows, scope)
        if not node.kind or node.kind.endswith("LiteralExpression"):
            if node.kind == "DateTimeLiteralExpression" and not is_moment(node.text):
                self.unknown.append((node, f"{node.text} is not a valid datetime"))
            return False
        if node.kind == "PipeExpression" or node.kind in SOURCES:
            return self.rows(node, scope).text
        if node.kind == "StarExpression":
            return rows.text
        if node.kind == "NamedFunctionCallExpression":
            return self._function(node, rows, scope)
        if node.kind == "FunctionCallOrPathPathExpression":
            return self._path(node, rows, scope)
        if node.kind in ("NamedExpression", "ArgumentExpression"):
            return self.text(named(node)[1], rows, scope) if len(node.rules) else rows.text
        if node.kind == "ToScalarExpression":
            inner = next((rule for rule in node.rules if not rule.kind.endswith("Parameter")), node)
            is_rows = self._is_rows(inner, scope)
            return self.rows(inner, scope).text if is_rows else inner is not node and self.text(inner, rows, scope)
        found = [self.text(child, rows, scope) for child in node.rules]
        return node.kind not in _TRUTHS and node.kind != "CountExpression" and any(found)

    def _name(self, node: Node, rows: Rows, scope: Scope) -> bool:
        name = node.name
        if name in rows.columns:
            return rows.columns[name]
        bound = scope.bound.get(name)
        if bound is not None and not isinstance(bound, Function):
            return bound.text if isinstance(bound, Rows) else bound
        table = self._known(name)
        if table is not None:
            self.tables.setdefault(name, node)
            return table.text
        if rows.opened or rows.of_type(name):
            return rows.is_text(rows.of_type(name) or name)
        if name[0].isdigit():
            self.unknown.append((node, f"'{name}' is neither a number nor a timespan such as 5m, 2h or 7d"))
            return True
        hint = nearest(name, [*rows.columns, *scope.bound])
        hint = hint or f"; if it is a value, define it with 'let {name} = …;' or give -p {name}=VALUE"
        self.unknown.append((node, f"there is no column '{name}' here{hint}"))
        return True

    def _function(self, node: Node, rows: Rows, scope: Scope) -> bool:
        name, arguments = call(node), node.rules[1:]
        bound = scope.bound.get(name)
        if isinstance(bound, Function):
            if wrong := miscounted(name, len(arguments), *_parameters(bound)):
                self.unknown.append((node, wrong))
            return self._call(bound, arguments, rows, scope)[0]
        if name in ("column_ifexists", "columnifexists") and len(arguments) == 2:
            wanted = bare(arguments[0])
            given = self.text(arguments[1], rows, scope)
            if wanted.kind != "StringLiteralExpression":
                return rows.text
            column = string_value(wanted.text)
            self.exists[node] = column in rows.columns
            return given if not rows.opened and column not in rows.columns else rows.is_text(column) or given
        if self._functions and name.lower() not in self._functions and self._known(name) is None:
            way = lacking(name.lower(), self._functions)
            hint = f" here; {way}" * bool(way) or nearest(name, self._functions) or "; the local engine may lack it"
            self.unknown.append((node, f"there is no function '{name}'{hint}"))
        elif wrong := self.wrong_call(node):
            self.unknown.append((node, wrong))
        found = [self.text(argument, rows, scope) for argument in arguments]
        if name in _WHOLE_ROW:
            self.packed[node] = rows
            return rows.text
        if name in _TELLS_NO_TEXT:
            return False
        if name in ("iff", "iif"):
            found = found[1:]
        return any(found)

    def wrong_call(self, node: Node) -> str:
        """What is wrong with the arguments of a call, as far as the text tells; '' where nothing is."""
        name, arguments = call(node).lower(), node.rules[1:]
        known = self._functions.get(name)
        if known and (wrong := miscounted(call(node), len(arguments), *known)):
            return wrong
        return wrong_unit(name, arguments)

    def _path(self, node: Node, rows: Rows, scope: Scope) -> bool:
        root, *steps = node.rules
        if root.name in scope.sides:
            side = scope.sides[root.name]
            first = next(inner for inner in steps[0].walk() if inner.name)
            return self._name(first, side, Scope())
        found = [self.text(root, rows, scope)]
        for step in steps:
            if step.kind == "FunctionCallOrPathElementOperation":
                found += [self.text(inner, rows, scope) for inner in step.rules]
        return any(found)

    def columns(self, expressions: Iterable[Node], rows: Rows, scope: Scope) -> Rows:
        """The columns that a list of ``Name = expression`` makes."""
        made: dict[str, bool] = {}
        opened = rest = False
        for expression in expressions:
            given, value = named(expression)
            text = self.text(value, rows, scope)
            for name in given or [unnamed(value)]:
                if name:
                    made[name] = text
                else:
                    opened, rest = True, rest or text
        return Rows(made, opened, rest)


def _parameters(function: Function) -> tuple[int, int]:
    """The fewest and the most arguments of a function of a ``let``."""
    found = [node for node in function.declaration.walk() if node.kind in ("TabularParameter", "ScalarParameter")]
    return sum(node.child("ScalarParameterDefault") is None for node in found), len(found)


def _first_name(node: Node) -> str:
    return next((inner.name for inner in node.walk() if inner.name), "")


def catalogue(functions: Functions, own: Mapping[str, Mapping[str, str]] | None = None) -> Callable[[str], Rows | None]:
    """What is known of tables and functions by name. *own* are the user's tables: name -> column -> type."""
    own = own or {}

    def known(name: str) -> Rows | None:
        if name in own:
            return Rows(dict.fromkeys(own[name], False))
        if name in TABLES:
            texts = frozenset() if name in _NUMBERS_ONLY else TEXT_COLUMNS
            return Rows({column: column in texts for column in TABLES[name].columns})
        if text := functions.get(name) or CLASSIC_TABLES.get(name):
            return _of_function(text, known)
        return Rows(opened=True) if name in _NUMBERS_ONLY else None

    return known


@lru_cache(maxsize=64)
def _of_function(text: str, known: Callable[[str], Rows | None]) -> Rows:
    return Flow(known).query(text)


def checked(
    kql: str, known: Callable[[str], Rows | None], functions: Mapping[str, tuple[int, int]] | None = None
) -> Rows:
    """The columns of *kql*'s answer. Raises QueryError at the first column, table or function that is not there.

    *functions* are those that the engine has, in lower case, with the fewest and the most arguments they take.
    """
    flow = Flow(known, functions)
    rows = flow.query(kql)
    parts = statements(read(kql))
    if parts and all(part.kind.startswith("Let") for part in parts):
        flow.unknown.append((parts[-1], "a query ends with what it asks for, after its 'let' statements"))
    for name, node in flow.tables.items():
        if functions and known(name) is None:
            hint = nearest(name, TABLES) or "; tables: " + ", ".join(TABLES)
            flow.unknown.append((node, f"there is no table '{name}'{hint}"))
    if flow.unknown:
        node, what = min(flow.unknown, key=lambda found: found[0].start)
        line, column = node.place
        raise QueryError(f"line {line}, column {column}: {what}", line=line, column=column)
    return rows


def undefined(kql: str) -> frozenset[str]:
    """The names that *kql* uses and does not define; none where it does not parse."""
    try:
        return names_in(kql) - own_lets(kql)
    except QueryError:
        return frozenset()


def columns_of(kql: str) -> Rows:
    """The columns of *kql*'s answer and which may hold text; nothing is known of one that does not parse."""
    return answered(kql.rstrip())  # one text for the engine, which runs it, and for what hides texts afterwards


@remembered(vars, lambda stored: Rows(**stored))
def answered(kql: str) -> Rows:
    """See ``columns_of``."""
    try:
        return Flow(catalogue(shipped_functions())).query(kql)
    except QueryError:
        return UNKNOWN


def sources(kql: str) -> set[str]:
    """The names that *kql* reads rows from and does not define itself: tables, views and functions."""
    flow = Flow(lambda name: None)
    flow.query(kql)
    return set(flow.tables)
