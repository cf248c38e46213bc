"""A KQL text as a tree, by duckdb-kql's parser: everything else here that looks inside a query walks this tree.

Rules that wrap a single other rule are skipped, so a node is what carries meaning: ``JoinOperator``,
``NamedExpression``, ``IdentifierName``. The kinds are the rules of Microsoft's own grammar, which duckdb-kql parses by.
"""

from __future__ import annotations

import gc
import re
from collections.abc import Iterable, Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

from ...errors import QueryError
from .lexing import install
from .literals import blank, without_long_tables
from .syntax import place, syntax_error, wrong_at

_COMMENT = re.compile(r"//[^\n]*")
#: A serialize without columns changes no column, and the grammar that duckdb-kql has refuses it.
_BARE_SERIALIZE = re.compile(r"\|\s*serialize\s*(?=[|;)]|$)")
#: A word that the grammar that duckdb-kql has refuses: ``parse-kv T as (…)``.
_NOT_READ = re.compile(r"(?<=\s)as(?=\s*\((?:[^()]*)\)\s*(?:with\b|\||;|$))")
_ESCAPE = re.compile(r"\\(?:u([0-9A-Fa-f]{4})|U([0-9A-Fa-f]{8})|x([0-9A-Fa-f]{1,4})|(.))", re.DOTALL)
_ESCAPED = {"n": "\n", "r": "\r", "t": "\t", "0": "\0", "a": "\a", "b": "\b", "f": "\f", "v": "\v"}
#: What spells a name: plain, a word of the language, or ``['a name']``.
NAMES = frozenset(("IdentifierName", "KeywordName", "ExtendedKeywordName", "EscapedName"))
#: What follows a dot: a key of a value, or a table of a database.
_PATH = "FunctionCallOrPathPathOperation"

#: Replacements in a text: start, end, what to write there. None overlap.
Edits = Iterable[tuple[int, int, str]]


@dataclass(frozen=True, slots=True, eq=False)
class Node:
    """A piece of a query: its grammar rule (``kind``, '' for a single word or sign) and where it is in ``source``."""

    kind: str
    start: int
    end: int
    children: tuple[Node, ...]
    source: str

    @property
    def text(self) -> str:
        """The piece as written, comments included."""
        return self.source[self.start : self.end]

    @property
    def rules(self) -> tuple[Node, ...]:
        """The children that are more than a word or sign."""
        return tuple(child for child in self.children if child.kind)

    @property
    def words(self) -> tuple[str, ...]:
        """The words and signs among the children."""
        return tuple(child.text for child in self.children if not child.kind)

    @property
    def name(self) -> str:
        """The name that this node spells; '' where it spells none."""
        if self.kind not in NAMES:
            return ""
        return string_value(self.children[1].text) if self.kind == "EscapedName" else self.text

    @property
    def place(self) -> tuple[int, int]:
        """Line and column of its start, from 1."""
        return place(self.source, self.start)

    def walk(self) -> Iterator[Node]:
        """This node and all below it, in order."""
        waiting = [self]
        while waiting:
            node = waiting.pop()
            yield node
            waiting += reversed(node.children)

    def find(self, *kinds: str) -> Iterator[Node]:
        """The nodes of these kinds at or below this one."""
        return (node for node in self.walk() if node.kind in kinds)

    def child(self, kind: str) -> Node | None:
        """The first child of that kind."""
        return next((child for child in self.children if child.kind == kind), None)


def readable(kql: str) -> str:
    """*kql* with blanks for words that change no answer and that the grammar refuses."""
    kql = _BARE_SERIALIZE.sub(lambda match: blank(match[0]), kql)
    return _NOT_READ.sub(lambda match: blank(match[0]), kql) if "parse-kv" in kql else kql


@lru_cache(maxsize=512)
def read(kql: str) -> Node:
    """*kql* as a tree. Raises QueryError, with line and column, where it does not parse."""
    return parsed(readable(kql))


def parsed(kql: str) -> Node:
    """*kql*, which is readable, as a tree; see ``read``, which keeps the latest."""
    import duckdb_kql

    install()
    try:
        with undisturbed():
            tree = duckdb_kql.parse(without_long_tables(kql)).tree
    except duckdb_kql.KqlSyntaxError as error:
        raise syntax_error(kql, error.diagnostics) from error
    except RecursionError as error:
        raise QueryError("the query is nested too deeply to be read") from error
    if tree is None:
        raise wrong_at(kql, 0, "management commands, which begin with a dot, cannot be run here")
    return _node(tree, kql)


@contextmanager
def undisturbed() -> Iterator[None]:
    """While a query is read or translated: no search for garbage, which there takes two fifths of the time."""
    searching = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if searching:
            gc.enable()


