"""Unknown is not 0: on a lake where no log says the tokens, no query of the library answers 0 tokens or 0 USD. Nor does
one where the only other requests were refused."""

from __future__ import annotations

import json
import shutil
from collections.abc import Callable, Iterator
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pandas as pd
import pyarrow as pa
import pyarrow.compute as pc
import pytest
from deltalake import DeltaTable

from aoai_analytics.engines.connecting import connect
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.costs import ingest_costs
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library.queries import Query, library
from aoai_analytics.sample.invoice import Plan, write_invoice
from aoai_analytics.schema.tables import GATEWAY_LOGS, MESSAGES, REQUESTS
from tests.functions.raw_logs import _table, request
from tests.kql.cases import engine_over
from tests.lakes import Once

AMOUNTS = ("tokens", "USD")
QUERIES = [query for query in library() if set(query.units.values()) & set(AMOUNTS)]
#: What an unknown request has null: its counts, and the errors of estimates.
NULL = [
    *("PromptTokens", "CachedTokens", "CacheWriteTokens", "CompletionTokens", "ReasoningTokens", "TotalTokens"),
    *("PromptTokensError", "CompletionTokensError", "PromptTokensSharedError", "CompletionTokensSharedError"),
    *("TokensOwnVariance", "TokensSharedError", "CacheWriteHourTokens", "CachedTokensError", "Calibrated"),
]


def forgotten(source: Path, folder: Path) -> None:
    """A copy of a lake whose billed requests are all there, each without its tokens, and no other request."""
    shutil.copytree(source, folder)
    table = pa.table(DeltaTable(folder / REQUESTS.name).to_pyarrow_table())
    table = table.filter(pc.not_equal(table["TokenSource"], "not-billed"))
    for name in NULL:
        place = table.schema.get_field_index(name)
        table = table.set_column(place, name, pa.nulls(len(table), table.schema.field(name).type))
    none = pa.array(["none"] * len(table), table.schema.field("TokenSource").type)
    table = table.set_column(table.schema.get_field_index("TokenSource"), "TokenSource", none)
    Lake(folder).replace_dates(REQUESTS.name, table, sorted(set(table["date"].to_pylist())))


@pytest.fixture(scope="session")
def engine(once: Once, sample_lake: Path) -> LocalEngine:
    """With an invoice for what really happened, as its truth tells."""

    def make(folder: Path) -> None:
        forgotten(sample_lake, folder / "lake")
        write_invoice(sample_lake.parent / "sample/truth.csv", folder / "invoice", Plan())
        ingest_costs([folder / "invoice"], Lake(folder / "lake"))

    folder = once("forgotten-lake", make) / "lake"
    engine = connect(str(folder))
    assert isinstance(engine, LocalEngine)
    return engine


#: What a query needs to have rows.
GIVEN: dict[str, dict[str, Any]] = {
    "cost/provisioned": {"commitments": ["aoai-eastus2/chat-prod=100"]},
    "alerts/budget-pace": {"budgets": ["(all)=100"]},
    "cost/budget": {"budgets": ["(all)=100"]},
    "alerts/new-caller": {"history": "0s", "minTokens": 0, "maxUnknown": 0},
}


def without_requests(query: Query, row: dict[str, Any], column: str) -> bool:
    """Whether nothing is behind a column's 0: it counts requests that there are none of."""
    return column in NOTHING_BEHIND.get(query.name, {}) and row[NOTHING_BEHIND[query.name][column]] == 0


#: Columns that count a part of a row's requests -> the column with their number, or the amount that is given.
NOTHING_BEHIND = {
    "users/movers": {"TotalTokens": "Requests", "BeforeTokens": "BeforeRequests"},
    "cost/showback": {"ProvisionedCost": "ProvisionedCost"},
    "cost/total": {"UnpricedTokens": "UnpricedRequests"},
    "cost/reconciliation": {"OurQuantity": "UnknownRequests", "QuantityError": "UnknownRequests"},
    "health/missing-llm-rows": {"EstimatedTokens": "Requests", "EstimatedTokensError": "Requests"},
    "health/streams-without-usage": {"EstimatedTokens": "Requests", "EstimatedTokensError": "Requests"},
    "health/rows-without-partner": {"LlmLogOnlyTokens": "LlmLogOnly"},
}


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_no_sum_of_unknown_amounts_is_0(query: Query, engine: LocalEngine) -> None:
    given = dict(GIVEN.get(query.name, {}))
    if "user" in query.parameters:
        given["user"] = (
            engine.query("AoaiRequests | summarize Requests = count() by User | top 1 by Requests").frame["User"].iat[0]
        )
    rows: list[dict[str, Any]] = engine.query(query.bind(**given)).frame.to_dict("records")
    amounts = [name for name, unit in query.units.items() if unit in AMOUNTS]
    assert rows or not given
    zeros = {name: row for row in rows for name in amounts if row[name] == 0 and not without_requests(query, row, name)}
    assert not zeros


