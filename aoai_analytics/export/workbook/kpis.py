"""Headline numbers as tiles: KQL that aggregates a query's rows into lines of Kpi, Value and Note."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kpi:
    """A number: its title, its column, its prefix and suffix, and the KQL of its note."""

    title: str
    column: str
    note: str
    before: str = ""
    after: str = ""


@dataclass(frozen=True)
class Headline:
    """``title`` is the heading; ``fold`` reduces a query's rows to one row with the columns of ``kpis``."""

    title: str
    fold: str
    kpis: tuple[Kpi, ...]


HEADLINES: dict[str, Headline] = {
    "health/coverage-head": Headline(
        "Requests and tokens",
        """| extend Answered = Requests - NotBilledRequests, Told = LlmLogRequests + UsageRequests + FragmentRequests
| extend Tokens = iff(UnknownRequests < Answered, KnownTokens + EstimatedTokens, long(null))
| extend ToldShare = iff(Answered > 0, 100.0 * Told / Answered, real(null))
| extend EstimatedShare = round(100.0 * EstimatedTokens / Tokens, 1), Margin = round(1.96 * EstimatedTokensError, 0)
| extend TokensNote = strcat(EstimatedShare, "% estimated, ± ", tolong(Margin))""",
        (
            Kpi("Requests", "Requests", 'strcat(NotBilledRequests, " not billed: refused, failed or cached")'),
            Kpi("Tokens", "Tokens", 'iff(EstimatedTokens > 0, TokensNote, "all logged")'),
            Kpi("Requests with logged tokens", "ToldShare", '"of answered requests"', after="%"),
            Kpi("Requests with unknown tokens", "UnknownRequests", '"not in token or cost totals"'),
        ),
    ),
    "cost/total": Headline(
        "Cost",
        """| extend Margin = round(1.96 * CostError, 2), NotInIt = UnpricedRequests + UnknownRequests
| extend FullPriceCost = round(FullPriceCost, 2)""",
        (
            Kpi("Cost", "Cost", 'strcat("± ", Margin, "; ", NotInIt, " requests not included")', before="$"),
            Kpi("Saved by prompt caching", "CacheSavings", 'strcat("of $", FullPriceCost, " without it")', before="$"),
        ),
    ),
    "reliability/success-rate": Headline(
        "Reliability",
        """| summarize Requests = sum(Requests), Counted = sum(CountedRequests), Failed = sum(FailedRequests)
| extend Rate = iff(Counted > 0, 100.0 * (Counted - Failed) / Counted, real(null))""",
        (
            Kpi("Success rate", "Rate", '"without caller errors"', after="%"),
            Kpi("Failed requests", "Failed", 'strcat("of ", Requests)'),
        ),
    ),
}


def folded(query: str) -> str:
    """The KQL to append to *query*, which converts its rows to the tiles Place, Kpi, Value, Note.

    Value is an abbreviated number (1.23 M), ``unknown`` if it is null.
    """
    headline = HEADLINES[query]
    kpis = headline.kpis

    def pick(values: list[str]) -> str:
        *first, last = values
        return f"case({', '.join(f'Place == {n}, {value}' for n, value in enumerate(first, 1))}, {last})"

    places = ", ".join(str(place) for place in range(1, len(kpis) + 1))
    before, after = (pick([f'"{getattr(k, side)}"' for k in kpis]) for side in ("before", "after"))
    return f"""{headline.fold}
| extend Place = dynamic([{places}])
| mv-expand Place to typeof(long)
| extend Number = {pick([f"todouble({k.column})" for k in kpis])}
| extend Scale = case(Number >= 1e9, 1e9, Number >= 1e6, 1e6, Number >= 1e4, 1e3, 1.0)
| extend Letter = case(Number >= 1e9, " B", Number >= 1e6, " M", Number >= 1e4, " k", "")
| extend Digits = replace_regex(tostring(round(Number / Scale, 2)), @"[.]0+$", "")
| extend Said = strcat({before}, Digits, Letter, {after})
| project Place, Kpi = {pick([f'"{k.title}"' for k in kpis])},
    Value = iff(isnull(Number), "unknown", Said),
    Note = {pick([k.note for k in kpis])}
| sort by Place asc
"""
