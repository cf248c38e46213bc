"""Headline numbers of a query, as its header defines them: the same in notebooks, reports, workbook and Grafana."""

from __future__ import annotations

import re
from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from ..errors import WrongUse
from ..format.numbers import human, is_missing, percent, unit_of
from ..library.queries import Query

FIELD = re.compile(r"\{(\w+)\}")
_CARD = re.compile(r"(?P<label>[^=|{}]+?) = (?P<column>\w+)(?:, at least if (?P<missing>\w+))?(?: \| (?P<note>[^|]+))?")
#: Before a sum that leaves requests out.
AT_LEAST = "\N{GREATER-THAN OR EQUAL TO} "


@dataclass(frozen=True)
class Card:
    """A number: its label, its column, and what stands below it, with columns in braces.

    *missing* is the column with the number of requests that it leaves out: with any, it is a lower bound.
    """

    label: str
    column: str
    note: str = ""
    missing: str = ""


def cards_of(query: Query) -> tuple[Card, ...]:
    """The cards that the header line ``// cards: LABEL = Column | note with {Other}; …`` defines; none without one.

    ``Column, at least if Missing`` is a lower bound if the number in Missing is above 0. Raises WrongUse for a
    malformed one.
    """
    made = []
    for part in filter(None, (part.strip() for part in query.header.get("cards", "").split(";"))):
        match = _CARD.fullmatch(part)
        if not match:
            raise WrongUse(
                f"{query.name}: '// cards:' takes LABEL = Column, at least if Missing | note; …, not '{part}'"
            )
        made.append(Card(match["label"], match["column"], match["note"] or "", match["missing"] or ""))
    return tuple(made)


def cards(query: Query, row: Mapping[Any, Any]) -> list[dict[str, str]]:
    """The cards of *query* with the values of its *row*: label, value and more ('' where a part of it is unknown)."""
    made = []
    for card in cards_of(query):
        fields = [row.get(name) for name in FIELD.findall(card.note)]
        unknown = any(is_missing(value) for value in fields)
        more = "" if unknown else FIELD.sub(lambda found: _in_note(row[found[1]], query, found[1]), card.note)
        value = row.get(card.column)
        bound = AT_LEAST * (not is_missing(value) and bool(card.missing) and bool(row.get(card.missing)))
        made.append({"label": card.label, "value": bound + number(value, query, card.column), "more": more})
    return made


def _in_note(value: Any, query: Query, column: str) -> str:
    unit = unit_of(column, query.units)
    return percent(float(value) * unit.factor) if unit.label == "%" else human(value, unit)


def label_of(query: Query, column: str) -> str:
    """What the cards of *query* call *column*. Raises StopIteration where none shows it."""
    return next(card.label for card in cards_of(query) if card.column == column)


def number(value: Any, query: Query, column: str) -> str:
    """A card's value: its unit is in the label, but for ``%``."""
    unit = unit_of(column, query.units)
    if unit.label == "%" and not is_missing(value):
        return percent(float(value) * unit.factor)
    return human(value, replace(unit, label=""))
