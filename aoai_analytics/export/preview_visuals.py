"""One step of the workbook's preview: its rows as the chart, grid or tiles in the step's settings."""

from __future__ import annotations

import html
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from ..charts import describe, figure
from ..engines.protocol import QueryResult
from ..errors import WrongUse
from ..format.labels import html_text, one_line, plain
from ..format.numbers import is_missing
from .workbook.visuals import BAR, BYTES, HEAT, HIDDEN, LINK, MILLISECONDS, PERCENT, SECONDS, THRESHOLDS

if TYPE_CHECKING:
    import pandas as pd

#: Maximum rows of a grid on the page.
_ROWS = 100
_TEXT = 160
_CHARTS = {
    "linechart": "line",
    "areachart": "stacked-area",
    "barchart": "stacked-bar",
    "unstackedbar": "grouped-bar",
    "categoricalbar": "stacked-bar",
}
_NUMBERS = ("int", "long", "real", "decimal")
_UNIT_NAMES = {PERCENT: "%", BYTES: "bytes", MILLISECONDS: "ms", SECONDS: "s"}


@dataclass
class Shown:
    """``kind`` is ``error`` or ``empty`` (with ``message``), ``tiles``, ``grid`` or ``chart`` (plotly's JSON)."""

    kind: str
    message: str = ""
    tiles: list[tuple[str, str, str]] = field(default_factory=list)
    head: list[tuple[str, bool]] = field(default_factory=list)
    rows: list[list[dict[str, Any]]] = field(default_factory=list)
    more: int = 0
    selected: bool = False
    chart: str = ""
    alt: str = ""


def shown(content: Mapping[str, Any], answer: QueryResult, *, selected: bool = False) -> Shown:
    """*answer* displayed by the step with this *content*; ``selected`` marks the first row of a grid."""
    frame = answer.frame
    if frame.empty:
        return Shown("empty", message=content["noDataMessage"])
    kind = content["visualization"]
    if kind == "tiles":
        rows = frame.sort_values("Place")
        return Shown("tiles", tiles=[(str(row.Kpi), str(row.Value), str(row.Note)) for row in rows.itertuples()])
    if kind == "table":
        return _grid(content["gridSettings"], answer, selected)
    drawn = _pie(content["chartSettings"], frame) if kind == "piechart" else _chart(kind, content, frame)
    if drawn is None:
        return Shown("empty", message=content["noDataMessage"])
    return drawn


def _chart(kind: str, content: Mapping[str, Any], frame: pd.DataFrame) -> Shown | None:
    settings = content["chartSettings"]
    measures = settings["yAxis"]
    text = f"{_CHARTS[kind]} x={settings['xAxis']} y={','.join(measures)}"
    if settings.get("group"):
        text += f" color={settings['group']}"
    unit = _unit_name(settings["ySettings"]["numberFormatSettings"], measures[0])
    try:
        drawn = figure(frame, text, title="", units=dict.fromkeys(measures, unit))
    except WrongUse as error:
        return Shown("error", message=str(error))
    if drawn is None:
        return None
    made: dict[str, Any] = drawn.to_plotly_json()
    layout = {key: value for key, value in made["layout"].items() if key not in ("template", "title", "meta")}
    layout["height"] = 300
    return Shown("chart", chart=_json({"data": made["data"], "layout": layout}), alt=describe(drawn))


def _pie(settings: Mapping[str, Any], frame: pd.DataFrame) -> Shown:
    """The largest slices; those beyond ``createOtherGroup`` are combined into one."""
    name, measure = settings["xAxis"], settings["yAxis"][0]
    totals = frame.groupby(name, sort=False)[measure].sum().sort_values(ascending=False)
    kept = totals.head(settings["createOtherGroup"])
    labels = [plain(each) or "(none)" for each in kept.index]
    values = [float(each) for each in kept]
    if len(totals) > len(kept):
        labels, values = [*labels, "Other"], [*values, float(totals.iloc[len(kept) :].sum())]
    trace = {
        "type": "pie",
        "labels": [html.escape(each) for each in labels],
        "values": values,
        "hole": 0.55,
        "sort": False,
        "textinfo": "percent",
        "hovertemplate": "%{label}<br>%{value:,}<extra></extra>",
    }
    layout = {
        "height": 300,
        "legend": {"orientation": "v", "x": 1.02, "y": 0.5, "xanchor": "left", "yanchor": "middle"},
    }
    return Shown("chart", chart=_json({"data": [trace], "layout": layout}), alt=f"{labels[0]} is the largest part.")


