"""The chart style: colours, fonts and plotly templates, light and dark."""

from __future__ import annotations

from collections.abc import Mapping
from functools import cache
from typing import Any

FONT = "system-ui, -apple-system, 'Segoe UI', Roboto, 'Helvetica Neue', Arial, sans-serif"
#: Name of the rest if a chart has more series than it may draw.
OTHER_COLOR = "#8a8f98"
#: More series than this are indistinguishable; the last is then "other".
MAX_SERIES = 8

# Okabe and Ito's colours (jfly.uni-koeln.de/color), without black, ordered so that neighbours differ most,
# then tones of Paul Tol's muted scheme. Their yellow is too pale on white and their blue too dark on black.
_LIGHT = [
    "#0072B2", "#E69F00", "#009E73", "#CC79A7", "#56B4E9", "#D55E00",
    "#A08A00", "#332288", "#44AA99", "#882255", "#5A5A5A",
]  # fmt: skip
_DARK = [
    "#3D9BD9", "#E69F00", "#1FB58B", "#CC79A7", "#7CC8F2", "#E8762D",
    "#F0E442", "#9C8FE0", "#6FD3C3", "#D0668F", "#C8C8C8",
]  # fmt: skip

#: How many colours stand for names; the template's others, of ``charts.colors``, follow them.
NAMED = len(_LIGHT)
# Of outcomes on a page: what succeeded (2), and what the service or its limits refused (3), by weight.
_STATUS = {
    "light": ["#6A9A2D", "#94BB5A", "#8F1D21", "#D1343A", "#EE8F8B"],
    "dark": ["#8FBF4F", "#5E7F35", "#FF9A93", "#E5484D", "#A23B3E"],
}
#: Outcomes and the places of their colours on a page.
STATUS: Mapping[str, int] = {
    name: NAMED + place
    for place, name in enumerate(("success", "cache-hit", "server-error", "throttled-backend", "throttled-gateway"))
}
# Shades of one hue that is almost grey, from the strongest to the faintest.
_SHADES = {
    "light": ["#34506C", "#496684", "#5F7C9A", "#7791AD", "#8FA6BE", "#A6B9CD", "#BCCBDA", "#CFDAE5"],
    "dark": ["#C9D6E3", "#AFBFD1", "#97A9BE", "#8094AB", "#6B8099", "#586C85", "#475B73", "#3B4D63"],
}

#: The place of the strongest shade.
FIRST_SHADE = NAMED + len(STATUS)
#: Names that have their colour everywhere, by column, as places in a template's colours: how a request ended (what the
#: caller caused has shades; on a report's page they follow the order of its series), and the usual models. Models of
#: one generation differ; another model gets a colour that a figure has left.
KNOWN_COLORS: Mapping[str, Mapping[str, int]] = {
    "Outcome": {
        **STATUS,
        "client-error": FIRST_SHADE, "unauthorized": FIRST_SHADE + 2, "content-filter": FIRST_SHADE + 4,
        "not-found": FIRST_SHADE + 5, "client-closed": FIRST_SHADE + 7,
    },
    "ModelName": {
        "gpt-4o": 0, "gpt-4o-mini": 4, "gpt-4.1": 2, "gpt-4.1-mini": 8, "gpt-4.1-nano": 6, "gpt-5": 5, "gpt-5-mini": 1,
        "o4-mini": 7, "text-embedding-3-large": 3, "text-embedding-3-small": 10,
        "gpt-5.4": 0, "gpt-5.4-mini": 4, "gpt-5.4-nano": 8, "gpt-5.5": 2, "gpt-5.6-sol": 5, "gpt-5.6-luna": 1,
        "gpt-5.6-terra": 6, "gpt-5.2": 7, "o3": 3,
    },
}  # fmt: skip
#: What workbooks call the colours at these places.
WORKBOOK_COLORS = {
    0: "blue", 1: "orange", 2: "green", 3: "magenta", 4: "lightBlue", 5: "redBright", 6: "yellow", 7: "purple",
    8: "turquoise", 10: "gray",
    **dict(zip(STATUS.values(), ("green", "turquoise", "redBright", "orange", "yellow"), strict=True)),
    FIRST_SHADE: "blue", FIRST_SHADE + 2: "purple", FIRST_SHADE + 4: "magenta", FIRST_SHADE + 5: "lightBlue",
    FIRST_SHADE + 7: "gray",
}  # fmt: skip


