"""Converts drawn requests to log lines, truth rows, and counts of planted flaws."""

from __future__ import annotations

from collections import Counter, defaultdict
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from random import Random
from typing import Any

from aoai_analytics.sample import records
from aoai_analytics.sample.bodies import Usage
from aoai_analytics.sample.exchange import Answer, Ask, answer, ask, kind_of
from aoai_analytics.sample.fate import Fate, decide
from aoai_analytics.sample.flaws import Flaws, Windows
from aoai_analytics.sample.truth import cost
from aoai_analytics.sample.world import (
    CLASSIC,
    GATEWAY,
    MODELS,
    POOL_NAME,
    REGIONS,
    SPEED,
    V1,
    Team,
    User,
    Workload,
)

GATEWAY_LOGS, LLM_LOGS = "insights-logs-gatewaylogs", "insights-logs-gatewayllmlogs"

# Surface -> path below the API (or below the deployment), operation of the classic API, operation of v1.
_OPERATIONS = {
    "chat": ("/chat/completions", "ChatCompletions_Create", "createChatCompletion"),
    "completions": ("/completions", "completions_create", "createCompletion"),
    "embeddings": ("/embeddings", "embeddings_create", "createEmbedding"),
    "responses": ("/responses", "", "createResponse"),
    "images": ("/images/generations", "", "createImage"),
    "audio": ("/audio/transcriptions", "", "createTranscription"),
    "other": ("/models", "", "listModels"),
}
_LLM_LOGGED = ("chat", "responses", "embeddings")


@dataclass
class Emitted:
    """Lines by (container, hour), truth rows in the order drawn, and counts of what was planted."""

    lines: dict[tuple[str, datetime], list[bytes]] = field(default_factory=lambda: defaultdict(list))
    truth: list[dict[str, Any]] = field(default_factory=list)
    counts: Counter[str] = field(default_factory=Counter)


@dataclass
class _Request:
    """One request as drawn, before it is logged."""

    moment: datetime
    correlation_id: str
    team: Team
    user: User
    caller: str
    workload: Workload
    fate: Fate
    stream: bool
    with_usage: bool
    asked: Ask
    answered: Answer | None
    answer_id: str
    backend_time: int

    @property
    def billed(self) -> Usage:
        return self.answered.usage if self.answered and self.fate.answered else Usage()

    @property
    def end_user(self) -> str:
        body_has_it = self.team.caller in ("user", "safety_identifier")
        carries = self.workload.surface not in ("audio", "other")
        return self.user.name if body_has_it and carries and self.with_caller else ""

    @property
    def traced(self) -> bool:
        """The policy reads the caller from its token and traces it."""
        return self.team.caller == "trace" and self.fate.outcome != "unauthorized"

    @property
    def with_caller(self) -> bool:
        """Four of five requests name their caller; the correlation ID decides which."""
        return int(self.correlation_id[:2], 16) % 5 != 0


