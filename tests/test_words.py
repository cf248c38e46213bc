"""What people read is plain English: the phrases that a native reader stumbles over do not come back."""

from __future__ import annotations

import ast
import json
import re
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.conftest import REPO

#: Phrases that were rewritten, and patterns of the same kind. Add one when you rewrite another.
PHRASES = (
    r"what an owner asks",
    r"made-up ones",
    r"where they lie",
    r"with your own sign-in",
    r"what one (?:can|may)\b",
    r"send it round",
    r"from that long ago",
    r"first moment",
    r"no longer part of it",
    r"says it all",
    r"are two things",
    r"how rows are written",
    r"and end\.$",
    r"let no prompt",
    r"say from when",
    r"the standing ones",
    r"has one of its own",
    r"are then read",
    r"one a core",
    r"that the place it names",
    r"half a record",
    r"what (?:it|they) hides?",
    r"\bmends?\b",
    r"\btells? no\b",
    r"no (?:log|doctor) (?:tells?|finds?)",
    r"what no \w+ tells",
    r"(?<!there )is no (?:lake|table|date|period|range|span|kind|text|URL|class)\b",
    r"is no (?:name|address|resource|UTF-8|Kusto|time of day)\b",
    r"make one first",
    r"the value given is none",
    r"cannot be asked",
    r"a token may be sent to",
    r"nothing known",
    r"brings them back",
    r"at whose\b",
    r"\bwhom\b",
    r"\bwhoever answers\b",
    r"\basked of\b",
    r"tells? of\b",
    r"held to\b",
    r"\bstands? in\b",
    r"\bstands? (?:at|on) (?:its|their|the) (?:top|head)",
    r"that only one log knows",
    r"that hung up",
    r"(?:tokens|requests|USD) a (?:minute|second|request|month|million)\b",
    r"for a million tokens",
    r"read(?:ing)? \w+, afresh|\bafresh\b",
    r"\bway on\b",
    r"the way of a request",
    r"what is made of the logs",
    r"that has gone is not made",
    r"nobody ran this",
    r"speaks? of a\b",
    r"who asks a lake",
    r"show-back",
    r"tells more\.",
    r"there is no (?:report|schedule|query|section|mix|filter) [{']",
    r"; there (?:is|are) [{']",
    r"what people wrote",
    r"in no sum\b",
)
_BAD = re.compile("|".join(f"(?:{phrase})" for phrase in PHRASES), re.IGNORECASE)
_PAGES = sorted(path for path in [*REPO.glob("*.md"), *REPO.glob("docs/**/*.md")])


def found(text: str) -> list[str]:
    """The phrases in *text*, each with the words around it."""
    text = " ".join(text.split())
    return [text[max(0, match.start() - 30) : match.end() + 30] for match in _BAD.finditer(text)]


def _pages() -> Iterator[tuple[str, str]]:
    for path in _PAGES:
        yield str(path.relative_to(REPO)), path.read_text("utf-8")


def _headers() -> Iterator[tuple[str, str]]:
    """Titles, questions, headlines, units and parameters of the queries."""
    for path in sorted(REPO.glob("kql/*/*.kql")):
        lines = path.read_text("utf-8").splitlines()
        yield (
            str(path.relative_to(REPO)),
            "\n".join(
                line for line in lines if re.match(r"// (?:title|question|headline|unit):|let \w+ = [^;]+; //", line)
            ),
        )


def _prose() -> Iterator[tuple[str, str]]:
    for path in sorted(REPO.glob("notebooks/*/*.ipynb")):
        cells = json.loads(path.read_text("utf-8"))["cells"]
        yield (
            str(path.relative_to(REPO)),
            "\n".join("".join(cell["source"]) for cell in cells if cell["cell_type"] == "markdown"),
        )


def _literals(path: Path) -> str:
    """The strings of a module that are not docstrings: messages, help, titles. A command's docstring is its help."""
    tree = ast.parse(path.read_text("utf-8"))
    owners = (ast.Module, ast.ClassDef, ast.FunctionDef, ast.AsyncFunctionDef)
    docstrings = {
        id(node.body[0].value)
        for node in ast.walk(tree)
        if isinstance(node, owners) and node.body and isinstance(node.body[0], ast.Expr)
    }
    is_help = path.parent.name == "cli"
    return "\n".join(
        node.value
        for node in ast.walk(tree)
        if isinstance(node, ast.Constant) and isinstance(node.value, str) and (is_help or id(node) not in docstrings)
    )


def _strings() -> Iterator[tuple[str, str]]:
    for path in sorted(REPO.glob("aoai_analytics/**/*.py")):
        yield str(path.relative_to(REPO)), _literals(path)


@pytest.mark.parametrize("read", [_pages, _headers, _prose, _strings], ids=["docs", "kql", "notebooks", "package"])
def test_nothing_that_people_read_has_a_phrase_that_was_rewritten(
    read: Callable[[], Iterator[tuple[str, str]]],
) -> None:
    texts = dict(read())
    assert len(texts) > 5 and all(isinstance(text, str) for text in texts.values())
    assert {name: phrases for name, text in texts.items() if (phrases := found(text))} == {}


@pytest.mark.parametrize(
    "sentence",
    [
        "nowhere is no lake; make one first: aoai ingest LOGS",
        "How do requests end, and at whose door does each kind of failure lie?",
        "What no log tells, and so no doctor finds:",
        "Let no prompt and no answer into the lake.",
        "PeakTokens=tokens a minute",
        "Names are asked of Azure too.",
        "'aoai --help' tells more.",
    ],
)
def test_a_phrase_that_is_put_back_is_found(sentence: str) -> None:
    assert found(sentence)
