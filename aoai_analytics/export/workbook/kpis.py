"""Headline numbers as tiles: a query's rows folded to a few lines of Kpi, Value and Note, in KQL."""

from __future__ import annotations

from dataclasses import dataclass


@dataclass(frozen=True)
class Kpi:
    """A number: its title, and the KQL of its text and of what qualifies it."""

    title: str
    value: str
    note: str


@dataclass(frozen=True)
class Headline:
    """``fold`` is the KQL that leaves one row of a query's rows; '' where it has one."""

    fold: str
    kpis: tuple[Kpi, ...]


def short(number: str, unit: str = "") -> str:
    """KQL: *number* as people say it, 1.23 M; unknown where null."""
    unit = f' " {unit}"' if unit else ' ""'
    steps = ", ".join(
        f'abs({number}) >= {limit}, strcat(tostring(round({number} / {limit}.0, 2)), " {letter}",{unit})'
        for limit, letter in ((1_000_000_000, "B"), (1_000_000, "M"), (10_000, "k"))
    ).replace("10000, ", "10000, ")
    steps = steps.replace("/ 10000.0", "/ 1000.0")
    return f'case(isnull({number}), "unknown", {steps}, strcat(tostring(round(todouble({number}), 2)),{unit}))'


def share(number: str) -> str:
    """KQL: *number* from 0 to 100 as a percentage."""
    return f'iff(isnull({number}), "unknown", strcat(tostring(round(todouble({number}), 2)), "%"))'


HEADLINES: dict[str, Headline] = {
    "health/coverage-head": Headline(
        "| extend Tokens = iff(Requests > 0 and UnknownRequests + NotBilledRequests < Requests, KnownTokens + EstimatedTokens, long(null))\n"
        "| extend Answered = Requests - NotBilledRequests\n"
        "| extend Told = LlmLogRequests + UsageRequests + FragmentRequests",
        (
            Kpi(
                "Requests",
                short("Requests"),
                'strcat(tostring(NotBilledRequests), " not billed: refused, failed or cached")',
            ),
            Kpi(
                "Tokens",
                short("Tokens"),
                'iff(EstimatedTokens > 0, strcat(tostring(round(100.0 * EstimatedTokens / Tokens, 1)), "% estimated, ± ", '
                f'{short("1.96 * EstimatedTokensError")}), "all of them logged")',
            ),
            Kpi(
                "Tokens told by a log",
                share("iff(Answered > 0, 100.0 * Told / Answered, real(null))"),
                '"of the requests that a model answered"',
            ),
            Kpi("Requests of unknown tokens", short("UnknownRequests"), '"in no sum of tokens or cost"'),
        ),
    ),
    "cost/total": Headline(
        "",
        (
            Kpi(
                "Cost",
                f'iff(isnull(Cost), "unknown", strcat("$", {short("Cost")}))',
                'strcat("± ", iff(isnull(CostError), "unknown", tostring(round(1.96 * CostError, 2))), ", ", '
                'tostring(UnpricedRequests + UnknownRequests), " requests not in it")',
            ),
            Kpi(
                "Saved by prompt caching",
                f'iff(isnull(CacheSavings), "unknown", strcat("$", {short("CacheSavings")}))',
                f'strcat("of $", {short("FullPriceCost")}, " without it")',
            ),
        ),
    ),
    "reliability/success-rate": Headline(
        "| summarize Requests = sum(Requests), CountedRequests = sum(CountedRequests), FailedRequests = sum(FailedRequests)\n"
        "| extend Rate = iff(CountedRequests > 0, 100.0 * (CountedRequests - FailedRequests) / CountedRequests, real(null))",
        (
            Kpi("Success rate", share("Rate"), '"of what is not the callers\' fault"'),
            Kpi("Failed requests", short("FailedRequests"), 'strcat("of ", tostring(Requests))'),
        ),
    ),
}


def folded(query: str) -> str:
    """The KQL to put behind the question *query*, which makes its rows the tiles Place, Kpi, Value, Note."""
    headline = HEADLINES[query]
    places = range(1, len(headline.kpis) + 1)

    def pick(values: list[str]) -> str:
        *first, last = values
        return f"case({', '.join(f'Place == {n}, {v}' for n, v in zip(places, first, strict=False))}, {last})"

    kpis = headline.kpis
    return (f"{headline.fold}\n" if headline.fold else "") + (
        f"| extend Place = dynamic([{', '.join(map(str, places))}])\n| mv-expand Place to typeof(long)\n"
        f"| project Place, Kpi = {pick([quoted(k.title) for k in kpis])},\n    Value = {pick([k.value for k in kpis])},\n"
        f"    Note = {pick([k.note for k in kpis])}\n| sort by Place asc\n"
    )


def quoted(text: str) -> str:
    return f'"{text}"'
