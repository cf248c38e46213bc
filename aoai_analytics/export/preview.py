"""Preview of the workbook with local data: what the portal would show, without Azure.

Built from the workbook's own JSON: it walks the steps, fills in their parameters and runs their queries on the
local engine or any other. Steps that need a selected row use the first one, so that their details are visible too.
Prompts stay hidden unless requested. All text from logs is escaped, and the page makes no network requests.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from contextlib import suppress
from datetime import datetime, timedelta
from importlib.resources import files
from typing import TYPE_CHECKING, Any

from ..charts import CONFIG, templates
from ..engines.local import LocalEngine
from ..engines.protocol import Engine, QueryResult
from ..errors import AoaiError, UnknownName, WrongUse
from ..format.numbers import is_missing
from ..library import privacy
from ..library.queries import library
from .preview_visuals import Shown, shown
from .workbook.filling import Chosen, filled, is_visible, parameters, steps

if TYPE_CHECKING:
    from collections.abc import Callable

#: Parameters set by links on the page; the browser shows and hides their steps.
_LINK = "parameter"


def preview_html(
    workbook: Mapping[str, Any],
    engine: Engine,
    *,
    start: datetime | None,
    end: datetime | None,
    show_prompts: bool = False,
    source: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> str:
    """The page of *workbook* for start <= time < end; None means the beginning or end of the gateway's log.

    A failed query shows its error in its place. A lake stores what most of a query's text defines, and its
    engine computes the rest: that text is left out for a lake, because parsing it takes seconds per query. Raises
    WrongUse if there is no log, AoaiError if the source cannot be queried.

    *progress* is called with (finished queries, all queries). *source* is named in the page's footer line.
    """
    import jinja2
    from plotly.offline import get_plotlyjs

    if start is None or end is None:
        first, last = _extent(engine)
        start, end = start or first, end or last
    page = _Page(workbook, engine, start, end, show_prompts, progress)
    body = page.items(workbook["items"])
    environment = jinja2.Environment(autoescape=True, trim_blocks=True, lstrip_blocks=True)
    template = environment.from_string((files(__package__) / "templates/preview.html").read_text("utf-8"))
    return template.render(
        items=body,
        linked=page.linked,
        range=f"{start:%Y-%m-%d %H:%M} to {end:%Y-%m-%d %H:%M} UTC",
        source=source,
        plotly=get_plotlyjs(),
        config=json.dumps(CONFIG),
        themes=json.dumps(templates()).replace("<", "\\u003c"),
    )


class _Page:
    """Walks the steps; ``linked`` holds each link parameter's initial value."""

    def __init__(
        self,
        workbook: Mapping[str, Any],
        engine: Engine,
        start: datetime,
        end: datetime,
        show_prompts: bool,
        progress: Callable[[int, int], None] | None,
    ):
        self.declared = parameters(workbook)
        self.linked = _links(workbook)
        self.engine, self.start, self.end, self.progress = engine, start, end, progress
        self.values: dict[str, Any] = {"Prompts": "shown" if show_prompts else "hidden"}
        self.lean = isinstance(engine, LocalEngine)
        self.asked = 0
        self.all = sum(step["type"] == 3 for step in steps(workbook["items"]))

    def items(self, items: list[dict[str, Any]]) -> list[dict[str, Any]]:
        return [made for made in (self._item(item) for item in items) if made]

    def _item(self, item: dict[str, Any]) -> dict[str, Any] | None:
        condition = item.get("conditionalVisibility")
        when = None
        if condition and condition["parameterName"] in self.linked:
            when = [condition["parameterName"], condition["value"]]
        elif not is_visible(item, {name: str(value) for name, value in self.values.items()}):
            return None
        kind, content = item["type"], item["content"]
        made: dict[str, Any] = {
            "kind": kind,
            "when": when,
            "width": item.get("customWidth", "100"),
            "name": item["name"],
        }
        if kind == 1:
            made |= {"html": _markdown(content["json"]), "style": content.get("style", "")}
        elif kind == 9:
            made["fields"] = [field for each in content["parameters"] if (field := self._field(each))]
            return made if made["fields"] else None
        elif kind == 11:
            made["links"] = [(link["cellValue"], link["subTarget"], link["linkLabel"]) for link in content["links"]]
        elif kind == 12:
            made |= {"title": content.get("title", ""), "items": self.items(content["items"])}
        elif kind == 3:
            made |= {"shown": self._shown(content, item["name"]), "title": content["title"]}
        return made

    def _chosen(self) -> Chosen:
        return Chosen(self.start, self.end, self.values, stored=self.lean, computed=self.lean)

    def _ask(self, kql: str, no_text: Collection[str] = ()) -> QueryResult:
        text = filled(kql, self.declared, self._chosen())
        start, end = (self.start, self.end) if self.lean else (None, None)
        answer = self.engine.query(text, start=start, end=end)
        return privacy.shown(answer, text, show_prompts=self.values["Prompts"] == "shown", no_text=no_text)[0]

    def _field(self, parameter: dict[str, Any]) -> dict[str, Any] | None:
        """A parameter's label, value and available values; hidden parameters are only computed."""
        name = parameter["name"]
        options: list[str] = []
        if parameter.get("queryType") == 0 and "query" in parameter:
            rows = self._ask(parameter["query"]).frame
            if parameter.get("isHiddenWhenLocked"):
                self.values[name] = "" if rows.empty else str(rows.iloc[0, 0])
                return None
            options = [str(label) for label in rows["label"]]
        if parameter.get("isHiddenWhenLocked"):
            return None
        value = self.values.get(name, parameter.get("value", ""))
        if parameter["type"] == 4:
            value = f"{self.start:%Y-%m-%d %H:%M} to {self.end:%Y-%m-%d %H:%M}"
        elif parameter["type"] == 5:
            value = "preview lake"
        elif parameter.get("multiSelect"):
            value = "All"
        elif "jsonData" in parameter:
            choices = json.loads(parameter["jsonData"])
            value = next((each["label"] for each in choices if each["value"] == value), value)
        return {
            "label": parameter["label"],
            "value": value or "",
            "options": options,
            "about": parameter.get("description", ""),
            "text": parameter["type"] == 1,
        }

    def _shown(self, content: dict[str, Any], step: str) -> Shown:
        """The visual of a *step*'s query; if its rows can be selected, the first one is selected."""
        self.asked += 1
        if self.progress:
            self.progress(self.asked, self.all)
        try:
            answer = self._ask(content["query"], _no_text(step))
        except AoaiError as error:
            return Shown("error", message=str(error))
        exports = content.get("exportedParameters", [])
        for export in exports:
            if len(answer.frame):
                self.values[export["parameterName"]] = str(answer.frame.iloc[0][export["fieldName"]])
        return shown(content, answer, selected=bool(exports))


