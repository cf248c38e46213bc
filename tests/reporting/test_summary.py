"""The summary tells a report's numbers, its problems first, and nothing that people wrote."""

from __future__ import annotations

import json
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.errors import WrongUse
from aoai_analytics.reporting.summary import (
    CARD,
    CARD_VERSION,
    HTML,
    TEXT,
    summary,
    summary_files,
    teams_message,
    with_summary,
)
from tests.adaptive_cards import faults

LINK = "https://contoso.z6.web.core.windows.net/reports/"
HEADLINE = {
    "Requests": 1000, "Tokens": 5_000_000, "EstimatedTokens": 300_000, "UnknownRequests": 0, "FirstRequest": None,
    "LastRequest": None, "Cost": 12.5, "UncostedRequests": 12, "SuccessRate": 99.0,
}  # fmt: skip
EARLIER = HEADLINE | {"Requests": 900, "Tokens": 6_000_000, "Cost": 11.0, "SuccessRate": 98.2}
NASTY = "<img src=x onerror=alert(1)> [a](https://evil.example) **b** `c` \u202e\x07"


def page(name: str, **more: Any) -> dict[str, Any]:
    return {"name": name, "title": name.title(), "file": f"{name}.html", "failures": [], "problems": []} | more


def manifest(key: str, headline: dict[str, Any] = HEADLINE, **more: Any) -> dict[str, Any]:
    return {
        "source": "log-analytics://id", "key": key,
        "start": f"{key}-01T00:00:00+00:00", "end": f"{key}-28T00:00:00+00:00",
        "time_zone": "Europe/Berlin", "period": key, "show_prompts": False, "made": "2026-11-01T06:00:00+00:00",
        "failed": False, "headline": headline, "pages": [page("tokens"), page("cost")],
    } | more  # fmt: skip


FAILED = manifest(
    "2026-10",
    failed=True,
    pages=[
        page("tokens"),
        page(
            "cost",
            failures=[{"where": "cost/total", "what": "the service took too long"}],
            problems=[{"where": "Cost by day", "what": "the service left rows out"}],
        ),
    ],
)


class Mail(HTMLParser):
    """The mail's words, its elements and what they name."""

    def __init__(self, text: str):
        super().__init__()
        self.words: list[str] = []
        self.elements: set[str] = set()
        self.attributes: list[tuple[str, str]] = []
        self.feed(text)
        self.text = " ".join(" ".join(self.words).split())

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.elements.add(tag)
        self.attributes += [(name, value or "") for name, value in attrs]

    def handle_data(self, data: str) -> None:
        self.words.append(data)


def texts(
    name: str, of: dict[str, Any], *others: tuple[str, dict[str, Any]], link: str | None = None
) -> dict[str, str]:
    return {file: content.decode() for file, content in summary_files(name, of, others, link=link).items()}


def words(card: Any) -> str:
    """All text of a card."""
    if isinstance(card, dict):
        return " ".join(words(value) for value in card.values())
    return " ".join(map(words, card)) if isinstance(card, list) else str(card)


def every_form(files: dict[str, str]) -> dict[str, str]:
    return {
        "mail": Mail(files["summary.html"]).text,
        "text": " ".join(files["summary.txt"].split()),
        "card": words(json.loads(files["summary.card.json"])),
    }


def test_each_form_tells_the_numbers_and_the_change_against_the_period_before() -> None:
    files = texts("2026-10", manifest("2026-10"), ("2026-09", manifest("2026-09", EARLIER)), link=LINK)
    for form, text in every_form(files).items():
        for said in (
            "October 2026",
            "1,000",
            "+100 (+11.1%)",
            "\N{MINUS SIGN}16.7%",
            "≥ 12.50 USD",
            "without 12 requests",
            "99%",
        ):
            assert said in text, (form, said)
        assert "Change from September 2026" in text
        assert "failed" not in text.lower()


def test_the_change_is_the_first_page_s_where_there_is_no_report_of_the_period_before() -> None:
    pairs = {
        "Requests": [1000, 900],
        "Tokens": [5_000_000, 6_000_000],
        "Cost": [12.5, 11.0],
        "SuccessRate": [99.0, 98.2],
    }
    own = {"before": "1 Sep 2026 to 30 Sep 2026", "latest": "", "why_not": "", "compared": pairs}
    for form, text in every_form(texts("2026-10", manifest("2026-10", compared=own))).items():
        assert "Change from 1 Sep 2026 to 30 Sep 2026." in text and "+100 (+11.1%)" in text, form
        assert "Not compared" not in text, form


def test_the_summary_leads_to_the_pages() -> None:
    files = texts("2026-10", manifest("2026-10"), link=LINK)
    index = "https://contoso.z6.web.core.windows.net/reports/2026-10/index.html"
    links = {value for name, value in Mail(files["summary.html"]).attributes if name == "href"}
    assert links == {index, *(index.replace("index", name) for name in ("tokens", "cost"))}
    assert index in files["summary.txt"]
    (attachment,) = json.loads(files["summary.card.json"])["attachments"]
    assert [action["url"] for action in attachment["content"]["actions"]] == [index]
    without = texts("2026-10", manifest("2026-10"))
    assert "href" not in without["summary.html"]
    assert "actions" not in without["summary.card.json"]


def test_what_failed_is_said_before_any_number() -> None:
    files = texts("2026-10", FAILED, ("2026-09", manifest("2026-09", EARLIER)))
    for form, text in every_form(files).items():
        assert text.index("Cost: cost/total: the service took too long") < text.index("1,000"), form
        assert "Cost by day: the service left rows out" in text, form
        assert "Not compared: this report failed in part" in text, form
    assert files["summary.txt"].splitlines()[0] == "Failed in part: Azure OpenAI gateway report, October 2026"


