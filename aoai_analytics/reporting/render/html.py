"""Blocks and pages as HTML, by the templates beside this module. Everything is escaped unless marked safe."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from collections.abc import Mapping, Sequence
from functools import cache, lru_cache
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...charts import CONFIG
from ...charts import templates as figure_templates
from .blocks import Answer, Block, Head, Overview
from .downloads import LARGE, csv_file, data_link, json_link, packed

if TYPE_CHECKING:
    from .pages import Page

TEMPLATES = Path(__file__).parent / "templates"
#: Which scripts a page may run, for its Content-Security-Policy: those in its own folder; none.
BESIDE, NONE = "'self' file:", "'none'"
#: The npm package plotly.js-basic-dist-min as it comes, and the kinds of traces that it draws.
PLOTLY_BASIC = Path(__file__).parent / "plotly/plotly-basic.min.js.gz"
BASIC = {"bar", "pie", "scatter"}


@cache
def environment() -> Any:
    """The Jinja environment of the templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    for each in (script_json, data_link, json_link, deeper, packed, csv_file, markdown, kql_colors):
        env.filters[each.__name__] = each
    env.filters["thousands"] = lambda number: f"{number:,}"
    env.globals["large"] = LARGE
    return env


def render(template: str, **values: Any) -> str:
    """The template of that name, filled in."""
    return str(environment().get_template(template).render(**values))


def script_json(value: Any) -> Any:
    """*value* as JSON that may stand in a ``<script>``: nothing in it can end the element."""
    from markupsafe import Markup

    text = json.dumps(value, ensure_ascii=False, separators=(",", ":"), allow_nan=False)
    return Markup(text.replace("&", "\\u0026").replace("<", "\\u003c").replace(">", "\\u003e"))


def notebook_top(block: Block) -> str:
    """What Jupyter shows of *block* above a figure."""
    return render("notebook_top.html", block=block)


def answer_bottom(block: Answer) -> str:
    """What Jupyter shows of *block* below the figure: the table, the data as CSV, the KQL."""
    return render("notebook_bottom.html", block=block)


def plain_text(block: Block) -> str:
    """*block* in words, for a terminal."""
    warnings = [f"! {problem.where}: {problem.what}" for problem in block.problems]
    if isinstance(block, Head):
        return "\n".join([f"{block.source}, {block.period}", *block.lines, *warnings])
    if isinstance(block, Overview):
        numbers = [f"{each.label}: {' '.join(filter(None, (each.value, each.change)))}" for each in block.measures]
        return "\n".join([block.period, *numbers, *(finding.text for finding in block.findings), *warnings])
    lines = [block.title, block.question, *warnings]
    lines += [" ".join(filter(None, (card["label"] + ":", card["value"], card["more"]))) for card in block.cards]
    lines += [line for line in (block.headline, block.alt, f"{block.rows:,} rows", block.note) if line]
    return "\n".join(lines)


@lru_cache(maxsize=256)
def kql_colors(text: str) -> Any:
    """KQL as escaped HTML; keywords, texts, numbers and comments have Pygments' classes, as in JupyterLab."""
    from markupsafe import Markup, escape
    from pygments.lexers.kusto import KustoLexer
    from pygments.token import Comment, Keyword, Number, String

    classes = {Comment: "c", Keyword: "k", Number: "m", String: "s"}
    parts = []
    for kind, word in KustoLexer(stripnl=False, ensurenl=False).get_tokens(text):
        name = "k" if word == "let" else next((classes[part] for part in kind.split() if part in classes), "")
        parts.append(f'<span class="{name}">{escape(word)}</span>' if name else str(escape(word)))
    return Markup("".join(parts))


@cache
def _markdown() -> Any:
    import mistune

    return mistune.create_markdown(escape=True, plugins=["table"])


def markdown(text: str) -> str:
    """Markdown as HTML; markup within it is shown as text."""
    return str(_markdown()(text))


def deeper(html: str, levels: int) -> str:
    """*html* of ``markdown`` with its headings that many levels deeper."""
    return re.sub(r"(</?h)([1-6])", lambda found: f"{found[1]}{min(6, int(found[2]) + levels)}", html)


