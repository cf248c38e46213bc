"""The Log Analytics engine against a service that fails as the real one does: all rows, or a plain word."""

from __future__ import annotations

import logging
import random
import re
import traceback
from collections import Counter
from datetime import datetime, timedelta

import pandas as pd
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.engines.pace import Pace
from aoai_analytics.errors import AoaiError, QueryError, SourceError, UnknownName
from tests.contract.comparing import assert_same
from tests.contract.conftest import Asking, unlimited
from tests.contract.log_analytics_service import SECRET, Credential, Faults, Limits, LogAnalyticsService

FIRST, LAST = datetime(2026, 10, 30), datetime(2026, 11, 2)
ROW_WISE = (
    "ApiManagementGatewayLogs | project TimeGenerated, CorrelationId, ResponseCode, TotalTime",
    "ApiManagementGatewayLogs | where ResponseCode >= 400 | extend H = extract('//([^/]+)', 1, Url) | project-away Url",
    "let least = 100; ApiManagementGatewayLlmLog | where TotalTokens >= least | project CorrelationId, TotalTokens",
    "ApiManagementGatewayLogs | project CorrelationId, TotalTime | sort by TotalTime asc, CorrelationId desc",
    "ApiManagementGatewayLogs | project CorrelationId, TotalTime | top 55 by CorrelationId asc",
    "ApiManagementGatewayLogs | parse Url with * '//' Host '/' * | project CorrelationId, Host",
    "ApiManagementGatewayLogs | project CorrelationId, Errors | mv-expand Errors",
)
WHOLE = (
    "ApiManagementGatewayLogs | summarize Requests = count(), Time = sum(TotalTime) by ResponseCode",
    "ApiManagementGatewayLlmLog | count",
)


@pytest.mark.parametrize("seed", range(4))
def test_hundreds_of_faulty_exchanges_change_no_answer(
    seed: int, local: LocalEngine, asking: Asking, record_property: pytest.RecordProperty
) -> None:
    chance = random.Random(seed)
    limits = Limits(rows=50, bytes=9_000, looked_at=120, requests=None, at_once=None, token_uses=9)
    faults = Faults(rate=0.35, seed=seed)
    rows = 0
    with LogAnalyticsService(local, limits=limits, faults=faults) as service:
        engine = asking(service)
        for _ in range(60):
            query = chance.choice(ROW_WISE + WHOLE)
            start = FIRST + timedelta(minutes=chance.randrange(60 * 24 * 2))
            end = start + timedelta(minutes=chance.randrange(60, 60 * 30))
            expected = local.query(query, start=start, end=end)
            rows += assert_same(engine.query(query, start=start, end=end), expected, ordered=False)
        exchanges = service.exchanges
    faulty = sum(exchanges[kind] for kind in (*faults.kinds, "401", "partial", "504"))
    record_property("faulty_exchanges", faulty)
    record_property("exchanges", sum(exchanges[kind] for kind in (*faults.kinds, "401", "asked")))
    record_property("rows_compared", rows)
    assert faulty > 80 and rows > 500
    assert all(exchanges[kind] for kind in (*faults.kinds, "401", "partial", "504"))


@pytest.mark.parametrize("query", ROW_WISE)
def test_a_row_wise_query_past_a_limit_comes_in_parts(query: str, local: LocalEngine, asking: Asking) -> None:
    with LogAnalyticsService(local, limits=Limits(rows=20, requests=None)) as service:
        result = asking(service).query(query)
    assert_same(result, local.query(query), ordered=False)
    assert result.statistics["parts"] > 1 and result.warnings == ()


def test_sorting_is_done_again_when_parts_are_put_together(local: LocalEngine, asking: Asking) -> None:
    rows = "ApiManagementGatewayLogs | project CorrelationId, BackendTime"
    query = f"{rows} | sort by BackendTime desc, CorrelationId asc"
    for wanted in (query, query.replace("desc, ", "asc nulls last, "), f"{query} | take 33"):
        with LogAnalyticsService(local, limits=Limits(rows=40, requests=None)) as service:
            result = asking(service).query(wanted)
        pd.testing.assert_frame_equal(result.frame, local.query(wanted).frame)


@pytest.mark.parametrize(
    "query",
    [
        "ApiManagementGatewayLogs | summarize Requests = count() by CorrelationId",
        "ApiManagementGatewayLogs | distinct CorrelationId",
        "ApiManagementGatewayLogs | join kind=inner ApiManagementGatewayLlmLog on CorrelationId | project Url",
        "union ApiManagementGatewayLogs, ApiManagementGatewayLlmLog | project CorrelationId",
        "AoaiRequests | project CorrelationId",
    ],
)
def test_what_cannot_be_split_comes_marked_as_partial(query: str, local: LocalEngine, asking: Asking) -> None:
    with LogAnalyticsService(local, limits=Limits(rows=30, requests=None), saved=True) as service:
        result = asking(service).query(query)
    assert result.partial and len(result.frame) == 30
    assert "rows are missing" in result.warnings[0] and "narrow its time range" in result.warnings[0]
    assert "exceed the set limit of 30 records" in result.warnings[0]


