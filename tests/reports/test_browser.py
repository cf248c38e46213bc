"""The report in a browser: from a file, with no network."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

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


def drawn(page: Any) -> None:
    """Wait until every figure is drawn. (The page's policy forbids the evaluation that waiting for a script needs.)"""
    for plot in page.locator(".plot").all():
        plot.locator(".main-svg").first.wait_for(state="attached")


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as running:
        browser = running.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield browser
        browser.close()


@pytest.mark.parametrize(("scheme", "width"), [("light", 1280), ("dark", 1280), ("light", 360)])
def test_figures_are_drawn_with_no_request_no_error_and_no_sideways_scroll(
    browser: Any, tokens_report: Path, scheme: str, width: int
) -> None:
    context = browser.new_context(color_scheme=scheme, viewport={"width": width, "height": 900})
    page = context.new_page()
    said: list[str] = []
    asked: list[str] = []
    page.on("console", lambda message: said.append(message.text))
    page.on("pageerror", lambda error: said.append(str(error)))
    page.on("request", lambda request: asked.append(request.url))
    page.goto((tokens_report / "tokens.html").as_uri())
    drawn(page)
    assert page.locator(".plot").count() == 5
    for plot in page.locator(".plot").all():
        assert plot.locator(".main-svg .trace, .main-svg .points").count() > 0
    buttons = page.evaluate("[...document.querySelectorAll('.modebar-btn')].map((each) => each.ariaLabel)")
    assert set(buttons) == {"Download plot as a PNG", "Zoom", "Pan", "Reset axes"}
    assert said == []
    assert asked and all(url.startswith(("file:", "data:")) for url in asked)
    assert page.evaluate("document.documentElement.scrollWidth") <= width
    paper = page.evaluate("getComputedStyle(document.querySelector('.plot .main-svg')).backgroundColor")
    card = page.evaluate("getComputedStyle(document.querySelector('.answer')).backgroundColor")
    assert paper == card
    context.close()


def test_the_pages_are_linked_and_the_csv_and_kql_are_one_click_away(browser: Any, tokens_report: Path) -> None:
    page = browser.new_page()
    page.goto((tokens_report / "index.html").as_uri())
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
    page.close()


def test_hostile_names_are_shown_as_they_are_and_run_nothing(
    browser: Any, tmp_path: Path, report: Any, fixed_engine: Any
) -> None:
    """The names of the fixed rows, in figure, table, headline and page, under the page's own policy."""
    from aoai_analytics.reports.display import bundles
    from aoai_analytics.reports.pages import read_page
    from aoai_analytics.reports.rendering import TEMPLATES
    from tests.reports.test_pages import html_of

    engine = fixed_engine()
    names = ["<img src=x onerror=alert(1)>", '<a href="javascript:alert(1)">pay here</a>', "%{x}</script>"]
    engine.rows = engine.rows.assign(Team=names, TotalTokens=[3, 2, 1])
    answer = report(engine).answer("tokens/by-team")
    outputs = [{"output_type": "display_data", "data": data, "metadata": more} for data, more in bundles(answer)]
    cell = {"cell_type": "code", "metadata": {}, "source": "report.show('tokens/by-team')", "outputs": outputs}
    (tmp_path / "page.html").write_text(html_of(read_page("x", {"cells": [cell]})), "utf-8")
    from plotly.offline import get_plotlyjs

    (tmp_path / "plotly.min.js").write_text(get_plotlyjs(), "utf-8")
    (tmp_path / "report.js").write_text((TEMPLATES / "report.js").read_text("utf-8"), "utf-8")
    page = browser.new_page()
    dialogs: list[str] = []
    page.on("dialog", lambda dialog: (dialogs.append(dialog.message), dialog.dismiss()))
    page.goto((tmp_path / "page.html").as_uri())
    drawn(page)
    labels = page.locator(".plot .ytick text").all_text_contents()
    assert labels[0].startswith("<img src=x") and labels[2] == "%{x}</script>"
    assert page.locator(".plot a[href], .plot image, main img").count() == 0
    bar = page.locator(".plot .point path").first.bounding_box()
    page.mouse.move(bar["x"] + bar["width"] / 2, bar["y"] + bar["height"] / 2)
    page.wait_for_selector(".hoverlayer .hovertext")
    hover = page.locator(".hoverlayer").text_content()
    assert hover in (f"{name}{tokens} tokens" for name, tokens in zip(names, (3, 2, 1), strict=True))
    assert dialogs == []
    page.close()


def test_a_dark_screen_prints_on_white_paper(browser: Any, tokens_report: Path, tmp_path: Path) -> None:
    context = browser.new_context(color_scheme="dark")
    page = context.new_page()
    page.goto((tokens_report / "tokens.html").as_uri())
    drawn(page)
    page.evaluate(
        "addEventListener('beforeprint', () => { window.printed ="
        " getComputedStyle(document.querySelector('.plot .main-svg')).backgroundColor })"
    )
    page.pdf(path=tmp_path / "report.pdf")
    assert page.evaluate("window.printed") == "rgb(255, 255, 255)"
    assert (tmp_path / "report.pdf").read_bytes().startswith(b"%PDF")
    context.close()