class Emitter:
    """Draws requests hour by hour and logs them with the mix's flaws."""

    def __init__(self, rng: Random, users: dict[str, list[User]], flaws: Flaws, windows: Windows | None):
        self.rng, self.users, self.flaws, self.windows = rng, users, flaws, windows
        self.out = Emitted()

    def request(self, moment: datetime, team: Team, load: float) -> None:
        """Draw a team's request, log it, and record the truth."""
        drawn = self._draw(moment, team, load)
        rows = self._llm_rows(drawn)
        tokens_logged = self._log_llm(drawn, rows) if rows is not None else False
        body_state, usage_logged = self._log_gateway(drawn)
        self._tell(drawn, tokens_logged, usage_logged, body_state)
        if self.rng.random() < self.flaws.llm_rows_alone:
            self._llm_rows_alone(team, moment)

    def other_api(self, moment: datetime, team: Team) -> None:
        """A request to an API without a model; one of them has a misleading path."""
        rng = self.rng
        if rng.random() < 0.7:
            api, path, operation = "weather-api", "/weather/today", "GetForecast"
        else:
            api, operation = "training-api", "ListCompletions"
            path = f"/training/completions?course={rng.randrange(90)}"
        user = rng.choice(self.users[team.name])
        backend_time = rng.randrange(20, 90)
        properties = {
            "method": "GET", "url": GATEWAY + path, "responseCode": 200, "responseSize": rng.randrange(900, 2200),
            "cache": "none", "requestSize": user.header_bytes, "apiId": api, "operationId": operation,
            "clientProtocol": "HTTP/1.1", "apiRevision": "1", "clientTlsVersion": "1.3",
            "clientTime": rng.randrange(1, 30), "apimSubscriptionId": team.subscription, "productId": team.product,
            "backendUrl": f"https://{api}.contoso.example{path}", "backendMethod": "GET", "backendResponseCode": 200,
            "backendProtocol": "HTTP/1.1", "backendTime": backend_time, "backendId": api,
        }  # fmt: skip
        line, _ = records.gateway_line(
            moment, self._uuid(), duration=backend_time + rng.randrange(3, 30), caller=rng.choice(user.addresses),
            success=True, properties=properties, limit=self.flaws.entry_limit,
        )  # fmt: skip
        self.out.lines[GATEWAY_LOGS, records.hour_of(moment)].append(line)
        self.out.counts["other-api"] += 1

    # -- drawing

    def _uuid(self) -> str:
        digits = f"{self.rng.getrandbits(128):032x}"
        return f"{digits[:8]}-{digits[8:12]}-4{digits[13:16]}-a{digits[17:20]}-{digits[20:]}"

    def _draw(self, moment: datetime, team: Team, load: float) -> _Request:
        rng, flaws = self.rng, self.flaws
        workload = rng.choices(team.workloads, [w.weight for w in team.workloads])[0]
        user = rng.choice(self.users[team.name])
        stream = rng.random() < workload.stream
        with_usage = not flaws.stream_without_usage or workload.surface != "chat" or rng.random() < workload.usage
        if workload.deployment == flaws.hidden_deployment:
            with_usage = False
        trouble = bool(self.windows and self.windows.backend_trouble.holds(moment))
        fate = decide(rng, workload, team, load=load, trouble=trouble, stream=stream, flaws=flaws)
        prefix = "resp_" if workload.surface == "responses" else "chatcmpl-"
        drawn = _Request(
            moment, self._uuid(), team, user, rng.choice(user.addresses), workload, fate, stream, with_usage,
            Ask(None, "", "", 0), None, f"{prefix}{rng.getrandbits(96):024x}", 0,
        )  # fmt: skip
        kind = kind_of(team, rng)
        drawn.asked = ask(
            rng, team, workload, kind, flaws, stream=stream, with_usage=with_usage, end_user=drawn.end_user
        )
        if fate.answered or fate.outcome == "cache-hit":
            drawn.answered = answer(
                rng, workload, drawn.asked, kind, flaws, answer_id=drawn.answer_id, created=int(moment.timestamp()),
                model=MODELS.get(workload.deployment, ""), stream=stream, with_usage=with_usage,
                partial=fate.outcome == "client-closed",
            )  # fmt: skip
        if fate.backend:
            pace = SPEED.get(workload.deployment, 8) * rng.uniform(0.7, 1.6)
            drawn.backend_time = round(rng.uniform(120, 480) * fate.attempts + pace * drawn.billed.completion)
        return drawn

    # -- the LLM log

    def _llm_rows(self, drawn: _Request) -> list[bytes] | None:
        """The request's LLM rows, ``None`` if none are logged."""
        rng, flaws, fate, surface = self.rng, self.flaws, drawn.fate, drawn.workload.surface
        if surface not in _LLM_LOGGED and (flaws.llm_logging_partial or surface != "completions"):
            return None
        if not fate.backend or fate.outcome == "not-found":
            return None
        if fate.outcome == "client-closed" and rng.random() < 0.5:
            return None
        if drawn.workload.api is V1 and self.windows and self.windows.llm_logging_off.holds(drawn.moment):
            self.out.counts["llm-logging-off"] += 1
            return None
        hidden = drawn.workload.deployment == flaws.hidden_deployment
        if fate.answered and (rng.random() < flaws.llm_rows_lost or (hidden and not drawn.stream)):
            self.out.counts["llm-rows-lost"] += 1
            return None
        served = None
        if drawn.answered and fate.answered:
            usage = drawn.billed
            served = (drawn.workload.deployment, MODELS[drawn.workload.deployment], usage.prompt, usage.completion)
            unasked = drawn.stream and not drawn.with_usage
            if hidden or fate.outcome == "client-closed" or (unasked and rng.random() < flaws.stream_zero_tokens):
                served = (*served[:2], 0, 0)
                self.out.counts["llm-tokens-zero"] += 1
        return records.llm_lines(
            records.after(drawn.moment, drawn.backend_time), drawn.correlation_id, request_id=drawn.answer_id,
            api_version=drawn.workload.api.version, stream=drawn.stream, served=served,
            request_messages=drawn.asked.messages, response_messages=drawn.answered.messages if drawn.answered else "",
        )  # fmt: skip

    def _log_llm(self, drawn: _Request, rows: list[bytes]) -> bool:
        """Put the rows into their blobs, some twice, some late; return whether they have the tokens."""
        rng, flaws, counts = self.rng, self.flaws, self.out.counts
        hour = records.hour_of(records.after(drawn.moment, drawn.backend_time))
        if rng.random() < flaws.llm_row_late:
            hour += timedelta(hours=rng.choice((1, 1, 2)))
            counts["llm-rows-late"] += len(rows)
        for row in rows:
            self.out.lines[LLM_LOGS, hour].append(row)
            if rng.random() < flaws.llm_row_twice:
                self.out.lines[LLM_LOGS, hour + timedelta(hours=rng.randrange(2))].append(row)
                counts["llm-row-twice"] += 1
        counts["llm-rows"] += len(rows)
        if len(rows) > 3:
            counts["request-in-pieces"] += sum(b'"sequenceNumber":1,' in row for row in rows) > 1
            counts["answer-in-pieces"] += any(b'"sequenceNumber":3,' in row for row in rows)
        return b'"totalTokens":' in rows[0] and b'"totalTokens":0}' not in rows[0]

    def _llm_rows_alone(self, team: Team, moment: datetime) -> None:
        """An extra request with only LLM rows: it has no gateway row and no truth row."""
        drawn = self._draw(moment, team, 0.0)
        rows = self._llm_rows(drawn) if drawn.fate.outcome == "success" else None
        if rows:
            self.out.lines[LLM_LOGS, records.hour_of(records.after(moment, drawn.backend_time))] += rows
            self.out.counts["llm-rows-alone"] += 1

    # -- the gateway log

    def _log_gateway(self, drawn: _Request) -> tuple[str, bool]:
        """Put the gateway row into its blob; return the body state, and whether a logged body has the usage."""
        rng, flaws, counts = self.rng, self.flaws, self.out.counts
        properties = self._properties(drawn)
        state, usage_logged = self._add_bodies(drawn, properties)
        line, stripped = records.gateway_line(
            drawn.moment, drawn.correlation_id, duration=drawn.backend_time + rng.randrange(8, 60), caller=drawn.caller,
            success=drawn.fate.code < 400, properties=properties, limit=flaws.entry_limit,
        )  # fmt: skip
        if stripped:
            state, usage_logged = "stripped", False
        hour = records.hour_of(drawn.moment)
        self.out.lines[GATEWAY_LOGS, hour].append(line)
        if rng.random() < flaws.gateway_twice:
            self.out.lines[GATEWAY_LOGS, hour + timedelta(hours=rng.randrange(2))].append(line)
            counts["gateway-row-twice"] += 1
        return state, usage_logged

    def _properties(self, drawn: _Request) -> dict[str, Any]:
        rng, team, workload, fate = self.rng, drawn.team, drawn.workload, drawn.fate
        path, classic_operation, v1_operation = _OPERATIONS[workload.surface]
        api = workload.api
        if api is V1:
            below, operation = path, v1_operation
        else:
            deployment = "gpt-4-retired" if fate.outcome == "not-found" else workload.deployment
            version = "2023-05-15" if workload.surface == "completions" else api.version
            below, operation = f"/{deployment}{path}?api-version={version}", classic_operation
        request, response = drawn.asked.body, drawn.answered.body if drawn.answered else fate.error
        method = "GET" if workload.surface == "other" else "POST"
        properties: dict[str, object] = {
            "method": method,
            "url": f"{GATEWAY}{api.path}{below}",
            "responseCode": fate.code,
            "responseSize": rng.randrange(760, 860) + (response.size if response else 90),
            "cache": "hit" if fate.outcome == "cache-hit" else "none",
            "requestSize": drawn.user.header_bytes + rng.randrange(24) + (request.size if request else 0),
            "apiId": api.name,
            "operationId": operation,
            "clientProtocol": "HTTP/1.1",
            "apiRevision": "1",
            "clientTlsVersion": "1.3",
            "clientTime": rng.randrange(1, 30),
        }
        if fate.outcome != "unauthorized":
            properties |= {"apimSubscriptionId": team.subscription, "productId": team.product}
            if drawn.user.registered:
                properties["userId"] = drawn.user.name
        if fate.backend:
            below_openai = below if api is V1 else f"/deployments{below}"
            root = "/openai/v1" if api is V1 else "/openai"
            properties |= {
                "backendUrl": f"https://{fate.backend}.openai.azure.com{root}{below_openai}", "backendMethod": method,
                "backendResponseCode": fate.backend_code, "backendProtocol": "HTTP/1.1",
                "backendTime": drawn.backend_time, "backendId": POOL_NAME,
            }  # fmt: skip
        messages = [
            f"InferenceAttempt|attempt={number}|backend={backend}|code={code}"
            for number, (backend, code) in enumerate(fate.traced, start=1)
        ]
        if drawn.traced:
            messages.append(f"InferenceCaller|id={drawn.user.name}")
        if messages:
            properties["traceRecords"] = [
                {"source": "aoai-gateway", "severity": "Information", "message": message} for message in messages
            ]
        if fate.last_error:
            source, reason, message, section = fate.last_error
            error = {"elapsed": rng.randrange(3, 60), "source": source, "reason": reason, "message": message,
                     "section": section}  # fmt: skip
            properties |= {"lastError": error, "errors": [error]}
        return properties

    def _add_bodies(self, drawn: _Request, properties: dict[str, Any]) -> tuple[str, bool]:
        """Log the bodies like the API's diagnostic, cut at its limit."""
        rng, flaws, fate, workload = self.rng, self.flaws, drawn.fate, drawn.workload
        response = drawn.answered.body if drawn.answered else fate.error
        request = drawn.asked.body
        off = flaws.body_logging_off and not workload.api.logs_bodies
        lost = rng.random() < flaws.bodies_lost
        hidden = workload.deployment == flaws.hidden_deployment and not drawn.stream
        if off or lost or hidden or not request or not response:
            self.out.counts["bodies-off" if off else "bodies-lost"] += bool(request and response)
            return "none", False
        texts = records.cut(request.text, flaws.body_limit), records.cut(response.text, flaws.body_limit)
        properties |= {"requestBody": texts[0], "responseBody": texts[1]}
        if fate.backend and workload.api is CLASSIC:
            properties |= {"backendRequestBody": texts[0], "backendResponseBody": texts[1]}
        whole = request.size <= flaws.body_limit and response.size <= flaws.body_limit
        told = response.usage_end is not None and response.usage_end <= flaws.body_limit
        return "full" if whole else "truncated", told and fate.answered

    # -- the truth

    def _tell(self, drawn: _Request, tokens_logged: bool, usage_logged: bool, body_state: str) -> None:
        fate, workload, usage, counts = drawn.fate, drawn.workload, drawn.billed, self.out.counts
        unknown_deployment = fate.outcome == "not-found" and workload.api is not V1
        deployment = "gpt-4-retired" if unknown_deployment else workload.deployment
        model = "" if fate.outcome == "not-found" else MODELS.get(workload.deployment, "")
        self.out.truth.append({
            "CorrelationId": drawn.correlation_id,
            "TimeGenerated": records.log_time(drawn.moment),
            "CallerIpAddress": drawn.caller,
            "SubscriptionId": "" if fate.outcome == "unauthorized" else drawn.team.subscription,
            "ProductId": "" if fate.outcome == "unauthorized" else drawn.team.product,
            "User": drawn.user.name,
            "BodyUser": drawn.user.name if drawn.traced else drawn.end_user,
            "ApiId": workload.api.name,
            "Surface": workload.surface,
            "DeploymentName": deployment,
            "ModelName": model,
            "Outcome": fate.outcome,
            "ResponseCode": fate.code,
            "Stream": int(drawn.stream),
            "Attempts": fate.attempts,
            "BackendHost": fate.backend,
            "Region": REGIONS.get(fate.backend, ""),
            "CacheHit": int(fate.outcome == "cache-hit"),
            "PromptTokens": usage.prompt,
            "CachedTokens": usage.cached,
            "CompletionTokens": usage.completion,
            "ReasoningTokens": usage.reasoning,
            "CostUSD": cost(model, usage),
            "TokensInLlmLog": int(tokens_logged),
            "UsageInBody": int(usage_logged),
            "BodyState": body_state,
            "PromptText": drawn.asked.text,
            "ResponseText": drawn.answered.text if drawn.answered else "",
        })  # fmt: skip
        counts["requests"] += 1
        counts[f"body-{body_state}"] += 1
        counts["tokens"] += usage.total
        if usage.total and not tokens_logged and not usage_logged:
            counts["tokens-nowhere"] += usage.total
            counts["requests-without-tokens"] += 1
        if usage.total and model.startswith("gpt-9"):
            counts["unpriced"] += 1
        counts["stream-without-usage"] += drawn.stream and not drawn.with_usage and fate.answered
        counts["hostile-text"] += drawn.asked.hostile or bool(drawn.answered and drawn.answered.hostile)
        counts["tool-calls"] += drawn.asked.tools
        counts["image-inputs"] += drawn.asked.image
