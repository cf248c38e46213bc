"""Plotly figures from a query's rows and the chart described in its header."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from ..errors import WrongUse
from ..format.labels import heading, humanised, named, plain, plotly_text, shortened
from ..format.numbers import human, unit_of
from .kinds import Chart, parse_chart
from .series import Series, clock, has_unknown, is_number, listed, series, shown_time
from .style import DASHES, OTHER_COLOR, PLAIN_SERIES, templates

if TYPE_CHECKING:
    import pandas as pd
    from plotly.graph_objects import Figure

#: Fewer upright bars than this do not spread over the whole width.
_FEW_BARS = 6
_MOMENT = "%a %-d %b %Y, %H:%M"
_DAY = "%a %-d %b %Y"


def figure(
    frame: pd.DataFrame, chart: str, *, title: str, units: Mapping[str, str], time_zone: str = "UTC", dark: bool = False
) -> Figure | None:
    """The figure of *frame* described by *chart* (``bar x=TotalTokens y=CallerIpAddress``).

    *units* maps columns to units (``{"TotalTokens": "tokens"}``); times are shown in *time_zone*. None if the
    chart is a table or there is nothing to draw. Null values are gaps, never zeros. All text is escaped.
    ``describe`` and ``note`` give the figure as text. Raises WrongUse if the chart does not fit the columns.
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
    drawn: tuple[list[dict[str, Any]], dict[str, Any], str, list[str]] | None = build(frame, spec, units, time_zone)
    if drawn is None:
        return None
    traces, layout, alt, notes = drawn
    from plotly.graph_objects import Figure

    layout |= {
        "title": {"text": plotly_text(plain(title))},
        "template": templates()["dark" if dark else "light"],
        "meta": {"alt": f"{spec.row.says}: {plain(title)}. {alt}", "note": " ".join(notes)},
    }
    return Figure(data=traces, layout=layout)


