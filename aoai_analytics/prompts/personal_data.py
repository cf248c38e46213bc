"""Personal data in prompts and responses, by kind (see ``identifiers``)."""

from __future__ import annotations

import importlib
from collections.abc import Iterator
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any, NamedTuple

from .identifiers import CONTEXT, IDENTIFIERS, PHONE, SIGNS, Identifier

if TYPE_CHECKING:
    import pandas as pd


class Found(NamedTuple):
    """A piece of personal data: its kind and its position in the text."""

    kind: str
    start: int
    end: int


def personal_data(text: str) -> list[Found]:
    """Personal data in *text*, in order of position; matches do not overlap."""
    return list(_found(text))


@lru_cache(maxsize=20_000)
def _found(text: str) -> tuple[Found, ...]:
    """``personal_data``, cached: two queries read the same texts."""
    found: list[Found] = []
    signs = {sign for sign in SIGNS if sign.search(text)}
    for identifier in IDENTIFIERS:
        if identifier.sign in signs:
            _add(found, _matches(identifier, text))
    if "+" in text:
        _add(found, _phones(text))
    return tuple(sorted(found, key=lambda piece: piece.start))


def by_kind(exchanges: pd.DataFrame) -> pd.DataFrame:
    """Rows of ``TimeGenerated, User, CorrelationId, Prompt, Response``, counted by kind of personal data.

    Prompts and Answers count requests with it on that side, ShareOfRequests is relative to all rows; CorrelationId is
    the latest request.
    """
    import pandas as pd

    seen: dict[str, dict[str, Any]] = {}
    for row in exchanges.to_dict("records"):
        sides = {"Prompts": personal_data(row["Prompt"]), "Answers": personal_data(row["Response"])}
        for kind in {piece.kind for found in sides.values() for piece in found}:
            known = seen.setdefault(
                kind, {"Prompts": 0, "Answers": 0, "Requests": 0, "Findings": 0, "Users": set(), "LastSeen": None}
            )
            for side, found in sides.items():
                count = sum(piece.kind == kind for piece in found)
                known[side] += count > 0
                known["Findings"] += count
            known["Requests"] += 1
            known["Users"].add(row["User"])
            if known["LastSeen"] is None or row["TimeGenerated"] > known["LastSeen"]:
                known["LastSeen"], known["CorrelationId"] = row["TimeGenerated"], row["CorrelationId"]
    rows = [
        {
            "Kind": kind,
            "Prompts": known["Prompts"],
            "Answers": known["Answers"],
            "ShareOfRequests": round(100.0 * known["Requests"] / len(exchanges), 2),
            "Findings": known["Findings"],
            "Users": len(known["Users"]),
            "LastSeen": known["LastSeen"],
            "CorrelationId": known["CorrelationId"],
        }
        for kind, known in sorted(seen.items(), key=lambda item: (-item[1]["Requests"], item[0]))
    ]
    columns = ["Kind", "Prompts", "Answers", "ShareOfRequests", "Findings", "Users", "LastSeen", "CorrelationId"]
    frame = pd.DataFrame(rows, columns=columns)
    return frame.astype(
        {name: "Int64" for name in ("Prompts", "Answers", "Findings", "Users")}
        | {"ShareOfRequests": "float64", "LastSeen": "datetime64[us, UTC]"}
    )


def by_request(exchanges: pd.DataFrame) -> pd.DataFrame:
    """The rows of *exchanges* (see ``by_kind``) that hold personal data, with what was found.

    Found is the text itself, i.e. the personal data.
    """
    import pandas as pd

    rows = []
    for row in exchanges.to_dict("records"):
        prompt, answer = str(row["Prompt"]), str(row["Response"])
        asked, answered = personal_data(prompt), personal_data(answer)
        if not asked and not answered:
            continue
        texts = [prompt[p.start : p.end] for p in asked] + [answer[p.start : p.end] for p in answered]
        rows.append(
            {
                "TimeGenerated": row["TimeGenerated"],
                "User": row["User"],
                "SubscriptionId": row["SubscriptionId"],
                "ModelName": row["ModelName"],
                "Kinds": ", ".join(sorted({piece.kind for piece in (*asked, *answered)})),
                "InPrompt": len(asked),
                "InAnswer": len(answered),
                "Found": ", ".join(dict.fromkeys(texts)),
                "CorrelationId": row["CorrelationId"],
            }
        )
    columns = ["TimeGenerated", "User", "Kinds", "Found", "InPrompt", "InAnswer", "SubscriptionId", "ModelName"]
    frame = pd.DataFrame(rows, columns=[*columns, "CorrelationId"])
    return frame.astype({"InPrompt": "Int64", "InAnswer": "Int64", "TimeGenerated": "datetime64[us, UTC]"})


def _add(found: list[Found], more: Iterator[Found]) -> None:
    for piece in more:
        if all(piece.end <= other.start or piece.start >= other.end for other in found):
            found.append(piece)


def _matches(identifier: Identifier, text: str) -> Iterator[Found]:
    for match in identifier.pattern.finditer(text):
        before = text[max(0, match.start() - CONTEXT) : match.start()]
        if identifier.context and not identifier.context.search(before):
            continue
        if not identifier.proof or _proves(identifier.proof, match[0]):
            yield Found(identifier.kind, match.start(), match.end())


def _proves(module: str, candidate: str) -> bool:
    if module == "luhn":
        # stdnum.luhn accepts only digits.
        candidate = "".join(filter(str.isdecimal, candidate))
        if len(set(candidate)) == 1:
            return False
    return bool(_checker(module).is_valid(candidate))


def _phones(text: str) -> Iterator[Found]:
    import phonenumbers

    for match in phonenumbers.PhoneNumberMatcher(text, None, leniency=phonenumbers.Leniency.VALID):
        yield Found(PHONE, match.start, match.end)


@cache
def _checker(module: str) -> Any:
    return importlib.import_module(f"stdnum.{module}")