#: Requests of one user at one time; of each kind one with each outcome that a query can ask for.
AT = {"TimeGenerated": "2026-11-02 08:00", "EndUserId": "ann", "BackendHost": "aoai-eastus2"}
NONE = dict.fromkeys(("PromptTokens", "CachedTokens", "CompletionTokens", "ReasoningTokens"), "null")
SOME = {"PromptTokens": "2000", "CachedTokens": "0", "CompletionTokens": "200", "ReasoningTokens": "0"}
KINDS: dict[str, list[dict[str, Any]]] = {
    "unknown": [AT | NONE | {"TokenSource": "none", "Outcome": outcome} for outcome in ("success", "client-closed")],
    "refused": [
        AT | {"TokenSource": "not-billed", "Outcome": outcome}
        for outcome in ("throttled-gateway", "throttled-backend", "client-closed", "success")
    ],
    "known": [AT | SOME | {"Outcome": outcome} for outcome in ("success", "client-closed")],
}
KINDS["refused before"] = [
    each | {"TimeGenerated": "2026-11-01 00:00", "EndUserId": "ben"} for each in KINDS["refused"]
]
#: Columns that sum the tokens of a row's requests.
SUMS = ("PromptTokens", "CompletionTokens", "TotalTokens")
SUMMING = [query for query in QUERIES if set(query.units) & set(SUMS)]


