"""The doctor finds what is wrong with logs, and nothing where nothing is."""

from __future__ import annotations

import json
from datetime import UTC, datetime
from pathlib import Path

import pytest

from aoai_analytics import connect
from aoai_analytics.doctor import Finding, diagnose
from aoai_analytics.doctor.findings import KINDS, SEVERITIES
from aoai_analytics.engines.protocol import QueryResult
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.ingest import ingest
from aoai_analytics.lake.recompute import recompute
from aoai_analytics.lake.records import SHAPES, table_of, to_arrow, to_row
from aoai_analytics.library.queries import library
from aoai_analytics.prices.book import shipped_book
from tests.doctor.conftest import Sampled, lake_of

# What the sample's generator plants that is no matter of coverage, or that a lake cannot show.
NO_FINDING = {
    "llm-rows-late": "a record does not say when it arrived",
    "gateway-rows-twice": "an ingest drops equal records",
    "llm-rows-twice": "an ingest drops equal records",
    "requests-in-pieces": "the functions put pieces together",
    "answers-in-pieces": "the functions put pieces together",
    "unpriced-model": "a matter of prices",
    "hostile-text": "a matter of whoever shows text",
    "tool-calls": "nothing is missing",
    "image-inputs": "nothing is missing",
    "other-apis": "they are no model's",
    "backend-trouble": "a matter of reliability",
}
COUNTED = ("entries-over-limit", "llm-rows-without-gateway-row", "llm-tokens-zero")


def found(lake: Path, **period: datetime) -> list[Finding]:
    engine = connect(lake)
    try:
        return diagnose(engine, **period)
    finally:
        engine.close()


@pytest.fixture(scope="module")
def of_default(default_sample: Sampled) -> list[Finding]:
    return found(default_sample.lake)


def by_kind(findings: list[Finding], kind: str) -> list[Finding]:
    return [finding for finding in findings if finding.kind == kind]


def moment(text: str) -> datetime:
    return datetime.fromisoformat(text[:19]).replace(tzinfo=UTC)


def test_every_kind_that_the_sample_plants_is_found_or_is_no_matter_of_coverage(
    default_sample: Sampled, of_default: list[Finding]
) -> None:
    planted = {entry["kind"] for entry in default_sample.planted}
    assert planted - {finding.kind for finding in of_default} == planted & NO_FINDING.keys()


@pytest.mark.parametrize("kind", COUNTED)
def test_a_finding_counts_about_as_many_requests_as_were_planted(
    kind: str, default_sample: Sampled, of_default: list[Finding]
) -> None:
    (planted,) = (entry["count"] for entry in default_sample.planted if entry["kind"] == kind)
    (finding,) = by_kind(of_default, kind)
    # An entry's length is guessed from its messages'; of a request across midnight a lake may lack one side.
    assert finding.hidden.requests == pytest.approx(planted, rel=0.02, abs=2)


def test_requests_without_tokens_are_estimated_or_unknown_each_of_them(
    default_sample: Sampled, of_default: list[Finding]
) -> None:
    (planted,) = (entry["count"] for entry in default_sample.planted if entry["kind"] == "tokens-nowhere")
    (estimated,), (unknown,) = by_kind(of_default, "tokens-nowhere"), by_kind(of_default, "tokens-unknown")
    assert estimated.hidden.requests is not None and unknown.hidden.requests is not None
    # A piece of a cut body may tell tokens where its end does not; of a lost answer, whether it was billed by
    # tokens is not known.
    assert estimated.hidden.requests + unknown.hidden.requests == pytest.approx(planted, rel=0.02)
    assert estimated.hidden.estimated_tokens and estimated.hidden.estimated_tokens_error


def test_an_api_without_body_logging_is_found_with_its_name(of_default: list[Finding]) -> None:
    assert [f.where for f in by_kind(of_default, "body-logging-off")] == [{"ApiId": ["azure-openai-legal"]}]


def test_kinds_of_request_that_the_llm_log_never_knows_are_found_with_their_names(of_default: list[Finding]) -> None:
    surfaces = {surface for f in by_kind(of_default, "llm-logging-off") for surface in f.where["Surface"]}
    # Of pictures and audio only where tokens are unknown by it: a whole body tells them too.
    assert {"completions"} <= surfaces <= {"completions", "images", "audio"}


