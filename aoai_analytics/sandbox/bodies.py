"""What the policies read of a request's body, and the bodies they refuse: fragments request-body and allowed-models.

The names that count, the pattern for forms and the refusals' texts are the fragments' own.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache
from typing import Any

from .policies import fragment_text

Json = dict[str, Any]

#: A client may say by header which deployment makes the pictures of a conversation.
PICTURES = "x-ms-oai-image-generation-deployment"
_JSON_OUTSIDE_TEXTS = "\t\r\n :,+-.0123456789eEtrufalsn"
_UNREAD = "unread"
_WITH_FILES = re.compile("/(images|audio|videos?)(/|$)", re.I)


class Given:
    """The members of a body that decide something -> their JSON texts; ``unclear``: why it must not be decided on."""

    def __init__(self, path: str, content_type: str, text: str) -> None:
        self.members: dict[str, str] = {}
        self.unclear = ""
        #: Whether it is a form: only the routes with files take one.
        self.is_form = bool(_WITH_FILES.search(path)) and content_type.lstrip().lower().startswith("multipart/")
        text = text.strip(" \t\r\n\ufeff")
        if self.is_form or not text:
            return
        try:
            self.unclear = self._read(text)
        except (IndexError, ValueError):
            self.unclear = _UNREAD

    def _read(self, text: str) -> str:
        """Reads the outermost object, character by character as the fragment does; gives why it is unclear."""
        if text[0] != "{":
            return _UNREAD
        depth, start, place = 0, -1, -1
        name: str | None = None
        while (place := place + 1) < len(text):
            letter = text[place]
            if letter == '"':
                first = place
                place += 1
                while text[place] != '"':
                    place += 2 if text[place] == "\\" else 1
                if depth == 1 and name is None:
                    name, start = str(json.loads(text[first : place + 1], strict=False)), -1
            elif letter == ":" and depth == 1 and start < 0:
                start = place + 1
            elif letter in "{[":
                depth += 1
            elif letter in "}]":
                depth -= 1
            elif letter not in _JSON_OUTSIDE_TEXTS:
                return _UNREAD
            if name is not None and ((letter == "," and depth == 1) or (letter == "}" and depth == 0)):
                known = next((one for one in _listed() if one.lower() == name.lower()), None)
                if known is not None:
                    if name != known or known in self.members:
                        return known
                    self.members[known] = text[start:place].strip()
                    if known in ("previous_response_id", "conversation"):
                        json.loads(self.members[known])
                name = None
        return _UNREAD if depth else ""


def ambiguous(given: Given, path: str) -> Json | None:
    """The error for a body that the service may read in another way than the gateway; None: it is clear."""
    if not given.unclear or (given.unclear == _UNREAD and not re.search("/responses(/|$)", path, re.I)):
        return None
    invalid, before, after = _ambiguous_texts()
    known = given.unclear != _UNREAD
    return {
        "message": f"{before}{given.unclear}{after}" if known else invalid,
        "param": given.unclear if known else None,
        "code": "ambiguous_body",
    }


def not_allowed(
    allowed: Sequence[str], given: Given, *, deployment: str, method: str, headers: dict[str, str], text: str
) -> Json | None:
    """The error for a deployment that is none of the *allowed* ones of a team; None: it may be used."""
    asked = _asked(given, deployment, method, headers, text)
    names = {name.lower() for name in allowed}
    if all(name.lower() in names for name in asked):
        return None
    message = f"{_allowed_text()}{', '.join(allowed)}."
    return {"message": message, "param": "model", "code": "model_not_allowed"}


def _asked(given: Given, deployment: str, method: str, headers: dict[str, str], text: str) -> list[str]:
    """The deployments that a request names; '' for one that names none."""
    by_header = [headers[PICTURES]] if PICTURES in headers else []
    if deployment:
        return [*by_header, deployment]
    if method == "GET":
        return by_header
    if given.is_form:
        return [*by_header, *([each.strip() for each in _form_field().findall(text)] or [""])]
    try:
        model = json.loads(given.members.get("model") or '""')
        tools = json.loads(given.members.get("tools") or "[]")
    except ValueError:
        return [*by_header, ""]
    named = [model if isinstance(model, str) else ""]
    if not by_header and isinstance(tools, list):
        named += [str(tool["model"]) for tool in tools if isinstance(tool, dict) and "model" in tool]
    return [*by_header, *named]


@cache
def _listed() -> tuple[str, ...]:
    """The members that count, from the fragment."""
    (found,) = re.findall(r"var listed = new\[\] \{([^}]*)\}", fragment_text("request-body"))
    return tuple(re.findall(r'"(\w+)"', found))


@cache
def _form_field() -> re.Pattern[str]:
    """The pattern for a form's field ``model``, from the fragment."""
    (found,) = re.findall(r'Regex\.Matches\([^"]*"((?:[^"\\]|\\.)*)"', fragment_text("allowed-models"))
    return re.compile(json.loads(f'"{found}"'), re.I)


@cache
def _ambiguous_texts() -> tuple[str, str, str]:
    text = fragment_text("request-body")
    (found,) = re.findall(r'\? "([^"]+)" : "([^"]+)" \+ member \+ "([^"]+)"', text)
    return found[0], found[1], found[2]


@cache
def _allowed_text() -> str:
    (found,) = re.findall(r'"(Your subscription [^"]+)"', fragment_text("allowed-models"))
    return str(found)
