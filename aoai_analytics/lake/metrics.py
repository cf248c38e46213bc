"""The answers of Azure Monitor's metrics API as records of ``AzureMetrics``: of one resource, or of a batch.

``az monitor metrics list`` prints the first, ``azure-monitor-querymetrics`` asks for the second. Shapes:
https://learn.microsoft.com/rest/api/monitor/metrics/list and .../metrics-batch/batch.
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Mapping
from typing import Any

_AGGREGATES = ("total", "count", "maximum", "minimum", "average")


def metric_records(value: Mapping[str, Any]) -> list[dict[str, Any]] | None:
    """One record per point and series of a metrics response; None if *value* is not such a response.

    ``dimensions`` of a record are the series' names and values, e.g. ``ModelDeploymentName``.
    """
    answers = value.get("values") if isinstance(value.get("values"), list) else [value]
    if not answers or not all(_is_answer(answer) for answer in answers):
        return None
    return [record for answer in answers for record in _of_answer(answer)]


def _is_answer(value: Any) -> bool:
    """Whether *value* has metrics of one resource."""
    if not isinstance(value, dict) or not isinstance(value.get("value"), list):
        return False
    metrics = value["value"]
    return bool(metrics) and all(isinstance(one, dict) and isinstance(one.get("timeseries"), list) for one in metrics)


def _of_answer(answer: Mapping[str, Any]) -> Iterator[dict[str, Any]]:
    for metric in answer["value"]:
        said = str(answer.get("resourceid") or metric.get("resourceid") or metric.get("id") or "")
        fixed = {
            "Type": "AzureMetrics",
            "resourceId": re.sub(r"(?i)/providers/microsoft\.insights/metrics/.*$", "", said),
            "metricName": _name(metric.get("name")),
            "timeGrain": _grain(str(answer.get("interval") or "")),
            "unit": metric.get("unit"),
        }
        for series in metric["timeseries"]:
            named = series.get("metadatavalues") or []
            dimensions = {_name(one.get("name")): one.get("value") for one in named}
            for point in series.get("data") or []:
                values = {name: point[name] for name in _AGGREGATES if point.get(name) is not None}
                if values:
                    yield fixed | {"time": point.get("timeStamp"), "dimensions": dimensions} | values


def _name(value: Any) -> str:
    """A localizable name's own value."""
    return str(value.get("value") or "") if isinstance(value, dict) else str(value or "")


def _grain(text: str) -> str:
    """An interval as AzureMetrics has it: the Azure CLI may print PT1M as 0:01:00."""
    clock = re.fullmatch(r"(\d+):(\d\d):00", text)
    if not clock:
        return text
    hours, minutes = int(clock[1]), int(clock[2])
    return "PT" + (f"{hours}H" if hours else "") + (f"{minutes}M" if minutes else "")