def color_of(column: str, name: str) -> str:
    """The colour of a name of ``KNOWN_COLORS`` on white, as ``#rrggbb``."""
    return str(templates()["light"]["layout"]["colorway"][KNOWN_COLORS[column][name]])


#: plotly's settings for every figure. Without the first two, a figure has a button that uploads its data to plotly.com.
CONFIG = {
    "showSendToCloud": False,
    "plotlyServerURL": "",
    "displaylogo": False,
    "modeBarButtonsToRemove": ["lasso2d", "select2d", "autoScale2d", "zoomIn2d", "zoomOut2d"],
}

_THEMES: dict[str, dict[str, Any]] = {
    "light": {
        "paper": "#ffffff",
        "ink": "#1f2328",
        "muted": "#57606a",
        "grid": "#e3e6ea",
        "colors": _LIGHT,
        "scale": [[0, "#eef4fa"], [0.35, "#9cc4e0"], [0.7, "#2f80b9"], [1, "#08375c"]],
    },
    "dark": {
        "paper": "#1b1f24",
        "ink": "#e6e9ed",
        "muted": "#a3abb5",
        "grid": "#343a42",
        "colors": _DARK,
        "scale": [[0, "#22303c"], [0.35, "#2f6690"], [0.7, "#6db3de"], [1, "#e6f4ff"]],
    },
}


@cache
def templates() -> dict[str, dict[str, Any]]:
    """The plotly templates ``light`` and ``dark``, as JSON-ready dictionaries. Do not modify them."""
    return {name: _template(name, theme) for name, theme in _THEMES.items()}


def _template(name: str, theme: dict[str, Any]) -> dict[str, Any]:
    axis = {
        "gridcolor": theme["grid"],
        "linecolor": theme["grid"],
        "zerolinecolor": theme["grid"],
        "tickcolor": theme["grid"],
        "tickfont": {"color": theme["muted"], "size": 12},
        "title": {"font": {"color": theme["muted"], "size": 12}, "standoff": 10},
        "automargin": True,
        "ticklabeloverflow": "allow",  # the last day has its label too
        # 1.2M and 3B rather than 1.2e6 and 3G.
        "exponentformat": "B",
        "separatethousands": True,
    }
    return {
        "layout": {
            "font": {"family": FONT, "size": 13, "color": theme["ink"]},
            "title": {"font": {"size": 16}, "x": 0, "xref": "paper", "xanchor": "left"},
            "paper_bgcolor": theme["paper"],
            "plot_bgcolor": theme["paper"],
            "colorway": [*theme["colors"], *_STATUS[name], *_SHADES[name]],
            "colorscale": {"sequential": theme["scale"]},
            "coloraxis": {"colorbar": {"outlinewidth": 0, "thickness": 12, "tickfont": {"color": theme["muted"]}}},
            "xaxis": axis,
            "yaxis": axis,
            "legend": {
                "orientation": "h",
                "x": 0,
                "xanchor": "left",
                "y": 1.02,
                "yanchor": "bottom",
                "font": {"size": 12},
                "bgcolor": "rgba(0,0,0,0)",
            },
            "margin": {"l": 8, "r": 24, "t": 24, "b": 8},
            "bargap": 0.25,
            "hoverlabel": {
                "bgcolor": theme["paper"],
                "bordercolor": theme["muted"],
                "font": {"family": FONT, "color": theme["ink"], "size": 13},
                "align": "left",
                "namelength": -1,
            },
            "modebar": {
                "bgcolor": "rgba(0,0,0,0)",
                "color": theme["muted"],
                "activecolor": theme["ink"],
                "orientation": "v",
            },
        },
        "data": {
            "bar": [{"marker": {"line": {"color": theme["paper"], "width": 0.5}}}],
        },
    }
