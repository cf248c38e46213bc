"""``aoai setup prove``: an installation of its own, called, asked, compared with what clients say, and deleted."""

from __future__ import annotations

import math
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import UTC, datetime, timedelta
from typing import Any, Protocol

from ..errors import AoaiError, SetupError
from . import exercises
from .before import deleted_resources
from .findings import MET, NOT_ASKED, NOT_MET, Finding
from .firing import fired
from .guide import Guide
from .requirements.gateway import subscriptions_of
from .steps import STEPS, modules_of
from .told import NUMBER, Told, Total, Totals, call_many, totals

#: Hours that a run keeps the installation, at most in most cases.
HOURS = 3
#: Tokens of a call and its answer, about.
_TOKENS_PER_CALL = 120
#: Seconds between the calls that are compared and the exercises, so that clocks may differ.
_PAUSE = 10.0
#: Seconds after which no further record of calls that are all logged is expected.
_STILL = 900.0
#: How long after the run's end the alert on logs that stopped is asked: the calls are then those of the day before.
_SILENCE = timedelta(days=1)
#: Options that close the installation to whoever proves it, or that need a secret first.
CLOSED = ("privateNetwork", "applicationGateway", "semanticCache")

#: How the calls ended, by the logs.
ENDED = """AoaiRequests
| extend Deployment = iff(ResponseCode == 200, DeploymentName, "")
| summarize Requests = count(), Prompt = sum(PromptTokens), Completion = sum(CompletionTokens)
    by SubscriptionId, Surface, Deployment, ResponseCode"""

#: Answers whose record with tokens is not there, or not yet.
WITHOUT_TOKENS = """AoaiRequests
| where ResponseCode == 200 and TokenSource !in ("llm-log", "usage", "usage-fragment", "not-billed")
| summarize Requests = count()"""

#: Each call, by its number in the URL; a number that the log has twice is there twice.
NUMBERED = f"""ApiManagementGatewayLogs
| extend Number = toint(extract(@"[?&]{NUMBER}=(\\d+)", 1, Url))
| where isnotnull(Number)
| distinct CorrelationId, Number
| join kind=leftouter hint.strategy=shuffle AoaiRequests on CorrelationId
| extend Deployment = iff(ResponseCode == 200, DeploymentName, "")
| project Number, SubscriptionId, Surface, Deployment, ResponseCode,
    Prompt = PromptTokens, Completion = CompletionTokens"""

Row = dict[str, Any]
#: Asks a query of a period: rows. Raises AoaiError.
Ask = Callable[[str, datetime, datetime], list[Row]]


class Questions(Protocol):
    """What is asked of the logs, and where. The names of queries are those of their files."""

    @property
    def library(self) -> Mapping[str, str]:
        """The queries of the library."""

    @property
    def alerts(self) -> Mapping[str, str]:
        """The queries of the alert rules."""

    @property
    def made_alerts(self) -> Mapping[str, tuple[str, str]]:
        """Alert rule -> its query over records made for it: those that must fire it, and those that must not."""

    def firing(self, until: datetime) -> Mapping[str, str]:
        """Queries of alert rules with thresholds so low that the run's own calls fire them; *until*: long after it."""

    def workbook(self, start: datetime, end: datetime) -> Mapping[str, str]:
        """The queries of the workbook for a period."""

    def workspace(self, guide: Guide) -> Ask:
        """Asks the workspace."""

    def lake(self, guide: Guide) -> Ask:
        """Asks a lake made from the archive. Raises AoaiError while the archive cannot be read."""


@dataclass
class Part:
    """A section of the page: a table, and how many of its rows failed."""

    title: str
    headings: tuple[str, ...]
    rows: list[tuple[str, ...]] = field(default_factory=list)
    failed: int = 0


@dataclass
class Proof:
    """What a run found, part by part."""

    started: datetime
    place: str
    parts: list[Part] = field(default_factory=list)

    @property
    def failed(self) -> int:
        """Rows that failed."""
        return sum(part.failed for part in self.parts)


def cost_of(guide: Guide, count: int) -> str:
    """What a run costs, in a sentence."""
    from .costs import AS_OF, hourly, unpriced

    gateway = unpriced(guide.parameters)
    price = hourly(guide.parameters) * HOURS
    tokens = count * _TOKENS_PER_CALL + 2 * sum(minute for minute, _ in exercises.limits_of(guide.parameters).values())
    return (
        f"about {max(1, math.ceil(price)):,} USD for {HOURS} hours of {guide.configuration.resource_group} "
        f"(list prices of {AS_OF}){', ' * bool(gateway)}{gateway}, and up to {tokens:,} tokens of the first model"
    )


