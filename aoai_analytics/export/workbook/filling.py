"""Evaluates a workbook's steps like the service: which are visible, and a query's text with its parameters filled
in.

For tests and the preview, which have no service. It supports what this workbook uses: text, drop-down and
time parameters, their formats, and conditional visibility.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any

from ...engines.kql.functions import shipped_functions
from ...schema.tables import TABLES
from .parts import PREFIX, TOKEN, left_out

#: Interval of points by the length of the range, like the service's ``:grain``; the service documents only
#: 30 minutes at a day (Documentation/Parameters/Time.md).
_GRAINS = ((1, "1m"), (4, "5m"), (12, "15m"), (24, "30m"), (72, "1h"), (7 * 24, "6h"), (90 * 24, "1d"))


@dataclass(frozen=True)
class Chosen:
    """A reader's choices: the range, and values of other parameters; the rest keep the workbook's defaults.

    A value of a multi-select drop-down is a list of values (as the parameter's query gives them), of any other
    parameter a text. ``stored`` leaves out the parts of queries that define the tables that a lake stores; ``computed``
    also those that the local engine itself computes from these: the engine must then be queried for the
    range, and no filter or price may be chosen, because its own functions ignore them. Tests check that the results
    equal those of the full text; parsing the full text takes the local engine seconds per query.
    """

    start: datetime
    end: datetime
    values: Mapping[str, Any] = field(default_factory=dict)
    stored: bool = False
    computed: bool = False


def steps(items: list[dict[str, Any]]) -> Iterator[dict[str, Any]]:
    """Every step, including those inside groups."""
    for item in items:
        yield item
        if item["type"] == 12:
            yield from steps(item["content"]["items"])


def parameters(workbook: Mapping[str, Any]) -> dict[str, dict[str, Any]]:
    """The parameters declared by parameter steps, by name."""
    return {
        parameter["name"]: parameter
        for step in steps(workbook["items"])
        if step["type"] == 9
        for parameter in step["content"]["parameters"]
    }


def filled(text: str, declared: Mapping[str, dict[str, Any]], chosen: Chosen) -> str:
    """*text* with each ``{Name}`` and ``{Name:format}`` replaced, once; undeclared and unset names stay."""

    def value(match: Any) -> str:
        name, form = match[1], match[2] or ""
        if name == "TimeRange":
            return _time(chosen, form)
        if name not in declared and name not in chosen.values:
            return str(match[0])
        if chosen.stored and left_out(name):
            return ""
        if chosen.computed and (own := _computed(name)):
            # Of a part for a function inside another, and one for the question, only the latter gives the name.
            return f"let {own}_Between = {own};" if "_Between" in name else ""
        return _formatted(_raw(declared.get(name, {}), chosen.values.get(name)), form)

    return TOKEN.sub(value, text)


def is_visible(step: Mapping[str, Any], values: Mapping[str, str]) -> bool:
    """Whether *step* itself is visible with these parameter *values*; an unset parameter is empty."""
    condition = step.get("conditionalVisibility")
    if not condition:
        return True
    same = values.get(condition["parameterName"], "") == condition["value"]
    return same if condition["comparison"] == "isEqualTo" else not same


def _computed(name: str) -> str:
    """The function whose rows the hidden parameter *name* defines for the range, if the engine has it."""
    own = name.removeprefix(PREFIX).split("_Between")[0]
    return (
        own
        if name.startswith(PREFIX) and own in shipped_functions() and own not in TABLES and own != "AoaiPrices"
        else ""
    )


def _raw(parameter: Mapping[str, Any], given: Any) -> str:
    value = parameter.get("value", "") if given is None else given
    if parameter.get("multiSelect"):
        if value == ["value::all"]:
            return str(parameter["typeSettings"]["selectAllValue"])
        quote = parameter["quote"]
        return str(parameter["delimiter"]).join(f"{quote}{each}{quote}" for each in value)
    return str(value)


def _formatted(value: str, form: str) -> str:
    # JSON escapes, with non-ASCII characters unchanged.
    return json.dumps(value, ensure_ascii=False)[1:-1] if form == "escapejson" else value


def _time(chosen: Chosen, form: str) -> str:
    if form == "grain":
        return grain(chosen.end - chosen.start)
    if form in ("start", "end"):
        moment = (chosen.start if form == "start" else chosen.end).astimezone(UTC)
        return f"datetime({moment:%Y-%m-%dT%H:%M:%S}.{moment.microsecond // 1000:03}Z)"
    return f"{chosen.start:%Y-%m-%d %H:%M} to {chosen.end:%Y-%m-%d %H:%M}"


def grain(span: timedelta) -> str:
    """The interval of points in a chart over *span*, as a KQL timespan."""
    hours = span / timedelta(hours=1)
    return next((width for longest, width in _GRAINS if hours <= longest), "7d")
