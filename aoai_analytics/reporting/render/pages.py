"""From an executed notebook to the content of its page."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from ... import errors
from ...library.reading import SHOWN
from .blocks import MIME, PLOTLY, SHOWN_BY_BLOCK
from .headline import coverage_cards
from .html import markdown

_SECTION = re.compile(r"^## (.+)$", re.MULTILINE)
# A message of the package's own errors never holds a prompt; any other error's may.
_OWN_ERRORS = {
    name for name, kind in vars(errors).items() if isinstance(kind, type) and issubclass(kind, errors.AoaiError)
}


#: A page with more answers than this, in several sections, has a contents list, and its sections fold.
MOST_UNFOLDED = 8


@dataclass(frozen=True)
class Section:
    """A part of a page under a heading ('' before the first one): its parts, each with its number on the page.

    ``folds``: the reader opens and closes it; ``gist`` is its first finding in words.
    """

    title: str
    id: str
    parts: tuple[tuple[int, Mapping[str, Any]], ...]
    folds: bool = False
    is_open: bool = True
    gist: str = ""


@dataclass
class Page:
    """What a page shows: ``parts`` in order, and for its top the ``head`` block, ``failures`` and ``problems``.

    A failure is a cell that raised; a problem is a warning or a partial result. Both are ``{where, what}``.
    """

    name: str
    title: str
    lead: str = ""
    head: Mapping[str, Any] | None = None
    overview: Mapping[str, Any] | None = None
    cards: list[dict[str, Any]] = field(default_factory=list)
    parts: list[dict[str, Any]] = field(default_factory=list)
    failures: list[dict[str, str]] = field(default_factory=list)
    problems: list[dict[str, str]] = field(default_factory=list)
    answers: list[Mapping[str, Any]] = field(default_factory=list)

    @property
    def figures(self) -> list[Mapping[str, Any]]:
        """The figures as plotly's JSON."""
        found = (part.get("figure") or part.get("block", {}).get("figure") for part in self.parts)
        return [figure for figure in found if figure]

    @property
    def sections(self) -> list[Section]:
        """The page's parts by their headings; only the first section of a long page is open."""
        groups: list[tuple[str, list[tuple[int, Mapping[str, Any]]]]] = [("", [])]
        for number, part in enumerate(self.parts, 1):
            if part["kind"] == "section":
                groups.append((part["title"], []))
            else:
                groups[-1][1].append((number, part))
        folds = len(groups) > 3 and len(self.answers) > MOST_UNFOLDED
        made = []
        for place, (title, parts) in enumerate(groups):
            gists = (part["block"]["headline"] for _, part in parts if part["kind"] == "answer")
            gist = next(filter(None, gists), "")
            at = f"{self.name}-section-{place}"
            made.append(Section(title, at, tuple(parts), folds and bool(title), not folds or place <= 1, gist))
        return made


def read_page(name: str, notebook: Mapping[str, Any]) -> Page:
    """The page of an executed notebook (nbformat 4)."""
    page = Page(name, title=name)
    for cell in notebook["cells"]:
        # Papermill's note of an error: the page has its own.
        if "papermill-error-cell-tag" in cell["metadata"].get("tags", []):
            continue
        source = "".join(cell["source"])
        if cell["cell_type"] == "markdown":
            _add_prose(page, source)
        elif cell["cell_type"] == "code":
            for output in cell["outputs"]:
                _add_output(page, output, _cell_name(source))
    return page


def _add_prose(page: Page, source: str) -> None:
    title = re.match(r"\s*# (.+)\n?", source)
    if title and page.title == page.name:
        page.title = title[1].strip()
        source = source[title.end() :]
        page.lead = source.strip().split("\n\n")[0].replace("\n", " ")
    before, *sections = _SECTION.split(source)
    if before.strip():
        page.parts.append({"kind": "markdown", "html": markdown(before)})
    for heading, text in zip(sections[::2], sections[1::2], strict=True):
        page.parts.append({"kind": "section", "title": heading.strip()})
        if text.strip():
            page.parts.append({"kind": "markdown", "html": markdown(text)})


def _add_output(page: Page, output: Mapping[str, Any], cell: str) -> None:
    if output["output_type"] == "error":
        _add_failure(page, output, cell)
        return
    if output["output_type"] == "stream":
        if output["name"] == "stdout":
            page.parts.append({"kind": "text", "text": "".join(output["text"])})
        return
    data = output.get("data", {})
    if MIME in data:
        _add_block(page, data[MIME])
    elif output.get("metadata", {}).items() >= SHOWN_BY_BLOCK.items():
        return
    elif PLOTLY in data:
        drawn = data[PLOTLY]
        layout = {key: value for key, value in drawn["layout"].items() if key != "template"}
        page.parts.append({"kind": "plot", "figure": {"data": drawn["data"], "layout": {"height": 400} | layout}})
    elif "image/png" in data:
        page.parts.append({"kind": "image", "data": "".join(data["image/png"]).replace("\n", "")})
    elif "text/plain" in data:
        page.parts.append({"kind": "text", "text": "".join(data["text/plain"])})


def _add_block(page: Page, block: Mapping[str, Any]) -> None:
    part = {"kind": block["kind"], "block": block}
    page.problems += [dict(problem) for problem in block["problems"]]
    if block["kind"] == "head":
        page.head = block
        part["cards"] = page.cards = [] if block["empty"] else coverage_cards(block["numbers"])
    elif block["kind"] == "overview":
        page.overview = block
    elif block["kind"] == "answer":
        part["id"] = answer_id(page.name, block["name"])
        if any(each["name"] == block["name"] for each in page.answers):
            part["id"] += f"-{len(page.answers)}"
        page.answers.append(block)
    page.parts.append(part)


def answer_id(page: str, query: str) -> str:
    """Where a page shows a query: the element's id."""
    return f"{page}-{query.replace('/', '-')}"


def _add_failure(page: Page, output: Mapping[str, Any], cell: str) -> None:
    kind, what = output["ename"], output["evalue"]
    if page.failures and page.head is None and kind == "NameError":
        page.parts.append({"kind": "not-run", "where": cell})
        return
    failure = {"where": cell, "what": what if kind in _OWN_ERRORS else f"{kind} (run the notebook to see it in full)"}
    page.failures.append(failure)
    page.parts.append({"kind": "failure"} | failure)


def _cell_name(source: str) -> str:
    """A cell's name for its failure: the query it shows, else its first line."""
    shown = SHOWN.search(source)
    line = next((line.strip() for line in source.splitlines() if line.strip() and not line.startswith("#")), "a cell")
    if shown:
        return shown[1]
    if titled := re.search(r"report\.show_kql\(.*?^// title: ([^\n]+)", source, re.DOTALL | re.MULTILINE):
        return titled[1].strip()
    return "Opening the source" if "open_report(" in source else line[:80]
