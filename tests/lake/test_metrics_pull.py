"""Metrics of an account, pulled from a loopback server that answers as the metrics batch API is documented to."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qs, urlsplit

import pytest
from azure.core.credentials import AccessToken

from aoai_analytics.cli import main
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import PartialResult, SourceError, WrongUse
from aoai_analytics.lake.accounts import accounts_by_region
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.metrics_pull import UTILIZATION, pull_metrics

RESOURCE = "/subscriptions/0a1b/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/Swedish"
#: Whole hours, long enough ago to be settled, and those of Azure's last days that are kept.
START = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(days=2)


def send(handler: BaseHTTPRequestHandler, status: int, found: Any) -> None:
    """Answer with *found* as JSON."""
    content = json.dumps(found).encode()
    handler.send_response(status)
    handler.send_header("Content-Type", "application/json")
    handler.send_header("Content-Length", str(len(content)))
    handler.end_headers()
    handler.wfile.write(content)


class Credential:
    def get_token(self, *scopes: str, **_: Any) -> AccessToken:
        return AccessToken("none", int(datetime.now(UTC).timestamp()) + 3600)


class Azure:
    """What the service knows: tokens of each minute, and what it was asked."""

    def __init__(self) -> None:
        self.tokens: dict[datetime, float] = {}
        self.asked: list[dict[str, str]] = []
        self.status = 200
        self.most_series = 1
        self.subscription = "0a1b"

    def answer(self, path: str, body: dict[str, Any]) -> tuple[int, dict[str, Any]]:
        parts = urlsplit(path)
        asked = {name: values[0] for name, values in parse_qs(parts.query).items()}
        self.asked.append(asked)
        if self.status != 200:
            return self.status, {"error": {"code": "Forbidden", "message": "no"}}
        assert parts.path == f"/subscriptions/{self.subscription}/metrics:getBatch"
        begin, end = (datetime.fromisoformat(asked[name]).astimezone(UTC) for name in ("starttime", "endtime"))
        data = [
            {"timeStamp": f"{moment:%Y-%m-%dT%H:%M:%SZ}", "total": total, "average": total / 2}
            for moment, total in sorted(self.tokens.items())
            if begin <= moment < end
        ]
        names = [{"name": {"value": "modeldeploymentname"}, "value": "chat"}]
        series = [{"metadatavalues": names, "data": data}] * self.most_series
        (resource,) = body["resourceids"]
        metrics = [
            {
                "id": f"{resource}/providers/Microsoft.Insights/metrics/{name}",
                "type": "Microsoft.Insights/metrics",
                "name": {"value": name, "localizedValue": name},
                "displayDescription": "",
                "unit": "Count",
                "timeseries": series if name in ("ProcessedPromptTokens", UTILIZATION) else [],
            }
            for name in asked["metricnames"].split(",")
        ]
        fixed = {"starttime": asked["starttime"], "endtime": asked["endtime"], "interval": asked["interval"]}
        place = {"namespace": asked["metricnamespace"], "resourceregion": "swedencentral", "resourceid": resource}
        return 200, {"values": [fixed | place | {"value": metrics}]}


@pytest.fixture
def azure() -> Iterator[Azure]:
    state = Azure()

    class Handler(BaseHTTPRequestHandler):
        def do_POST(self) -> None:
            body = json.loads(self.rfile.read(int(self.headers["Content-Length"])))
            status, found = state.answer(self.path, body)
            send(self, status, found)

        def log_message(self, *_: Any) -> None:
            pass

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    state.endpoint = f"http://127.0.0.1:{server.server_address[1]}"  # type: ignore[attr-defined]
    yield state
    server.shutdown()


def pulled(azure: Azure, lake: Lake, **more: Any) -> Any:
    given = {"region": "swedencentral", "start": START, "end": START + timedelta(hours=30)} | more
    endpoint = azure.endpoint  # type: ignore[attr-defined]
    return pull_metrics([RESOURCE], lake, credential=Credential(), endpoint=endpoint, **given)


def hourly(lake: Lake) -> list[int]:
    engine = LocalEngine(lake, "lake")
    try:
        frame = engine.query("AoaiAccountMetrics | sort by TimeGenerated asc").frame
        assert set(frame["DeploymentName"]) == {"chat"}
        # The utilization has averages of minutes, half of the tokens here, and the hour's highest counts.
        assert (frame["PeakUtilization"] <= frame["PromptTokens"] / 2).all() and (frame["PeakUtilization"] >= 5).all()
        return frame["PromptTokens"].tolist()
    finally:
        engine.close()


def test_settled_hours_are_pulled_once_and_new_ones_later(azure: Azure, tmp_path) -> None:
    azure.tokens = {START + timedelta(minutes=30 * n): 10.0 + n for n in range(4)}
    lake = Lake.create(tmp_path / "lake")
    first = pulled(azure, lake)
    assert (first.new, first.hours, first.known, len(azure.asked)) == (8, 30, 0, 2)
    assert azure.asked[0]["aggregation"].lower() == "total,average"
    assert azure.asked[0]["interval"] == "PT1M" and "ModelDeploymentName eq '*'" in azure.asked[0]["filter"]
    again = pulled(azure, lake, end=START + timedelta(hours=31))
    assert (again.new, again.hours, again.known, len(azure.asked)) == (0, 1, 30, 3)
    assert hourly(lake) == [21, 25]


def test_a_young_hour_is_asked_for_again_and_its_grown_value_counts_once(azure: Azure, tmp_path) -> None:
    now = datetime.now(UTC).replace(minute=0, second=0, microsecond=0) - timedelta(hours=1)
    azure.tokens = {now: 10.0}
    lake = Lake.create(tmp_path / "lake")
    assert pulled(azure, lake, start=now, end=now + timedelta(hours=1)).new == 2
    azure.tokens = {now: 15.0}
    assert pulled(azure, lake, start=now, end=now + timedelta(hours=1)).new == 2
    assert hourly(lake) == [15]


def test_an_answer_that_is_cut_and_a_refusal_are_errors_and_leave_no_mark(azure: Azure, tmp_path) -> None:
    azure.tokens = {START: 10.0}
    lake = Lake.create(tmp_path / "lake")
    azure.most_series = 1000
    with pytest.raises(PartialResult, match="1,000"):
        pulled(azure, lake)
    azure.most_series, azure.status = 1, 403
    with pytest.raises(SourceError, match="Monitoring Reader"):
        pulled(azure, lake)
    azure.status = 200
    assert pulled(azure, lake).new == 2


def test_what_is_no_account_or_region_is_said_before_anything_is_asked(azure: Azure, tmp_path, capsys) -> None:
    lake = Lake.create(tmp_path / "lake")
    with pytest.raises(WrongUse, match="resource id"):
        pull_metrics(["swedish"], lake, region="swedencentral", start=START)
    with pytest.raises(WrongUse, match="region"):
        pulled(azure, lake, region="evil.example/")
    assert azure.asked == []
    assert main(["ingest", "logs", "--resource", RESOURCE, "--lake", str(tmp_path / "lake")]) == 2
    assert "--resource ID --region REGION" in capsys.readouterr().err


SUBSCRIPTION = "00000000-0000-0000-0000-00000000000a"


class Manager(BaseHTTPRequestHandler):
    """Resource Manager: two pages of accounts, in its documented form. ``next_host`` is where it says the second is."""

    asked: ClassVar[list[tuple[str, str | None]]] = []
    status = 200
    next_host = ""

    def do_GET(self) -> None:
        self.asked.append((self.path, self.headers["Authorization"]))
        own = f"http://{self.headers['Host']}"
        place = f"/subscriptions/{SUBSCRIPTION}/providers/Microsoft.CognitiveServices/accounts"
        account = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/ai/providers/Microsoft.CognitiveServices/accounts/"
        first = [("one", "OpenAI", "swedencentral"), ("speech", "SpeechServices", "swedencentral")]
        kinds = [("two", "AIServices", "West Europe"), ("three", "OpenAI", "swedencentral")]
        page = {"value": [{"id": account + name, "kind": k, "location": at} for name, k, at in first]}
        if "page=2" in self.path:
            page = {"value": [{"id": account + name, "kind": k, "location": at} for name, k, at in kinds]}
        elif self.status == 200:
            page["nextLink"] = f"{self.next_host or own}{place}?api-version=2024-10-01&page=2"
        send(self, self.status, page if self.status == 200 else {"error": {"code": "AuthorizationFailed"}})

    def log_message(self, *_: Any) -> None:
        pass


@pytest.fixture
def manager(monkeypatch: pytest.MonkeyPatch) -> Iterator[str]:
    monkeypatch.setattr(Manager, "asked", [])
    server = ThreadingHTTPServer(("127.0.0.1", 0), Manager)
    threading.Thread(target=server.serve_forever, daemon=True).start()
    yield f"http://127.0.0.1:{server.server_address[1]}"
    server.shutdown()
    server.server_close()


def test_the_model_accounts_of_a_subscription_are_found_by_region(manager: str) -> None:
    found = accounts_by_region(SUBSCRIPTION, credential=Credential(), endpoint=manager)
    names = {region: [resource.rpartition("/")[2] for resource in ids] for region, ids in found.items()}
    assert names == {"swedencentral": ["one", "three"], "westeurope": ["two"]}
    assert [token for _, token in Manager.asked] == ["Bearer none"] * 2


def test_accounts_that_cannot_be_listed_are_an_error_that_names_the_role(
    manager: str, monkeypatch: pytest.MonkeyPatch, tmp_path, capsys
) -> None:
    with pytest.raises(WrongUse, match="id of a subscription"):
        accounts_by_region("mine", credential=Credential(), endpoint=manager)
    monkeypatch.setattr(Manager, "next_host", "http://127.0.0.1:1")
    with pytest.raises(SourceError, match="another host"):
        accounts_by_region(SUBSCRIPTION, credential=Credential(), endpoint=manager)
    monkeypatch.setattr(Manager, "status", 403)
    with pytest.raises(SourceError, match="Monitoring Reader"):
        accounts_by_region(SUBSCRIPTION, credential=Credential(), endpoint=manager)
    assert main(["ingest", "logs", "--subscription", SUBSCRIPTION, "--lake", str(tmp_path / "lake")]) == 2
    assert "aoai ingest metrics --subscription" in capsys.readouterr().err


def test_metrics_of_all_accounts_of_a_subscription_come_into_the_lake(
    azure: Azure, manager: str, monkeypatch: pytest.MonkeyPatch, tmp_path, capsys
) -> None:
    azure.tokens = {START: 10.0}
    azure.subscription = SUBSCRIPTION
    endpoint = azure.endpoint  # type: ignore[attr-defined]
    monkeypatch.setattr("aoai_analytics.lake.accounts.credential_for", lambda _: Credential())
    monkeypatch.setattr("aoai_analytics.lake.metrics_pull.credential_for", lambda _: Credential())
    monkeypatch.setattr("aoai_analytics.lake.accounts.checked_endpoint", lambda _: manager)
    monkeypatch.setattr("aoai_analytics.lake.metrics_pull.checked_endpoint", lambda _: endpoint)
    lake = tmp_path / "lake"
    assert main(["ingest", "metrics", "--subscription", SUBSCRIPTION, "--since", "3d", "--lake", str(lake)]) == 0
    assert re.search(r"^new +6$", capsys.readouterr().out, re.MULTILINE)
    assert hourly(Lake(lake)) == [10, 10, 10]
