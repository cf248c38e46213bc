"""Elements of the workbook's layout: tabs, their views, and tiles.

A tab is a list of views, of which one is open at a time, so that a reader waits for, and the workspace scans, about
five to ten queries instead of a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: A request's conversation, behind the reader's choice to see prompt and response text.
CONVERSATION = "prompts/conversation"


@dataclass(frozen=True)
class Tile:
    """A query's place: ``width`` in % of the page, ``show`` '' for the header's chart, or ``grid``, ``pie``,
    ``kpi``, ``matrix``.

    ``bars`` and ``heats`` are the columns that a grid draws. ``key`` is the column whose value a click on a row sets,
    encoded, as the parameter ``sets``. ``values`` maps the query's parameters to the KQL of a workbook parameter.
    """

    query: str
    width: int = 50
    show: str = ""
    bars: tuple[str, ...] = ()
    heats: tuple[str, ...] = ()
    key: str = ""
    sets: str = ""
    values: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class View:
    """Some queries of a tab. ``opens`` are those that a click on a row of another opens, with the parameter they wait
    for; ``text`` is a note for the reader; ``shows_prompts`` views wait for the reader's choice."""

    name: str
    title: str
    tiles: tuple[Tile, ...]
    text: str = ""
    opens: tuple[tuple[str, str, tuple[Tile, ...]], ...] = ()
    parameters: tuple[str, ...] = ()


@dataclass(frozen=True)
class Tab:
    name: str
    title: str
    text: str
    views: tuple[View, ...]


def requests(query: str, tab: str, **more: object) -> Tile:
    """A grid of requests; a click shows the conversation."""
    return Tile(query, 100, key="CorrelationId", sets=f"{tab.title()}Request", **more)  # type: ignore[arg-type]


def user_tile(query: str, width: int = 50) -> Tile:
    return Tile(query, width, values={"user": "SelectedUser"})