def page(page: Page, *, cards: Sequence[Mapping[str, Any]] = (), made: str, version: str) -> str:
    """A report's page; *cards* at its top instead of those of the coverage."""
    return render(
        "page.html", page=page, title=page.title, cards=cards, figure_style=_figure_style(), made=made, version=version,
        **head_values(BESIDE),
    )  # fmt: skip


def index(pages: Sequence[Page], **values: Any) -> str:
    """The page that lists a report's pages."""
    brief = next((page for page in pages if page.overview), None)
    overview = brief.overview if brief else None
    drawn = bool(overview and overview["figure"])
    return render(
        "index.html",
        pages=pages,
        listed=[page for page in pages if page is not brief],
        lines=brief.head["lines"] if brief and brief.head else (),
        same=same_cards(pages),
        overview=overview,
        places={name: f"{page}.html#{place}" for name, (page, place) in places(pages).items()},
        figure_style=_figure_style(),
        **head_values(BESIDE if drawn else NONE),
        **values,
    )


def places(pages: Sequence[Page]) -> dict[str, tuple[str, str]]:
    """Where the report shows each query first: the page's name, and the element's id on it."""
    found: dict[str, tuple[str, str]] = {}
    for page in pages:
        for part in page.parts:
            if part["kind"] == "answer":
                found.setdefault(part["block"]["name"], (page.name, part["id"]))
    return found


def single(pages: Sequence[Page], **values: Any) -> str:
    """A report as one page with all in it, which needs no file beside it."""
    pages = sorted(pages, key=lambda page: page.overview is None)
    figures = any(page.figures for page in pages)
    scripts = ([plotly_script(pages)] if figures else []) + [inline_script(report_script())]
    policy = " ".join(map(_allowed, scripts))
    return render(
        "single.html", pages=pages, same=same_cards(pages), scripts=scripts, figure_style=_figure_style(),
        **head_values(policy), **values,
    )  # fmt: skip


def same_cards(pages: Sequence[Page]) -> list[dict[str, Any]] | None:
    """The headline numbers, where all *pages* that have any have the same; said once then."""
    heads = [page.head for page in pages if page.head]
    if not heads or any(head["lines"] != heads[0]["lines"] for head in heads):
        return None
    return next(page.cards for page in pages if page.head) or None


@cache
def _plotly(basic: bool) -> str:
    from plotly.offline import get_plotlyjs

    return gzip.decompress(PLOTLY_BASIC.read_bytes()).decode() if basic else str(get_plotlyjs())


def plotly_script(pages: Sequence[Page] = ()) -> str:
    """The script whose ``loadPlotly`` makes ``Plotly``, called for the first figure in view: until then nothing runs.

    It is plotly.js-basic, a quarter of the whole; the whole only where a figure of *pages* has other kinds of traces.
    """
    kinds = {trace.get("type", "scatter") for page in pages for figure in page.figures for trace in figure["data"]}
    # plotly.js looks for an opacity in each bar's colour before it has made one of a heat map's number, and warns.
    quiet = "Plotly.setPlotConfig({ logging: 0 });"
    return inline_script(f"window.loadPlotly = () => {{\n{_plotly(kinds <= BASIC)}\n{quiet}\n}};\n")


def report_script() -> str:
    """The script that draws the figures."""
    return (TEMPLATES / "report.js").read_text("utf-8")


def inline_script(text: str) -> str:
    """A script's *text* as it may stand in a page: nothing in it ends the element or begins a comment of HTML."""
    text = text.replace("\r\n", "\n").replace("\r", "\n")
    return re.sub(r"<(?=/script|!--)", r"\\x3c", text, flags=re.IGNORECASE)


def _allowed(script: str) -> str:
    """What allows the script of that very text, in a Content-Security-Policy."""
    return f"'sha256-{base64.b64encode(hashlib.sha256(script.encode()).digest()).decode()}'"


def head_values(script_src: str = NONE) -> dict[str, str]:
    """What every page's ``<head>`` needs: the styles, and the scripts its Content-Security-Policy allows."""
    return {"css": (TEMPLATES / "report.css").read_text("utf-8"), "script_src": script_src}


def _figure_style() -> dict[str, Any]:
    return figure_templates() | {"config": CONFIG}
