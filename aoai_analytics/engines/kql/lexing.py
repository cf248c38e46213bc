"""Words of the language that are a column's name where an operator cannot be: ``sort by count``, ``where limit > 3``.

Kusto reads them as names there; the grammar that duckdb-kql has does not. Here such a word becomes a plain name before
the grammar sees it.
"""

from __future__ import annotations

from functools import cache
from typing import Any

from .words import listed

#: The words that Kusto takes for names and the grammar does not.
_WORDS = listed(
    """consume count distinct extend filter getschema join kind limit mvapply mvexpand order parse regex sample
    scan search serialize sort summarize table take top withsource with_source"""
)
#: What a value follows.
_BEFORE_VALUES = listed(
    """, . + - * / % < > <= >= == != =~ !~ and or by where filter extend project summarize distinct on print
    project-away project-keep project-rename project-reorder between in has contains startswith"""
)
#: A word that gives a parameter rather than a column where ``=`` follows.
_PARAMETERS = listed("kind withsource with_source")
#: Words that operators in brackets follow.
_OPENING = listed("facet fork on with")
_AFTER_VALUES = listed(", ) + - * / % < > <= >= == != =~ !~ . [ : and or asc desc")


#: ANTLR's token that stands for none.
_NOTHING = -2


@cache
def install() -> None:
    """Let duckdb-kql read such words as names."""
    from duckdb_kql import parser

    inside: Any = parser
    inside.KqlLexer = _naming(inside.KqlLexer)
    inside.KqlParser = _quicker(inside.KqlParser)


def _naming(base: type) -> type:
    """The lexer *base* with such words as identifiers."""

    class Lexer(base):  # type: ignore[misc]  # the base has no types
        def nextToken(self) -> Any:
            if not hasattr(self, "read_ahead"):
                self.read_ahead = self._named()
            return next(self.read_ahead)

        def _named(self) -> Any:
            tokens: list[Any] = []
            while not tokens or tokens[-1].type != -1:
                tokens.append(super().nextToken())
            shown = [token for token in tokens if token.channel == 0]
            for place, token in enumerate(shown):
                if token.text in _WORDS and is_name(shown, place):
                    token.type = self.IDENTIFIER
            yield from tokens
            while True:
                yield tokens[-1]

    return Lexer


def _quicker(base: type) -> type:
    """The parser *base*, with what may come next looked up in a set: a sixth of the time to read a query.

    ANTLR looks through lists of intervals at each step, to begin its recovery where no word fits; that it still does.
    """
    expected: dict[int, frozenset[int]] = {}

    class Parser(base):  # type: ignore[misc]  # the base has no types
        def __init__(self, *arguments: Any) -> None:
            super().__init__(*arguments)
            recover = self._errHandler.sync

            def sync(recognizer: Any) -> None:
                fitting = expected.get(recognizer.state)
                if fitting is None:
                    states = recognizer.atn.states
                    intervals = recognizer.atn.nextTokens(states[recognizer.state]).intervals or ()
                    fitting = frozenset(token for interval in intervals for token in interval)
                    expected[recognizer.state] = fitting
                if recognizer.getTokenStream().LA(1) not in fitting and _NOTHING not in fitting:
                    recover(recognizer)

            self._errHandler.sync = sync

    return Parser


def is_name(tokens: list[Any], place: int) -> bool:
    """Whether the word at *place*, of a query's words and signs, is a name."""
    word = tokens[place].text
    before = tokens[place - 1].text if place else ""
    after = tokens[place + 1].text
    if after == ":" and before in ("(", ","):
        return True  # a column is declared
    if after == "(":
        return before == "."  # database("D").table("T")
    if after == "=" and word in _PARAMETERS:
        return False
    if before == "(":
        # sum(count) is a call, partition by State (count) is not.
        if place < 2 or tokens[place - 2].stop + 1 != tokens[place - 1].start:
            return False
        called = tokens[place - 2].text
        return called.isidentifier() and called not in _OPENING and after in _AFTER_VALUES
    if before == "=":
        named = tokens[place - 2].text if place > 1 else ""
        return named not in ("kind", "hint") and after in {*_AFTER_VALUES, "|", ";", "<EOF>"}
    return before in _BEFORE_VALUES