def _node(rule: Any, source: str) -> Node:
    children: Sequence[Any] = rule.children or ()
    while len(children) == 1 and hasattr(children[0], "children"):
        rule = children[0]
        children = rule.children or ()
    nodes = []
    for child in children:
        if hasattr(child, "children"):
            nodes.append(_node(child, source))
        elif child.symbol.stop >= child.symbol.start:
            nodes.append(Node("", child.symbol.start, child.symbol.stop + 1, (), source))
    start = nodes[0].start if nodes else rule.start.start
    return Node(
        type(rule).__name__.removesuffix("Context"), start, nodes[-1].end if nodes else start, (*nodes,), source
    )


def statements(root: Node) -> tuple[Node, ...]:
    """The statements of a query that was read, in order."""
    return root.rules


def stages(node: Node) -> tuple[Node, ...]:
    """What a tabular expression starts from, and the operators that follow it."""
    node = bare(node)
    if node.kind != "PipeExpression":
        return (node,)
    return (bare(node.rules[0]), *(operator(piped) for piped in node.rules[1:]))


def operator(piped: Node) -> Node:
    """The operator of a ``| operator``."""
    while piped.kind in ("PipedOperator", "ForkOperatorPipedOperator", "ContextualPipeExpressionPipedOperator"):
        piped = piped.rules[0]
    return piped


def bare(node: Node) -> Node:
    """*node* without brackets around it."""
    while node.kind == "ParenthesizedExpression" and len(node.rules) == 1:
        node = node.rules[0]
    return node


def named(node: Node) -> tuple[list[str], Node]:
    """The names that ``Name = expression`` or ``(A, B) = expression`` gives, if any, and the expression."""
    if node.kind in ("NamedExpression", "ArgumentExpression") and len(node.rules) == 2:
        return [name.name for name in node.rules[0].walk() if name.name], node.rules[1]
    return [], node


def operations(node: Node) -> tuple[Node, list[tuple[str, tuple[Node, ...]]]]:
    """The first operand of ``a + b - c`` or ``a between (b .. c)``, and each sign with what follows it."""
    first, *rest = node.rules
    found = []
    words = list(node.words)
    for rule in rest:
        if rule.kind.endswith("Operation") or (
            rule.kind.endswith("EqualityExpression") and not rule.kind.startswith("Eq")
        ):
            inner = [inner for inner in rule.rules if inner.kind != "StringBinaryOperator"]
            found.append((" ".join(rule.children[0].text.split()), tuple(inner)))
        elif rule.kind == "EqualsEqualityExpression":
            found.append((rule.children[0].text, rule.rules))
        else:
            found.append((words.pop(0) if words else "", (rule,)))
    return first, found


def names(node: Node) -> Iterator[Node]:
    """Every name at or below *node*, but those after a dot."""
    waiting = [node]
    while waiting:
        node = waiting.pop()
        if node.kind in NAMES:
            yield node
        elif node.kind != _PATH:
            waiting += reversed(node.children)


def call(node: Node) -> str:
    """The name of the function that *node* calls; '' for no call."""
    return node.rules[0].name if node.kind == "NamedFunctionCallExpression" else ""


def string_value(literal: str) -> str:
    r"""The value of a string literal, with ``\n``, ``\u0041`` and the like decoded where it is not verbatim."""
    text = literal[1:] if literal[:1] in ("h", "H") else literal
    for fence in ("```", "~~~"):
        if text.startswith(fence):
            return text[3:-3]
    if text.startswith("@"):
        return text[2:-1].replace(text[1] * 2, text[1])
    return _ESCAPE.sub(_unescaped, text[1:-1])


def _unescaped(match: re.Match[str]) -> str:
    number = match[1] or match[2] or match[3]
    return chr(int(number, 16)) if number else _ESCAPED.get(match[4], match[4])


def edited(kql: str, edits: Edits) -> str:
    """*kql* with *edits* made."""
    parts, done = [], 0
    for start, end, new in sorted(edits):
        parts += [kql[done:start], new]
        done = end
    return "".join([*parts, kql[done:]])


def comments(kql: str) -> list[tuple[int, int, str]]:
    """Edits that remove each comment of *kql*. Raises QueryError."""
    found, done = [], 0
    words = [(node.start, node.end) for node in read(kql).walk() if not node.kind]
    for start, end in (*words, (len(kql), len(kql))):
        found += [(done + match.start(), done + match.end(), "") for match in _COMMENT.finditer(kql[done:start])]
        done = end
    return found


def without_comments(kql: str) -> str:
    """*kql* with each comment removed; lines stay. Raises QueryError."""
    return edited(kql, comments(kql))