def prove(
    guide: Guide,
    questions: Questions,
    *,
    count: int,
    wait_minutes: float,
    keep: bool = False,
    say: Callable[[str], None] = print,
) -> Proof:
    """Deploy, call, wait, ask, compare, and delete and purge unless *keep*.

    The resource group must not exist. A step that fails, also in a way that nobody foresaw, is a row of the proof, and
    what was made is deleted all the same. Raises SetupError if nothing was begun.
    """
    group = guide.configuration.resource_group
    if guide.arm.get(guide.configuration.group_id) is not None:
        raise SetupError(f"{group} exists already: prove needs a resource group of its own, which it deletes")
    place = "the sandbox on this machine" if guide.configuration.sandbox else f"Azure, {guide.configuration.location}"
    proof = Proof(datetime.now(UTC), place)
    try:
        for part in _run(guide, questions, count, wait_minutes, say):
            proof.parts.append(part)
            say(f"{part.title}: {part.failed:,} of {len(part.rows):,} failed" if part.failed else f"{part.title}: good")
    except Exception as error:
        # Hours of calls and answers are worth their page.
        proof.parts.append(Part("Stopped", ("Reason",), [(_reason(error),)], failed=1))
    finally:
        if not keep:
            proof.parts.append(_removed(guide, say))
    return proof


def _run(
    guide: Guide, questions: Questions, count: int, wait_minutes: float, say: Callable[[str], None]
) -> Iterator[Part]:
    guide.prepare()
    deployed = Part("Deployment", ("Step", "Result"))
    for step in (step for step in STEPS if modules_of(step)):
        start = time.monotonic()
        guide.deploy(step.name)
        deployed.rows.append((step.name, f"deployed in {time.monotonic() - start:.0f} s"))
    yield deployed
    yield _found("Requirements", guide.findings(wait=600, arriving=False).findings)

    installation = guide.installation()
    names = [name for name in subscriptions_of(guide.parameters)]
    gateways = {name: exercises.gateway_of(installation, name) for name in names or [exercises.ALL_ACCESS]}
    say(f"calling {count:,} times as {', '.join(gateways)}")
    began = datetime.now(UTC)
    calls = call_many(gateways, guide.parameters["openAIAccounts"], count)
    told = totals(calls)
    ended = datetime.now(UTC)
    time.sleep(_PAUSE if not guide.configuration.sandbox else 0)
    yield _found("The API, a limit and a failover", _exercises(guide))
    done = datetime.now(UTC)

    guide.logged(wait_minutes=wait_minutes)
    asked = questions.workspace(guide)
    until = time.monotonic() + 60 * wait_minutes
    pause = min(60, 6 * guide.configuration.poll_seconds)
    moments = (began, ended, done)
    workspace = arrived(lambda: asked, told, moments, until, pause)
    lake = arrived(lambda: _lake(guide, questions, until, pause), told, moments, until, pause)
    yield compared("Calls: clients and the workspace", told, _ended(workspace, began, ended))
    yield compared("Calls: clients and the archive", told, _ended(lake, began, ended))
    yield one_by_one("Call by call: clients and the workspace", calls, workspace(NUMBERED, began, ended))
    yield one_by_one("Call by call: clients and the archive", calls, lake(NUMBERED, began, ended))
    yield _same("Library queries: workspace and archive", questions.library, workspace, lake, began, done)
    yield _asked("Alert queries", questions.alerts, workspace, began, done)
    yield _found("Alert rules in Azure", fired(guide, until))
    yield _fired("Alerts that these calls must fire", questions.firing(done + _SILENCE), workspace, began, done)
    yield _tried("Alert rules over made records", questions.made_alerts, workspace, began, done)
    # The workbook's queries bring their own functions; the sandbox has these as tables of its lake.
    where = lake if guide.configuration.sandbox else workspace
    yield _asked("Workbook queries", questions.workbook(began, done), where, began, done)


def _exercises(guide: Guide) -> list[Finding]:
    installation = guide.installation()
    return [
        *exercises.try_api(installation),
        *exercises.use_up_a_limit(installation),
        *exercises.fail_over(installation),
    ]


