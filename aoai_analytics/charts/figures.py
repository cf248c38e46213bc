"""Plotly figures from a query's rows and the chart described in its header."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import replace
from typing import TYPE_CHECKING, Any

from ..errors import WrongUse
from ..format.labels import distinct, heading, humanised, named, plain, plotly_text, shortened
from ..format.numbers import additive, human, is_missing, unit_of
from .colors import paint
from .findings import of_grid, of_series
from .kinds import Chart, parse_chart
from .series import MAX_CATEGORIES, Series, clock, has_unknown, is_number, listed, series, shown_time
from .style import NAMED, OTHER_COLOR, templates

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

#: Fewer upright bars than this do not spread over the whole width.
_FEW_BARS = 6
_MOMENT = "%a %-d %b %Y, %H:%M"
_DAY = "%a %-d %b %Y"
#: How a month is written, by plotly and Python alike.
MONTH = "%b %Y"
#: Up to this count an axis of counts has a mark for each.
_FEW_COUNTS = 6
#: More bars than this touch, without edges, which would look like hatching.
_MANY_BARS = 40
#: More lines than this in one plot are a tangle: each then has a small plot of its own.
_MOST_LINES = 4
#: Up to this count each month has its label.
_MOST_MONTHS = 13
#: Room beyond bars for their values, as a share of the plot.
_ROOM = 0.16
#: Bars that lie have at least this height with their axis, others this one.
_LYING, _UPRIGHT = 150, 260


def figure(
    frame: pd.DataFrame,
    chart: str,
    *,
    title: str,
    units: Mapping[str, str],
    time_zone: str = "UTC",
    dark: bool = False,
    colors: dict[str, int] | None = None,
) -> Figure | None:
    """The figure of *frame* described by *chart* (``bar x=TotalTokens y=CallerIpAddress``).

    *units* maps columns to units (``{"TotalTokens": "tokens"}``); times are shown in *time_zone*. *colors* are the
    models' on a page, to which new ones are added; None for a figure that stands alone (see ``charts.colors``). None if
    the chart is a table or there is nothing to draw. Null values are gaps, never zeros. All text is escaped.
    ``describe``, ``finding`` and ``note`` give it as text. Raises WrongUse if the chart does not fit the columns.
    """
    spec = parse_chart(chart)
    if not spec.row.trace:
        return None
    for column in spec.columns:
        if column not in frame.columns:
            raise WrongUse(f"chart '{chart}': the result has no column '{column}', only {', '.join(frame.columns)}")
    if not len(frame):
        return None
    builders = {"heatmap": _heatmap, "markers": _points}
    build = builders.get(spec.row.trace) or builders.get(spec.row.mode) or _series_figure
    drawn: tuple[list[dict[str, Any]], dict[str, Any], str, list[str], str] | None
    drawn = build(frame, spec, units, time_zone)
    if drawn is None:
        return None
    traces, layout, alt, notes, found = drawn
    if spec.row.trace != "heatmap":
        paint(traces, spec, colors, "dark" if dark else "light")
    from plotly.graph_objects import Figure

    layout |= {
        "title": {"text": plotly_text(plain(title))},
        "template": templates()["dark" if dark else "light"],
        "meta": {"alt": f"{spec.row.says}: {plain(title)}. {alt}", "note": " ".join(notes), "finding": found},
    }
    return Figure(data=traces, layout=layout)


def describe(drawn: Figure) -> str:
    """A plain-text description of the figure, for readers who cannot see it."""
    return str(drawn.layout.meta["alt"])


def finding(drawn: Figure) -> str:
    """The figure's finding in plain text, for its title; '' where it has none that is sure."""
    return str(drawn.layout.meta["finding"])


def note(drawn: Figure) -> str:
    """A plain-text note about what the figure leaves out; '' if nothing."""
    return str(drawn.layout.meta["note"])


