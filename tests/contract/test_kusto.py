"""The Kusto engine with azure-kusto-data against duckdb-kql's server: properties, failures, limits."""

from __future__ import annotations

import logging
import os
import re
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable
from datetime import datetime
from pathlib import Path

import pytest

from aoai_analytics.engines import connect
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import AoaiError, QueryError, SourceError, UnknownName
from aoai_analytics.lake.delta import Lake
from tests.contract.comparing import assert_same
from tests.contract.conftest import cluster_engine
from tests.contract.kusto_service import KustoService, database_of
from tests.contract.log_analytics_service import SECRET, Credential

COUNT = "ApiManagementGatewayLogs | count"


@pytest.fixture
def cluster(bare_cluster: KustoService):
    yield bare_cluster
    bare_cluster.faults.clear()


def test_a_request_says_who_asks_and_what_it_may(cluster: KustoService) -> None:
    cluster_engine(cluster).query(COUNT)
    asked = cluster.asked[-1]
    assert asked["headers"]["x-ms-app"] == "aoai-analytics"
    assert re.fullmatch(r"aoai;[0-9a-f-]{36}", asked["headers"]["x-ms-client-request-id"])
    assert asked["properties"]["Options"] == {
        "servertimeout": "0:10:00",
        "results_progressive_enabled": False,
        "request_readonly": True,
    }
    assert asked["path"] == "/v2/rest/query"


@pytest.mark.parametrize("faults", [["429"], ["503", "429"], ["dropped"], ["dropped", "503", "429", "503"]])
def test_a_passing_failure_changes_no_answer(faults: list[str], cluster: KustoService, local: LocalEngine) -> None:
    cluster.faults += faults
    result = cluster_engine(cluster).query(COUNT)
    assert_same(result, local.query(COUNT))
    assert result.statistics["requests"] == len(faults) + 1


@pytest.mark.parametrize("fault", ["429", "503", "dropped"])
def test_a_failure_that_stays_is_one_clear_line(fault: str, cluster: KustoService) -> None:
    cluster.faults += [fault] * 6
    with pytest.raises(SourceError, match=r"cannot be reached: .*, 6 times in a row; try again later") as caught:
        cluster_engine(cluster).query(COUNT)
    assert "\n" not in str(caught.value)


@pytest.mark.parametrize(
    ("fault", "said"),
    [
        ("too-large", r"larger than the cluster returns \(500,000 rows or 64 MB\): narrow the time range"),
        ("runaway", "more memory than the cluster grants it: narrow the time range"),
        ("timeout", "longer than the cluster allows: narrow the time range"),
    ],
)
def test_a_query_that_is_too_much_is_told_as_such(fault: str, said: str, cluster: KustoService) -> None:
    cluster.faults.append(fault)
    with pytest.raises(QueryError, match=said):
        cluster_engine(cluster).query("ApiManagementGatewayLogs | summarize count() by CorrelationId")


@pytest.mark.parametrize("fault", ["too-large", "timeout"])
def test_a_row_wise_query_that_is_too_much_comes_in_parts(
    fault: str, cluster: KustoService, local: LocalEngine
) -> None:
    query = "let least = 200; ApiManagementGatewayLogs | where ResponseCode >= least | project CorrelationId, Url"
    cluster.faults += [fault, "", fault]
    result = cluster_engine(cluster).query(query, end=datetime(2026, 11, 1))
    assert_same(result, local.query(query, end=datetime(2026, 11, 1)))
    assert result.statistics["parts"] == 3


def test_a_parameter_goes_with_every_part(cluster: KustoService, local: LocalEngine) -> None:
    query = "let least = 200;\nApiManagementGatewayLogs | where ResponseCode >= least | project CorrelationId"
    cluster.faults.append("too-large")
    before = len(cluster.asked)
    result = cluster_engine(cluster).query(query, parameters={"least": 400})
    assert_same(result, local.query(query, parameters={"least": 400}))
    sent = [asked for asked in cluster.asked[before:] if "least" in asked["csl"]]
    assert len(sent) == 3 and all(asked["properties"]["Parameters"] == {"least": "400"} for asked in sent)


def test_a_computed_table_is_read_and_its_function_not_sent(furnished_cluster: KustoService) -> None:
    before = len(furnished_cluster.asked)
    cluster_engine(furnished_cluster).query("AoaiRequests | count")
    queries = [asked["csl"] for asked in furnished_cluster.asked[before:] if not asked["csl"].startswith(".")]
    assert queries == ["AoaiRequests | count"]


def test_an_unknown_database_is_an_unknown_name(cluster: KustoService) -> None:
    with pytest.raises(UnknownName, match="database not found"):
        connect("kusto://contoso/Nowhere", endpoint=cluster.url).query(COUNT)


def test_no_token_is_in_any_message_or_log(
    cluster: KustoService, caplog: pytest.LogCaptureFixture, capsys: pytest.CaptureFixture[str]
) -> None:
    import traceback

    caplog.set_level(logging.DEBUG)
    engine = connect(f"kusto://contoso/{cluster.database}", credential=Credential(), endpoint=cluster.url)
    said = repr(engine)
    for query, fault in ((COUNT, ""), ("ApiManagementGatewayLogs | where Nope == 1", ""), (COUNT, "too-large")):
        cluster.faults.append(fault)
        try:
            said += repr(engine.query(query))
        except AoaiError as error:
            said += "".join(traceback.format_exception(error))
    sent = cluster.asked[-1]["headers"]["Authorization"]
    assert sent.startswith(f"Bearer {SECRET}")
    output = capsys.readouterr()
    assert SECRET not in said + caplog.text + output.out + output.err


def test_the_console_server_of_duckdb_kql_answers_as_the_lake(
    lake: Path, local: LocalEngine, tmp_path: Path, until: Callable[[Callable[[], bool]], None]
) -> None:
    file = database_of(Lake(lake), tmp_path / "Gateway.duckdb")
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    command = Path(sys.executable).with_name("duckdb-kql")
    quiet = subprocess.DEVNULL
    served = subprocess.Popen([command, "serve", file, "--port", str(port)], stdout=quiet, stderr=quiet)
    try:
        until(lambda: _listens(port))
        engine = connect("kusto://contoso/Gateway", endpoint=f"http://127.0.0.1:{port}")
        for query in ("ApiManagementGatewayLogs", "ApiManagementGatewayLlmLog | where SequenceNumber == 0", COUNT):
            assert_same(engine.query(query), local.query(query))
    finally:
        os.kill(served.pid, signal.SIGTERM)
        served.wait()


def _listens(port: int) -> bool:
    with socket.socket() as probe:
        return probe.connect_ex(("127.0.0.1", port)) == 0


@pytest.fixture
def until() -> Callable[[Callable[[], bool]], None]:
    """Waits, briefly, until another program is ready."""

    def wait(ready: Callable[[], bool]) -> None:
        last = time.monotonic() + 30
        while not ready():
            assert time.monotonic() < last, "the program did not start"
            time.sleep(0.05)

    return wait
