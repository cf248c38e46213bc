"""The rules: each reads a query result and reports findings. KQL computes all numbers; the rules interpret them."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Callable, Iterator
from datetime import timedelta
from itertools import chain
from typing import Any

from ..dimensions import own_dimensions
from ..format.numbers import is_missing, share
from ..prices import own_prices
from ..prices.book import PriceBook
from .answers import Answers, hidden, severity, total, values
from .findings import Finding, Hidden, finding
from .hours import falls, runs

#: Surfaces that the LLM log covers; for others it matters only if tokens are unknown.
LLM_LOG_SURFACES = ("chat", "completions", "responses", "embeddings")
#: With fewer answered requests, nothing is reported about an API.
FEW = 5
#: Answered requests without LLM rows that count as an interruption: if nine in ten are logged, chance is one in 10^15.
INTERRUPTION = 15
#: Share of the hours in which two stated errors must hold: of a good estimate 95%, of a few hours fewer by chance.
MOST = 0.85
#: Daily share (percent) of LLM rows without a gateway row that suggests sampling rather than losses.
SAMPLED = 5.0
#: Share (percent) that suggests the gateway log was off.
ALMOST_ALL = 90.0

_LOG_IS_ON = (
    "No setting: the LLM log is on for this API, but does not cover this kind of request. Its tokens come from the "
    "shipped policy's traces, or from bodies if the API never streams."
)
_HOUR = timedelta(hours=1)
Row = dict[str, Any]


def quiet_hours(answers: Answers) -> Iterator[Finding]:
    """Hours with no records, or far fewer than usual."""
    for fall in falls(answers.frame("requests-by-hour")):
        missing = Hidden(requests=fall.usual - fall.found)
        hours = (fall.end - fall.start) // _HOUR
        if not fall.found:
            what = f"no records for {hours} h, where about {fall.usual:,} requests are usual"
            yield finding("log-gap", "problem", what, missing, start=fall.start, end=fall.end)
        else:
            what = (
                f"{fall.found:,} requests in {hours} h, {share(fall.found, fall.usual)} of the {fall.usual:,} usual: "
                "fewer calls, or sampled logs"
            )
            yield finding("sampling-below-100", "warning", what, missing, start=fall.start, end=fall.end)


def llm_logging_off(answers: Answers) -> Iterator[Finding]:
    """APIs and surfaces that are never in the LLM log."""
    known = {row["ApiId"] for row in answers.rows("coverage-by-api") if row["LlmLoggedRequests"]}
    for row in answers.rows("coverage-by-api"):
        answered = int(row["AnsweredRequests"])
        if answered < FEW or row["LlmLoggedRequests"]:
            continue
        of = hidden([row], requests="AnsweredRequests")
        if row["Surface"] not in LLM_LOG_SURFACES and not (of.unknown_requests or of.estimated_requests):
            continue
        what = f"none of the {answered:,} answered requests is in the LLM log"
        where = values([row], "ApiId", "Surface")
        # The log is on for this API: it does not take this kind of request for a model's.
        fix = _LOG_IS_ON if row["ApiId"] in known else ""
        yield finding("llm-logging-off", severity(of), what, of, where=where, fix=fix)


def llm_logging_interrupted(answers: Answers) -> Iterator[Finding]:
    """Periods in which none of an API's requests are in the LLM log, although others are."""
    by_api: dict[str, list[Row]] = defaultdict(list)
    for row in answers.rows("llm-log-over-time", step="1h"):
        by_api[row["ApiId"]].append(row)
    for api, rows in by_api.items():
        if not total(rows, "LlmLoggedRequests"):
            continue
        for run in runs(rows, lambda row: row["LlmLoggedRequests"] == 0):
            answered = total(run, "AnsweredRequests")
            if answered < INTERRUPTION:
                continue
            of = Hidden(
                requests=answered,
                estimated_requests=total(run, "EstimatedRequests"),
                estimated_tokens=total(run, "EstimatedTokens"),
                unknown_requests=total(run, "UnknownRequests"),
            )
            yield finding(
                "llm-logging-interrupted",
                severity(of),
                f"none of the {answered:,} answered requests is in the LLM log",
                of,
                where={"ApiId": [api]},
                start=run[0]["TimeGenerated"].to_pydatetime(),
                end=run[-1]["TimeGenerated"].to_pydatetime() + _HOUR,
            )