def _grid(settings: Mapping[str, Any], answer: QueryResult, selected: bool) -> Shown:
    frame = answer.frame
    labels = {each["columnId"]: each["label"] for each in settings["labelSettings"]}
    columns = [name for name in frame.columns if _formatter(settings, name).get("formatter") != HIDDEN]
    made = []
    for name in columns:
        found = _formatter(settings, name)
        known = [float(v) for v in frame[name] if not is_missing(v)] if answer.types[name] in _NUMBERS else []
        # A heat map's columns share one colour scale if one formatter is for all of them.
        made.append([_cell(value, answer.types[name], found, known) for value in frame[name].head(_ROWS)])
    _together(settings, columns, frame, made)
    head = [(labels.get(name, name), answer.types[name] in _NUMBERS) for name in columns]
    rows = [[column[number] for column in made] for number in range(min(len(frame), _ROWS))]
    return Shown("grid", head=head, rows=rows, more=max(0, len(frame) - _ROWS), selected=selected)


def _together(settings: Mapping[str, Any], columns: list[str], frame: pd.DataFrame, made: list[Any]) -> None:
    for found in settings["formatters"]:
        if found.get("formatter") != HEAT:
            continue
        same = [name for name in columns if re.search(found["columnMatch"], name)]
        if len(same) < 3:
            continue
        values = [float(v) for name in same for v in frame[name] if not is_missing(v)]
        for name in same:
            cells = made[columns.index(name)]
            for cell, value in zip(cells, frame[name], strict=False):
                cell["heat"] = _heat(value, values)


def _formatter(settings: Mapping[str, Any], column: str) -> Mapping[str, Any]:
    for found in settings["formatters"]:
        if re.search(found["columnMatch"], column):
            return dict(found)
    return {}


def _cell(value: Any, kind: str, found: Mapping[str, Any], known: list[float]) -> dict[str, Any]:
    cell: dict[str, Any] = {"number": kind in _NUMBERS}
    if is_missing(value):
        return cell | {"html": html.escape(found.get("numberFormat", {}).get("emptyValCustomText", "")), "muted": True}
    if cell["number"]:
        cell["html"] = html.escape(_number(float(value), found.get("numberFormat", {"unit": 0, "options": {}})))
        if found.get("formatter") == BAR and known:
            top = max(*known, 0.0) or 1.0
            cell["bar"] = round(max(0.0, 100 * float(value) / top), 1)
        elif found.get("formatter") == HEAT:
            cell["heat"], cell["warm"] = _heat(value, known), "red" in found["formatOptions"]["palette"]
        return cell
    if kind == "datetime":
        return cell | {"html": html.escape(f"{value:%Y-%m-%d %H:%M:%S}".removesuffix(" 00:00:00"))}
    if kind == "bool":
        return cell | {"html": "true" if value else "false"}
    text = plain(one_line(value) if isinstance(value, str) else json.dumps(value, ensure_ascii=False, default=str))
    if found.get("formatter") == THRESHOLDS:
        icons = {
            each.get("thresholdValue"): each["representation"] for each in found["formatOptions"]["thresholdsGrid"]
        }
        cell["icon"] = icons.get(text) or ""
    cell["link"] = found.get("formatter") == LINK
    return cell | {"html": html_text(text if len(text) <= _TEXT else text[:_TEXT] + "…")}


def _heat(value: Any, known: list[float]) -> float:
    if is_missing(value) or not known:
        return 0.0
    low, high = min(*known, 0.0), max(known)
    return round((float(value) - low) / (high - low), 3) if high > low else 0.0


def _number(value: float, form: Mapping[str, Any]) -> str:
    """*value* formatted like the service does with this number format."""
    options, unit = form["options"], form["unit"]
    if not math.isfinite(value):
        return str(value)
    decimals = options.get("maximumFractionDigits", 2)
    text = f"{value:,.{decimals}f}"
    if "." in text and options.get("style") != "currency":
        text = text.rstrip("0").rstrip(".")
    if options.get("style") == "currency":
        whole, _, cents = text.partition(".")
        cents = cents.rstrip("0").ljust(2, "0")
        return f"-${whole[1:]}.{cents}" if whole.startswith("-") else f"${whole}.{cents}"
    if unit == PERCENT:
        return f"{text}%"
    if unit == MILLISECONDS:
        return f"{value / 1000:,.2f} s" if abs(value) >= 1000 else f"{text} ms"
    if unit == SECONDS:
        return f"{text} s"
    if unit == BYTES:
        for limit, name in ((2**30, "GB"), (2**20, "MB"), (2**10, "KB")):
            if abs(value) >= limit:
                return f"{value / limit:,.1f} {name}"
        return f"{text} B"
    return text


def _unit_name(form: Mapping[str, Any], column: str) -> str:
    """This project's name for a number format's unit."""
    if form["options"].get("style") == "currency":
        return "USD"
    if form["unit"] in _UNIT_NAMES:
        return _UNIT_NAMES[form["unit"]]
    if form["options"].get("maximumFractionDigits") != 0:
        return ""
    return "tokens" if "Tokens" in column else "requests"


def _json(value: Any) -> str:
    return json.dumps(value, ensure_ascii=False, default=str).replace("<", "\\u003c")
