"""The programs of ``docs/clients.md``, taken out as they stand."""

from __future__ import annotations

import ast
import re
from dataclasses import dataclass

from tests.conftest import REPO

PAGE = (REPO / "docs/clients.md").read_text("utf-8")


@dataclass(frozen=True)
class Snippet:
    """A fenced program: its heading, its language, its text and, where the page shows it, what it prints."""

    title: str
    language: str
    code: str
    output: str | None

    def modules(self) -> set[str]:
        """The full names of the modules that a Python program imports."""
        nodes = ast.walk(ast.parse(self.code)) if self.language == "python" else ()
        found: set[str] = set()
        for node in nodes:
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom):
                found.add(node.module or "")
        return found


def snippets() -> list[Snippet]:
    """Every fenced block that is a program, in the page's order."""
    found = []
    for section in re.split(r"^(?=#{2,3} )", PAGE, flags=re.M):
        title = section.partition("\n")[0].lstrip("# ")
        for block in re.finditer(r"^```(python|bash)\n(.*?)^```\n(?:\n```text\n(.*?)^```$)?", section, re.M | re.S):
            found.append(Snippet(title, block[1], block[2], block[3]))
    return found


def table(name: str) -> list[list[str]]:
    """The rows of a marked table, each a list of its cells without code marks."""
    found = re.search(rf"<!-- table: {name} -->\n(.*?)<!-- end of table -->", PAGE, re.S)
    assert found, f"docs/clients.md has no table {name}"
    rows = [[cell.strip().strip("`") for cell in line.strip("|").split("|")] for line in found[1].splitlines()]
    return rows[2:]
