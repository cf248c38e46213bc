"""A report in a few lines, for the mail or the Teams message that announces it.

Its files are beside the pages: ``summary.html`` is a mail's body, ``summary.txt`` the same in plain text with the
subject in its first line, ``summary.card.json`` an Adaptive Card for a Teams workflow ("when a Teams webhook request is
received"). All of it comes from the report's manifest, which has numbers and no prompt or response.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any
from urllib.parse import quote, urlsplit

from ..charts.cards import AT_LEAST
from ..errors import WrongUse
from ..format.labels import one_line, plain
from .manifest import MANIFEST
from .render import html, overview
from .render.overview import Number, Row

HTML, TEXT, CARD = "summary.html", "summary.txt", "summary.card.json"
LABELS = {"Requests": "Requests", "Tokens": "Tokens", "Cost": "Cost", "SuccessRate": "Success rate"}
#: How many problems are listed, and letters of each; the pages have them all.
MOST_PROBLEMS, LONGEST = 8, 240
#: Teams shows cards up to version 1.5; this card uses 1.3.
CARD_VERSION = "1.4"
CARD_SCHEMA = "http://adaptivecards.io/schemas/adaptive-card.json"


@dataclass(frozen=True)
class Line:
    """A page of the report; ``url`` is '' where the pages' address is unknown."""

    title: str
    url: str
    problems: int


@dataclass(frozen=True)
class Summary:
    """A report's summary in words. ``problems`` are those listed, ``more`` how many are not."""

    title: str
    source: str
    time_zone: str
    failed: bool
    problems: tuple[str, ...]
    more: int
    numbers: tuple[tuple[str, Number], ...]
    notes: tuple[str, ...]
    pages: tuple[Line, ...]
    url: str

    @property
    def subject(self) -> str:
        """The mail's subject."""
        return ("Failed in part: " if self.failed else "") + f"Azure OpenAI gateway report, {self.title}"


def summary(
    name: str,
    manifest: Mapping[str, Any],
    others: Iterable[tuple[str, Mapping[str, Any]]] = (),
    *,
    link: str | None = None,
) -> Summary:
    """The summary of the report in the folder *name* of a collection.

    *others* are the reports beside it, (folder, manifest); it is compared with the one of the period before.
    *link* is the collection's URL, ``https://…``. Raises WrongUse for a *link* that is not a plain URL.
    """
    base = f"{checked_link(link)}/{quote(name)}" if link else ""
    beside = [(folder, other) for folder, other in others if folder != name]
    row = _row(name, [*beside, (name, manifest)])
    failed = [
        f"{_short(page['title'])}: {_short(item['where'])}: {_short(item['what'])}"
        for page in manifest["pages"]
        for item in (*page["failures"], *page["problems"])
    ]
    pages = tuple(
        Line(
            _short(page["title"]),
            f"{base}/{quote(page['file'])}" if base else "",
            len(page["failures"]) + len(page["problems"]),
        )
        for page in manifest["pages"]
    )
    return Summary(
        title=_short(row.title),
        source=_short(str(manifest["source"])),
        time_zone=str(manifest["time_zone"]),
        failed=bool(manifest["failed"]),
        problems=tuple(failed[:MOST_PROBLEMS]),
        more=max(0, len(failed) - MOST_PROBLEMS),
        numbers=tuple(zip(LABELS.values(), row.cells, strict=True)),
        notes=_notes(row),
        pages=pages,
        url=f"{base}/index.html" if base else "",
    )


def summary_files(
    name: str,
    manifest: Mapping[str, Any],
    others: Iterable[tuple[str, Mapping[str, Any]]] = (),
    *,
    link: str | None = None,
) -> dict[str, bytes]:
    """The files of the summary by name, which belong to the report's own. Arguments and errors as of ``summary``."""
    shown = summary(name, manifest, others, link=link)
    card = json.dumps(teams_message(shown), indent=2, ensure_ascii=False) + "\n"
    return {HTML: mail_html(shown).encode(), TEXT: plain_text(shown).encode(), CARD: card.encode()}


def with_summary(
    files: Mapping[str, bytes],
    name: str,
    others: Iterable[tuple[str, Mapping[str, Any]]] = (),
    *,
    link: str | None = None,
) -> dict[str, bytes]:
    """A report's *files* with those of its summary, which its manifest then lists too. Otherwise as ``summary``."""
    manifest = json.loads(files[MANIFEST])
    shown = summary_files(name, manifest, others, link=link)
    listed = manifest | {"files": sorted({*manifest["files"], *shown})}
    return {**files, **shown, MANIFEST: (json.dumps(listed, indent=2) + "\n").encode()}