def llm_rows_missing(answers: Answers) -> Iterator[Finding]:
    """Requests missing from the LLM log although it is on."""
    all_rows = answers.rows("missing-llm-rows")
    rows = [row for row in all_rows if row["Requests"]]
    if rows:
        of = hidden(rows)
        whole = total(all_rows, "OfRequests")
        what = f"{of.requests:,} of {whole:,} answered requests ({share(of.requests or 0, whole)}) have no LLM rows"
        yield finding("llm-rows-missing", severity(of), what, of, where=values(rows, "ApiId"))


def llm_tokens_zero(answers: Answers) -> Iterator[Finding]:
    """Requests in the LLM log without tokens."""
    all_rows = answers.rows("llm-rows-without-tokens")
    rows = [row for row in all_rows if row["Requests"]]
    if rows:
        of = hidden(rows)
        whole = total(all_rows, "OfRequests")
        told = total(rows, "ToldElsewhere")
        what = (
            f"the LLM log has no tokens for {of.requests:,} of {whole:,} answered requests "
            f"({share(of.requests or 0, whole)}); {told:,} of them have usage in the body"
        )
        yield finding("llm-tokens-zero", severity(of), what, of, where=values(rows, "ApiId"))


def streams_without_usage(answers: Answers) -> Iterator[Finding]:
    """Streams that did not request usage."""
    all_rows = answers.rows("streams-without-usage")
    rows = [row for row in all_rows if row["Requests"]]
    if rows:
        of = hidden(rows)
        whole = total(all_rows, "OfRequests")
        what = f"{of.requests:,} of {whole:,} streamed responses ({share(of.requests or 0, whole)}) have no usage"
        yield finding("streams-without-usage", severity(of), what, of, where=values(rows, "ApiId", "ModelName"))


def bodies(answers: Answers) -> Iterator[Finding]:
    """APIs without body logging; bodies lost or truncated although it is on."""
    by_api: dict[str, list[Row]] = defaultdict(list)
    for row in answers.rows("body-losses"):
        by_api[row["ApiId"]].append(row)
    lost: list[Row] = []
    for api, rows in by_api.items():
        gone = [row for row in rows if row["BodyLoss"] in ("absent", "over-limit")]
        answered = int(rows[0]["OfRequests"])
        # If an API logs no bodies, an entry over the limit looks the same as one without bodies.
        if answered >= FEW and total(gone, "Requests") == answered:
            of = hidden(gone)
            what = f"none of the {answered:,} responses has a logged body"
            yield finding("body-logging-off", severity(of), what, of, where={"ApiId": [api]})
        else:
            lost += rows
    whole = sum({row["ApiId"]: int(row["OfRequests"]) for row in lost}.values())
    for kind, loss, said in (
        ("bodies-truncated", "cut", "have a body truncated at 8,192 bytes"),
        ("entries-over-limit", "over-limit", "probably lost all bodies because the entry exceeded 32 KB"),
        ("bodies-missing", "absent", "have no body, although their API logs bodies"),
    ):
        rows = [row for row in lost if row["BodyLoss"] == loss]
        if rows:
            of = hidden(rows)
            what = f"{of.requests:,} of {whole:,} responses ({share(of.requests or 0, whole)}) {said}"
            yield finding(kind, severity(of), what, of, where=values(rows, "ApiId"))


