"""The reports' pages in a browser: from a file, with no network, for every reader."""

from __future__ import annotations

import re
import subprocess
import zlib
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.charts import table_html, templates
from aoai_analytics.charts.colors import FIRST_SHADE
from aoai_analytics.library.queries import library
from aoai_analytics.reporting.render.blocks import Finding
from aoai_analytics.reporting.render.files import report_files
from aoai_analytics.reporting.render.html import TEMPLATES
from aoai_analytics.reporting.render.pages import read_page
from aoai_analytics.reporting.session import Report
from aoai_analytics.reporting.store.collection import save_report
from tests.reporting.render.test_files import brief
from tests.reporting.render.test_pages import code, error, markdown, shown
from tests.reporting.sample_collection import files, manifest, month

ARGUMENTS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
AXE = Path(__file__).parents[2] / "axe/node_modules/axe-core/axe.min.js"
HOSTILE = ["<img src=x onerror=alert(1)>", '<a href="javascript:alert(1)">pay here</a>', "%{x}</script>"]


def drawn(page: Any) -> None:
    """Wait until every figure is drawn. (The page's policy forbids the evaluation that waiting for a script needs.)"""
    for plot in page.locator(".plot").all():
        plot.scroll_into_view_if_needed()
        plot.locator(".main-svg").first.wait_for(state="attached")
    page.evaluate("scrollTo(0, 0)")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@contextmanager
def opened(browser: Any, path: Path, **context: Any) -> Iterator[Any]:
    """The page at *path*, drawn. At its end it has asked for nothing but files, and no script has complained."""
    made = browser.new_context(**context)
    page = made.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto(path.as_uri())
    drawn(page)
    yield page
    assert said == []
    assert asked and all(url.startswith(("file:", "data:", "blob:")) for url in asked)
    made.close()


@pytest.fixture
def partly(report: Any, fixed_engine: Any) -> list[Any]:
    """Two pages: one whole, with hostile names and more rows than a page carries unpacked; one that failed in part."""
    engine = fixed_engine()
    engine.rows = engine.rows.assign(Team=HOSTILE, TotalTokens=[3, 2, 1])
    few = report(engine).answer("tokens/by-team")
    long = fixed_engine()
    long.rows = long.rows.iloc[[0] * 2_000].assign(Team=[f"team {number:04}" for number in range(2_000)])
    many = report(long).answer("tokens/by-team")
    head = code("report = open_report()", *shown(report().head()))
    return [
        read_page(name, {"cells": [markdown(f"# {title}\n\nWhat it says.\n\n## A question"), head, *cells]})
        for name, title, cells in [
            ("teams", "Teams", [code("report.show('a')", *shown(few)), code("report.show('b')", *shown(many))]),
            ("broken", "Broken", [code("report.show('c')", error("QueryError", "line 3: no such column <b>"))]),
        ]
    ]


@pytest.fixture
def single(partly: list[Any], tmp_path: Path) -> Path:
    """Those pages as a single file."""
    of = manifest(None, failed=True)
    (tmp_path / "single.html").write_bytes(report_files(partly, of, single_file=True)["index.html"])
    return tmp_path / "single.html"


@pytest.fixture
def several(partly: list[Any], tmp_path: Path) -> Path:
    """Those pages as files beside each other; its index."""
    for name, content in report_files(partly, manifest(None, failed=True), in_collection=True).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path / "index.html"


@pytest.fixture
def collection(tmp_path: Path) -> Path:
    """An index of reports: of months with a gap, one that failed, of a week, of a span without a name."""
    out = tmp_path / "reports"
    for each in (month("2026-06"), month("2026-07"), month("2026-09", failed=True), month("2026-10", Cost=None)):
        save_report(out, each["key"], files(each))
    save_report(out, "2026-W44", files(manifest("2026-W44", "2026-10-26", "2026-11-02", UncostedRequests=3)))
    save_report(out, None, files(manifest(None)), otherwise="all")
    return out / "index.html"


@pytest.fixture
def folded(report: Any, tmp_path: Path) -> Path:
    """A page of four sections with three figures each."""
    made = report()
    cells = [markdown("# Long\n\nWhat it says."), code("report = open_report()", *shown(made.head()))]
    for section in ("One", "Two", "Three", "Four"):
        cells.append(markdown(f"## {section}\n\nWhy."))
        cells += [code("report.show('a')", *shown(made.answer("tokens/by-team")))] * 3
    for name, content in report_files([read_page("long", {"cells": cells})], manifest(None)).items():
        (tmp_path / name).write_bytes(content)
    return tmp_path / "long.html"


