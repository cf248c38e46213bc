"""The live page in a browser: a call appears by itself, whatever it holds is text, and prompts are redacted."""

from __future__ import annotations

import http.client
import json
import urllib.error
import urllib.request
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from aoai_analytics.sandbox.live import REDACTED
from aoai_analytics.sandbox.serve import make, running
from tests.reporting.render.test_browser import ARGUMENTS

HOSTILE = "<img src=x onerror=document.title='hacked'> the budget of Contoso"


@pytest.fixture(scope="module")
def browser(chromium: str) -> Iterator[Any]:
    playwright = pytest.importorskip("playwright.sync_api", reason="needs playwright")
    with playwright.sync_playwright() as started:
        found = started.chromium.launch(executable_path=chromium, args=ARGUMENTS)
        yield found
        found.close()


def call(url: str, prompt: str, deployment: str = "chat-mini") -> None:
    body = json.dumps({"model": deployment, "messages": [{"role": "user", "content": prompt}]}).encode()
    request = urllib.request.Request(f"{url}/openai/v1/chat/completions", body, {"api-key": "key-of-sub-hr"})
    with urllib.request.urlopen(request) as answer:
        answer.read()


@pytest.mark.parametrize("show", [True, False], ids=["shown", "redacted"])
def test_a_call_appears_by_itself_and_is_text(tmp_path: Path, browser: Any, show: bool) -> None:
    with running(make(tmp_path, show_prompts=show)) as url:
        page = browser.new_page()
        said: list[str] = []
        page.on("pageerror", lambda error: said.append(str(error)))
        page.on("console", lambda message: said.append(message.text))
        page.goto(f"{url}/sandbox/live")
        call(url, HOSTILE)
        row = page.locator("#calls tbody tr").first
        row.wait_for(timeout=10_000)
        assert row.locator("td").last.inner_text() == (HOSTILE if show else REDACTED)
        assert page.title() == "Sandbox calls" and page.locator("img").count() == 0
        assert page.locator("#callers tbody tr").first.inner_text().split() == ["sub-hr", "1", *_tokens(row), "0"]
        assert "aoai-swedencentral (200)" in row.inner_text()
        assert show or "Contoso" not in page.content()
        assert said == []
        page.close()


def _tokens(row: Any) -> list[str]:
    prompt, completion = row.locator("td").nth(5).inner_text().split(" + ")
    return [str(int(prompt) + int(completion))]


def test_half_a_character_in_a_request_breaks_no_page(tmp_path: Path) -> None:
    with running(make(tmp_path, show_prompts=True)) as url:
        with pytest.raises(urllib.error.HTTPError, match="404") as refused:
            call(url, "\ud800", "\ud800")
        refused.value.close()
        with urllib.request.urlopen(f"{url}/sandbox/calls") as answer:
            assert json.load(answer)["calls"][0]["prompt"] == "?"


@pytest.mark.parametrize("path", ["/sandbox/live", "/sandbox/calls"])
def test_a_site_whose_name_leads_here_reads_nothing(tmp_path: Path, path: str) -> None:
    with running(make(tmp_path)) as url:
        call(url, "Good morning")
        for host, status in (("evil.example", 403), ("127.0.0.1", 200), ("localhost:8477", 200), ("[::1]:8477", 200)):
            connection = http.client.HTTPConnection(urlsplit(url).netloc)
            connection.request("GET", path, headers={"Host": host})
            assert connection.getresponse().status == status
            connection.close()
