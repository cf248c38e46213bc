"""Rules that say how to save money, each with a range: clear cases at its low end, all that qualify at its high one."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any

from ...format.labels import named
from ...format.numbers import UNITS, human, share
from ..render.blocks import Finding
from .rules import ALL, NOTABLE, Asker, requests_of

#: The smallest share of the period's cost that advice is about.
_WORTHWHILE = 0.02
_MOST = 5


def advice(asker: Asker) -> tuple[Finding, ...]:
    """What could save money, the most first."""
    found = [finding for rule in ADVICE for finding in rule(asker)]
    return tuple(sorted(found, key=lambda finding: -finding.weight)[:_MOST])


def smaller_model(asker: Asker) -> Iterator[Finding]:
    """Short, classification-like requests on a large model."""
    rows = asker.now("cost/smaller-model", topN=ALL)
    for low, high, top in _range(rows):
        requests = sum(row["Requests"] for row in rows)
        yield from _saving(
            asker, low, high, "cost/smaller-model",
            f"A smaller model for {requests:,} short tasks",
            f"{_team(top)} uses {named(top['ModelName'])}, where {named(top['SmallerModel'])} may do",
        )  # fmt: skip


def night_work(asker: Asker) -> Iterator[Finding]:
    """Work at night, which the batch tier does at half the price."""
    rows = asker.now("cost/night-work", timeZone=asker.time_zone, topN=ALL)
    for low, high, top in _range(rows):
        yield from _saving(
            asker, low, high, "cost/night-work", "Batch jobs for night work",
            f"{_team(top)} makes {top['NightShare']:.0f}% of its requests to {named(top['ModelName'])} at night",
        )  # fmt: skip


def repeated(asker: Asker) -> Iterator[Finding]:
    """Requests that repeat the one before."""
    rows = asker.now("prompts/repeated", topN=ALL)
    for low, high, top in _range(rows):
        requests = sum(row["RepeatedRequests"] for row in rows)
        yield from _saving(
            asker, low, high, "prompts/repeated", f"Not repeating {requests:,} requests within two minutes",
            f"most from {named(top['User'])}: check its retries",
        )  # fmt: skip


def resent_history(asker: Asker) -> Iterator[Finding]:
    """Conversations that send their history again with each turn."""
    rows = asker.now("cost/resent-history", topN=ALL)
    for low, high, top in _range(rows):
        yield from _saving(
            asker, low, high, "cost/resent-history", "Shorter histories in conversations",
            f"{named(top['User'])} sent {human(top['ResentTokens'], UNITS['tokens'])} again in {top['Turns']:,} turns",
        )  # fmt: skip


def cache_misses(asker: Asker) -> Iterator[Finding]:
    """Prompts that begin like the one before, and were not cached."""
    for low, high, top in _range(_stable(asker)):
        accounts = top["Accounts"]
        spread = f", over {accounts} accounts" if accounts > 1 else ""
        yield from _saving(
            asker, low, high, "prompts/cache-misses", "Caching the beginnings that prompts share",
            f"{_team(top)} sends the same ones to {named(top['ModelName'])}{spread}: "
            + ("keep a caller on one account, and " if accounts > 1 else "")
            + "set prompt_cache_key",
        )  # fmt: skip


def _stable(asker: Asker) -> list[dict[str, Any]]:
    return asker.now("prompts/cache-misses", topN=ALL)


def missed_caching(asker: Asker) -> Iterator[Finding]:
    """Long prompts that the cache did not have, where no text tells which of them could have been cached."""
    rows = [] if _stable(asker) else asker.now("cost/caching-savings")
    missed = sum(row["MissedSavings"] or 0.0 for row in rows)
    if missed > 0:
        top = max(rows, key=lambda row: row["MissedSavings"] or 0.0)
        yield from _saving(
            asker, 0.0, missed, "cost/caching-savings", "Prompt caching",
            f"{share(top['MissedSavings'], missed)} of it on {named(top['ModelName'])}: put fixed text first",
        )  # fmt: skip


def output_limits(asker: Asker) -> Iterator[Finding]:
    """Limits of responses far above all that were given: the service reserves them while a request runs."""
    notable = NOTABLE * requests_of(asker)
    rows = [
        row
        for row in asker.now("prompts/max-tokens", topN=ALL)
        if row["LowFreed"] > row["ReservedTokens"] / 2
        and row["Requests"] >= (20 if row["ThrottledRequests"] else max(20, notable))
    ]
    if not rows:
        return
    top = max(rows, key=lambda row: (row["ThrottledRequests"], row["LowFreed"]))
    low, high = (share(top[name], top["ReservedTokens"]) for name in ("LowFreed", "HighFreed"))
    throttled = f", and {top['ThrottledRequests']:,} were throttled" if top["ThrottledRequests"] else ""
    yield Finding(
        f"A lower max_tokens could free {low if low == high else f'{low} to {high}'} of the quota that the requests of "
        f"{_team(top)} to {named(top['DeploymentName'])} reserve: they ask for {top['UsualLimit']:,} tokens and get "
        f"{top['LargestResponse']:,} at most{throttled}.",
        "prompts/max-tokens",
        "",
        top["ThrottledRequests"] / requests_of(asker) / 2,
    )


def provisioned_throughput(asker: Asker) -> Iterator[Finding]:
    """Deployments whose tokens cost more than PTUs with a reservation would."""
    rows = [row for row in asker.now("cost/ptu-break-even", topN=ALL) if row["HighSavings"]]
    for low, high, top in _range(rows):
        yield from _saving(
            asker, low, high, "cost/ptu-break-even", "Provisioned throughput",
            f"{top['Ptus']} PTUs for {named(top['Deployment'])} pay off in {top['ReservedHoursAbove']:,} of "
            f"{top['Hours']:,} hours with a reservation, in {top['HoursAbove']:,} without",
        )  # fmt: skip


def idle_deployments(asker: Asker) -> Iterator[Finding]:
    """Deployments that hold quota, or paid capacity, and answer nobody."""
    idle = [row for row in asker.now("models/unused-deployments") if row["Reason"] != "does not exist"]
    if idle:
        names = ", ".join(named(row["DeploymentName"]) for row in idle[:3])
        more = f" and {len(idle) - 3} more" if len(idle) > 3 else ""
        yield Finding(
            f"{len(idle)} deployment{'' if len(idle) == 1 else 's'} had no success for 7 days ({names}{more}): "
            "delete what is idle, and what is provisioned first.",
            "models/unused-deployments",
        )


#: All rules.
ADVICE: tuple[Callable[[Asker], Iterator[Finding]], ...] = (
    smaller_model,
    night_work,
    repeated,
    resent_history,
    cache_misses,
    missed_caching,
    output_limits,
    provisioned_throughput,
    idle_deployments,
)


def _range(rows: list[dict[str, Any]]) -> Iterator[tuple[float, float, dict[str, Any]]]:
    """The sum of the low and of the high ends, and the row with the highest; nothing where there is no row."""
    if rows:
        low, high = (sum(row[name] or 0.0 for row in rows) for name in ("LowSavings", "HighSavings"))
        yield low, high, max(rows, key=lambda row: row["HighSavings"] or 0.0)


def _saving(asker: Asker, low: float, high: float, query: str, what: str, why: str) -> Iterator[Finding]:
    total = sum(row["Cost"] or 0.0 for row in asker.now("cost/total"))
    if total <= 0 or high < _WORTHWHILE * total:
        return
    if low >= 0.995 * high:
        amount, part = human(high, UNITS["USD"]), share(high, total)
    elif low < 0.005 * high:
        amount, part = f"up to {human(high, UNITS['USD'])}", f"up to {share(high, total)}"
    else:
        amount = f"{human(low, UNITS['USD']).removesuffix(' USD')} to {human(high, UNITS['USD'])}"
        part = f"{share(low, total)} to {share(high, total)}"
    yield Finding(f"{what} could save {amount} ({part} of the cost); {why}.", query, "", (low + high) / 2 / total)


def _team(row: dict[str, Any]) -> str:
    return f"team {row['SubscriptionId']}" if row["SubscriptionId"] else "callers without a subscription"
