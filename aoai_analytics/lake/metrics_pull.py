"""Bringing the metrics of model accounts into a lake: by account and minute, each settled hour once.

An hour that is old enough not to grow any more gets a mark in the commit that brings it, as in ``pull``, so a pull may
be stopped at any moment and run again. Younger hours are asked for again; what was known stays, and what grew is added
(``AoaiAccountMetrics`` takes the larger value).
"""

from __future__ import annotations

import re
import time
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, fields
from datetime import UTC, datetime, timedelta
from typing import Any

from ..engines.credentials import checked_endpoint, credential_for, is_plain_http
from ..errors import PartialResult, SourceError, WrongUse
from ..format.periods import utc
from ..schema.sources import AZURE_METRICS
from .delta import Lake
from .duplicates import without_known
from .journal import Journal
from .records import SHAPES, to_arrow, to_row

NAMESPACE = "Microsoft.CognitiveServices/accounts"
#: Tokens and calls, which accounts of Azure OpenAI and Foundry both have:
#: https://learn.microsoft.com/azure/ai-foundry/openai/monitor-openai-reference
METRICS = ("ProcessedPromptTokens", "GeneratedTokens", "AzureOpenAIRequests")
#: Of provisioned deployments, in percent: an average, which has no total.
UTILIZATION = "AzureOpenAIProvisionedManagedUtilizationV2"
_BY_DEPLOYMENT = "ModelDeploymentName eq '*' and ModelName eq '*'"
#: Of deployments and models of one account that an answer may have.
_MOST_SERIES = 1000
#: Azure keeps metrics so long.
KEPT = timedelta(days=93)
#: Values of hours that ended less long ago may still grow.
SETTLED = timedelta(hours=3)
_MOST_HOURS = 24
_HOUR = timedelta(hours=1)
_RESOURCE = re.compile(
    r"(?i)/subscriptions/[\w-]+/resourcegroups/[^/]+/providers/microsoft\.cognitiveservices/accounts/[^/]+"
)


@dataclass
class MetricsSummary:
    """What a pull of metrics did: values ``new`` to the lake and ``duplicate`` ones, ``hours`` asked for and those
    ``known`` already (both counted for each account), and ``seconds``."""

    new: int = 0
    duplicate: int = 0
    hours: int = 0
    known: int = 0
    seconds: float = 0.0

    def __add__(self, other: MetricsSummary) -> MetricsSummary:
        return MetricsSummary(*(getattr(self, f.name) + getattr(other, f.name) for f in fields(self)))


def pull_metrics(
    resources: Sequence[str],
    lake: Lake,
    *,
    region: str,
    start: datetime,
    end: datetime | None = None,
    credential: Any = None,
    endpoint: str = "",
    progress: Callable[[int, int], None] | None = None,
) -> MetricsSummary:
    """Bring metrics of the accounts *resources* (resource ids of one *region*) into ``AzureMetrics``: tokens, calls,
    and the utilization of provisioned deployments.

    From *start* to before *end* (None: now), in whole hours; needs Monitoring Reader on the subscription. *endpoint*
    replaces the region's. *progress* is called with (hours done, hours to do). Raises WrongUse; SourceError where the
    service cannot be asked or refuses; PartialResult where an answer is cut; LakeError. What was pulled before stays.
    """
    began = time.perf_counter()
    wrong = [resource for resource in resources if not _RESOURCE.fullmatch(resource)]
    if wrong or not resources:
        raise WrongUse("--resource must be the resource id of an account: /subscriptions/…/accounts/NAME")
    if not re.fullmatch(r"[a-z][a-z0-9]+", region):
        raise WrongUse("--region must be the region of the accounts, e.g. swedencentral")
    now = datetime.now(UTC)
    start = max(utc(start), now - KEPT).replace(minute=0, second=0, microsecond=0)
    end = min(utc(end) if end else now, now)
    if start >= end:
        raise WrongUse("the start of a pull must be before its end, and within the 93 days that Azure keeps metrics")
    url = checked_endpoint(endpoint or f"https://{region}.metrics.monitor.azure.com")
    summary = MetricsSummary()
    with lake.lock():
        Journal(lake).recover()
        runs = [(one.lower(), run) for one in dict.fromkeys(resources) for run in _runs(lake, one, start, end, summary)]
        total = summary.hours
        done = 0
        with _client(url, credential) as client:
            for resource, run in runs:
                until = min(end, run[-1] + _HOUR)
                records = list(_records(client, resource, run[0], until, plain=is_plain_http(url)))
                _write(lake, resource, records, [hour for hour in run if hour + _HOUR + SETTLED <= now], summary)
                done += len(run)
                if progress:
                    progress(done, total)
    summary.seconds = time.perf_counter() - began
    return summary


