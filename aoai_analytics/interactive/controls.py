"""Controls in a notebook: choose a query of the library, its parameters, a period and filters, and see the answer."""

from __future__ import annotations

import json
from collections.abc import Mapping
from contextlib import suppress
from datetime import date, timedelta
from html import escape
from typing import TYPE_CHECKING, Any

from .. import extras
from ..dimensions import dimension_functions, only_setting, own_dimensions
from ..engines import Engine, connect
from ..engines.kql.parameters import Parameter
from ..errors import AoaiError
from ..format.periods import moment
from ..library import library
from ..prices import own_functions as price_functions
from ..reporting import Report
from ..reporting.render.display import display_block

if TYPE_CHECKING:
    import ipywidgets

#: Filter -> the column of AoaiRequests.
FILTERS = {"Team": "Team", "Subscription": "SubscriptionId", "Model": "ModelName", "User": "User"}
#: Most values that a filter offers; any other can be typed.
_OFFERED = 100


def explore(report: Report) -> ipywidgets.VBox:
    """Controls for the queries of the library on *report*'s source; the notebook shows what a call returns.

    They begin with the report's period. Raises MissingExtra without ipywidgets.
    """
    with extras.named():
        return Controls(report).box


class Controls:
    """The widgets, by what they choose, and ``box``, which holds them."""

    def __init__(self, report: Report) -> None:
        import ipywidgets as widgets

        self._report = report
        self._engines: dict[tuple[tuple[str, str], ...], Engine] = {}
        self.section = widgets.Dropdown(description="Section", options=library().sections)
        self.query = widgets.Dropdown(description="Query", layout={"width": "520px"})
        self.parameters: dict[str, Any] = {}
        self._defaults: dict[str, Any] = {}
        self.start = widgets.DatePicker(description="From", value=_day(report, report.start))
        last = report.end and report.end - timedelta(microseconds=1)
        self.end = widgets.DatePicker(description="To (incl.)", value=_day(report, last))
        self.filters = {
            name: widgets.Combobox(
                description=name,
                options=_values(report, column),
                placeholder="all",
                style={"description_width": "90px"},
            )
            for name, column in FILTERS.items()
        }
        self.run = widgets.Button(description="Run", button_style="primary", icon="play")
        self.answer = widgets.Output()
        # Not disabled: some browsers let nobody select the text of a disabled field.
        self.cell = widgets.Textarea(
            description="Copy as cell", placeholder="The code of the answer", layout={"width": "98%"}, rows=1
        )
        self._fields = widgets.VBox()
        self.box = widgets.VBox(
            [
                widgets.HBox([self.section, self.query]),
                self._fields,
                widgets.HBox([self.start, self.end]),
                widgets.HBox([*self.filters.values()], layout={"flex_flow": "row wrap"}),
                self.run,
                self.answer,
                self.cell,
            ]
        )
        self.section.observe(lambda _: self._list_queries(), "value")
        self.query.observe(lambda _: self._list_parameters(), "value")
        self.run.on_click(lambda _: self._show())
        self._list_queries()
        with suppress(ValueError):
            self.section.value = "tokens"

    def _list_queries(self) -> None:
        listed = library().section(self.section.value)
        self.query.options = [(query.question, query.name) for query in listed]
        self._list_parameters()

    def _list_parameters(self) -> None:
        if self.query.value is None:
            return
        query = library().get(self.query.value)
        declared, fitted = query.parameters, self._report.fitted(query, {})
        self.parameters = {
            name: _field(parameter, fitted.get(name)) for name, parameter in declared.items() if name != "timeZone"
        }
        self._defaults = {name: field.value for name, field in self.parameters.items()}
        self._fields.children = tuple(
            _explained(field, declared[name].about) for name, field in self.parameters.items()
        )

    def _chosen(self) -> dict[str, Any]:
        """The parameters that differ from their defaults."""
        return {name: field.value for name, field in self.parameters.items() if field.value != self._defaults[name]}

    def _filtered(self) -> dict[str, str]:
        return {FILTERS[name]: box.value.strip() for name, box in self.filters.items() if box.value.strip()}

    def _narrowed(self) -> Engine:
        """The report's engine, or one of the same source that keeps the requests of the filters."""
        filtered = self._filtered()
        if not filtered:
            return self._report.engine
        key = tuple(sorted(filtered.items()))
        if key not in self._engines:
            only = only_setting() | {name: ("" if value == "(none)" else value,) for name, value in filtered.items()}
            functions = price_functions() | dimension_functions(own_dimensions(), only)
            self._engines[key] = connect(str(self._report.engine.source), functions=functions)
        return self._engines[key]

    def _show(self) -> None:
        self.run.disabled, self.run.description = True, "Running…"
        try:
            self._answer()
        finally:
            self.run.disabled, self.run.description = False, "Run"

    def _answer(self) -> None:
        self.cell.value = ""
        query = library().get(self.query.value)
        zone = self._report.time_zone
        after = self.end.value and self.end.value + timedelta(days=1)
        with self.answer:
            self.answer.clear_output(wait=True)
            try:
                values = self._chosen()
                report = Report(
                    self._narrowed(),
                    self._report.queries,
                    start=moment(self.start.value, zone, "start"),
                    end=moment(after, zone, "end"),
                    time_zone=zone,
                    show_prompts=self._report.show_prompts,
                )
                answer = report.answer(query.name, **values)
            except AoaiError as error:
                print(error)
                return
            display_block(answer)
            self.cell.value = _as_cell(report, query.name, values, self.start.value, after, self._filtered())
            self.cell.rows = self.cell.value.count("\n") + 1


