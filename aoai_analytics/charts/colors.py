"""Which colour a bar, area or line has: on a page, one colour has one meaning.

- A model has its colour (``KNOWN_COLORS``, or one that is left) in every figure whose colours are models.
- Status colours stand for an ``Outcome`` alone: green for what succeeded, red for what the service or a limit
  refused. What the caller caused is neither, and has a shade.
- All else has shades of one hue that is almost grey: token sources, kinds of users, backends, measures, and bars of a
  single series. A shade stands for nothing beyond its figure: it is read by the legend, whose order is that of the
  shades from strong to faint, which is the order of stacked parts from the axis on. Lines also differ in their dashes.

A figure that stands alone, in a cell or as a preview of a workbook, uses the models' colours for whatever it shows.
A trace's ``meta`` has its colour's place in the template, so that a page can change between light and dark.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from .kinds import Chart
from .style import FIRST_SHADE, KNOWN_COLORS, NAMED, OTHER_COLOR, STATUS, templates

#: The column whose values have the page's colours.
MAIN = "ModelName"
#: How many shades a template has from FIRST_SHADE on.
SHADES = 8
#: Which shades few series have; more have them from end to end.
_OF_FEW = {1: (2,), 2: (1, 5), 3: (0, 3, 6), 4: (0, 2, 4, 6)}
#: Shades and dashes of lines: no faint ones, as a line is thin.
_OF_LINES = ((0, "solid"), (3, "dash"), (1, "dot"), (2, "dashdot"))


def paint(traces: list[dict[str, Any]], spec: Chart, models: dict[str, int] | None, theme: str) -> None:
    """Give the *traces* of a figure their colours; *models* are those of its page, None where it stands alone."""
    palette = templates()[theme]["layout"]["colorway"]
    measures = len(spec.x) > 1 or len(spec.y) > 1
    if models is None:
        if spec.color and len(traces) > 1:
            _name_colors(traces, KNOWN_COLORS.get(spec.color, {}), {}, palette)
    elif spec.color == MAIN and not measures and len(traces) > 1:
        _name_colors(traces, KNOWN_COLORS[MAIN], models, palette)
    else:
        status = STATUS if spec.color == "Outcome" and not measures else {}
        shaded = [trace for trace in traces if trace["name"] not in status]
        for trace in traces:
            if trace["name"] in status:
                _set(trace, status[trace["name"]], palette)
        _shade(shaded, palette)


def _name_colors(
    traces: list[dict[str, Any]], usual: Mapping[str, int], known: dict[str, int], palette: list[str]
) -> None:
    """Give each trace the colour that its name has in *known* or has *usual*ly; new ones are added to *known*.

    Of two names with one colour, the second gets another in this figure.
    """
    own = [trace for trace in traces if trace.get("marker", trace.get("line", {})).get("color") != OTHER_COLOR]
    known |= {name: place for name, place in usual.items() if name not in known}
    taken: set[int] = set()
    for trace in sorted(own, key=lambda trace: trace["name"] not in known):
        name = trace["name"]
        place = known.get(name, -1)
        if place < 0 or place in taken:
            free = [n for n in range(NAMED) if n not in taken]
            fresh = [n for n in free if n not in known.values()]
            place = (fresh or free or [0])[0]
            known.setdefault(name, place)
        taken.add(place)
        _set(trace, place, palette)


def _shade(traces: list[dict[str, Any]], palette: list[str]) -> None:
    """Give *traces* the shades from strong to faint, lines that share a plot dashes too."""
    count = len(traces)
    lines = all("line" in trace and "stackgroup" not in trace for trace in traces)
    apart = any("xaxis" in trace for trace in traces)
    for number, trace in enumerate(traces):
        if lines and not apart and 1 < count <= len(_OF_LINES):
            shade, trace["line"]["dash"] = _OF_LINES[number]
        else:
            few = _OF_FEW[1] * count if lines and apart else _OF_FEW.get(count)
            shade = few[number] if few else round(number * (SHADES - 1) / (count - 1))
        _set(trace, FIRST_SHADE + shade, palette)


def _set(trace: dict[str, Any], place: int, palette: list[str]) -> None:
    trace["meta"] = {"color": place}
    for part in ("marker", "line"):
        if part in trace or (part == "marker" and trace["type"] == "bar"):
            trace[part] = {**trace.get(part, {}), "color": palette[place]}