def _found(title: str, findings: Sequence[Finding]) -> Part:
    rows: list[tuple[str, ...]] = [(each.check, each.state, each.what, each.detail) for each in findings]
    failed = sum(each.state == NOT_MET for each in findings)
    assert {each.state for each in findings} <= {MET, NOT_MET, NOT_ASKED}
    return Part(title, ("Check", "State", "Requirement", "Found"), rows, failed)


def _lake(guide: Guide, questions: Questions, until: float, pause: float) -> Ask:
    """The archive's lake, once a new role on its storage account is known."""
    while True:
        try:
            return questions.lake(guide)
        except AoaiError:
            if time.monotonic() >= until:
                raise
            time.sleep(pause)


def arrived(
    source: Callable[[], Ask], told: Totals, moments: tuple[datetime, datetime, datetime], until: float, pause: float
) -> Ask:
    """*source* once it says what clients were told and has the tokens of every answer, or nothing has come for long.

    Records with tokens are the last to come. *moments*: when the calls began and ended, and the exercises after them.
    *until*: when to stop at the latest, by ``time.monotonic``.
    """
    began, ended, done = moments
    before: tuple[Totals, int] | None = None
    since = time.monotonic()
    while True:
        ask = source()
        (missing,) = ask(WITHOUT_TOKENS, began, done)
        found = (_ended(ask, began, ended), int(missing["Requests"]))
        now = time.monotonic()
        if found != before:
            before, since = found, now
        all_there = sum(each.requests for each in found[0].values()) >= sum(each.requests for each in told.values())
        good = not found[1] and not compared("", told, found[0]).failed
        if good or now >= until or (all_there and now - since > _STILL):
            return ask
        time.sleep(pause)


def _ended(ask: Ask, start: datetime, end: datetime) -> Totals:
    found: Totals = {}
    for row in ask(ENDED, start, end):
        key = (row["SubscriptionId"], row["Surface"], row["Deployment"], int(row["ResponseCode"]))
        found[key] = Total(int(row["Requests"]), int(row["Prompt"] or 0), int(row["Completion"] or 0))
    return found


def compared(title: str, told: Totals, logged: Totals) -> Part:
    """Each kind of call: what clients were told, and what the logs say."""
    headings = ("Subscription", "API", "Deployment", "Status", "Requests", "Prompt tokens", "Completion tokens", "")
    part = Part(title, headings)
    for key in sorted({*told, *logged}, key=str):
        theirs, ours = told.get(key, Total()), logged.get(key, Total())
        pairs = ((theirs.requests, ours.requests), (theirs.prompt, ours.prompt), (theirs.completion, ours.completion))
        if key[3] != 200:  # a failure's client is told no tokens
            pairs = (pairs[0], (0, 0), (0, 0))
        cells = [f"{a:,}" if a == b else f"{a:,} told, {b:,} logged" for a, b in pairs]
        good = all(a == b for a, b in pairs)
        part.failed += not good
        part.rows.append((*key[:3], str(key[3]), *cells, "same" if good else "different"))
    return part


def one_by_one(title: str, told: Sequence[Told], rows: Sequence[Row]) -> Part:
    """Each call on its own: the page has those that differ, and how many are the same."""
    part = Part(title, ("Call", "Clients were told", "The log says", ""))
    logged: dict[int, list[Told]] = {}
    for row in rows:
        number, prompt, completion = (row[name] for name in ("Number", "Prompt", "Completion"))
        record = Told(
            row["SubscriptionId"] or "",
            row["Surface"] or "",
            row["Deployment"] or "",
            int(row["ResponseCode"] or 0),
            None if prompt is None else int(prompt),
            None if completion is None else int(completion),
            int(number),
        )
        logged.setdefault(record.number, []).append(record)
    same = 0
    for call in told:
        if call.status == 0:
            continue  # No answer came: nobody knows whether the gateway has a record.
        good = call.status == 200
        wanted = call if good else replace(call, deployment="", prompt=None, completion=None)
        found = [each if good else replace(each, prompt=None, completion=None) for each in logged.get(call.number, [])]
        if found == [wanted]:
            same += 1
            continue
        part.failed += 1
        said = " and ".join(map(_said, found)) or "nothing"
        part.rows.append((str(call.number), _said(wanted), said, "different" if found else "not logged"))
    part.rows.append((counted(same, "call"), "", "", "same"))
    return part