def _series_figure(frame: pd.DataFrame, spec: Chart, units: Mapping[str, str], time_zone: str) -> Any:
    data = series(frame, spec, units, time_zone)
    if data.values.empty or data.values.isna().all(axis=None):
        return None
    kind = spec.row
    as_bars = kind.trace == "bar"
    if kind.fill and has_unknown(data):
        # plotly would draw a gap in stacked areas as zero, or bridge it.
        as_bars = True
        data.notes.append("Drawn as bars: some values are unknown, which an area cannot show.")
    unit = unit_of(data.measure, units)
    days = data.kind == "time" and bool((clock(data) == clock(data).normalize()).all())
    several = data.values.shape[1] > 1
    traces = []
    for name in data.values.columns:
        at, customdata = _positions(data)
        amounts = listed(data.values[name], unit.factor)
        along, across = ("y", "x") if data.horizontal else ("x", "y")
        where = {"category": "%{customdata}", "number": f"{plotly_text(humanised(data.category))} %{{{along}}}"}.get(
            data.kind, f"%{{{along}|{MONTH if data.category == 'Month' else _DAY if days else _MOMENT}}}"
        )
        space = "" if unit.tight else " "
        amount = f"%{{{across}:{_d3_format(amounts, unit.decimals)}}}{space}{plotly_text(unit.label)}"
        label = plotly_text(name)
        trace: dict[str, Any] = {
            "name": plotly_text(shortened(name)),
            along: at,
            across: amounts,
            "hovertemplate": (f"<b>{label}</b><br>" if several else "") + f"{where}<br>{amount}<extra></extra>",
            "showlegend": several,
        }
        if customdata:
            trace["customdata"] = customdata
        traces.append(trace | (_bar(data, name) if as_bars else _line(data, name, kind.fill)))
    layout = _axes(data, days, units)
    found = of_series(data, spec, unit)
    if data.kind == "time" and kind.trace == "scatter" and not kind.fill and len(traces) > _MOST_LINES:
        return traces, _small_multiples(traces, layout), _in_words(data, unit), data.notes, found
    layout["barmode"] = "relative" if kind.stacked else "group"
    if as_bars and data.horizontal and not several:
        _label_bars(traces[0], layout, unit)
    if as_bars and not data.horizontal and len(data.values) > _MANY_BARS:
        layout["bargap"] = 0
        for trace in traces:
            trace["marker"] = {**trace["marker"], "line": {"width": 0}}
    if as_bars and not data.horizontal and len(data.values) < _FEW_BARS:
        layout["bargap"] = 1 - len(data.values) / _FEW_BARS * 0.75  # a bar has its own width, however few there are
    if data.kind == "time" and several:
        layout["hovermode"] = "x unified"
        for trace in traces:
            trace["hovertemplate"] = trace["hovertemplate"].replace(f"<br>{where}", "").replace("</b><br>", "</b> ")
    return traces, layout, _in_words(data, unit), data.notes, found


def _label_bars(trace: dict[str, Any], layout: dict[str, Any], unit: Any) -> None:
    """Each bar's value at its end."""
    amounts = [0 if value is None else value for value in trace["x"]]
    shown = replace(unit, factor=1, label=unit.label if unit.tight else "")
    trace |= {
        "text": [plotly_text(human(value, shown)) if value is not None else "" for value in trace["x"]],
        "textposition": "outside",
        "cliponaxis": False,
        "textfont": {"size": 12},
    }
    low, high = min(0, *amounts), max(0, *amounts)
    room = _ROOM * (high - low)
    layout["xaxis"]["range"] = [low - room if low < 0 else 0, high + room if high > 0 else 0]