def test_rows_that_cannot_be_parted_by_time_are_said_to_be_missing(local: LocalEngine, asking: Asking) -> None:
    query = "ApiManagementGatewayLogs | project CorrelationId | mv-expand N = dynamic([1, 2, 3, 4, 5, 6, 7, 8, 9])"
    first = local.query("ApiManagementGatewayLogs | summarize min(TimeGenerated)").frame.iloc[0, 0].to_pydatetime()
    with LogAnalyticsService(local, limits=Limits(rows=5, requests=None)) as service:
        result = asking(service).query(query, start=first, end=first + timedelta(milliseconds=1))
    assert result.partial
    assert all("are missing: The results of this query exceed" in warning for warning in result.warnings)


def test_a_query_that_takes_too_long_is_refused_with_advice_where_it_cannot_be_split(
    local: LocalEngine, asking: Asking
) -> None:
    with LogAnalyticsService(local, limits=Limits(looked_at=3, requests=None)) as service:
        with pytest.raises(QueryError, match=r"longer than the service allows.*narrow its time range"):
            asking(service).query("ApiManagementGatewayLogs | summarize count() by CorrelationId")
        assert service.exchanges["504"] == 1


def test_a_partial_answer_for_another_reason_than_a_limit_is_not_asked_for_again(
    local: LocalEngine, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    import orjson

    from tests.contract import log_analytics_service

    whole = log_analytics_service._Handler._body

    def with_a_lost_workspace(handler: object, request: dict[str, object]) -> bytes | None:
        body = orjson.loads(whole(handler, request) or b"{}")  # type: ignore[arg-type]
        inner = {"code": "WorkspaceGone", "message": "One of the workspaces could not be resolved"}
        return orjson.dumps({**body, "error": {"code": "PartialError", "message": "errors", "innererror": inner}})

    monkeypatch.setattr(log_analytics_service._Handler, "_body", with_a_lost_workspace)
    with LogAnalyticsService(local, limits=unlimited()) as service:
        result = asking(service).query("ApiManagementGatewayLogs | project CorrelationId")
        assert service.exchanges["asked"] == 1
    assert result.partial and result.warnings == ("rows are missing: One of the workspaces could not be resolved",)


@pytest.mark.parametrize("kind", ["429-after", "429", "503", "500", "dropped", "cut-off", "broken-json"])
def test_a_service_that_fails_for_good_is_named_in_one_line(kind: str, local: LocalEngine, asking: Asking) -> None:
    with LogAnalyticsService(local, faults=Faults(script=[kind] * 50), limits=unlimited()) as service:
        with pytest.raises(SourceError, match=r"cannot be reached.*10 times in a row; try again later") as caught:
            asking(service).query("ApiManagementGatewayLogs | count")
        assert service.exchanges[kind] == 10
    assert "\n" not in str(caught.value)


def test_a_throttled_client_waits_as_long_as_it_is_told(local: LocalEngine, asking: Asking) -> None:
    waited: list[float] = []
    now = [0.0]

    def sleep(seconds: float) -> None:
        waited.append(seconds)
        now[0] += seconds

    with LogAnalyticsService(local, faults=Faults(script=["429", "429", "429"]), limits=unlimited()) as service:
        engine = asking(service)
        engine.api.pace = Pace(requests=None, clock=lambda: now[0], sleep=sleep, first_wait=2.0)
        engine.query("ApiManagementGatewayLogs | count")
    assert len(waited) == 3
    assert all(1.0 * 2**n <= seconds <= 2.0 * 2**n for n, seconds in enumerate(waited))


def test_a_credential_without_rights_is_said_and_asked_for_once_more(local: LocalEngine, asking: Asking) -> None:
    with LogAnalyticsService(local, limits=Limits(token_uses=0)) as service:
        credential = Credential()
        credential.get_token = lambda *_, **__: type("T", (), {"token": "wrong", "expires_on": 2**33})()
        with pytest.raises(SourceError, match="Log Analytics Reader"):
            asking(service, credential=credential).query("ApiManagementGatewayLogs | count")
        assert service.exchanges["401"] == 3


def test_no_token_is_in_any_message_or_log(
    local: LocalEngine, asking: Asking, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    caplog.set_level(logging.DEBUG)
    said = ""
    kinds = ("429", "503", "dropped", "cut-off", "broken-json")
    for script in (["401"] * 9, *([kind] * 50 for kind in kinds), [""]):
        with LogAnalyticsService(local, faults=Faults(script=list(script)), limits=unlimited()) as service:
            for query in ("ApiManagementGatewayLogs | wher", "ApiManagementGatewayLogs | count"):
                engine = asking(service)
                try:
                    said += repr(engine.query(query)) + repr(engine) + repr(vars(engine))
                except AoaiError as error:
                    said += "".join(traceback.format_exception(error))
            said += repr(service.asked)
    output = capsys.readouterr()
    everything = said + caplog.text + output.out + output.err
    assert "Log Analytics" in everything and len(caplog.records) > 20
    assert SECRET not in everything


def test_ctrl_c_leaves_at_once_and_the_engine_can_be_closed(
    local: LocalEngine, asking: Asking, monkeypatch: pytest.MonkeyPatch
) -> None:
    with LogAnalyticsService(local, faults=Faults(script=["503"]), limits=unlimited()) as service:
        engine = asking(service)

        def interrupted(*_: object, **__: object) -> None:
            raise KeyboardInterrupt

        monkeypatch.setattr(engine.api.pace, "wait_before_try", interrupted)
        with pytest.raises(KeyboardInterrupt):
            engine.query("ApiManagementGatewayLogs | count")
        assert engine.query("ApiManagementGatewayLogs | count").frame["Count"][0] > 0
        engine.close()
        engine.close()


def test_a_closed_engine_says_so(bare_workspace: LogAnalyticsService, asking: Asking) -> None:
    engine = asking(bare_workspace)
    engine.close()
    with pytest.raises(SourceError, match="was closed"):
        engine.query("ApiManagementGatewayLogs | count")


def test_several_workspaces_and_a_resource_are_asked_as_the_api_wants_it(
    bare_workspace: LogAnalyticsService, asking: Asking
) -> None:
    resource = "/subscriptions/s-1/resourceGroups/rg-contoso/providers/Microsoft.ApiManagement/service/apim-contoso"
    before = len(bare_workspace.asked)
    asking(bare_workspace, workspaces="aaaa-1,bbbb-2,cccc-3").query("print 1", start=FIRST, end=LAST)
    asking(bare_workspace, workspaces=resource).query("print 1")
    several, one = bare_workspace.asked[before:]
    assert several["path"] == "/v1/workspaces/aaaa-1/query" and several["workspaces"] == ["bbbb-2", "cccc-3"]
    assert several["timespan"] == "2026-10-30T00:00:00.000000Z/2026-11-02T00:00:00.000000Z"
    assert one["path"] == f"/v1{resource}/query" and "timespan" not in one
    assert "wait=600" in one["prefer"]


def test_functions_saved_in_the_workspace_are_used_and_asked_for_once(
    furnished_workspace: LogAnalyticsService, asking: Asking
) -> None:
    engine = asking(furnished_workspace)
    before = len(furnished_workspace.asked)
    for _ in range(3):
        engine.query("AoaiRequests | count")
    queries = Counter(asked["query"] for asked in furnished_workspace.asked[before:])
    assert queries == {"AoaiRequests | take 0": 1, "AoaiRequests | count": 3}


def test_only_the_functions_that_a_query_needs_are_sent(local: LocalEngine, asking: Asking) -> None:
    """The rows of what is sent are compared in ``test_every_engine_agrees.py``."""
    with LogAnalyticsService(local, limits=unlimited(), answer=lambda _: local.arrow("print Count = 0", {})) as service:
        asking(service).query("AoaiRequestsLogged | count")
        asking(service).query("ApiManagementGatewayLogs | count // AoaiMessages")
    with_functions, bare = (asked["query"] for asked in service.asked[-2:])
    sent = set(re.findall(r"^let (Aoai[A-Za-z]+) =", with_functions, re.M))
    assert sent == {"AoaiSurface", "AoaiLlmTokens", "AoaiAnswers", "AoaiRequestsLogged"}
    assert bare == "ApiManagementGatewayLogs | count // AoaiMessages"
    assert len(service.asked) <= 4


def test_an_error_names_the_place_in_the_query_as_it_was_given(
    bare_workspace: LogAnalyticsService, asking: Asking
) -> None:
    with pytest.raises(QueryError, match="line 3") as caught:
        asking(bare_workspace).query("let topN = 5;\nAoaiRequests\n| foo", start=FIRST, end=LAST)
    assert caught.value.line == 3


def test_a_workspace_that_is_not_there_is_an_unknown_name() -> None:
    from aoai_analytics.engines.log_analytics_api import refusal

    error = refusal(404, {"code": "PathNotFoundError", "message": "The requested path does not exist"})
    assert isinstance(error, UnknownName) and "workspace's ID" in str(error)
