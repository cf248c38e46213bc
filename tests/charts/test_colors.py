"""Colours of a page: a hue has one meaning, all else has shades, and both can be seen in light and dark."""

from __future__ import annotations

from itertools import pairwise
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.charts import figure, templates
from aoai_analytics.charts.colors import FIRST_SHADE, SHADES
from aoai_analytics.charts.style import NAMED, STATUS

UNITS = {"Requests": "requests", "P95": "ms", "P50": "ms"}
HOURS = pd.date_range("2026-11-01", periods=2, freq="h", tz="UTC")


def places(frame: pd.DataFrame, chart: str, colors: dict[str, int] | None) -> dict[str, int]:
    drawn = figure(frame, chart, title="", units=UNITS, colors=colors)
    assert drawn is not None
    return {trace.name: trace.meta["color"] for trace in drawn.data}


def of(column: str, *names: str) -> pd.DataFrame:
    return pd.DataFrame({"ApiId": "a", column: names, "Requests": range(len(names), 0, -1)})


def test_models_have_hues_and_other_columns_and_measures_shades() -> None:
    colors: dict[str, int] = {}
    chart = "bar x=Requests y=ApiId color="
    assert places(of("ModelName", "gpt-4o", "ours"), f"{chart}ModelName", colors)["gpt-4o"] == 0
    assert colors["ours"] < NAMED
    assert places(of("Surface", "chat", "images"), f"{chart}Surface", colors) == {
        "chat": FIRST_SHADE + 1,
        "images": FIRST_SHADE + 5,
    }
    both = pd.DataFrame({"ModelName": ["gpt-4o", "gpt-5"], "P50": [1, 2], "P95": [3, 4]})
    assert list(places(both, "grouped-bar x=ModelName y=P50,P95", colors).values()) == [
        FIRST_SHADE + 1,
        FIRST_SHADE + 5,
    ]
    assert list(places(both, "bar x=P95 y=ModelName", colors).values()) == [FIRST_SHADE + 2]
    assert set(colors) >= {"gpt-4o", "ours"} and "chat" not in colors


def test_what_the_service_failed_in_is_red_and_what_the_caller_caused_a_shade() -> None:
    found = places(of("Outcome", "success", "server-error", "unauthorized"), "bar x=Requests y=ApiId color=Outcome", {})
    assert found == {
        "success": STATUS["success"],
        "server-error": STATUS["server-error"],
        "unauthorized": FIRST_SHADE + 2,
    }


def test_more_series_have_shades_from_end_to_end_and_the_rest_has_the_faintest() -> None:
    names = [f"s{n}" for n in range(10)]
    found = places(of("Surface", *names), "bar x=Requests y=ApiId color=Surface", {})
    assert list(found.values()) == [FIRST_SHADE + n for n in range(8)] and list(found)[-1] == "other (3)"


def test_a_few_lines_differ_in_their_dashes_too_and_lines_with_a_plot_each_are_alike() -> None:
    def lines(count: int) -> Any:
        rows = [(hour, f"b{n}", n) for n in range(count) for hour in HOURS]
        frame = pd.DataFrame(rows, columns=["TimeGenerated", "BackendHost", "P95"])
        chart = "line x=TimeGenerated y=P95 color=BackendHost"
        drawn = figure(frame, chart, title="", units=UNITS, colors={})
        assert drawn is not None
        return drawn.data

    assert [line.line.dash for line in lines(3)] == ["solid", "dash", "dot"]
    assert len({line.line.color for line in lines(3)}) == 3
    assert {(line.line.dash, line.meta["color"]) for line in lines(6)} == {(None, FIRST_SHADE + 2)}


def test_a_figure_that_stands_alone_has_hues_for_what_it_shows() -> None:
    assert set(places(of("Surface", "chat", "images"), "bar x=Requests y=ApiId color=Surface", None).values()) == {0, 1}


@pytest.mark.parametrize("theme", ["light", "dark"])
def test_colours_are_seen_on_the_page_and_shades_beside_each_other(theme: str) -> None:
    layout = templates()[theme]["layout"]
    palette, paper = layout["colorway"], layout["paper_bgcolor"]
    assert len(set(palette)) == len(palette) == NAMED + len(STATUS) + SHADES
    shades = palette[FIRST_SHADE:]
    assert all(contrast(one, other) >= 1.15 for one, other in pairwise(shades))
    # WCAG 2 asks 3 of graphics: lines and bars of one series have it. Faint parts of stacked bars have edges instead.
    assert all(contrast(shade, paper) >= 3 for shade in shades[:4])
    assert all(contrast(color, paper) >= 1.4 for color in shades)
    assert all(contrast(palette[place], paper) >= 2.1 for place in STATUS.values())


def contrast(one: str, other: str) -> float:
    """The contrast ratio of WCAG 2."""

    def luminance(color: str) -> float:
        parts = [int(color[at : at + 2], 16) / 255 for at in (1, 3, 5)]
        linear = [part / 12.92 if part <= 0.04045 else ((part + 0.055) / 1.055) ** 2.4 for part in parts]
        return 0.2126 * linear[0] + 0.7152 * linear[1] + 0.0722 * linear[2]

    high, low = sorted((luminance(one), luminance(other)), reverse=True)
    return (high + 0.05) / (low + 0.05)