def test_a_gap_is_found_with_its_hours(default_sample: Sampled, of_default: list[Finding]) -> None:
    (planted,) = (entry for entry in default_sample.planted if entry["kind"] == "log-gap")
    (gap,) = by_kind(of_default, "log-gap")
    assert (gap.start, gap.end) == (moment(planted["start"]), moment(planted["end"]))
    assert gap.severity == "problem"
    assert gap.hidden.requests == pytest.approx(planted["count"], rel=0.5)


def test_hours_of_sampling_are_found_with_the_share_that_was_kept(
    default_sample: Sampled, of_default: list[Finding]
) -> None:
    (planted,) = (entry for entry in default_sample.planted if entry["kind"] == "sampling-below-100")
    falls = by_kind(of_default, "sampling-below-100")
    assert falls
    for fall in falls:
        assert fall.start is not None and fall.end is not None
        assert moment(planted["start"]) <= fall.start < fall.end <= moment(planted["end"])
    assert sum((fall.end - fall.start).total_seconds() for fall in falls if fall.end and fall.start) >= 5 * 3600


def test_a_time_without_llm_logging_is_found_with_its_api(default_sample: Sampled, of_default: list[Finding]) -> None:
    (planted,) = (e for e in default_sample.planted if e["kind"] == "llm-logging-off" and "start" in e)
    (interrupted,) = by_kind(of_default, "llm-logging-interrupted")
    assert interrupted.where == {"ApiId": [planted["where"]["ApiId"]]}
    assert (interrupted.start, interrupted.end) == (moment(planted["start"]), moment(planted["end"]))
    assert interrupted.hidden.requests == pytest.approx(planted["count"], rel=0.1)


def test_complete_logs_have_no_finding(complete_sample: Sampled) -> None:
    # Other APIs of the gateway, and a model that no price list knows, are named; the logs lack nothing.
    named = {("outside-requests", "note"), ("models-unpriced", "note")}
    assert [f for f in found(complete_sample.lake) if (f.kind, f.severity) not in named] == []


def test_findings_come_worst_first(of_default: list[Finding]) -> None:
    ranks = [SEVERITIES.index(finding.severity) for finding in of_default]
    assert ranks == sorted(ranks)
    assert len(set(ranks)) > 1


def test_a_finding_names_a_query_of_the_library_and_is_json(of_default: list[Finding]) -> None:
    for finding in of_default:
        library().get(finding.query)
        again = json.loads(json.dumps(finding.as_json()))
        assert (again["kind"], again["hidden"]["requests"]) == (finding.kind, finding.hidden.requests)


def test_every_kind_has_an_impact_a_fix_and_a_query() -> None:
    for name, kind in KINDS.items():
        assert kind.impact and kind.fix, name
        # Most are a matter of the logs; some of callers, of models and of Azure's own count.
        others = {"callers-unmapped": "users", "stated-errors-tested": "trust", "past-the-gateway": "trust"}
        section = others.get(name, "models" if name.startswith("api-version") else "health")
        assert library().get(kind.query).section == section, name


def test_real_shaped_logs_of_two_days_have_the_findings_that_their_truth_implies(
    shared_data: Path, shared_lake: Path
) -> None:
    import pandas as pd

    truth = pd.read_csv(shared_data / "truth.csv", usecols=["Surface", "TokensInLlmLog", "UsageInBody", "PromptTokens"])
    findings = found(shared_lake)
    assert {"bodies-truncated", "llm-rows-missing", "llm-tokens-zero", "tokens-nowhere"} <= {f.kind for f in findings}
    (off,) = by_kind(findings, "llm-logging-off")
    assert off.where["Surface"] == ["completions"]
    nowhere = truth[(truth.PromptTokens > 0) & (truth.TokensInLlmLog == 0) & (truth.UsageInBody == 0)]
    (estimated,) = by_kind(findings, "tokens-nowhere")
    assert estimated.hidden.requests == pytest.approx(len(nowhere), rel=0.05)
    assert not by_kind(findings, "log-gap"), "two days tell nothing of what is usual"


