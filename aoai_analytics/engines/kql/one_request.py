"""Finds the one request that a query asks for."""

from __future__ import annotations

import re

from ...schema.tables import TABLES
from .functions import shipped_functions
from .remembered import remembered
from .tree import names, read, stages, statements, string_value

#: Functions whose rows of one request come of that request's log rows alone.
_BY_REQUEST = ("AoaiConversation", "AoaiLlmTexts")


@remembered()
def one_request(kql: str) -> str:
    """The CorrelationId of the one request that *kql* asks for by a function computed request by request; '' for all.

    DuckDB cannot take the condition through such a function, and would compute every request's rows for one's.
    """
    *lets, last = statements(read(kql))
    if any(let.kind != "LetVariableDeclaration" for let in lets):
        return ""
    first, *operators = stages(last)
    if first.name not in _BY_REQUEST or not operators or operators[0].kind != "WhereOperator":
        return ""
    # Nothing else may read rows: a let or a later operator might mean those of other requests.
    tables = {*TABLES, *shipped_functions()}
    if any(name.name in tables for part in (*lets, *operators) for name in names(part)):
        return ""
    condition = operators[0].rules[-1]
    if condition.kind != "EqualityExpression" or condition.rules[0].name != "CorrelationId":
        return ""
    compared = condition.rules[1]
    values = {let.rules[0].name: let.rules[-1] for let in lets}
    value = compared.rules[-1] if compared.words == ("==",) else condition
    value = values.get(value.name, value)
    text = string_value(value.text) if value.kind == "StringLiteralExpression" else ""
    return text if re.fullmatch(r"[\w.:-]+", text) else ""