def test_of_many_problems_the_first_are_told_and_the_rest_counted() -> None:
    problems = [{"where": f"query {number}", "what": "x" * 1000} for number in range(200)]
    files = texts("2026-10", manifest("2026-10", failed=True, pages=[page("tokens", problems=problems)]))
    for text in every_form(files).values():
        assert "query 7" in text
        assert "query 8" not in text
        assert "and 192 more" in text
    # Teams refuses messages over 28 KB.
    assert len(files["summary.card.json"].encode()) < 20_000


def test_what_is_unknown_is_said_to_be() -> None:
    nothing = dict.fromkeys(HEADLINE) | {"Requests": 0}
    for text in every_form(texts("2026-10", manifest("2026-10", nothing))).values():
        assert "unknown" in text
        assert "No traffic found" in text


def test_the_card_is_what_teams_takes() -> None:
    """Microsoft's reader of cards finds no fault with it, and does find one in a wrong card."""
    for of in (manifest("2026-10"), FAILED):
        message = teams_message(summary("2026-10", of, link=LINK))
        assert message["type"] == "message"
        (attachment,) = message["attachments"]
        assert attachment["contentType"] == "application/vnd.microsoft.card.adaptive"
        assert faults(attachment["content"], CARD_VERSION) == []
        wrong = attachment["content"] | {"body": [*attachment["content"]["body"], {"type": "Sparkline"}]}
        assert faults(wrong, CARD_VERSION) != []


def test_the_mail_loads_nothing_and_runs_nothing() -> None:
    mail = Mail(texts("2026-10", FAILED, link=LINK)["summary.html"])
    assert mail.elements.isdisjoint({"script", "img", "link", "iframe", "style", "svg", "object", "form"})
    assert not any(name.startswith("on") or name in ("src", "background", "srcset") for name, _ in mail.attributes)
    styles = " ".join(value for name, value in mail.attributes if name == "style")
    assert "url(" not in styles
    assert "flex" not in styles and "grid" not in styles  # Outlook knows neither.


def test_names_of_others_are_shown_as_they_are_and_nothing_else() -> None:
    of = manifest(
        "2026-10", source=NASTY, failed=True, pages=[page("x", title=NASTY, problems=[{"where": NASTY, "what": NASTY}])]
    )
    files = texts("2026-10", of, link=LINK)
    mail = Mail(files["summary.html"])
    assert "img" not in mail.elements
    assert {value for name, value in mail.attributes if name == "href" and "evil" in value} == set()
    assert "<img src=x onerror=alert(1)> [a](https://evil.example) **b** `c`" in mail.text
    (attachment,) = json.loads(files["summary.card.json"])["attachments"]
    # Text blocks and facts read Markdown; text runs do not.
    for element in attachment["content"]["body"]:
        if element["type"] in ("TextBlock", "FactSet"):
            assert "evil" not in words(element)
    assert all(sign not in text for text in files.values() for sign in ("\u202e", "\x07", "\\u202e"))


@given(st.text(min_size=8, alphabet=st.characters(min_codepoint=0x4E00, max_codepoint=0x9FFF)))
def test_only_what_the_summary_tells_reaches_it(prompt: str) -> None:
    """Whatever else a manifest came to hold, a prompt too, stays out."""
    of = manifest("2026-10", show_prompts=True, given={"user": prompt}, prompt=prompt)
    of["headline"] = HEADLINE | {"FirstRequest": prompt, "Prompt": prompt}
    of["pages"] = [page("tokens", lead=prompt, coverage={"Prompt": prompt}, queries=[{"name": prompt, "rows": 1}])]
    assert all(prompt not in text for text in texts("2026-10", of, link=LINK).values())


def test_the_files_of_the_summary_are_the_reports_own() -> None:
    before = manifest("2026-10", files=["index.html", "manifest.json"])
    files = with_summary({"index.html": b"pages", "manifest.json": json.dumps(before).encode()}, "2026-10", link=LINK)
    after = json.loads(files["manifest.json"])
    assert set(after["files"]) == set(files) == {"index.html", "manifest.json", HTML, TEXT, CARD}
    assert after | {"files": before["files"]} == before
    assert files["index.html"] == b"pages"


@pytest.mark.parametrize(
    "link",
    [
        "contoso.net/reports",
        "file:///reports",
        "https://user:secret@contoso.net",
        "https://contoso.net/?sig=secret",
        "https://[::1",
    ],
)
def test_a_link_that_is_no_plain_address_is_refused(link: str) -> None:
    with pytest.raises(WrongUse, match="--link is not a page URL") as caught:
        summary("2026-10", manifest("2026-10"), link=link)
    assert "secret" not in str(caught.value)


def test_a_real_reports_manifest_makes_a_summary(tokens_report: Path) -> None:
    real = json.loads((tokens_report / "manifest.json").read_text("utf-8"))
    text = texts("all", real, link=LINK)["summary.txt"]
    assert f"{real['headline']['Requests']:,}" in text
    assert "unknown" not in text.split("Tokens:")[1].splitlines()[0]


def test_a_run_writes_its_summary_among_its_files(tokens_report: Path) -> None:
    listed = json.loads((tokens_report / "manifest.json").read_text("utf-8"))["files"]
    for name in (HTML, TEXT, CARD):
        assert name in listed
        assert (tokens_report / name).stat().st_size > 200
