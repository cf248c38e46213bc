"""From an executed notebook to its page."""

from __future__ import annotations

import json
import re
from collections.abc import Callable
from html.parser import HTMLParser
from typing import Any

import pytest

from aoai_analytics.reporting import Report
from aoai_analytics.reporting.render import html
from aoai_analytics.reporting.render.display import bundles
from aoai_analytics.reporting.render.headline import coverage_cards
from aoai_analytics.reporting.render.pages import Page, read_page

Make = Callable[..., Report]


def markdown(source: str) -> dict[str, Any]:
    return {"cell_type": "markdown", "metadata": {}, "source": source}


def code(source: str, *outputs: dict[str, Any]) -> dict[str, Any]:
    return {"cell_type": "code", "metadata": {}, "source": source, "outputs": list(outputs)}


def shown(block: Any) -> list[dict[str, Any]]:
    return [{"output_type": "display_data", "data": data, "metadata": more} for data, more in bundles(block)]


def error(name: str, text: str) -> dict[str, Any]:
    return {"output_type": "error", "ename": name, "evalue": text, "traceback": ["secret prompt"]}


def html_of(page: Page) -> str:
    return html.page(page, made="now", version="1")


@pytest.fixture
def whole(report: Make) -> str:
    """The page of a notebook with a head and an answer."""
    made = report()
    cells = [
        markdown("# Tokens\n\nWhat it is about.\n\n## Teams\n\n<script>alert(1)</script> | x"),
        code("report = open_report()", *shown(made.head())),
        code("report.show('tokens/by-team')", *shown(made.answer("tokens/by-team"))),
    ]
    return html_of(read_page("tokens", {"cells": cells}))


def test_a_page_has_the_prose_the_head_and_each_answer_once(whole: str) -> None:
    assert re.findall(r"<h1>(.*?)</h1>", whole) == ["Tokens"]
    assert whole.count("claims used 70% of all tokens") == 1
    assert whole.count('<table class="data">') == 1
    assert whole.count("data-figure=") == 1
    assert "1,000 requests, 1.28 M tokens (3.9% estimated, ±0.2%)" in whole
    assert "report.show" not in whole


def test_no_markup_of_a_caller_or_of_prose_reaches_the_page(whole: str) -> None:
    class Tags(HTMLParser):
        def __init__(self) -> None:
            super().__init__()
            self.scripts: list[dict[str, str | None]] = []
            self.images = 0

        def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
            if tag == "script":
                self.scripts.append(dict(attrs))
            self.images += tag == "img"

    tags = Tags()
    tags.feed(whole)
    assert tags.images == 0
    assert all(
        script.get("src") in ("plotly.min.js", "report.js") or "json" in script["type"] for script in tags.scripts
    )


def test_the_page_allows_no_network_and_no_script_within_it(whole: str) -> None:
    policy = re.search(r'Content-Security-Policy" content="([^"]*)"', whole)
    assert policy and re.match(r"default-src 'none'; script-src 'self' file:;", policy[1])
    assert not re.search(r'(?:src|href)="(?:https?:)?//', whole)


def test_the_figures_json_can_be_read_back_from_the_page(whole: str, report: Make) -> None:
    text = re.search(r'<script type="application/json" id="figure-\w+-\d+">(.*?)</script>', whole, re.DOTALL)
    assert text and json.loads(text[1]) == json.loads(json.dumps(report().answer("tokens/by-team").figure))


def test_tables_figures_and_landmarks_can_be_told_without_seeing(whole: str) -> None:
    for said in ('<html lang="en">', "<main", "<header", "<footer", 'class="skip"', 'scope="col"', "<caption>"):
        assert said in whole
    assert re.search(r'<figure aria-label="Bar chart: Tokens by team\. Largest of \d', whole)
    levels = [int(level) for level in re.findall(r"<h(\d)", whole)]
    assert levels == [1, 2, 3]


def test_a_failed_cell_stands_at_the_top_and_the_rest_is_there(report: Make) -> None:
    made = report()
    cells = [
        code("report = open_report()", *shown(made.head())),
        code("report.show('tokens/other')", error("QueryError", "line 3: no such column <b>")),
        code("report.show('tokens/by-team')", *shown(made.answer("tokens/by-team"))),
    ]
    page = read_page("tokens", {"cells": cells})
    assert page.failures == [{"where": "tokens/other", "what": "line 3: no such column <b>"}]
    text = html_of(page)
    assert text.index("Do not rely") < text.index("no such column &lt;b&gt;") < text.index("claims used 70%")


def test_a_warning_and_a_partial_result_stand_at_the_top_and_at_their_place(report: Make, fixed_engine: Any) -> None:
    answer = report(fixed_engine(partial=True)).answer("tokens/by-team")
    page = read_page("tokens", {"cells": [code("report.show('tokens/by-team')", *shown(answer))]})
    assert page.problems[0]["where"] == "Tokens by team"
    assert html_of(page).count("left out rows") == 2


def test_the_message_of_a_foreign_error_is_kept_back_as_it_may_hold_a_prompt() -> None:
    cells = [code("report.show('x')", error("ValueError", "could not convert 'my secret prompt'"))]
    page = read_page("tokens", {"cells": cells})
    assert page.failures[0]["what"].startswith("ValueError")
    assert "secret" not in html_of(page)


def test_cells_that_could_not_run_without_the_source_are_one_failure() -> None:
    cells = [
        code("report = open_report(source)", error("LakeError", "'nowhere' is no lake")),
        code("report.show('tokens/by-team')", error("NameError", "name 'report' is not defined")),
    ]
    page = read_page("tokens", {"cells": cells})
    assert [failure["where"] for failure in page.failures] == ["Opening the source"]
    assert "not run" in html_of(page)


def test_outputs_of_cells_of_ones_own_are_shown_as_text_or_picture() -> None:
    outputs = [
        {"output_type": "stream", "name": "stdout", "text": "said <b>"},
        {"output_type": "stream", "name": "stderr", "text": "a warning"},
        {"output_type": "execute_result", "data": {"text/plain": "17", "text/html": "<script>"}, "metadata": {}},
        {"output_type": "display_data", "data": {"image/png": "aGk=\n"}, "metadata": {}},
    ]
    page = read_page("own", {"cells": [code("x", *outputs)]})
    assert [part["kind"] for part in page.parts] == ["text", "text", "image"]
    assert "said &lt;b&gt;" in html_of(page)


def test_a_share_of_unknown_tokens_never_rounds_to_none() -> None:
    numbers = {
        "Requests": 100_000,
        "KnownTokens": 5,
        "EstimatedRequests": 0,
        "UnknownRequests": 3,
        "UnknownShare": 0.003,
    }
    card = {"label": "Requests with unknown tokens", "value": "< 0.1%", "more": "3 requests, in no total"}
    assert coverage_cards(numbers)[-1] == card | {"marked": True}
