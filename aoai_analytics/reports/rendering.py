"""Blocks and notebooks as HTML, by the templates beside this module. Everything is escaped unless said otherwise."""

from __future__ import annotations

import json
from functools import cache
from pathlib import Path
from typing import Any

from ..charts import CONFIG
from ..charts import templates as figure_templates
from .blocks import Answer, Block, Head
from .downloads import data_link

TEMPLATES = Path(__file__).parent / "templates"


@cache
def environment() -> Any:
    """The Jinja environment of the templates."""
    from jinja2 import Environment, FileSystemLoader, StrictUndefined

    env = Environment(
        loader=FileSystemLoader(TEMPLATES), autoescape=True, undefined=StrictUndefined, trim_blocks=True,
        lstrip_blocks=True,
    )  # fmt: skip
    env.filters["script_json"] = script_json
    env.filters["data_link"] = data_link
    env.filters["thousands"] = lambda number: f"{number:,}"
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
    lines = [block.title, block.question, *warnings]
    lines += [line for line in (block.headline, block.alt, f"{block.rows:,} rows", block.note) if line]
    return "\n".join(lines)


@cache
def _markdown() -> Any:
    import mistune

    return mistune.create_markdown(escape=True, plugins=["table"])


def markdown(text: str) -> str:
    """Markdown as HTML; markup within it is shown as text."""
    return str(_markdown()(text))


def page(**values: Any) -> str:
    """A report's page."""
    css = (TEMPLATES / "report.css").read_text("utf-8")
    return render("page.html", css=css, figure_style=figure_templates() | {"config": CONFIG}, **values)


def index(**values: Any) -> str:
    """The page that lists a report's pages."""
    return render("index.html", css=(TEMPLATES / "report.css").read_text("utf-8"), **values)


def reports_index(**values: Any) -> str:
    """The page that lists the reports of a collection."""
    groups = values["groups"]
    return render(
        "reports.html",
        css=(TEMPLATES / "report.css").read_text("utf-8"),
        title="Azure OpenAI gateway reports",
        sources=sorted({group.source for group in groups}),
        failed=any(row.entry and row.entry.failed for group in groups for row in group.rows),
        **values,
    )
