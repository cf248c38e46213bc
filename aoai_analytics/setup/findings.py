"""Results of checks, and tables of them for a terminal and a notebook."""

from __future__ import annotations

import html
from collections.abc import Iterable, Sequence
from dataclasses import dataclass

from ..errors import SetupError

MET, NOT_MET, NOT_ASKED = "met", "not met", "not asked for"


@dataclass(frozen=True)
class Finding:
    """The result of one check; ``detail`` says what is wrong or, if nothing is, what was found."""

    check: str
    what: str
    state: str
    detail: str = ""
    way_on: str = ""


class Table:
    """Rows of text under headings: aligned when printed, an HTML table in a notebook, everything escaped."""

    def __init__(self, headings: Sequence[str], rows: Iterable[Sequence[str]]) -> None:
        self.headings, self.rows = tuple(headings), [tuple(map(str, row)) for row in rows]

    def __str__(self) -> str:
        import io

        from rich import box
        from rich.console import Console
        from rich.table import Table as RichTable
        from rich.text import Text

        table = RichTable(box=box.SIMPLE_HEAD, pad_edge=False)
        for heading in self.headings:
            table.add_column(heading, overflow="fold")
        for row in self.rows:
            table.add_row(*(Text(cell) for cell in row))
        out = io.StringIO()
        Console(file=out, width=120, color_system=None).print(table)
        return out.getvalue().strip("\n")

    def _repr_html_(self) -> str:
        def cells(tag: str, row: Sequence[str]) -> str:
            style = "text-align: left; vertical-align: top"
            return "<tr>" + "".join(f'<{tag} style="{style}">{html.escape(cell)}</{tag}>' for cell in row) + "</tr>"

        body = "".join(cells("td", row) for row in self.rows)
        return f"<table><thead>{cells('th', self.headings)}</thead><tbody>{body}</tbody></table>"


class Findings(Table):
    """A table of findings."""

    def __init__(self, findings: Iterable[Finding]) -> None:
        self.findings = list(findings)
        rows = [
            (f.check, f.state, f.what, f.detail + (f" Fix: {f.way_on}." if f.way_on and f.state == NOT_MET else ""))
            for f in self.findings
        ]
        super().__init__(("Check", "State", "Requirement", "Found"), rows)

    @property
    def failed(self) -> list[Finding]:
        """Unmet findings."""
        return [finding for finding in self.findings if finding.state == NOT_MET]

    def require(self) -> Findings:
        """Itself if nothing failed. Otherwise raises SetupError with the failures, in one line."""
        if not self.failed:
            return self
        said = "; ".join(f"{f.check}: {f.detail}" + (f" Fix: {f.way_on}." if f.way_on else "") for f in self.failed)
        raise SetupError(f"{len(self.failed)} of {len(self.findings)} requirements are not met: {said}")
