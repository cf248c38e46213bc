"""The cost and the tokens of a period over time, one above the other."""

from __future__ import annotations

from datetime import datetime, timedelta
from typing import TYPE_CHECKING, Any

from ...charts import describe, figure
from ...engines.frames import days_in

if TYPE_CHECKING:
    from .rules import Asker

#: Up to which length a period is drawn by hour, and by day; a longer one by week.
_HOURS, _DAYS = timedelta(days=2), timedelta(days=93)


def over_time(asker: Asker, first: datetime, last: datetime) -> tuple[dict[str, Any] | None, str]:
    """The figure and its description, by hour, day or week as *first* to *last* asks; None where nothing is known."""
    length = last - first
    word = "hour" if length <= _HOURS else "day" if length <= _DAYS else "week"
    if word == "day":
        sums = [
            ("Cost", "USD", _by(asker.now("cost/by-day", timeZone=asker.time_zone), "Day", "Cost")),
            ("Tokens", "tokens", _by(asker.now("tokens/by-day", timeZone=asker.time_zone), "Day", "TotalTokens")),
        ]
    else:
        bins = {"step": {"hour": "1h", "week": "7d"}[word], "timeZone": asker.time_zone}
        sums = [
            ("Cost", "USD", _by(asker.now("cost/over-time", **bins), "TimeGenerated", "Cost")),
            ("Tokens", "tokens", _by(asker.now("tokens/over-time", **bins), "TimeGenerated", "Tokens")),
        ]
    drawn = [_drawn(name, unit, of, word, asker.time_zone) for name, unit, of in sums]
    known = [each for each in drawn if each is not None]
    if not known:
        return None, ""
    return _stacked([each.to_plotly_json() for each in known]), " ".join(describe(each) for each in known)


def _by(rows: list[dict[str, Any]], time: str, measure: str) -> dict[datetime, float | None]:
    """The sum of *measure* at each time; None where no row has a value."""
    found: dict[datetime, float | None] = {}
    for row in rows:
        value = row[measure]
        before = found.get(row[time])
        found[row[time]] = before if value is None else value + (before or 0)
    return found


def _drawn(name: str, unit: str, sums: dict[datetime, float | None], word: str, time_zone: str) -> Any:
    import pandas as pd

    if all(value is None for value in sums.values()):
        return None
    axis = "Day" if word == "day" else "TimeGenerated"
    frame = pd.DataFrame([{axis: at, name: value} for at, value in sums.items()])
    if time_zone != "UTC":
        frame = days_in(frame, time_zone)
    title = f"{name} by {word}"
    return figure(frame, f"bar x={axis} y={name}", title=title, units={name: unit}, time_zone=time_zone, colors={})


def _stacked(figures: list[dict[str, Any]]) -> dict[str, Any]:
    """One figure of several, one above the other, with a common axis of time."""
    data: list[dict[str, Any]] = []
    layout: dict[str, Any] = {"height": 130 + 150 * len(figures), "showlegend": False}
    for number, drawn in enumerate(figures):
        end = "" if not number else str(number + 1)
        bottom = 1 - (number + 1) / len(figures)
        of_y = {**drawn["layout"]["yaxis"], "domain": [bottom + 0.05 * (bottom > 0), bottom + 1 / len(figures)]}
        layout[f"yaxis{end}"] = of_y
        data += [{**trace, "yaxis": f"y{end}"} for trace in drawn["data"]]
        layout["xaxis"] = {**drawn["layout"]["xaxis"], "anchor": f"y{end}", "domain": [0, 1]}
        if "bargap" in drawn["layout"]:
            layout["bargap"] = drawn["layout"]["bargap"]
    return {"data": data, "layout": layout}
