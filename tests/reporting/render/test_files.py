"""A report's files: pages beside each other, or one that holds all."""

from __future__ import annotations

import base64
import gzip
import hashlib
import json
import re
from itertools import pairwise
from typing import Any

import pytest
from plotly.offline import get_plotlyjs, get_plotlyjs_version

from aoai_analytics.reporting.render.blocks import Finding, Measure, Overview, Top
from aoai_analytics.reporting.render.files import report_files
from aoai_analytics.reporting.render.html import PLOTLY_BASIC, inline_script
from tests.reporting.render.test_pages import code, markdown, read_page, shown
from tests.reporting.sample_collection import manifest


@pytest.fixture
def pages(report: Any) -> list[Any]:
    """Two pages of the same head, each with prose, a heading and the same answer."""
    made = report()
    cells = [
        code("report = open_report()", *shown(made.head())),
        markdown("## Teams\n\nProse."),
        code("report.show('tokens/by-team')", *shown(made.answer("tokens/by-team"))),
    ]
    return [read_page(name, {"cells": [markdown(f"# {name.title()}\n\nLead."), *cells]}) for name in ("one", "two")]


def test_pages_share_the_scripts_and_the_manifest_lists_every_file(pages: list[Any]) -> None:
    files = report_files(pages, manifest(None))
    assert set(files) == {"index.html", "one.html", "two.html", "plotly.min.js", "report.js", "manifest.json"}
    assert json.loads(files["manifest.json"])["files"] == sorted(files)
    index = files["index.html"].decode()
    assert 'href="one.html"' in index and "All reports" not in index and "<script" not in index
    assert "script-src 'none';" in index
    assert (
        'href="../index.html">All reports'
        in report_files(pages, manifest(None), in_collection=True)["index.html"].decode()
    )


def brief(name: str = "overview", **more: Any) -> Any:
    """The page of a period in brief, with one finding."""
    finding = Finding("Team <b>a</b> cost more.", "tokens/by-team", "bad")
    measures = (Measure("Cost in USD", "12.50", "+2.50 (+25%)", False), Measure("Users", "7", "±0"))
    top = Top("Teams by cost", "cost/by-subscription", (("<i>a</i>", "12.50", "100%", "+25%"),), 3, ("3.20", "4%"))
    figure = {"data": [{"type": "bar", "x": ["a"], "y": [1]}], "layout": {"height": 300}}
    of: dict[str, Any] = {"before": "October", "measures": measures, "findings": (finding,), "tops": (top,)}
    block = Overview(period="November", **of | {"figure": figure, "alt": "Bar chart."} | more)
    return read_page(name, {"cells": [markdown("# Overview\n\nLead."), code("report.show_overview()", *shown(block))]})


def test_the_index_shows_the_period_in_brief_and_leads_to_what_it_found(pages: list[Any]) -> None:
    files = report_files([pages[0], brief(), pages[1]], manifest(None))
    index = files["index.html"].decode()
    assert "Team &lt;b&gt;a&lt;/b&gt; cost more." in index and "&lt;i&gt;a&lt;/i&gt;" in index
    assert 'class="change bad">+2.50 (+25%)<span class="unseen">, worse' in index
    assert "Changes are from October." in index and '<th scope="row">3 others</th><td class="number">3.20</td>' in index
    place = re.search(r'href="one\.html#([^"]+)">Details', index)
    assert place and f'id="{place[1]}"' in files["one.html"].decode()
    assert 'id="figure-index"' in index and '<script defer src="plotly.min.js">' in index
    assert 'href="overview.html"' not in index and 'href="two.html"' in index
    assert index.index("Findings") < index.index('href="two.html"')


def test_the_index_of_a_period_that_is_not_over_says_so(pages: list[Any]) -> None:
    for made, there in (("2026-11-29T12:00:00+00:00", True), ("2026-12-01T12:00:00+00:00", False)):
        of = manifest(None) | {"end": "2026-12-01T00:00:00+00:00", "made": made}
        for single_file in (True, False):
            index = report_files(pages, of, single_file=single_file)["index.html"].decode()
            assert ("(not over yet)" in index) == there


def test_nothing_found_and_nothing_to_compare_with_are_said(pages: list[Any]) -> None:
    page = brief(before="", why_not="there is no traffic before", findings=(), figure=None)
    index = report_files([*pages, page], manifest(None))["index.html"].decode()
    assert "Nothing stands out" in index and "Not compared: there is no traffic before." in index
    assert "<script" not in index and "script-src 'none';" in index


def test_a_report_without_a_period_says_which_weeks_it_compares() -> None:
    page = brief(before="2 Nov 2026 to 8 Nov 2026", latest="9 Nov 2026 to 15 Nov 2026")
    index = report_files([page], manifest(None))["index.html"].decode()
    assert "Changes compare 9 Nov 2026 to 15 Nov 2026 with 2 Nov 2026 to 8 Nov 2026." in index
    assert "Changes are from" not in index