def _day(report: Report, at: Any) -> date | None:
    from ..format.periods import zone

    return at.astimezone(zone(report.time_zone)).date() if at else None


def _values(report: Report, column: str) -> list[str]:
    """The most frequent values of a column; none where the source cannot say."""
    kql = f"AoaiRequests | summarize N = count() by {column} | top {_OFFERED} by N | project {column}"
    try:
        found = report.frame(kql)[column].tolist()
    except AoaiError:
        return []
    return sorted({str(value) for value in found if value})


def _default(parameter: Parameter) -> str:
    """A parameter's default as a field shows it."""
    text = parameter.default.strip()
    return text[1:-1] if text[:1] in "\"'" else text


def _field(parameter: Parameter, fitted: Any = None) -> Any:
    """The field of a parameter; *fitted* is what the report takes where nothing else is chosen."""
    import ipywidgets as widgets

    look = {"description": parameter.name, "tooltip": parameter.about, "style": {"description_width": "initial"}}
    if parameter.name == "step" and fitted is not None:
        # It changes with the period that is chosen.
        return widgets.Text(placeholder="fits the period", **look)
    default = str(fitted) if isinstance(fitted, int) else _default(parameter)
    if parameter.choices:
        options = [(choice or "(unchanged)", choice) for choice in parameter.choices]
        return widgets.Dropdown(options=options, value=default, **look)
    with suppress(ValueError):
        if parameter.type in ("int", "long"):
            return widgets.IntText(value=int(default), **look)
        if parameter.type == "real":
            return widgets.FloatText(value=float(default), **look)
    if parameter.type == "bool":
        return widgets.Checkbox(value=default == "true", **look)
    return widgets.Text(value=default, placeholder=parameter.type, **look)


def _explained(field: Any, about: str) -> Any:
    """A parameter's field with what it means beside it: a tooltip is not seen by touch or keyboard."""
    import ipywidgets as widgets

    return widgets.HBox([field, widgets.HTML(escape(about))])


def _as_cell(
    report: Report,
    name: str,
    values: Mapping[str, Any],
    start: date | None,
    after: date | None,
    filtered: Mapping[str, str],
) -> str:
    """The code that shows the same. A period of its own is another report: the notebook's one keeps its period."""
    lines, shown = [], "report"
    if filtered:
        pairs = ", ".join(json.dumps(f"{column}={value}", ensure_ascii=False) for column, value in filtered.items())
        lines.append(f"# in aoai.toml: only = [{pairs}]")
    if start or after:
        shown = "narrowed"
        period = f"{str(start) if start else None!r}, {str(after) if after else None!r}"
        prompts = ", show_prompts=True" if report.show_prompts else ""
        lines.append(f"narrowed = open_report(source, {period}, time_zone={report.time_zone!r}{prompts})")
    given = "".join(f", {key}={value!r}" for key, value in values.items())
    return "\n".join([*lines, f'{shown}.show("{name}"{given})'])