def checked_link(link: str) -> str:
    """*link* without a trailing slash. Raises WrongUse for anything but a plain web address."""
    try:
        parts = urlsplit(link)
        plain_address = parts.scheme in ("https", "http") and bool(parts.hostname) and parts.username is None
    except ValueError:
        plain_address = False
    if not plain_address or parts.query or parts.fragment:
        raise WrongUse("--link is not a page URL: use https://HOST/PATH, without user, '?' or '#'")
    return link.rstrip("/")


def mail_html(shown: Summary) -> str:
    """The mail's body: tables and inline styles, as Outlook needs them; no script, no image, nothing to load."""
    return html.render("mail.html", shown=shown)


def plain_text(shown: Summary) -> str:
    """The mail's other body; the first line is the subject."""
    lines = [shown.subject, "", f"{shown.source}, times in {shown.time_zone}", ""]
    if shown.problems:
        lines += ["Read what failed before you rely on this report:"]
        lines += [f"- {problem}" for problem in shown.problems]
        lines += [f"- and {shown.more} more"] if shown.more else []
        lines.append("")
    for label, number in shown.numbers:
        lines.append(f"{label + ':':<14}{_in_words(number)}")
    lines += ["", *shown.notes]
    lines += ["", "Pages:"]
    for page in shown.pages:
        lines.append(f"- {page.title}{_problems(page)}" + (f" {page.url}" if page.url else ""))
    if shown.url:
        lines += ["", shown.url]
    return "\n".join(lines) + "\n"


def teams_message(shown: Summary) -> dict[str, Any]:
    """The message with the Adaptive Card, as Teams' webhooks take it.

    Names from the logs are in text runs, which do not render Markdown.
    """
    body: list[dict[str, Any]] = [
        _runs((shown.subject, {"size": "Large", "weight": "Bolder"})),
        _runs((f"{shown.source}, times in {shown.time_zone}", {"isSubtle": True})),
    ]
    if shown.problems:
        items = [_runs(("Read what failed before you rely on this report", {"weight": "Bolder"}))]
        items += [_runs((problem, {})) for problem in shown.problems]
        items += [_runs((f"and {shown.more} more", {}))] if shown.more else []
        body.append({"type": "Container", "style": "attention", "items": items})
    facts = [{"title": label, "value": _in_words(number)} for label, number in shown.numbers]
    body.append({"type": "FactSet", "facts": facts})
    body += [_runs((note, {"isSubtle": True})) for note in shown.notes]
    card: dict[str, Any] = {
        "$schema": CARD_SCHEMA,
        "type": "AdaptiveCard",
        "version": CARD_VERSION,
        "fallbackText": shown.subject,
        "msteams": {"width": "Full"},
        "body": body,
    }
    if shown.url:
        card["actions"] = [{"type": "Action.OpenUrl", "title": "Open the report", "url": shown.url}]
    attachment = {"contentType": "application/vnd.microsoft.card.adaptive", "contentUrl": None, "content": card}
    return {"type": "message", "attachments": [attachment]}


def _row(name: str, reports: Sequence[tuple[str, Mapping[str, Any]]]) -> Row:
    """The report's line in the index of all reports."""
    rows = (row for group in overview.groups(reports) for row in group.rows if row.entry)
    return next(row for row in rows if row.entry and row.entry.folder == name)


def _notes(row: Row) -> tuple[str, ...]:
    """What the numbers are compared with, and caveats."""
    marks = [f"{mark[:1].upper()}{mark[1:]}." for mark in row.marks if mark != "failed in part"]
    if any(cell.value.startswith(AT_LEAST) for cell in row.cells):
        marks.append(f"{AT_LEAST.strip()} is a lower bound: it leaves out requests with unknown tokens or price.")
    return tuple(note for note in (row.compared, *marks) if note)


def _runs(*runs: tuple[str, Mapping[str, Any]]) -> dict[str, Any]:
    return {"type": "RichTextBlock", "inlines": [{"type": "TextRun", "text": text, **style} for text, style in runs]}


def _in_words(number: Number) -> str:
    return "; ".join(part for part in (number.value, number.change, *number.more) if part)


def _problems(page: Line) -> str:
    if not page.problems:
        return ""
    return f" ({page.problems} {'problem' if page.problems == 1 else 'problems'})"


def _short(text: str) -> str:
    line = plain(one_line(text))
    return line if len(line) <= LONGEST else line[: LONGEST - 1] + "…"
