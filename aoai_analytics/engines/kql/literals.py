"""Long ``datatable`` literals, read without the parser: it takes a second for a price book's rows."""

from __future__ import annotations

import re

#: A datatable of fewer characters is left to the parser.
LONG = 1000

_BEGIN = re.compile(r"\bdatatable\s*\([^()]*\)\s*\[")
_LITERAL = r"""
    "(?:[^"\\\n]|\\.)*" | '(?:[^'\\\n]|\\.)*'
  | [+-]?\d+(?:\.\d+)?(?:[eE][+-]?\d+)?
  | true | false
  | (?:bool|datetime|double|int|long|real)\([\w.:+-]*\)
"""
_END = re.compile(r"\s*\]")
_NEXT = re.compile(rf"\s*({_LITERAL})\s*(,|(?=\]))", re.VERBOSE)


def values(text: str, start: int) -> tuple[list[str], int] | None:
    """The literals from *start* on, just behind a ``[``, and where the ``]`` is; None where one is of another kind."""
    found: list[str] = []
    while match := _NEXT.match(text, start):
        found.append(match[1])
        start = match.end()
        if text.startswith("]", start):
            return found, start
    closing = _END.match(text, start)  # after a last comma, or of no values
    return (found, closing.end() - 1) if closing else None


def blank(text: str) -> str:
    """As many blanks and lines as *text* has, so that what follows keeps its place."""
    return re.sub(r"[^\n]", " ", text)


def without_long_tables(kql: str) -> str:
    """*kql* with blanks for the values of long datatables; everything else keeps its place."""
    parts, done = [], 0
    for match in _BEGIN.finditer(kql):
        if match.end() < done:
            continue
        read = values(kql, match.end())
        # A comment's sign would be taken for one where the values are not known to be texts.
        if read and read[1] - match.end() >= LONG and "//" not in kql[match.end() : read[1]]:
            parts += [kql[done : match.end()], blank(kql[match.end() : read[1]])]
            done = read[1]
    return "".join([*parts, kql[done:]])