def rows_without_partner(answers: Answers) -> Iterator[Finding]:
    """Requests in the LLM log only: whole days, a constant share, or single losses."""
    days = answers.rows("rows-without-partner")
    # Days without LLM rows have no share.
    told = [row for row in days if not is_missing(row["LlmLogOnlyShare"])]
    for run in runs(told, lambda row: row["LlmLogOnlyShare"] >= ALMOST_ALL and row["LlmLogOnly"] >= INTERRUPTION):
        alone = total(run, "LlmLogOnly")
        what = (
            f"almost all requests on these days ({alone:,}, with {total(run, 'LlmLogOnlyTokens'):,} tokens) are in the "
            "LLM log only"
        )
        begin, end = (run[i]["TimeGenerated"].to_pydatetime() for i in (0, -1))
        of = Hidden(requests=alone)
        yield finding("gateway-log-interrupted", "problem", what, of, start=begin, end=end + timedelta(days=1))
        told = [row for row in told if row not in run]
    alone = total(told, "LlmLogOnly")
    if not alone:
        return
    what = f"{alone:,} requests with {total(told, 'LlmLogOnlyTokens'):,} tokens are in the LLM log only"
    least, most = (bound(float(row["LlmLogOnlyShare"]) for row in told) for bound in (min, max))
    if least >= SAMPLED:
        what += f": {least:.1f}% to {most:.1f}% of its requests on each of {len(told)} days"
        yield finding("sampling-suspected", "problem", what, Hidden(requests=alone))
    else:
        yield finding("llm-rows-without-gateway-row", "warning", what, Hidden(requests=alone))


def tokens_not_told(answers: Answers) -> Iterator[Finding]:
    """Requests with no logged token usage: in no total, or estimated."""
    rows = answers.rows("unknown-tokens")
    answered = total(answers.rows("coverage-by-api"), "AnsweredRequests")
    unknown = [row for row in rows if row["UnknownRequests"]]
    if unknown:
        count = total(unknown, "UnknownRequests")
        what = f"{count:,} of {answered:,} answered requests ({share(count, answered)}) have unknown tokens"
        of = Hidden(requests=count, unknown_requests=count)
        yield finding("tokens-unknown", "problem", what, of, where=values(unknown, "Surface", "ModelName"))
    estimated = [row for row in rows if row["EstimatedRequests"]]
    if estimated:
        of = hidden(estimated, requests="EstimatedRequests")
        tokens = total(answers.rows("coverage-by-api"), "Tokens")
        what = (
            f"{of.requests:,} of {answered:,} answered requests ({share(of.requests or 0, answered)}) have estimated "
            f"tokens: {of.estimated_tokens:,}, {share(of.estimated_tokens or 0, tokens)} of the total"
        )
        yield finding("tokens-nowhere", "warning", what, of, where=values(estimated, "Surface"))


def estimates_that_guess(answers: Answers) -> Iterator[Finding]:
    """Estimates that do not rest on comparable requests with known tokens."""
    for basis, kind, said in (
        ("beyond", "estimates-beyond-known", "are larger than every known one"),
        (
            "prior",
            "estimates-by-prior",
            "have too few comparable requests with known tokens: they rest on message sizes",
        ),
        ("chance", "refusals-unexplained", "got 400 from the model without a logged reason: some may be charged"),
    ):
        rows = [row for row in answers.rows("estimates-by-basis") if row["EstimateBasis"] == basis]
        if rows:
            of = hidden([row | {"UnknownRequests": 0} for row in rows], requests="EstimatedRequests")
            tokens = f"{of.estimated_tokens:,} ± {of.estimated_tokens_error:,.0f} tokens"
            what = f"{of.requests:,} estimated requests {said} ({tokens})"
            yield finding(kind, "warning", what, of, where=values(rows, "Surface", "ModelName"))


