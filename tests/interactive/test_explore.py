"""``explore.ipynb`` in a real JupyterLab: choose, fill in, press Run, and read what comes."""

from __future__ import annotations

import shutil
from pathlib import Path

import pytest

from tests.conftest import REPO
from tests.jupyterlab import run_all_cells, running
from tests.reporting.render.test_browser import ARGUMENTS


def test_a_question_is_asked_with_parameters_period_and_filters_in_jupyterlab(
    sample_lake: Path, chromium: str, tmp_path: Path
) -> None:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    shutil.copy(REPO / "notebooks/analysis/explore.ipynb", tmp_path)
    with (
        running(tmp_path, "explore.ipynb", AOAI_SOURCE=str(sample_lake)) as lab,
        playwright.sync_playwright() as started,
    ):
        browser = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        page = browser.new_page(viewport={"width": 1400, "height": 1800})
        page.set_default_timeout(120_000)
        run_all_cells(page, lab)
        cell = page.locator(".jp-CodeCell", has=page.locator(".widget-dropdown"))
        section, query = cell.locator("select").nth(0), cell.locator("select").nth(1)
        section.wait_for()
        # The kernel fills the page in its own time: each look waits for what it expects.
        expect = playwright.expect
        expect.set_options(timeout=60_000)
        for text in ("over time, and", "Which teams use the tokens?"):
            query.locator("option", has_text=text).first.wait_for(state="attached")
        expect(section).to_have_value("tokens")
        questions = [text.replace("\xa0", " ") for text in query.locator("option").all_text_contents()]
        query.select_option(index=questions.index("Which teams use the tokens?"))
        rows = cell.locator(".widget-hbox", has_text="topN")
        rows.get_by_text("rows to show").wait_for()
        rows.locator("input").fill("3")
        rows.locator("input").press("Tab")
        run = cell.get_by_role("button", name="Run")
        run.click()

        # The chart, the data, the KQL behind them in colors, and the code that shows the same.
        answer = cell.locator(".jp-OutputArea .jp-OutputArea")
        expect(answer.locator(".js-plotly-plot .bars .point")).to_have_count(3)
        answer.get_by_text("3 rows").wait_for()
        answer.get_by_text("KQL", exact=True).click()
        shown = answer.locator(".highlight pre")
        expect(shown).to_contain_text("let topN = 3;")
        plain, keyword = (
            shown.locator(part).first.evaluate("element => getComputedStyle(element).color") for part in ("code", ".k")
        )
        assert keyword != plain
        code = cell.get_by_label("Copy as cell")
        expect(code).to_have_value('report.show("tokens/by-subscription", topN=3)')
        expect(code).to_be_enabled()

        # A day and a model narrow it; a filter offers the values there are.
        offered = cell.locator("datalist").nth(2).locator("option")
        model = offered.first.get_attribute("value") or ""
        assert model
        cell.locator("input[type=date]").nth(0).fill("2026-11-14")
        cell.locator("input[type=date]").nth(1).fill("2026-11-14")
        cell.get_by_label("Model").fill(model)
        run.click()
        page.wait_for_function("code => code.value.includes('narrowed')", arg=code.element_handle())
        assert code.input_value().splitlines() == [
            f'# in aoai.toml: only = ["ModelName={model}"]',
            "narrowed = open_report(source, '2026-11-14', '2026-11-15', time_zone='UTC')",
            'narrowed.show("tokens/by-subscription", topN=3)'.replace("\\", ""),
        ]

        # A value that is not valid is one line, and no code of another answer is left.
        query.select_option(index=next(place for place, text in enumerate(questions) if "over time, and" in text))
        step = cell.locator(".widget-hbox", has_text="step").locator("input")
        step.fill("soon")
        step.press("Tab")
        run.click()
        answer.get_by_text("tokens/over-time: parameter 'step'").wait_for()
        expect(code).to_have_value("")
        browser.close()