class Groups:
    """Engines over a lake of some of ``KINDS``, all in one group, with a log row and a prompt for each request."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._engines: dict[str, LocalEngine] = {}

    def rows(self, query: Query, *kinds: str) -> list[dict[str, Any]]:
        folder = self._folder / "-".join(kinds)
        if folder.name not in self._engines:
            requests = [each for kind in kinds for each in KINDS[kind] * 2]
            engine_over(requests, folder).close()
            at = {"TimeGenerated": datetime(2026, 11, 2, 8, tzinfo=UTC)}
            body = json.dumps({"max_tokens": 100, "messages": [{"role": "user", "content": "Hello"}]})
            ids = [f"r{number}" for number, _ in enumerate(requests, 1)]
            prompt = {"Prompt": "Hello", "Response": "", "PromptComplete": True, "date": "2026-11-02"}
            messages = [at | prompt | {"CorrelationId": name} for name in ids]
            lake = Lake(folder)
            lake.append(
                GATEWAY_LOGS.name, _table(GATEWAY_LOGS, [request(name, RequestBody=body, **at) for name in ids])
            )
            table = pa.Table.from_pylist(messages, schema=MESSAGES.arrow_schema())
            lake.replace_dates(MESSAGES.name, table, ["2026-11-02"])
            self._engines[folder.name] = LocalEngine(lake, str(folder))
        given = GIVEN.get(query.name, {}) | ({"user": "ann"} if "user" in query.parameters else {})
        rows: list[dict[str, Any]] = self._engines[folder.name].query(query.bind(**given)).frame.to_dict("records")
        return rows

    def close(self) -> None:
        for engine in self._engines.values():
            engine.close()


@pytest.fixture(scope="module")
def groups(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Groups]:
    made = Groups(tmp_path_factory.mktemp("groups"))
    yield made
    made.close()


def of_refused_alone(row: dict[str, Any]) -> bool:
    """Whether a row can be of refused requests and no other: by its source of tokens, or as the row of one request."""
    return row.get("TokenSource") == "not-billed" or ("CorrelationId" in row and "UnknownRequests" not in row)


def zeros(query: Query, rows: list[dict[str, Any]]) -> list[tuple[str, dict[str, Any]]]:
    """The amounts that are 0, with their rows, but for those of refused requests alone."""
    amounts = [name for name, unit in query.units.items() if unit.split("/")[0] in (*AMOUNTS, "PTU")]
    return [
        (name, row)
        for row in rows
        for name in amounts
        if row[name] == 0 and not of_refused_alone(row) and not without_requests(query, row, name)
    ]


@pytest.mark.parametrize("query", QUERIES, ids=lambda query: query.name)
def test_what_is_unknown_is_not_0_beside_refused_requests(query: Query, groups: Groups) -> None:
    assert not zeros(query, groups.rows(query, "unknown", "refused"))


#: Queries whose rows have sums of sums by user, minute or day.
OF_SUMS = [
    *("tokens/peak-minute", "tokens/ptu-utilisation", "tokens/forecast-month"),
    *("users/concentration", "cost/budget"),
]


@pytest.mark.parametrize("name", OF_SUMS)
def test_what_is_unknown_is_not_0_beside_requests_that_were_refused_on_another_day(name: str, groups: Groups) -> None:
    query = library().get(name)
    rows = [row for row in groups.rows(query, "unknown", "refused before") if row["UnknownRequests"] > 0]
    assert rows and not zeros(query, rows)


@pytest.mark.parametrize("query", SUMMING, ids=lambda query: query.name)
def test_unknown_requests_change_no_sum_of_known_ones_and_refused_ones_alone_used_0(
    query: Query, groups: Groups
) -> None:
    columns = sorted({*SUMS, "EstimatedTokens", "TokensError"} & set(query.units))

    def sums(*kinds: str) -> dict[str, float]:
        frame = pd.DataFrame(groups.rows(query, *kinds), columns=columns)
        return {name: float(frame[name].sum()) for name in columns}

    assert sums("unknown", "refused", "known") == sums("refused", "known")
    assert not [row for row in groups.rows(query, "refused") if any(pd.isna(row[name]) for name in columns)]


#: Gives the engine over a new lake of these requests, or the one that the same requests had before.
Over = Callable[..., LocalEngine]


@pytest.fixture(scope="module")
def over(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Over]:
    engines: dict[str, LocalEngine] = {}

    def engine(*requests: dict[str, Any]) -> LocalEngine:
        if (key := repr(requests)) not in engines:
            engines[key] = engine_over(list(requests), tmp_path_factory.mktemp("over") / "lake")
        return engines[key]

    yield engine
    for each in engines.values():
        each.close()


@pytest.mark.parametrize("name", ["tokens/by-day", "tokens/by-subscription", "tokens/by-api", "cost/by-subscription"])
def test_what_was_not_billed_is_0_and_what_is_known_is_summed(name: str, over: Over) -> None:
    at = {"TimeGenerated": "2026-11-02 08:00", "SubscriptionId": "sub-a"}
    unknown = at | {"TokenSource": "none", "PromptTokens": "null", "CompletionTokens": "null"}
    known = at | {"PromptTokens": "100", "CompletionTokens": "20", "CachedTokens": "0"}
    column = "Cost" if name.startswith("cost") else "TotalTokens"

    def answer(*requests: dict[str, Any]) -> Any:
        return over(*requests).query(library().get(name).text).frame[column].iat[0]

    assert pd.isna(answer(unknown))
    assert answer(at | {"TokenSource": "not-billed", "Outcome": "unauthorized"}) == 0
    assert answer(unknown, known) == answer(known) > 0


#: Queries of the cost of a group, or of all, with the column that says it.
COSTS = {query.name: "Cost" for query in QUERIES if {"EstimatedCost", "Cost"} <= set(query.units)} | {
    "cost/showback": "Amount"
}
del COSTS["cost/by-kind"]  # has no rows before something is priced
#: Long lists, which callers, and a team's days with a model, are not in where all was refused.
LISTS = ("cost/by-caller-and-model", "cost/by-subscription-model-and-day", "cost/by-user")


@pytest.mark.parametrize("name", sorted(COSTS))
def test_what_has_no_price_is_not_free_beside_a_refused_request(name: str, over: Over) -> None:
    at = {"TimeGenerated": "2026-11-02 08:00", "SubscriptionId": "sub-a", "Team": "research"}
    tokens = {"PromptTokens": "100", "CompletionTokens": "20", "CachedTokens": "0"}
    unpriced = at | tokens | {"ModelName": "no-such-model", "ModelVersion": ""}
    refused = at | {"TokenSource": "not-billed", "Outcome": "throttled-gateway"}
    # As where the answer was refused, no model is known by an answer.
    refused |= {"ModelName": "no-such-model", "ModelVersion": ""}

    def answer(*requests: dict[str, Any]) -> list[Any]:
        frame = over(*requests).query(library().get(name).text).frame
        return [value for column in (COSTS[name], "EstimatedCost") for value in frame[column]]

    of_unpriced = answer(unpriced, refused)
    assert len(of_unpriced) == 2 and all(map(pd.isna, of_unpriced))
    assert answer(refused) == ([] if name in LISTS else [0, 0])


def test_an_invoice_is_shared_without_a_number_for_who_has_only_unknown_tokens(tmp_path: Path) -> None:
    """sub-a has 2,000,000 known tokens and an unknown request, sub-b has only unknown ones, on a deployment at 2.50 USD
    per million prompt tokens; the invoice is of those 2,000,000 and of 1,000,000 more."""
    at = {
        "TimeGenerated": "2026-11-02 08:00",
        "BackendHost": "aoai-eastus2",
        "CachedTokens": "0",
        "CompletionTokens": "0",
    }
    known = at | {"SubscriptionId": "sub-a", "PromptTokens": "2000000"}
    unknown = at | dict.fromkeys(("PromptTokens", "CompletionTokens", "CachedTokens"), "null") | {"TokenSource": "none"}
    requests = [known, unknown | {"SubscriptionId": "sub-a"}, *[unknown | {"SubscriptionId": "sub-b"}] * 3]
    engine = engine_over(requests, tmp_path / "lake")
    (tmp_path / "truth.csv").write_text(
        "TimeGenerated,ModelName,BackendHost,PromptTokens,CachedTokens,CompletionTokens\n"
        "2026-11-02T08:00:00Z,gpt-4o-2024-08-06,aoai-eastus2,3000000,0,0\n"
    )
    plan = Plan(
        discount="0", past_days=0, batch_tokens=(0, 0), training_tokens=0, hosting_hours=0, units=0, units_used=0,
        gateway="0",
    )  # fmt: skip
    write_invoice(tmp_path / "truth.csv", tmp_path / "invoice", plan)
    ingest_costs([tmp_path / "invoice"], Lake(tmp_path / "lake"))
    frame = engine.query(library().get("cost/showback-invoice").text).frame
    found = {row["Name"]: row for row in frame.to_dict("records")}
    assert set(found) == {"sub-a", "sub-b", "(unlogged)"}
    columns = ("Amount", "AmountCents", "Use", "Tokens", "UnknownRequests")
    shares = {name: [None if pd.isna(row[each]) else row[each] for each in columns] for name, row in found.items()}
    assert shares["sub-a"] == [5.0, 500, 5.0, 2_000_000, 1]
    assert shares["sub-b"] == [None, None, None, None, 3]
    assert shares["(unlogged)"] == [2.5, 250, 0.0, None, 0]


def test_an_hour_of_unknown_tokens_is_not_an_hour_without_tokens(tmp_path: Path) -> None:
    """A request an hour from Monday to Thursday; on Wednesday at 10 of unknown tokens, on Thursday at 15 tenfold."""
    requests = []
    for hour in range(96):
        at = {"TimeGenerated": f"2026-11-{2 + hour // 24:02} {hour % 24:02}:30"}
        tokens = {"PromptTokens": "1000" if hour == 87 else "100", "CompletionTokens": "0"}
        none = {"PromptTokens": "null", "CompletionTokens": "null", "TokenSource": "none"}
        requests.append(at | (none if hour == 58 else tokens))
    engine = engine_over(requests, tmp_path / "lake")
    frame = engine.query(library().get("reliability/anomalies").bind(minHours=3)).frame
    found = frame[frame["Measure"] == "tokens"]
    assert [f"{at:%Y-%m-%d %H:%M}" for at in found["Hour"]] == ["2026-11-05 15:00"]
