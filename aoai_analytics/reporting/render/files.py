"""A report's files by name: its pages and index (or all in one page), the scripts, the manifest."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from datetime import datetime
from typing import Any

from ...format.periods import said
from . import html
from .cards import page_cards
from .headline import money_and_success
from .overview import not_over
from .pages import Page

TITLE = "Azure OpenAI gateway report"


def report_files(
    pages: Sequence[Page], manifest: Mapping[str, Any], *, single_file: bool = False, in_collection: bool = False
) -> dict[str, bytes]:
    """The files of the report of *pages*, UTF-8; ``manifest.json`` is *manifest* and the ``files`` it lists.

    *single_file*: ``index.html`` holds all pages, figures and data, and can be sent on its own. *in_collection*: the
    index links to that of all reports, one folder up. Of *manifest*, ``source``, ``period``, ``time_zone``, ``failed``,
    ``made`` and ``headline`` are shown.
    """
    from ... import __version__

    zone = manifest["time_zone"]
    made = said(datetime.fromisoformat(manifest["made"]), zone) + f" ({zone})"
    shown = {key: manifest[key] for key in ("source", "period", "time_zone", "failed")}
    if not_over(manifest):
        shown["period"] += " (not over yet)"
    shown["more_cards"] = money_and_success(manifest.get("headline") or {})
    shown |= {"title": TITLE, "made": made, "version": __version__}
    cards = {page.name: page_cards(page, pages) for page in pages}
    if single_file:
        files = {"index.html": html.single(pages, manifest=manifest, cards=cards, **shown)}
    else:
        files = {
            f"{page.name}.html": html.page(page, cards=cards[page.name], made=made, version=__version__)
            for page in pages
        }
        files["index.html"] = html.index(pages, in_collection=in_collection, **shown)
        files["plotly.min.js"] = html.plotly_script(pages)
        files["report.js"] = html.report_script()
    listed = dict(manifest) | {"files": sorted([*files, "manifest.json"])}
    files["manifest.json"] = json.dumps(listed, indent=2) + "\n"
    return {name: text.encode() for name, text in files.items()}