def _said(call: Told) -> str:
    tokens = "" if call.prompt is None else f", {call.prompt:,} + {call.completion or 0:,} tokens"
    where = f"{call.surface} {call.deployment}".strip()
    return f"{call.subscription or 'no subscription'}, {where}, {call.status}{tokens}"


def _fired(title: str, queries: Mapping[str, str], ask: Ask, start: datetime, end: datetime) -> Part:
    part = _asked(title, queries, ask, start, end)
    for place, (name, answer) in enumerate(part.rows):
        if answer == "0 rows":
            part.failed += 1
            part.rows[place] = (name, "does not fire")
        elif not answer.startswith("failed"):
            part.rows[place] = (name, f"fires: {answer}")
    return part


def _tried(title: str, rules: Mapping[str, tuple[str, str]], ask: Ask, start: datetime, end: datetime) -> Part:
    """Each rule, over records on which it must have a row, and over some on which it must have none."""
    part = Part(title, ("Rule", "Records that must fire it", "Records that must not", ""))
    for name, queries in rules.items():
        found = [_rows(ask, kql, start, end) for kql in queries]
        said = [rows if isinstance(rows, str) else counted(len(rows), "row") for rows in found]
        good = bool(found[0]) and not isinstance(found[0], str) and found[1] == []
        part.failed += not good
        part.rows.append((name, *said, "fires" if good else "wrong"))
    return part


def _same(title: str, queries: Mapping[str, str], one: Ask, other: Ask, start: datetime, end: datetime) -> Part:
    part = Part(title, ("Query", "Workspace", "Archive", ""))
    for name, kql in queries.items():
        first, second = _rows(one, kql, start, end), _rows(other, kql, start, end)
        broken = [found for found in (first, second) if isinstance(found, str)]
        same = not broken and sorted(map(repr, first)) == sorted(map(repr, second))
        part.failed += not same
        sizes = [found if isinstance(found, str) else counted(len(found), "row") for found in (first, second)]
        part.rows.append((name, *sizes, "same" if same else "failed" if broken else "different"))
    return part


def _asked(title: str, queries: Mapping[str, str], ask: Ask, start: datetime, end: datetime) -> Part:
    part = Part(title, ("Query", "Answer"))
    for name, kql in queries.items():
        found = _rows(ask, kql, start, end)
        part.failed += isinstance(found, str)
        part.rows.append((name, found if isinstance(found, str) else counted(len(found), "row")))
    return part


def _rows(ask: Ask, kql: str, start: datetime, end: datetime) -> list[list[Any]] | str:
    """The rows, numbers as far as two engines agree; the reason if the query fails."""
    try:
        found = ask(kql, start, end)
    except AoaiError as error:
        return f"failed: {error}"
    return [[_cell(value) for value in row.values()] for row in found]


def counted(number: int, noun: str) -> str:
    """``1 row``, ``2 rows``."""
    return f"{number:,} {noun}" if number == 1 else f"{number:,} {noun}s"


def _cell(value: Any) -> Any:
    if isinstance(value, bool) or value is None or isinstance(value, str):
        return value
    if isinstance(value, int | float):
        return float(f"{value:.9g}") if math.isfinite(value) else None
    return str(value)


def _removed(guide: Guide, say: Callable[[str], None]) -> Part:
    """Deletes and purges all that was made."""
    part = Part("Deleted and purged", ("What", "Result"))
    group = guide.configuration.resource_group
    try:
        names = guide.installation().names
        say(f"deleting {group}")
        guide.delete(group, erase_logs=True)
        part.rows.append((group, "deleted"))
        kept = deleted_resources(guide.arm)
        for name in (*names["accounts"], names["gateway"], names["keyVault"]):
            if kept.get(name):
                guide.purge(name, name)
                part.rows.append((name, "purged"))
            elif name in kept:
                part.rows.append((name, "a deleted vault keeps its name for 90 days, at no cost"))
    except Exception as error:
        part.failed += 1
        part.rows.append((group, f"not deleted, it still costs: {_reason(error)}"))
    return part


def _reason(error: Exception) -> str:
    """An error in words; what is unexpected may quote anything, prompts included."""
    return str(error) if isinstance(error, AoaiError) else f"unexpected {type(error).__name__}"
