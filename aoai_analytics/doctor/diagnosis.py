"""The diagnosis: are there logs, and what is wrong with them?"""

from __future__ import annotations

from collections.abc import Iterator
from datetime import datetime

from ..engines.local import LocalEngine
from ..engines.protocol import Engine
from ..schema.tables import GATEWAY_LOGS, LLM_LOG
from . import rules
from .answers import Answers, total
from .findings import SEVERITIES, Finding, Hidden, finding


def diagnose(engine: Engine, start: datetime | None = None, end: datetime | None = None) -> list[Finding]:
    """Findings for the logs of start <= time < end (None: no bound), worst first; empty if all is well.

    Raises QueryError or SourceError if the engine fails.
    """
    answers = Answers(engine, start, end)
    found = [*_findings(answers), *_set_aside(engine)]
    for name, said in answers.partial.items():
        what = f"the result of {name} is incomplete" + (f": {said}" if said else "")
        found.append(finding("answer-incomplete", "problem", what))
    return sorted(found, key=lambda one: (SEVERITIES.index(one.severity), -(one.hidden.requests or 0)))


def _set_aside(engine: Engine) -> Iterator[Finding]:
    """What the ingests of a lake read and did not keep."""
    if not isinstance(engine, LocalEngine):
        return
    aside = engine.set_aside()
    counts = {"quarantined": aside.quarantined, "of other categories": aside.other}
    said = [
        f"{sum(found.values()):,} {what}: "
        + ", ".join(f"{name} ({count:,})" for name, count in list(found.items())[:10])
        for what, found in counts.items()
        if found
    ]
    if said:
        level = "warning" if aside.quarantined else "note"
        yield finding("records-set-aside", level, "records that no table holds: " + "; ".join(said))


def _findings(answers: Answers) -> list[Finding]:
    records = {row["TableName"]: int(row["Records"]) for row in answers.rows("tables")}
    gateway, llm = records[GATEWAY_LOGS.name], records[LLM_LOG.name]
    if not gateway and not llm:
        return [finding("no-records", "problem", "both log tables are empty in this period")]
    if not gateway:
        requests = int(answers.rows("repeated-records")[0]["Requests"])
        what = f"{GATEWAY_LOGS.name} has no records; {LLM_LOG.name} has {llm:,} records of {requests:,} requests"
        return [finding("gateway-log-empty", "problem", what, Hidden(requests=requests))]
    coverage = answers.rows("coverage-by-api")
    if not coverage:
        what = f"none of the {gateway:,} gateway records is a request to a language model"
        return [finding("no-model-requests", "problem", what)]
    found = rules.apply(answers)
    answered = total(coverage, "AnsweredRequests")
    if not llm and answered:
        # One finding is enough: do not repeat it for every API.
        found = [one for one in found if one.kind != "llm-logging-off"]
        of = Hidden(
            requests=answered,
            estimated_requests=total(coverage, "EstimatedRequests"),
            estimated_tokens=total(coverage, "EstimatedTokens"),
            unknown_requests=total(coverage, "UnknownRequests"),
        )
        what = f"{LLM_LOG.name} has no records, although {answered:,} requests were answered"
        found.append(finding("llm-log-empty", "problem", what, of))
    return found