def _client(url: str, credential: Any) -> Any:
    from azure.monitor.querymetrics import MetricsClient

    return MetricsClient(url, credential_for(credential))


def _mark(resource: str, hour: datetime) -> str:
    return f"metrics/{resource.lower()}/{hour:%Y-%m-%dT%H}"


def _runs(
    lake: Lake, resource: str, start: datetime, end: datetime, summary: MetricsSummary
) -> Iterator[list[datetime]]:
    """The hours to ask for, in runs of consecutive ones."""
    hours = [start + n * _HOUR for n in range(-((start - end) // _HOUR))]
    marks = lake.transactions(AZURE_METRICS.name, [_mark(resource, hour) for hour in hours])
    todo = [hour for hour in hours if _mark(resource, hour) not in marks]
    summary.known += len(hours) - len(todo)
    summary.hours += len(todo)
    run: list[datetime] = []
    for hour in todo:
        if run and (hour - run[-1] > _HOUR or len(run) == _MOST_HOURS):
            yield run
            run = []
        run.append(hour)
    if run:
        yield run


def _records(client: Any, resource: str, start: datetime, end: datetime, *, plain: bool) -> Iterator[dict[str, Any]]:
    """The values of one account, a record for each minute, deployment, model and metric."""
    from azure.core.exceptions import AzureError, ClientAuthenticationError, HttpResponseError

    try:
        answers = client.query_resources(
            resource_ids=[resource],
            metric_namespace=NAMESPACE,
            metric_names=[*METRICS, UTILIZATION],
            timespan=(start, end),
            granularity=timedelta(minutes=1),
            aggregations=["Total", "Average"],
            filter=_BY_DEPLOYMENT,
            max_results=_MOST_SERIES,
            permit_redirects=False,
            **({"enforce_https": False} if plain else {}),
        )
    except ClientAuthenticationError as error:
        raise SourceError("Azure Monitor refused the login: run 'az login', or use --credential") from error
    except HttpResponseError as error:
        if error.status_code in (401, 403):
            raise SourceError(
                "the login may not read these metrics: it needs Monitoring Reader on the subscription"
            ) from error
        raise SourceError(
            f"Azure Monitor refused the query of metrics ({error.status_code}): check region and account"
        ) from error
    except AzureError as error:
        raise SourceError("Azure Monitor's metrics cannot be reached; check the region, or try again later") from error
    for metric in (metric for answer in answers for metric in answer.metrics):
        if len(metric.timeseries) >= _MOST_SERIES:
            raise PartialResult(f"{metric.name} has {_MOST_SERIES:,} deployments and models or more: some are missing")
        for series in metric.timeseries:
            for point in series.data:
                value = "average" if metric.name == UTILIZATION else "total"
                if getattr(point, value) is not None:
                    yield {
                        "Type": AZURE_METRICS.name,
                        "time": point.timestamp.astimezone(UTC).isoformat(),
                        "resourceId": resource,
                        "metricName": metric.name,
                        "timeGrain": "PT1M",
                        "unit": metric.unit,
                        value: getattr(point, value),
                        "dimensions": dict(series.metadata_values),
                    }


def _write(
    lake: Lake, resource: str, records: list[dict[str, Any]], settled: list[datetime], summary: MetricsSummary
) -> None:
    """Commit values that the lake lacks, and with them the marks of the settled hours."""
    shape = SHAPES[AZURE_METRICS.name]
    rows = [to_row(record, shape) for record in records]
    fresh = without_known(lake, shape, rows)
    staged = lake.stage(shape.table.name, to_arrow(shape, fresh)) if fresh else []
    lake.commit(shape.table.name, staged, marks={_mark(resource, hour): 1 for hour in settled})
    summary.new += len(fresh)
    summary.duplicate += len(rows) - len(fresh)