def stated_errors(answers: Answers) -> Iterator[Finding]:
    """Whether the stated errors hold against Azure's own count, and what goes past the gateway; needs metrics."""
    rows = answers.rows("trust/stated-errors")
    hours, held = total(rows, "TestedHours"), total(rows, "HeldHours")
    if hours:
        what = f"Azure's own count is within two of our stated errors in {held:,} of {hours:,} hours with estimates"
        level = "note" if held >= MOST * hours else "warning"
        yield finding("stated-errors-tested", level, what, where=values(rows, "Account"))
    rows = answers.rows("trust/past-the-gateway")
    if rows:
        tokens, calls = total(rows, "TokensPast"), total(rows, "CallsPast")
        what = f"Azure counts {calls:,} more calls than the gateway sent, and {tokens:,} more tokens"
        yield finding("past-the-gateway", "warning", what, where=values(rows, "Account", "DeploymentName"))


def columns_missing(answers: Answers) -> Iterator[Finding]:
    """Empty columns in gateway rows."""
    rows = answers.rows("coverage-by-api")
    for kind, column, base, said in (
        ("client-address-missing", "WithoutAddress", "Requests", "requests have no caller address"),
        ("message-bytes-missing", "WithoutBytes", "AnsweredRequests", "answered requests have no message sizes"),
    ):
        without = [row for row in rows if row[column]]
        count, whole = total(without, column), total(rows, base)
        if count:
            what = f"{count:,} of {whole:,} {said}"
            yield finding(kind, "warning", what, Hidden(requests=count), where=values(without, "ApiId"))


def repeated(answers: Answers) -> Iterator[Finding]:
    """Records delivered twice, if that is still visible."""
    row = answers.rows("repeated-records")[0]
    for kind, column, said in (
        ("gateway-rows-twice", "GatewayRowsTwice", "a gateway row"),
        ("llm-rows-twice", "LlmUsageRowsTwice", "the LLM log's token row"),
    ):
        if count := int(row[column]):
            what = f"{count:,} of {int(row['Requests']):,} requests have {said} more than once"
            yield finding(kind, "note", what, Hidden(requests=count))


def outside_requests(answers: Answers) -> Iterator[Finding]:
    """Gateway records that are no model request, and those of them that look like one."""
    rows = answers.rows("outside-requests")
    suspect = [row for row in rows if row["LooksLikeModel"]]
    if rows:
        count, like = total(rows, "Records"), total(suspect, "Records")
        paths = ", ".join(f"{row['Method']} {row['Path']} ({int(row['Records']):,})" for row in (suspect or rows)[:5])
        what = f"{count:,} gateway records are not model requests; {like:,} of them look like model traffic: {paths}"
        level = "warning" if total(suspect, "Answered") else "note"
        where = values((suspect or rows)[:10], "ApiId")
        yield finding("outside-requests", level, what, Hidden(requests=like), where=where)


def unknown_columns(answers: Answers) -> Iterator[Finding]:
    """Fields of the records that this version does not know, each once."""
    rows = answers.rows("unknown-columns")
    for table in dict.fromkeys(row["TableName"] for row in rows):
        names = ", ".join(str(row["Column"]) for row in rows[:20] if row["TableName"] == table)
        what = f"{table} has fields that are no column: {names}"
        yield finding("unknown-columns", "note", what, where={"TableName": [table]})


def llm_completions_zero(answers: Answers) -> Iterator[Finding]:
    """Successful responses whose completion the LLM log counts as 0 tokens."""
    rows = answers.rows("llm-zero-completions")
    if rows:
        of = Hidden(
            requests=total(rows, "Requests"),
            estimated_requests=total(rows, "EstimatedRequests"),
            unknown_requests=total(rows, "UnknownRequests"),
        )
        told = total(rows, "ToldElsewhere")
        what = (
            f"the LLM log has 0 completion tokens for {of.requests:,} successful responses; "
            f"response bodies have the count of {told:,}"
        )
        yield finding("llm-completions-zero", severity(of), what, of, where=values(rows, "ApiId", "ModelName"))