def test_an_empty_lake_is_nothing_known_rather_than_zero_traffic(tmp_path: Path) -> None:
    (finding,) = found(lake_of(tmp_path / "lake"))
    assert (finding.kind, finding.severity) == ("no-records", "problem")
    for cause in ("restricted access", "GatewayLogs", "two hours", "period"):
        assert cause in finding.fix


def test_a_period_without_records_is_nothing_known_either(small_sample: Sampled) -> None:
    (finding,) = found(small_sample.lake, start=datetime(2020, 1, 1, tzinfo=UTC), end=datetime(2020, 2, 1, tzinfo=UTC))
    assert finding.kind == "no-records"


def test_only_the_gateway_log_gives_one_finding_for_the_llm_log(small_sample: Sampled, tmp_path: Path) -> None:
    findings = found(lake_of(tmp_path / "lake", small_sample.logs / "insights-logs-gatewaylogs"))
    (empty,) = by_kind(findings, "llm-log-empty")
    assert empty.severity == "problem"
    assert empty.hidden.requests and empty.hidden.estimated_requests
    assert {f.kind for f in findings}.isdisjoint({"llm-logging-off", "llm-rows-missing", "no-records"})


def test_only_the_llm_log_says_that_the_gateway_log_is_empty(small_sample: Sampled, tmp_path: Path) -> None:
    findings = found(lake_of(tmp_path / "lake", small_sample.logs / "insights-logs-gatewayllmlogs"))
    assert [f.kind for f in findings] == ["gateway-log-empty"]
    assert findings[0].hidden.requests


def delivered_twice(folder: Path, logs: Path, only: str = "") -> Path:
    """A lake that holds each record of *logs* twice, as Log Analytics may; of one API *only*, where named."""
    lake = Lake.create(folder)
    for name, shape in SHAPES.items():
        rows = []
        for blob in sorted(logs.rglob("PT1H.json")):
            for line in blob.read_text("utf-8").splitlines():
                record = json.loads(line)
                api = record["properties"].get("apiId", "")
                if table_of(record).name == name and only in ("", api):
                    rows += [to_row(record, shape)] * 2
        if rows:
            lake.append(name, to_arrow(shape, rows))
    from aoai_analytics.lake.recompute import recompute

    recompute(lake)
    return folder


def test_records_delivered_twice_are_a_note(small_sample: Sampled, tmp_path: Path) -> None:
    findings = found(delivered_twice(tmp_path / "lake", small_sample.logs))
    for kind in ("gateway-rows-twice", "llm-rows-twice"):
        (finding,) = by_kind(findings, kind)
        assert finding.severity == "note"
        assert finding.hidden.requests


def test_a_gateway_without_a_model_s_api_is_said_so(small_sample: Sampled, tmp_path: Path) -> None:
    lake = delivered_twice(tmp_path / "lake", small_sample.logs / "insights-logs-gatewaylogs", only="weather-api")
    assert [f.kind for f in found(lake)] == ["no-model-requests"]


class PartialEngine:
    """Answers from another engine, and says of one query that rows were left out."""

    def __init__(self, lake: Path, partial: str):
        self.source = str(lake)
        self._engine = connect(lake)
        self._partial = library().get(partial).text

    def query(self, kql: str, **options: object) -> QueryResult:
        result = self._engine.query(kql, **options)  # type: ignore[arg-type]
        partial = kql == self._partial
        return QueryResult(result.frame, result.types, partial, ("rows are missing",) if partial else ())

    def close(self) -> None:
        self._engine.close()


def test_an_answer_that_lacks_rows_is_a_finding(small_sample: Sampled) -> None:
    engine = PartialEngine(small_sample.lake, "health/coverage-by-api")
    (incomplete,) = by_kind(diagnose(engine), "answer-incomplete")
    engine.close()
    assert incomplete.severity == "problem"
    assert "health/coverage-by-api" in incomplete.what and "rows are missing" in incomplete.what


GATEWAY_URL = "https://gateway.example"