def test_the_sections_of_a_long_page_fold_and_what_a_link_leads_to_opens(browser: Any, folded: Path) -> None:
    made = browser.new_context(viewport={"width": 1300, "height": 900})
    page = made.new_page()
    page.goto(folded.as_uri())
    opened_now = "[...document.querySelectorAll('details.section')].map((each) => each.open)"
    assert page.evaluate(opened_now) == [True, False, False, False]
    assert page.locator(".contents li").all_inner_texts()[0].startswith("One\nclaims used 70%")
    assert page.evaluate("document.documentElement.scrollHeight") < 2_600
    page.locator(".contents a").nth(2).click()
    page.wait_for_function(f"String({opened_now}) === 'true,false,true,false'")
    page.locator("details.section").nth(2).locator(".main-svg").first.wait_for(state="attached")
    page.goto(f"{folded.as_uri()}#long-tokens-by-team-11")
    page.wait_for_function(f"{opened_now}[3]")
    assert page.locator("#long-tokens-by-team-11").is_visible()
    page.get_by_role("button", name="Open all sections").click()
    drawn(page)
    assert page.evaluate(opened_now) == [True] * 4
    page.get_by_role("button", name="Close all sections").click()
    assert page.evaluate(opened_now) == [False] * 4
    made.close()


def test_a_page_runs_plotly_only_when_a_figure_comes_into_view(browser: Any, folded: Path) -> None:
    """So the page answers its reader at once: nothing is unpacked, made or drawn while it loads."""
    made = browser.new_context(viewport={"width": 1300, "height": 200})
    page = made.new_page()
    page.goto(folded.as_uri(), wait_until="load")
    page.wait_for_timeout(100)
    assert page.evaluate("[typeof loadPlotly, typeof Plotly]") == ["function", "undefined"]
    page.locator(".plot").nth(2).scroll_into_view_if_needed()
    page.locator(".plot").nth(2).locator(".main-svg").first.wait_for(state="attached")
    assert page.evaluate("document.querySelectorAll('.plot:has(.main-svg)').length") < 12
    made.close()


def test_paper_has_every_section_and_figure_in_little_room(browser: Any, folded: Path, tmp_path: Path) -> None:
    made = browser.new_context(viewport={"width": 390, "height": 800}, color_scheme="dark")
    page = made.new_page()
    page.goto(folded.as_uri())
    page.locator(".main-svg").first.wait_for(state="attached")
    page.evaluate(
        """addEventListener('beforeprint', () => { window.printed = [...document.querySelectorAll('.plot')].map(
        (plot) => plot.querySelector('.main-svg')?.getBoundingClientRect().width) })"""
    )
    page.pdf(path=tmp_path / "long.pdf", prefer_css_page_size=True)
    assert page.evaluate("window.printed") == [680] * 12
    assert (tmp_path / "long.pdf").stat().st_size < 1_000_000
    assert page.evaluate("document.querySelectorAll('details.section[open]').length") == 1
    made.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1300), ("dark", 1300), ("light", 390)])
def test_the_index_tells_the_period_on_one_page(
    browser: Any, partly: list[Any], tmp_path: Path, scheme: str, width: int
) -> None:
    saving = Finding("Batch jobs could save 3.00 to 4.00 USD.", "tokens/by-team")
    trouble = Finding("From 9 Nov 2026, 14:00, for 2 hours: 140 requests failed.", "tokens/by-team", "bad")
    page = brief(wrong=(trouble,), advice=(saving,), budget=("No budget is set.",), blind=("Estimates.",))
    for name, content in report_files([page, partly[0]], manifest(None)).items():
        (tmp_path / name).write_bytes(content)
    with opened(
        browser, tmp_path / "index.html", color_scheme=scheme, viewport={"width": width, "height": 900}
    ) as seen:
        assert seen.locator(".overview h2").all_inner_texts() == [
            "Findings", "What went wrong, and when", "Ways to save", "Budget", "What these logs cannot tell",
            "Cost and tokens over time", "Teams by cost",
        ]  # fmt: skip
        assert seen.evaluate("document.documentElement.scrollWidth") <= width
        link = seen.locator(".columns a").first
        link.click()
        seen.wait_for_url("**/teams.html#teams-tokens-by-team")


