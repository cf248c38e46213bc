"""What the layout of the workbook is made of: tabs, their views, and tiles.

A tab is a list of views, of which one is open at a time, so that a reader waits for, and the workspace scans, some five
or ten questions and not a hundred.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass, field

#: The conversation of a request, behind the reader's choice to see what people wrote.
CONVERSATION = "prompts/conversation"


@dataclass(frozen=True)
class Tile:
    """A question's place: ``width`` in % of the page, ``show`` '' for what its header says, or ``grid``, ``pie``,
    ``kpi``, ``matrix``.

    ``bars`` and ``heats`` are the columns that a grid draws. ``key`` is the column whose value a click on a row sets,
    coded, as the parameter ``sets``. ``values`` gives for the query's parameters the KQL of a workbook parameter.
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
    """Some questions of a tab. ``opens`` are those that a click on a row of another opens, with the parameter they wait
    for; ``text`` says what a reader should know; ``shows_prompts`` views wait for the reader's choice."""

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
    """A grid of requests, of which a click shows the conversation."""
    return Tile(query, 100, key="CorrelationId", sets=f"{tab.title()}Request", **more)  # type: ignore[arg-type]


def user_tile(query: str, width: int = 50) -> Tile:
    return Tile(query, width, values={"user": "SelectedUser"})