def mixed(tmp_path: Path) -> Lake:
    """A lake of two model requests, another API's, one that looks like a model's, and records that no table holds."""
    requests = [
        ("known", "/openai/deployments/chat/chat/completions", {"newField": 1}),
        ("plain", "/orders/4711", {}),
        ("unseen", "/llm/v2/models/some-model:explain", {}),
    ]
    lines = [
        {
            "time": "2026-11-02T08:00:00Z",
            "category": "GatewayLogs",
            "correlationId": name,
            "properties": {"method": "POST", "url": GATEWAY_URL + path, "responseCode": 200, "apiId": "api"} | more,
        }
        for name, path, more in requests
    ]
    usage = {"sequenceNumber": 0, "promptTokens": 9, "completionTokens": 0, "totalTokens": 9, "modelName": "gpt-99"}
    lines.append(
        {
            "time": "2026-11-02T08:00:01Z",
            "category": "GatewayLlmLogs",
            "correlationId": "known",
            "properties": usage,
        }
    )
    lines += [{"time": "2026-11-02T08:00:00Z", "category": "DeveloperPortalAuditLogs"}] * 2
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "PT1H.json").write_text("".join(json.dumps(line) + "\n" for line in lines) + "not a record\n")
    lake = Lake.create(tmp_path / "lake")
    ingest([logs], lake)
    recompute(lake)
    return lake


def test_what_is_outside_requests_unknown_or_set_aside_is_named(tmp_path: Path) -> None:
    findings = {finding.kind: finding for finding in found(mixed(tmp_path).path)}
    outside = findings["outside-requests"]
    assert outside.severity == "warning" and outside.hidden.requests == 1
    assert outside.what.startswith("2 gateway records are not model requests; 1 of them look like model traffic")
    assert "POST /llm/v2/models/some-model:explain (1)" in outside.what
    assert findings["unknown-columns"].what == "ApiManagementGatewayLogs has fields that are no column: newField"
    aside = findings["records-set-aside"]
    assert aside.severity == "warning"
    assert "1 quarantined: not JSON (1)" in aside.what
    assert "2 of other categories: DeveloperPortalAuditLogs (2)" in aside.what
    assert findings["llm-completions-zero"].hidden.requests == 1
    assert findings["models-unpriced"].where == {"ModelName": ["gpt-99"]}


def test_a_tier_and_a_kind_of_tokens_without_a_price_are_named(tmp_path: Path) -> None:
    book = {price.model for price in shipped_book() if price.direction == "cache-write"}
    tiers = {(price.model, price.tier) for price in shipped_book()}
    model = next(m for m in shipped_book().models if m not in book and (m, "flex") not in tiers)
    usage = {"prompt_tokens": 5000, "completion_tokens": 9, "total_tokens": 5009}
    written = usage | {"prompt_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 4000}}
    bodies = {
        "priced": {"usage": usage},
        "flex": {"usage": usage, "service_tier": "flex"},
        "written": {"usage": written},
    }
    lines = [
        {
            "time": "2026-11-02T08:00:00Z",
            "category": "GatewayLogs",
            "correlationId": name,
            "properties": {
                "method": "POST",
                "url": GATEWAY_URL + "/openai/deployments/chat/chat/completions",
                "backendUrl": "https://aoai-east.openai.azure.com/",
                "responseCode": 200,
                "backendResponseCode": 200,
                "apiId": "api",
                "responseBody": json.dumps({"object": "chat.completion", "model": model} | body),
            },
        }
        for name, body in bodies.items()
    ]
    logs = tmp_path / "logs"
    logs.mkdir()
    (logs / "PT1H.json").write_text("".join(json.dumps(line) + "\n" for line in lines))
    lake = Lake.create(tmp_path / "lake")
    ingest([logs], lake)
    recompute(lake)
    finding = next(finding for finding in found(lake.path) if finding.kind == "models-unpriced")
    assert finding.hidden.requests == 2
    assert f"{model}: the tier flex" in finding.what
    assert f"{model}: cache-write tokens" in finding.what
    assert finding.where == {"ModelName": [model], "ServiceTier": ["flex"]}


def test_no_advice_buffers_streams_or_turns_on_a_log_that_is_on() -> None:
    assert "Leave it off where responses stream" in KINDS["body-logging-off"].fix
    assert not any("already on" in kind.fix for kind in KINDS.values())
