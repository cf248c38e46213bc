"""A query's cards as tiles: KQL that turns its row into lines of Kpi, Value and Note."""

from __future__ import annotations

from ...charts.cards import AT_LEAST, FIELD, Card, cards_of
from ...format.numbers import unit_of
from ...library import Query, library


def folded(name: str) -> str:
    """The KQL to append to the library's query *name*, which converts its row to the tiles Place, Kpi, Value, Note.

    Numbers are abbreviated (1.23 M), ``unknown`` if null; a note of which a part is null is empty.
    """
    query = library().get(name)
    made = cards_of(query)
    places = ", ".join(str(place) for place in range(1, len(made) + 1))
    return f"""| extend Place = dynamic([{places}])
| mv-expand Place to typeof(long)
| project Place, Kpi = {_pick([f'"{card.label}"' for card in made])},
    Value = {_pick([_value(query, card) for card in made])},
    Note = {_pick([_note(query, card) for card in made])}
| sort by Place asc
"""


def _pick(values: list[str]) -> str:
    *first, last = values
    return f"case({', '.join(f'Place == {n}, {value}' for n, value in enumerate(first, 1))}, {last})" if first else last


def _number(column: str, suffix: str) -> str:
    shown = (
        f"case({column} >= 1e9, strcat(round({column} / 1e9, 2), ' B'), {column} >= 1e6, "
        f"strcat(round({column} / 1e6, 2), ' M'), {column} >= 1e4, strcat(round({column} / 1e3, 1), ' k'), "
        f"tostring(round(todouble({column}), 2)))"
    )
    if suffix == "%":  # a share is never rounded to 0 or 100
        near = f"iff({column} > 99.9, round(todouble({column}), 2), round(todouble({column}), 1))"
        shown = f"iff({column} > 0 and {column} < 0.1, '< 0.1', tostring({near}))"
    return f"""iff(isnull({column}), "unknown", strcat(replace_regex({shown}, @"[.]0+($| )", @"\\1"), "{suffix}"))"""


def _value(query: Query, card: Card) -> str:
    shown = _number(card.column, _suffix(query, card.column, tight=True))
    return (
        f'strcat(iff({card.missing} > 0 and isnotnull({card.column}), "{AT_LEAST}", ""), {shown})'
        if card.missing
        else shown
    )


def _suffix(query: Query, column: str, *, tight: bool = False) -> str:
    unit = unit_of(column, query.units)
    return unit.label if unit.tight else "" if tight or not unit.label else f" {unit.label}"


def _note(query: Query, card: Card) -> str:
    columns = FIELD.findall(card.note)
    texts = FIELD.split(card.note)
    parts = [
        _number(text, _suffix(query, text)) if place % 2 else f'"{text}"' for place, text in enumerate(texts) if text
    ]
    if not columns:
        return f'"{card.note}"'
    return f'iff({" or ".join(f"isnull({name})" for name in columns)}, "", strcat({", ".join(parts)}))'
