"""Safe, short text: names in logs are whatever a caller sent.

Figures and pages never show a caller's text as received: control characters and bidirectional marks
become visible, and what a page or plotly would read as markup is escaped.
"""

from __future__ import annotations

import html
import re
from collections.abc import Sequence
from typing import Any

from .numbers import UNKNOWN, is_missing

NONE = "(none)"
# C0 and C1 controls, line and paragraph separators, and the bidirectional controls that can reorder a page's text.
_UNSEEN = re.compile(
    r"[\x00-\x1f\x7f-\x9f\u061c\u200e\u200f\u2028\u2029\u202a-\u202e\u2066-\u2069\ufeff\ud800-\udfff]+"
)
_BREAK = re.compile(r"[ \t]*(?:\r\n|\r|\n)\s*")
# What plotly.js interprets in a label: tags, entities, MathJax between dollars, and %{} in a hover template.
_PLOTLY = {"&": "&amp;", "<": "&lt;", ">": "&gt;", "$": "&#36;", "%": "&#37;"}
_ACRONYMS = {
    "Ip": "IP",
    "Id": "ID",
    "Url": "URL",
    "Api": "API",
    "Ptu": "PTU",
    "Kql": "KQL",
    "Apim": "APIM",
    "Usd": "USD",
    "Eur": "EUR",
}
#: Column names whose words alone a reader would not understand.
_SPOKEN = {"ToldRequests": "Requests with logged tokens", "ToldShare": "Share with logged tokens"}


def plain(value: Any) -> str:
    """*value* as text on one line; each run of invisible characters becomes a replacement character."""
    return _UNSEEN.sub("\N{REPLACEMENT CHARACTER}", str(value))


def one_line(text: str) -> str:
    """*text* on one line: each line break becomes a sign, each tab a space."""
    return _BREAK.sub(" ↵ ", text.strip("\r\n")).replace("\t", " ")


def named(value: Any) -> str:
    """The name of a category: its text, ``(none)`` if empty, ``unknown`` if null."""
    if is_missing(value):
        return UNKNOWN
    return plain(value) or NONE


def plotly_text(text: str) -> str:
    """*text* escaped for a plotly label, so that each character is shown literally."""
    return "".join(_PLOTLY.get(character, character) for character in text)


def html_text(text: str) -> str:
    """*text* escaped for a page, quotes included; its bidirectional marks cannot reorder the text around it."""
    return f"<bdi>{html.escape(text)}</bdi>"


def shortened(text: str, length: int = 28) -> str:
    """*text*, cut in the middle if longer than *length*: similar names tend to differ at both ends."""
    if len(text) <= length:
        return text
    head = (length - 1) * 2 // 3
    return f"{text[:head]}…{text[len(text) - (length - 1 - head) :]}"


def distinct(names: Sequence[str], length: int = 28) -> list[str]:
    """*names*, the long ones cut to *length* around where they differ: ``team-of-…-013-…``, not what all begin with.

    Names that would look alike stay whole.
    """
    long = [name for name in names if len(name) > length]
    first = _common(long) if len(long) > 1 else 0
    last = _common([name[first:][::-1] for name in long]) if len(long) > 1 else 0
    shown = [_around(name, first, len(name) - last, length) if len(name) > length else name for name in names]
    return [name if shown.count(cut) > 1 and cut != name else cut for name, cut in zip(names, shown, strict=True)]


def _common(names: Sequence[str]) -> int:
    """How many characters all *names* begin with."""
    low, high = min(names), max(names)
    return next((at for at, (one, other) in enumerate(zip(low, high, strict=False)) if one != other), len(low))


def _around(name: str, start: int, end: int, length: int) -> str:
    """*name* cut to *length* so that the part from *start* to *end* is seen, with what is around it."""
    if not start and (end == len(name) or end - start > length):
        return shortened(name, length)
    room = length - 2
    at = max(0, min(start - max(0, (room - (end - start)) // 2), len(name) - length + 1))
    if at + length - 1 >= len(name):
        return "…" + name[len(name) - length + 1 :]
    return f"{name[: length - 1]}…" if at == 0 else f"…{name[at : at + room]}…"


def humanised(column: str) -> str:
    """A column's name as a heading: ``CallerIpAddress`` -> ``Caller IP address``."""
    if column in _SPOKEN:
        return _SPOKEN[column]
    words = re.findall(r"[A-Z]+(?=[A-Z][a-z])|[A-Z]?[a-z]+|[A-Z]+|\d+", column) or [column]
    joined: list[str] = []
    for word in words:
        if word.isdigit() and joined and len(joined[-1]) == 1:
            joined[-1] += word  # P95
        else:
            joined.append(word)
    spoken = [_ACRONYMS.get(w.capitalize(), w if len(w) > 1 and w.isupper() else w.lower()) for w in joined]
    text = " ".join(spoken)
    return text[0].upper() + text[1:]


def heading(column: str, unit_label: str) -> str:
    """A column's heading with its unit, unless the name already says it: ``Total time (ms)``."""
    text = humanised(column)
    if not unit_label or unit_label.lower() in text.lower().split():
        return text
    of, _, per = unit_label.partition(" per ")
    if per and text.lower().endswith(f" per {per}"):
        unit_label = of  # Cost per request (USD)
    return f"{text} ({unit_label})"