def _no_text(step: str) -> frozenset[str]:
    """The columns without text that the library vouches for of a step's query, whose name is part of the step's."""
    for word in step.split():
        with suppress(UnknownName):
            return privacy.no_text(library().get(word))
    return frozenset()


def _extent(engine: Engine) -> tuple[datetime, datetime]:
    """From the hour of the gateway log's first record to the end of the hour of its last."""
    ends = "ApiManagementGatewayLogs | summarize First = min(TimeGenerated), Last = max(TimeGenerated)"
    row = engine.query(ends).frame.iloc[0]
    if is_missing(row["First"]):
        raise WrongUse("no gateway records to show: choose another --source, or ingest logs first")
    hour = {"minute": 0, "second": 0, "microsecond": 0}
    return row["First"].to_pydatetime().replace(**hour), row["Last"].to_pydatetime().replace(**hour) + timedelta(
        hours=1
    )


def _links(workbook: Mapping[str, Any]) -> dict[str, str]:
    """Each parameter set by links, with the first link's value."""
    found: dict[str, str] = {}
    for step in steps(workbook["items"]):
        if step["type"] == 11:
            for link in step["content"]["links"]:
                if link["linkTarget"] == _LINK:
                    found.setdefault(link["cellValue"], link["subTarget"])
    return found


def _markdown(text: str) -> str:
    import mistune

    return str(mistune.create_markdown(escape=True)(text))