def describe(drawn: Figure) -> str:
    """A plain-text description of the figure, for readers who cannot see it."""
    return str(drawn.layout.meta["alt"])


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
    for number, name in enumerate(data.values.columns):
        at, customdata = _positions(data)
        amounts = listed(data.values[name], unit.factor)
        along, across = ("y", "x") if data.horizontal else ("x", "y")
        where = {"category": "%{customdata}", "number": f"{plotly_text(humanised(data.category))} %{{{along}}}"}.get(
            data.kind, f"%{{{along}|{_DAY if days else _MOMENT}}}"
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
        traces.append(trace | (_bar(data, name) if as_bars else _line(data, name, number, kind.fill)))
    layout = _axes(data, unit.label, unit.tight, days, units)
    layout["barmode"] = "relative" if kind.stacked else "group"
    if as_bars and not data.horizontal and len(data.values) < _FEW_BARS:
        layout["bargap"] = 1 - len(data.values) / _FEW_BARS * 0.75  # a bar has its own width, however few there are
    if data.kind == "time" and several:
        layout["hovermode"] = "x unified"
        for trace in traces:
            trace["hovertemplate"] = trace["hovertemplate"].replace(f"<br>{where}", "").replace("</b><br>", "</b> ")
    return traces, layout, _in_words(data, unit), data.notes


def _positions(data: Series) -> tuple[list[Any], list[str]]:
    if data.kind == "category":
        names = [plotly_text(name) for name in data.values.index]
        return names, names
    if data.kind == "time":
        moments = clock(data)
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


def _line(data: Series, name: str, number: int, fill: bool) -> dict[str, Any]:
    line: dict[str, Any] = {"width": 1 if fill else 2, "dash": DASHES[number // PLAIN_SERIES % len(DASHES)]}
    if name == data.other:
        line["color"] = OTHER_COLOR
    # A point between two gaps has no line: only a marker shows it.
    lonely = len(data.values) < 3 or bool(data.values[name].isna().any())
    trace = {"type": "scatter", "mode": "lines+markers" if lonely else "lines", "line": line, "connectgaps": False}
    return trace | ({"stackgroup": "all"} if fill else {})


def _axes(data: Series, label: str, tight: bool, days: bool, units: Mapping[str, str]) -> dict[str, Any]:
    measured: dict[str, Any] = {"title": {"text": plotly_text(heading(data.measure, label))}, "rangemode": "tozero"}
    if data.several:
        measured["title"] = {"text": plotly_text(label[:1].upper() + label[1:])}
    if tight:
        measured["ticksuffix"] = label
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
            "ticktext": [plotly_text(shortened(name)) for name in names],
        }
        if data.horizontal:
            by["autorange"] = "reversed"
            height = 110 + 28 * len(names)
    elif data.kind == "time":
        what = "Time" if not days else "Day" if data.category == "TimeGenerated" else humanised(data.category)
        by["type"] = "date" if len(data.values) > 1 else "category"
        by["title"] = {"text": f"{plotly_text(what)} ({plotly_text(data.zone)})"}
    else:
        by |= {"type": "linear", "title": {"text": plotly_text(heading(data.category, units.get(data.category, "")))}}
    along, across = ("yaxis", "xaxis") if data.horizontal else ("xaxis", "yaxis")
    # A legend with many names takes several rows above the plot.
    rows = -(-data.values.shape[1] // 4) if data.values.shape[1] > 1 else 0
    return {along: by, across: measured, "height": max(height, 260) + 22 * rows}


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
    axes = {}
    for key in (x, y):
        column = frame[key]
        moment = pd.api.types.is_datetime64_any_dtype(column)
        axes[key] = shown_time(column, time_zone)[0] if moment else column if is_number(column) else column.map(named)
    rows = pd.DataFrame({"x": axes[x], "y": axes[y], "z": frame[z].astype("Float64")}).dropna(subset=["x", "y"])
    if rows.duplicated(["x", "y"]).any():
        raise WrongUse(f"several rows share a cell of the heatmap of {x} and {y}: summarize by both")
    grid = rows.pivot(index="y", columns="x", values="z").astype("float64")
    if not is_number(frame[y]):
        grid = grid.reindex(list(dict.fromkeys(rows["y"])))
    if grid.isna().all(axis=None):
        return None
    unit = unit_of(z, units)

    def ticks(values: Any) -> list[Any]:
        if pd.api.types.is_datetime64_any_dtype(values):
            return [value.isoformat() for value in values]
        return listed(values) if pd.api.types.is_numeric_dtype(values) else [plotly_text(value) for value in values]

    def axis(column: str, values: Any) -> dict[str, Any]:
        kind = "date" if pd.api.types.is_datetime64_any_dtype(values) else "category"
        return {"type": kind, "title": {"text": plotly_text(humanised(column))}, "showgrid": False}

    trace = {
        "type": "heatmap",
        "x": ticks(grid.columns),
        "y": ticks(grid.index),
        "z": [listed(row, unit.factor) for row in grid.to_numpy()],
        "hoverongaps": False,
        "xgap": 1,
        "ygap": 1,
        "colorbar": {"title": {"text": plotly_text(heading(z, unit.label))}, "outlinewidth": 0, "thickness": 12},
        "hovertemplate": f"{plotly_text(humanised(y))} %{{y}}<br>{plotly_text(humanised(x))} %{{x}}<br>"
        f"%{{z:,.{0 if unit.decimals is None else unit.decimals}f}} {plotly_text(unit.label)}<extra></extra>",
    }
    layout = {
        "xaxis": axis(x, grid.columns),
        "yaxis": axis(y, grid.index) | {"autorange": "reversed"},
        "height": max(260, 140 + 26 * len(grid)),
    }
    top = rows.iloc[int(rows["z"].astype("float64").argmax())]
    return [trace], layout, f"Highest: {top['y']}, {top['x']}, {human(top['z'], unit)}.", []


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
    for number, name in enumerate(names[: len(templates()["light"]["layout"]["colorway"])]):
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
    return traces, layout, f"{len(known):,} points.", notes