def test_a_phone_shows_the_numbers_of_each_report_with_their_names(browser: Any, collection: Path) -> None:
    with opened(browser, collection, viewport={"width": 390, "height": 800}) as page:
        shown_cells = page.evaluate(
            """[...document.querySelectorAll('.reports td[data-label]')].map((cell) => [cell.getBoundingClientRect(),
            getComputedStyle(cell, '::before').content]).filter(([box, name]) =>
            box.left >= 0 && box.right <= 390 && box.width > 60 && name !== 'none').length"""
        )
        assert shown_cells == page.locator(".reports td[data-label]").count() > 12


@pytest.mark.parametrize("width", [1300, 390])
def test_labels_and_values_of_the_cards_of_a_row_stand_on_the_same_lines(
    browser: Any, folded: Path, width: int
) -> None:
    page = browser.new_page(viewport={"width": width, "height": 900})
    page.goto(folded.as_uri())
    cards = page.evaluate(
        """[...document.querySelectorAll('.cards')].map((cards) => [...cards.children].map((card) => {
            const range = document.createRange()
            range.selectNodeContents(card.querySelector('dd').firstChild)
            return [card.getBoundingClientRect().top, card.querySelector('dt').getBoundingClientRect().top,
                    range.getBoundingClientRect().top]}))"""
    )
    page.close()
    rows: dict[tuple[int, float], set[tuple[float, ...]]] = {}
    for number, of in enumerate(cards):
        for top, *lines in of:
            rows.setdefault((number, top), set()).add(tuple(lines))
    assert rows and max(map(len, cards)) > 2
    assert {len(lines) for lines in rows.values()} == {1}


def test_a_time_stays_within_its_column_on_a_phone(browser: Any, tmp_path: Path) -> None:
    moments = pd.to_datetime(["2026-11-04T14:44:13Z", "2026-11-04T14:44:13Z"])
    names = {f"Name{number}": ["10.24.3.87", "user-08"] for number in range(8)}
    frame = pd.DataFrame({"TimeGenerated": moments, **names})
    table = table_html(frame, {"TimeGenerated": "datetime"} | dict.fromkeys(names, "string"), {})
    css = (TEMPLATES / "report.css").read_text("utf-8")
    page_file = tmp_path / "table.html"
    page_file.write_text(f"<!DOCTYPE html><style>{css}</style><main><div class='scroll'>{table}</div></main>", "utf-8")
    page = browser.new_page(viewport={"width": 390, "height": 800})
    page.goto(page_file.as_uri())
    inside, lines = page.evaluate(
        """[[...document.querySelectorAll('time')].every((time) =>
            time.getBoundingClientRect().right <= time.closest('td').getBoundingClientRect().right),
            [...document.querySelectorAll('time')].map((time) => time.getClientRects().length)]"""
    )
    page.close()
    assert inside
    assert set(lines) == {1}


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_figures_are_drawn_with_no_request_no_error_and_no_sideways_scroll(
    browser: Any, tokens_report: Path, scheme: str, width: int
) -> None:
    size = {"width": width, "height": 900}
    with opened(browser, tokens_report / "tokens.html", color_scheme=scheme, viewport=size) as page:
        assert page.locator(".plot").count() == 5
        for plot in page.locator(".plot").all():
            assert plot.locator(".main-svg .trace, .main-svg .points").count() > 0
        buttons = page.evaluate("[...document.querySelectorAll('.modebar-btn')].map((each) => each.ariaLabel)")
        # On a phone they would cover the legend.
        assert set(buttons) == ({"Download plot as a PNG", "Zoom", "Pan", "Reset axes"} if width > 560 else set())
        assert page.evaluate("document.documentElement.scrollWidth") <= width
        paper = page.evaluate("getComputedStyle(document.querySelector('.plot .main-svg')).backgroundColor")
        card = page.evaluate("getComputedStyle(document.querySelector('.answer')).backgroundColor")
        assert paper == card


def test_a_heat_map_writes_nothing_to_the_console(browser: Any, fixed_engine: Any, tmp_path: Path) -> None:
    engine = fixed_engine()
    engine.rows = engine.rows.assign(Weekday=["Monday"] * 3, Hour=[7, 8, 9])
    cells = [code("report.show('a')", *shown(Report(engine, library()).answer("tokens/by-hour-and-weekday")))]
    for name, content in report_files([read_page("heat", {"cells": cells})], manifest(None)).items():
        (tmp_path / name).write_bytes(content)
    with opened(browser, tmp_path / "heat.html") as page:
        assert page.locator(".plot .cbfill").count() > 0


