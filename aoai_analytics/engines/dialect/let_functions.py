"""Functions of a query's own that take or give rows: their text is put in the place of each call."""

from __future__ import annotations

from collections.abc import Mapping

from ..kql.tree import Node, bare, call, edited, names, operator, read, stages, statements

#: An expression of these gives rows.
_ROWS = frozenset(("DataTableExpression", "PipeExpression", "PrintOperator", "RangeExpression", "UnionOperator"))


def inlined(kql: str) -> str:
    """*kql* without such functions. Raises QueryError where it does not parse."""
    for _ in range(200):  # a function may call others; none may call itself
        functions = {let.rules[0].name: let for let in statements(read(kql)) if _gives_rows(let)}
        calls = [node for node in read(kql).walk() if call(node) in functions or _invoked(node) in functions]
        calls += [node for node in names(read(kql)) if node.name in functions and _is_bare_call(node, functions, calls)]
        inner = [one for one in calls if not any(one is not other and _holds(other, one) for other in calls)]
        edits = [edit for node in inner if (edit := _inlined(node, functions)) is not None]
        if not edits:
            unused = [let for let in functions.values() if not calls]
            return edited(kql, [(let.start, _end(kql, let), "") for let in unused])
        kql = edited(kql, edits[:1])
    return kql


def _end(kql: str, let: Node) -> int:
    """Where the statement ends, its semicolon included; line breaks stay, so that lines keep their numbers."""
    rest = kql[let.end :]
    return let.end + (len(rest) - len(rest.lstrip()) + 1 if rest.lstrip().startswith(";") else 0)


def _holds(outer: Node, inner: Node) -> bool:
    return outer.start <= inner.start and inner.end <= outer.end


def _gives_rows(let: Node) -> bool:
    if let.kind != "LetFunctionDeclaration" or not (body := let.child("LetFunctionBody")) or not body.rules:
        return False
    return any(let.find("TabularParameter")) or bare(body.rules[-1]).kind in _ROWS


def _invoked(node: Node) -> str:
    return call(node.rules[-1]) if node.kind == "InvokeOperator" and node.rules else ""


def _is_bare_call(node: Node, functions: Mapping[str, Node], calls: list[Node]) -> bool:
    """Whether a name stands for a call without arguments: not in a call, and not where it is defined."""
    if any(node.start == one.start or (one.kind == "InvokeOperator" and _holds(one, node)) for one in calls):
        return False
    return all(let.rules[0].start != node.start for let in functions.values())


def _inlined(node: Node, functions: Mapping[str, Node]) -> tuple[int, int, str] | None:
    called = node.rules[-1] if node.kind == "InvokeOperator" else node
    let = functions[call(called) or called.name]
    body = let.child("LetFunctionBody")
    assert body is not None
    *locals_, last = body.rules
    given = [argument.text for argument in called.rules[1:]] if called.kind == "NamedFunctionCallExpression" else []
    values: dict[str, str] = {}
    piped = ""
    for parameter in let.walk():
        if parameter.kind not in ("TabularParameter", "ScalarParameter"):
            continue
        name = next(inner.name for inner in parameter.walk() if inner.name)
        if parameter.kind == "TabularParameter" and node.kind == "InvokeOperator" and not piped:
            piped = name
            continue
        default = parameter.child("ScalarParameterDefault")
        values[name] = given.pop(0) if given else default.text.lstrip("= ") if default else "dynamic(null)"
    for local in locals_:
        declared = local.rules[0] if local.kind == "LetFunctionBodyStatement" else local
        values[declared.rules[0].name] = _filled(declared.rules[-1], values)
    if node.kind != "InvokeOperator":
        return node.start, node.end, f"({_filled(last, values)})"
    first, *operators = stages(last)
    if first.name != piped or not operators:
        return None
    return node.start, node.end, " | ".join(_filled(operator(stage), values) for stage in operators)


def _filled(node: Node, values: Mapping[str, str]) -> str:
    """*node* with each parameter's value in its place."""
    assigned = {name.start for clause in node.find("NamedExpressionNameClause") for name in clause.walk()}
    edits = [
        (name.start, name.end, values[name.name] if values[name.name].isidentifier() else f"({values[name.name]})")
        for name in names(node)
        if name.name in values and name.start not in assigned
    ]
    shifted = [(start - node.start, end - node.start, new) for start, end, new in edits]
    return edited(node.text, shifted)