def models_unpriced(answers: Answers) -> Iterator[Finding]:
    """Models, service tiers and kinds of tokens that the price book lacks, and models that are newer than it."""
    book = own_prices().book
    found = [(row, *_unpriced(row, book)) for row in answers.rows("models-seen")]
    found = [(row, what, count) for row, what, count in found if count]
    if found:
        rows = [row for row, _, _ in found]
        newest = max(price.start for price in book)
        requests = sum(count for _, _, count in found)
        named = "; ".join(f"{row['ModelName']}: {what}" for row, what, _ in found[:10])
        more = f"; and {len(found) - 10} more" if len(found) > 10 else ""
        what = f"the price book, whose newest price is of {newest}, has no price for {requests:,} requests"
        first = max(row["FirstSeen"] for row in rows)
        if first.date() > newest:
            what += f"; the newest of these was first seen on {first:%Y-%m-%d}, after that date"
        where = values(rows, "ModelName", "ServiceTier")
        yield finding("models-unpriced", "note", f"{what} ({named}{more})", Hidden(requests=requests), where=where)


def _unpriced(row: Row, book: PriceBook) -> tuple[str, int]:
    """What *book* has no price for, of a model in a service tier, and of how many requests."""
    requests, tier = int(row["Requests"]), row["ServiceTier"].lower()
    tier = {"": "default", "standard": "default", "auto": "default", "fast": "priority"}.get(tier, tier)
    prices = [price for price in book if price.model == row["ModelName"]]
    if not prices:
        return "the model", requests
    priced = {price.direction for price in prices if price.tier == tier}
    if "prompt" not in priced:
        return f"the tier {tier}", requests
    used = {
        "completion": "CompletionRequests",
        "cache-write": "CacheWriteRequests",
        "cache-write-1h": "HourWriteRequests",
    }
    lacking = {kind: int(row[column]) for kind, column in used.items() if kind not in priced and row[column]}
    what = ", ".join(f"{kind} tokens" for kind in lacking) + (f" in the tier {tier}" if tier != "default" else "")
    return what, max(lacking.values(), default=0)


def callers_unmapped(answers: Answers) -> Iterator[Finding]:
    """Callers that the own dimensions leave out, if there are any dimensions."""
    rows = answers.rows("users/unmapped", topN="1000") if own_dimensions() else []
    if rows:
        count, whole = total(rows, "Requests"), total(answers.rows("coverage-by-api"), "Requests")
        what = f"{count:,} of {whole:,} requests ({share(count, whole)}) have no team, cost center, environment or app"
        where = values(rows[:20], "SubscriptionId", "ProductId")
        yield finding("callers-unmapped", "note", what, Hidden(requests=count), where=where)


def api_versions_retiring(answers: Answers) -> Iterator[Finding]:
    """API versions in use that Azure has retired or is about to."""
    for status, level, said in (
        ("retired", "warning", "use API versions that have retired"),
        ("soon", "note", "use API versions that retire soon"),
    ):
        rows = [row for row in answers.rows("models/api-versions") if row["Status"] == status]
        if rows:
            count = total(rows, "Requests")
            named = ", ".join(f"{row['ApiVersion']} ({row['RetirementDate']:%Y-%m-%d})" for row in rows)
            of = Hidden(requests=count)
            where = values(rows, "ApiVersion")
            yield finding(f"api-version-{status}", level, f"{count:,} requests {said}: {named}", of, where=where)


#: Every rule for logs with records in both tables.
RULES: tuple[Callable[[Answers], Iterator[Finding]], ...] = (
    tokens_not_told,
    estimates_that_guess,
    stated_errors,
    quiet_hours,
    llm_logging_off,
    llm_logging_interrupted,
    llm_rows_missing,
    llm_tokens_zero,
    streams_without_usage,
    bodies,
    rows_without_partner,
    columns_missing,
    repeated,
    llm_completions_zero,
    outside_requests,
    unknown_columns,
    models_unpriced,
    callers_unmapped,
    api_versions_retiring,
)


def apply(answers: Answers) -> list[Finding]:
    """Findings from every rule."""
    return list(chain.from_iterable(rule(answers) for rule in RULES))