def test_a_single_file_begins_with_the_period_in_brief(pages: list[Any]) -> None:
    text = report_files([*pages, brief()], manifest(None), single_file=True)["index.html"].decode()
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) and ids.index("overview") < ids.index("one")


def test_the_headline_numbers_that_all_pages_share_are_said_once(pages: list[Any]) -> None:
    index = report_files(pages, manifest(None))["index.html"].decode()
    labels = re.findall(r"<dt>(.*?)</dt>", index)
    assert labels.count("Requests") == labels.count("Cost in USD") == labels.count("Success rate") == 1
    pages[1].head = {**pages[1].head, "lines": ("something else",)}
    assert report_files(pages, manifest(None))["index.html"].decode().count("<dt>Requests</dt>") == 2


def test_a_single_file_holds_everything_and_needs_no_file_beside_it(pages: list[Any]) -> None:
    of = manifest(None, failed=False)
    files = report_files(pages, of, single_file=True, in_collection=True)
    assert set(files) == {"index.html", "manifest.json"}
    text = files["index.html"].decode()
    text = re.sub(r"<script>.*?</script>", "", text, flags=re.DOTALL)
    assert re.findall(r'(?:src|href)="(?!#|data:)[^"]*"', text) == []
    ids = re.findall(r' id="([^"]+)"', text)
    assert len(ids) == len(set(ids)) and {"one", "two"} <= set(ids)
    assert all(target in ids for target in re.findall(r'href="#([^"]+)"', text))
    carried = re.search(r'href="data:application/json;base64,([^"]+)"', text)
    assert carried and json.loads(base64.b64decode(carried[1])) == of


def test_headings_of_a_single_file_go_down_one_level_at_a_time(pages: list[Any]) -> None:
    text = report_files(pages, manifest(None), single_file=True)["index.html"].decode()
    levels = [int(level) for level in re.findall(r"<h(\d)", text)]
    assert levels[0] == 1 and levels.count(1) == 1 and max(levels) == 4
    assert all(after <= before + 1 for before, after in pairwise(levels))


def test_the_policy_of_a_single_file_allows_its_scripts_by_their_text_and_no_other(pages: list[Any]) -> None:
    text = report_files(pages, manifest(None), single_file=True)["index.html"].decode()
    policy = re.search(r"script-src ([^;]*);", text)
    assert policy
    scripts = re.findall(r"<script>(.*?)</script>", text, re.DOTALL)
    assert len(scripts) == 2 and scripts[0].startswith("window.loadPlotly = ")
    digests = [base64.b64encode(hashlib.sha256(each.encode()).digest()).decode() for each in scripts]
    assert sorted(policy[1].split()) == sorted(f"'sha256-{digest}'" for digest in digests)


def test_pages_carry_the_part_of_plotly_that_their_figures_need(pages: list[Any]) -> None:
    """That part is the file of the npm package of the installed plotly's version; a notebook's map needs the whole."""
    basic = gzip.decompress(PLOTLY_BASIC.read_bytes()).decode()
    assert f"plotly.js (basic - minified) v{get_plotlyjs_version()}" in basic[:200]
    script = report_files(pages, manifest(None))["plotly.min.js"].decode()
    assert inline_script(basic) in script and len(script) < 1_250_000
    own = {"kind": "plot", "figure": {"data": [{"type": "scattergeo"}], "layout": {"height": 400}}}
    pages[0].parts.append(own)
    assert inline_script(get_plotlyjs()) in report_files(pages, manifest(None))["plotly.min.js"].decode()


def test_a_script_within_a_page_cannot_end_its_element() -> None:
    text = inline_script('a = "</script>" + "</SCRIPT x" + "<!--" + "<b>"; 1 < 2;\r\n')
    assert text == 'a = "\\x3c/script>" + "\\x3c/SCRIPT x" + "\\x3c!--" + "<b>"; 1 < 2;\n'


def test_the_same_pages_make_the_same_files(pages: list[Any]) -> None:
    assert report_files(pages, manifest(None)) == report_files(pages, manifest(None))


def test_figures_and_csv_files_of_many_rows_stay_small(report: Any, fixed_engine: Any) -> None:
    engine = fixed_engine()
    engine.rows = engine.rows.iloc[[0] * 5_000].assign(Team=[f"team {number:05}" for number in range(5_000)])
    answer = report(engine).answer("tokens/by-team")
    assert len(answer.csv) > 100_000
    page = read_page("many", {"cells": [code("report.show('tokens/by-team')", *shown(answer))]})
    assert len(report_files([page], manifest(None))["many.html"]) < 80_000