def _small_multiples(traces: list[dict[str, Any]], layout: dict[str, Any]) -> dict[str, Any]:
    """The layout of one small plot for each of *traces*, two in a row on common scales; assigns the traces to them."""
    rows = -(-len(traces) // 2)
    across, along = layout["yaxis"], layout["xaxis"]
    made: dict[str, Any] = {"height": 60 + 120 * rows, "showlegend": False, "annotations": []}
    gap = 0.28 / rows
    height = (1 - gap * (rows - 1)) / rows
    for number, trace in enumerate(traces):
        row, column = divmod(number, 2)
        end = "" if not number else str(number + 1)
        top = 1 - row * (height + gap)
        left, right = (0.0, 0.47) if not column else (0.53, 1.0)
        last = number >= len(traces) - 2
        made[f"xaxis{end}"] = along | {
            "domain": [left, right], "anchor": f"y{end}", "title": along["title"] if last else {},
            "showticklabels": last, "nticks": 4,
        } | ({"matches": "x"} if number else {})  # fmt: skip
        made[f"yaxis{end}"] = across | {
            "domain": [max(0.0, top - height), max(0.0, top)], "anchor": f"x{end}", "nticks": 4,
            "title": {} if number else across["title"], "showticklabels": not column,
        } | ({"matches": "y"} if number else {})  # fmt: skip
        trace |= {"xaxis": f"x{end}", "yaxis": f"y{end}", "showlegend": False}
        made["annotations"].append(
            {"text": trace["name"], "x": left, "y": top, "xref": "paper", "yref": "paper", "xanchor": "left",
             "yanchor": "bottom", "showarrow": False, "font": {"size": 12}}
        )  # fmt: skip
    return made


def _positions(data: Series) -> tuple[list[Any], list[str]]:
    if data.kind == "category":
        names = [plotly_text(name) for name in data.values.index]
        return names, names
    if data.kind == "time":
        moments = clock(data)
        if len(moments) == 1 and data.category == "Month":
            return [f"{moments[0]:{MONTH}}"], []
        if len(moments) == 1:  # an axis of time would show fractions of seconds around it
            return [f"{moments[0].day} {moments[0]:%b %Y, %H:%M}".removesuffix(", 00:00")], []
        return [moment.isoformat() for moment in moments], []
    return listed(data.values.index), []


def _d3_format(amounts: list[Any], decimals: int | None) -> str:
    if decimals is None:
        known = [abs(n) for n in amounts if n is not None]
        decimals = 0 if all(isinstance(n, int) for n in known) or max(known) >= 1000 else 2
    return f",.{decimals}f"


def _bar(data: Series, name: str) -> dict[str, Any]:
    marker: dict[str, Any] = {"color": OTHER_COLOR} if name == data.other else {}
    return {"type": "bar", "orientation": "h" if data.horizontal else "v", "marker": marker}


def _line(data: Series, name: str, fill: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"width": 1 if fill else 2}
    if name == data.other:
        line["color"] = OTHER_COLOR
    # A point between two gaps has no line: only a marker shows it.
    known = data.values[name].notna()
    alone = known & ~known.shift(1, fill_value=False) & ~known.shift(-1, fill_value=False)
    marked = len(known) < 3 or bool(alone.any())
    trace = {"type": "scatter", "mode": "lines+markers" if marked else "lines", "line": line, "connectgaps": False}
    if marked and len(known) >= 3:
        trace["marker"] = {"size": [7 if each else 0 for each in alone]}
    return trace | ({"stackgroup": "all"} if fill else {})


def _axes(data: Series, days: bool, units: Mapping[str, str]) -> dict[str, Any]:
    unit = unit_of(data.measure, units)
    label, tight = unit.label, unit.tight
    measured: dict[str, Any] = {"title": {"text": plotly_text(heading(data.measure, label))}, "rangemode": "tozero"}
    if data.several:
        measured["title"] = {"text": plotly_text(label[:1].upper() + label[1:])}
    if tight:
        measured["ticksuffix"] = label
    numbers: Any = data.values
    if numbers.abs().max(axis=None) * unit.factor < 1:
        measured["exponentformat"] = "none"  # 0.00001, not 10µ
    most = numbers.sum(axis=1).max() if data.additive else 0
    if unit.additive and unit.decimals is None and 0 < most <= _FEW_COUNTS:
        measured["dtick"] = 1  # there is no half request
    by: dict[str, Any] = {"showgrid": False}
    height = 360
    if data.kind == "category":
        names = list(data.values.index)
        by |= {
            "type": "category",
            "title": {"text": plotly_text(humanised(data.category))},
            "categoryorder": "array",
            "categoryarray": [plotly_text(name) for name in names],
            "tickmode": "array",
            "tickvals": [plotly_text(name) for name in names],
            "ticktext": [plotly_text(name) for name in distinct(names)],
        }
        if data.horizontal:
            by["autorange"] = "reversed"
            height = 110 + 28 * len(names)
    elif data.kind == "time":
        what = "Time" if not days else _grain(data) if data.category == "TimeGenerated" else humanised(data.category)
        by["type"] = "date" if len(data.values) > 1 else "category"
        if data.category == "Month" and 1 < len(data.values) <= _MOST_MONTHS:
            by |= {"tickformat": MONTH, "dtick": "M1"}
        by["title"] = {"text": f"{plotly_text(what)} ({plotly_text(data.zone)})"}
    else:
        by |= {"type": "linear", "title": {"text": plotly_text(heading(data.category, units.get(data.category, "")))}}
    along, across = ("yaxis", "xaxis") if data.horizontal else ("xaxis", "yaxis")
    # A legend with many names takes several rows above the plot.
    rows = -(-data.values.shape[1] // 4) if data.values.shape[1] > 1 else 0
    return {along: by, across: measured, "height": max(height, _LYING if data.horizontal else _UPRIGHT) + 22 * rows}


def _grain(data: Series) -> str:
    """What a time on the axis begins: a day, or a week."""
    steps = data.values.index.to_series().diff().dropna()
    return "Week from" if len(steps) and steps.min().days >= 7 else "Day"


def _in_words(data: Series, unit: Any) -> str:
    totals = data.values.sum(axis=1, min_count=1).dropna() if data.additive else data.values.max(axis=1).dropna()
    top: Any = totals.idxmax()
    most = human(totals[top], unit)
    if data.kind == "time":
        shown = clock(data)
        peak = shown[data.values.index.get_loc(top)]
        first, last, peak = (f"{m:%Y-%m-%d %H:%M}" for m in (shown[0], shown[-1], peak))
        return f"From {first} to {last} {data.zone}; most at {peak}: {most}."
    return f"Largest of {len(data.values):,}: {top}, {most}."


def _heatmap(frame: pd.DataFrame, spec: Chart, units: Mapping[str, str], time_zone: str) -> Any:
    import pandas as pd

    x, y, z = spec.x[0], spec.y[0], spec.color
    if not is_number(frame[z]):
        raise WrongUse(f"a heatmap's color must be a numeric column; {z} is not")
    axes: dict[str, Any] = {}
    zones: dict[str, str] = {}
    for key in (x, y):
        column = frame[key]
        if pd.api.types.is_datetime64_any_dtype(column):
            axes[key], zones[key] = shown_time(column, time_zone)
        else:
            axes[key] = column if is_number(column) else column.map(named)
    rows = pd.DataFrame({"x": axes[x], "y": axes[y], "z": frame[z].astype("Float64")}).dropna(subset=["x", "y"])
    if rows.duplicated(["x", "y"]).any():
        raise WrongUse(f"several rows share a cell of the heatmap of {x} and {y}: summarize by both")
    grid = rows.pivot(index="y", columns="x", values="z").astype("float64")
    if not is_number(frame[y]):
        grid = grid.reindex(list(dict.fromkeys(rows["y"])))
    if grid.isna().all(axis=None):
        return None
    unit = unit_of(z, units)
    notes = []
    whole = grid
    if len(grid) > MAX_CATEGORIES and isinstance(grid.index[0], str) and additive(z, units):
        notes.append(f"The figure shows the first {MAX_CATEGORIES} of {len(grid):,} rows; the others are in the data.")
        grid = grid.loc[grid.sum(axis=1).sort_values(ascending=False, kind="stable").index[:MAX_CATEGORIES]]

    def ticks(values: Any) -> list[Any]:
        if pd.api.types.is_datetime64_any_dtype(values):
            return [value.isoformat() for value in values]
        return listed(values) if pd.api.types.is_numeric_dtype(values) else [plotly_text(value) for value in values]

    in_time = pd.api.types.is_datetime64_any_dtype(grid.index)
    names = [f"{value:%Y-%m-%d}" for value in grid.index] if in_time else [str(name) for name in ticks(grid.index)]
    columns = ticks(grid.columns)
    cells = [(row, column) for row in range(len(names)) for column in range(len(columns))]
    cells = [(row, column) for row, column in cells if not is_missing(grid.iat[row, column])]
    amounts = listed([grid.iat[row, column] for row, column in cells], unit.factor)
    dates = pd.api.types.is_datetime64_any_dtype(grid.columns)
    by: dict[str, Any] = {"type": "date"} if dates else {"type": "category", "categoryorder": "array"}
    across = f"Time ({zones[x]})" if x == "TimeGenerated" and x in zones else humanised(x)
    shown = f"%{{customdata[1]:,.{0 if unit.decimals is None else unit.decimals}f}} {plotly_text(unit.label)}"
    # Cells as bars of one row's height: reports carry the part of plotly.js that draws bars and lines alone.
    trace = {
        "type": "bar",
        "x": [columns[column] for _, column in cells],
        "base": [row - 0.48 for row, _ in cells],
        "y": [0.96] * len(cells),
        "customdata": [[names[row], amount] for (row, _), amount in zip(cells, amounts, strict=True)],
        "marker": {
            "color": amounts,
            "showscale": True,
            "line": {"width": 0},
            "colorbar": {"title": {"text": plotly_text(heading(z, unit.label))}, "outlinewidth": 0, "thickness": 12},
        },
        "hovertemplate": f"{plotly_text(humanised(y))} %{{customdata[0]}}<br>{plotly_text(humanised(x))} %{{x}}<br>"
        f"{shown}<extra></extra>",
    }
    layout = {
        "xaxis": by | {"title": {"text": plotly_text(across)}, "showgrid": False}
        | ({} if dates else {"categoryarray": columns}),
        "yaxis": {
            "title": {"text": plotly_text(humanised(y))}, "showgrid": False, "zeroline": False,
            "range": [len(names) - 0.5, -0.5], "tickvals": list(range(len(names))),
            "ticktext": names,
        },
        "bargap": 0.04,
        "height": max(_LYING, 140 + 26 * len(grid)),
    }  # fmt: skip
    top = rows.iloc[int(rows["z"].astype("float64").argmax())]
    partly = bool(rows["z"].isna().any())
    found = of_grid(whole, grid.index, (x, y, z), unit, adds=additive(z, units), partly=partly)
    return [trace], layout, f"Highest: {top['y']}, {top['x']}, {human(top['z'], unit)}.", notes, found


def _points(frame: pd.DataFrame, spec: Chart, units: Mapping[str, str], time_zone: str) -> Any:
    """One marker per row, without sums; rows that lack a value are left out and counted."""
    import pandas as pd

    x, y = spec.x[0], spec.y[0]
    in_time = pd.api.types.is_datetime64_any_dtype(frame[x])
    across = shown_time(frame[x], time_zone)[0] if in_time else frame[x]
    rows = pd.DataFrame({"x": across, "y": frame[y], "name": frame[spec.color].map(named) if spec.color else ""})
    known = rows.dropna(subset=["x", "y"])
    if known.empty:
        return None
    left_out = len(rows) - len(known)
    notes = [f"Rows with an unknown value, not drawn: {left_out:,}."] if left_out else []
    names = list(known["name"].value_counts().index)
    traces = []
    for number, name in enumerate(names[:NAMED]):
        own = known[known["name"] == name]
        traces.append(
            {
                "type": "scatter",
                "mode": "markers",
                "name": plotly_text(shortened(name)),
                "x": [m.isoformat() for m in own["x"]] if in_time else listed(own["x"]),
                "y": listed(own["y"]),
                "marker": {"symbol": number % 8, "size": 7, "opacity": 0.75},
                "showlegend": len(names) > 1,
                "hovertemplate": f"<b>{plotly_text(name)}</b><br>%{{x}}<br>%{{y:,}} "
                f"{plotly_text(unit_of(y, units).label)}<extra></extra>",
            }
        )
    if len(traces) < len(names):
        notes.append(f"The figure shows {len(traces)} of {len(names):,} groups; the others are in the data.")
    layout = {
        "xaxis": {"title": {"text": plotly_text(heading(x, unit_of(x, units).label))}},
        "yaxis": {"title": {"text": plotly_text(heading(y, unit_of(y, units).label))}, "rangemode": "tozero"},
        "height": 400,
    }
    return traces, layout, f"{len(known):,} points.", notes, ""
