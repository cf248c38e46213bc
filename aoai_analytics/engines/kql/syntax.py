"""What is wrong with a query that the grammar does not read, at the place where its author would look for it."""

from __future__ import annotations

import re
from typing import Any

from ...errors import QueryError
from .words import OPERATORS, nearest, usage

_CURLY = "\u201c\u201d\u2018\u2019"


def place(source: str, offset: int) -> tuple[int, int]:
    """Line and column, from 1, of an offset."""
    return source.count("\n", 0, offset) + 1, offset - source.rfind("\n", 0, offset)


def syntax_error(kql: str, diagnostics: list[Any]) -> QueryError:
    """What is wrong with *kql*, which the grammar does not read: *diagnostics* are the grammar's."""
    if not diagnostics:
        return QueryError("the query has a syntax error")
    if unpaired := _unpaired(kql):
        return wrong_at(kql, *unpaired)
    line, column = diagnostics[0].span.line, diagnostics[0].span.column
    offset = sum(len(text) + 1 for text in kql.split("\n")[: line - 1]) + column
    bar = re.compile(r"\|\s*([A-Za-z][\w-]*)").match(kql, offset)
    if bar:
        return wrong_at(kql, bar.start(1), _of_operator(bar[1]))
    if (first := re.match(r"\s*(\w+)", kql)) and first[1].lower() in ("select", "insert", "update", "delete", "with"):
        return wrong_at(kql, first.start(1), "a query begins with a table: TABLE | where CONDITION | project COLUMN")
    found = re.compile(r"\s*(\w+|'[^'\n]*'|\"[^\"\n]*\"|\S)").match(kql, offset)
    if found and found[1] in _CURLY:
        return wrong_at(kql, found.start(1), "write straight quotes, ' or \"")
    what = f"{found[1]} is not expected here" if found else "the query ends too early"
    return wrong_at(kql, found.start(1) if found else len(kql.rstrip()), f"syntax error: {what}")


def wrong_at(kql: str, offset: int, what: str) -> QueryError:
    """*what* is wrong at an offset of *kql*, as an error."""
    line, column = place(kql, offset)
    return QueryError(f"line {line}, column {column}: {what}", line=line, column=column)


def _of_operator(word: str) -> str:
    """What is wrong with the operator *word*, which the grammar does not read."""
    if word in OPERATORS:
        return usage(word)
    if word.lower() in OPERATORS:
        return f"operators are written in lower case; did you mean '{word.lower()}'?"
    return f"there is no operator '{word}'{nearest(word, OPERATORS)}"


#: Texts, comments and brackets, as far as they tell which bracket or quote has no partner.
_PAIRS = re.compile(
    r"//[^\n]*|```.*?(?:```|$)|~~~.*?(?:~~~|$)|@'[^']*'|@\"[^\"]*\"|'(?:[^'\\\n]|\\.)*'|\"(?:[^\"\\\n]|\\.)*\"|['\"]|[()\[\]{}]",
    re.DOTALL,
)


def _unpaired(kql: str) -> tuple[int, str] | None:
    """The first quote or bracket without a partner, and what is wrong with it."""
    opened: list[re.Match[str]] = []
    for match in _PAIRS.finditer(kql):
        if match[0] in ("'", '"'):
            return match.start(), "this text has no end quote"
        if match[0] in "([{":
            opened.append(match)
        elif match[0] in ")]}":
            if not opened:
                return match.start(), f"'{match[0]}' closes nothing"
            if "([{".index(opened[-1][0]) != ")]}".index(match[0]):
                return match.start(), f"'{match[0]}' does not close the '{opened[-1][0]}' before it"
            opened.pop()
    return (opened[-1].start(), f"'{opened[-1][0]}' is not closed") if opened else None


def pointed(error: QueryError, kql: str) -> str:
    """The line of *kql* that an error is in, and below it a caret at its place; '' where it has no place."""
    lines = kql.split("\n")
    if error.line is None or not 1 <= error.line <= len(lines):
        return ""
    caret = "" if error.column is None else "\n" + " " * (error.column - 1) + "^"
    return f"{lines[error.line - 1]}{caret}"