@pytest.mark.parametrize("which", ["single", "several", "collection"])
def test_nothing_but_a_table_is_wider_than_a_phone(browser: Any, which: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(which)
    with opened(browser, path, viewport={"width": 360, "height": 800}) as page:
        assert page.evaluate("document.documentElement.scrollWidth") <= 360
        wider = "[...document.querySelectorAll('main *')].filter((each) => each.getBoundingClientRect().right > 360 && "
        assert page.evaluate(wider + "!each.closest('.scroll, .plot, pre')).map((each) => each.outerHTML)") == []


def test_the_pages_are_linked_and_the_csv_and_kql_are_one_click_away(browser: Any, tokens_report: Path) -> None:
    with opened(browser, tokens_report / "index.html") as page:
        page.get_by_role("link", name="Tokens").click()
        drawn(page)
        answer = page.locator(".answer").nth(1)
        with page.expect_download() as download:
            answer.get_by_role("link", name="Data as CSV").click()
        text = Path(download.value.path()).read_text("utf-8-sig")
        assert download.value.suggested_filename == "tokens-by-subscription.csv"
        assert text.startswith("SubscriptionId,Requests,")
        answer.get_by_text("KQL", exact=True).click()
        assert "AoaiRequests" in answer.locator("details pre").inner_text()


@pytest.mark.parametrize("which", ["single", "several"])
def test_a_large_csv_file_is_unpacked_whole(browser: Any, which: str, request: pytest.FixtureRequest) -> None:
    path = request.getfixturevalue(which)
    assert "data-packed=" in (path if which == "single" else path.with_name("teams.html")).read_text("utf-8")
    with opened(browser, path) as page:
        page.get_by_role("link", name="Teams", exact=True).click()
        drawn(page)
        with page.expect_download() as download:
            page.get_by_role("link", name="Data as CSV").nth(1).click()
        content = Path(download.value.path()).read_bytes()
        assert download.value.suggested_filename == "tokens-by-team.csv"
        assert content.startswith(b"\xef\xbb\xbfTeam,") and content.decode().splitlines()[-1].startswith("team 1999,")


def test_hostile_names_are_shown_as_they_are_and_run_nothing(browser: Any, single: Path) -> None:
    """The names of the rows, in figure, table, headline and page, under the page's own policy."""
    dialogs: list[str] = []
    with opened(browser, single) as page:
        page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
        labels = page.locator(".plot").first.locator(".ytick text").all_text_contents()
        assert labels[0].startswith("<img src=x") and labels[2] == "%{x}</script>"
        assert page.locator(".plot a[href], .plot image, main img").count() == 0
        page.locator(".plot").first.scroll_into_view_if_needed()
        bar = page.locator(".plot .point path").first.bounding_box()
        page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
        page.wait_for_selector(".hoverlayer .hovertext")
        hover = page.locator(".hoverlayer").first.text_content()
        assert hover in (f"{name}{tokens} tokens" for name, tokens in zip(HOSTILE, (3, 2, 1), strict=True))
        assert dialogs == []


def test_a_script_that_is_not_the_reports_own_does_not_run_in_a_single_file(browser: Any, single: Path) -> None:
    text = single.read_text("utf-8")
    single.write_text(text.replace("<footer>", "<script>document.title = 'taken'</script><footer>"), "utf-8")
    page = browser.new_page()
    refused: list[str] = []
    page.on("console", lambda message: refused.append(message.text))
    page.goto(single.as_uri())
    drawn(page)
    assert page.title() == "Azure OpenAI gateway report"
    assert len(refused) == 1 and "Content Security Policy" in refused[0]
    page.close()


@pytest.mark.parametrize("which", ["single", "several"])
def test_what_failed_is_the_first_thing_to_see_and_its_page_is_a_click_away(
    browser: Any, which: str, request: pytest.FixtureRequest
) -> None:
    with opened(browser, request.getfixturevalue(which)) as page:
        top = page.locator("main > *").first
        assert "no such column <b>" in top.inner_text() and "Broken" in top.inner_text()
        top.get_by_role("link", name="Broken").click()
        own = page.locator("#broken" if which == "single" else "body").locator(".problems")
        assert "Do not rely on this" in own.inner_text()
        assert page.locator(f"#problems{'' if which == 'single' else '-broken'}").is_visible()


@pytest.mark.parametrize("scheme", ["light", "dark"])
@pytest.mark.parametrize("which", ["tokens", "single", "several", "collection"])
def test_axe_finds_nothing_that_keeps_people_from_a_page(
    browser: Any, which: str, scheme: str, request: pytest.FixtureRequest
) -> None:
    if not AXE.exists():
        pytest.skip("needs the npm package axe-core: npm ci --prefix tests/axe")
    path = request.getfixturevalue(which) if which != "tokens" else request.getfixturevalue("tokens_report")
    path = path / "tokens.html" if which == "tokens" else path
    context = browser.new_context(color_scheme=scheme, bypass_csp=True)  # for axe itself
    page = context.new_page()
    page.goto(path.as_uri())
    drawn(page)
    page.evaluate(AXE.read_text("utf-8"))
    found = page.evaluate("axe.run({ resultTypes: ['violations'] })")
    assert found["passes"], "axe has checked nothing"
    assert [(rule["id"], [node["html"][:200] for node in rule["nodes"]]) for rule in found["violations"]] == []
    context.close()


def test_a_page_is_read_by_keyboard_alone(browser: Any, tokens_report: Path) -> None:
    with opened(browser, tokens_report / "tokens.html") as page:
        focused = "document.activeElement"
        page.keyboard.press("Tab")
        assert page.evaluate(f"{focused}.className") == "skip"
        assert page.locator(".skip").bounding_box()["x"] == 0
        page.keyboard.press("Enter")
        assert page.evaluate(f"{focused}.id") == "content"
        reached = []
        while len(reached) < 40 and "SUMMARY KQL" not in reached:
            page.keyboard.press("Tab")
            reached.append(page.evaluate(f"`${{{focused}.tagName}} ${{{focused}.textContent.trim()}}`"))
            assert page.evaluate(f"getComputedStyle({focused}).outlineStyle") != "none", reached[-1]
        assert any(each.startswith("A Data as CSV") for each in reached)
        page.keyboard.press("Enter")
        assert page.evaluate(f"{focused}.parentElement.open") is True
        page.keyboard.press("Tab")
        assert page.evaluate(f"{focused}.tagName") == "PRE"


def test_a_page_prints_on_white_paper_with_whole_figures_and_nothing_to_click(
    browser: Any, tokens_report: Path, tmp_path: Path
) -> None:
    with opened(browser, tokens_report / "tokens.html", color_scheme="dark") as page:
        page.evaluate(
            """addEventListener('beforeprint', () => { window.printed = [...document.querySelectorAll('.plot')].map(
            (plot) => plot.querySelector('.main-svg')).map(
            (svg) => [getComputedStyle(svg).backgroundColor, svg.getBoundingClientRect().width]) })"""
        )
        page.pdf(path=tmp_path / "report.pdf", prefer_css_page_size=True)
        # A4 less its margins, in CSS pixels.
        printed = page.evaluate("window.printed")
        assert len(printed) == 5 and all(colour == "rgb(255, 255, 255)" for colour, _ in printed)
        assert max(width for _, width in printed) <= (210 - 2 * 14) / 25.4 * 96
        page.emulate_media(media="print")
        assert page.locator(".behind:visible, .modebar-container:visible, header nav:visible").count() == 0
        assert page.evaluate("getComputedStyle(document.querySelector('figure')).breakInside") == "avoid"


def test_chromium_prints_a_page_from_the_command_line_with_its_figures(
    chromium: str, tokens_report: Path, tmp_path: Path
) -> None:
    """Printed as soon as it is loaded: the figures must be there by then."""
    pdf, page = tmp_path / "tokens.pdf", tokens_report / "tokens.html"
    run = [chromium, *ARGUMENTS, f"--user-data-dir={tmp_path / 'profile'}", f"--print-to-pdf={pdf}", page.as_uri()]
    subprocess.run(run, check=True, capture_output=True, timeout=120)
    content = pdf.read_bytes()
    assert content.startswith(b"%PDF") and content.count(b"/Type /Page\n") > 2
    assert len(content) < 1_000_000
    painted = b"".join(
        zlib.decompress(stream)
        for head, stream in re.findall(rb"<<([^>]*)>> stream\n(.*?)\nendstream", content, re.DOTALL)
        if b"FlateDecode" in head and b"/Length1" not in head  # no font
    )
    # Bars of one series have a shade that nothing else on the page has.
    colour = templates()["light"]["layout"]["colorway"][FIRST_SHADE + 2]
    shares = [int(colour[at : at + 2], 16) / 255 for at in (1, 3, 5)]
    assert painted.count(" ".join(f"{share:.4g}".replace("0.", ".") for share in shares).encode() + b" rg") > 5
