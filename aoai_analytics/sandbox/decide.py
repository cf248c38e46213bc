"""What the policies decide on a request, step by step, until there is an answer for the client."""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from typing import Any

from ..errors import WrongUse
from . import bodies, media, model, policies, shapes
from .call import Call
from .installation import Installation, Product, Subscription
from .issuer import Issuer
from .limits import Exceeded, Limits
from .mcp import McpServer
from .pool import BackendAnswer, Pools

Json = dict[str, Any]

_BAD_PATH = re.compile(r"[^A-Za-z0-9_./~:-]|\.\.|//")
#: So deep may a request's lists and objects stand in each other. Each Python's own limit is another.
_DEEPEST = 500
_MINUTE = 60.0
_DEPLOYMENT = re.compile(r"[A-Za-z0-9_][A-Za-z0-9_.-]*")


@dataclass
class Answer:
    """What the client gets: a JSON body, the events of a stream, or ``data`` of a media type."""

    status: int
    body: Json = field(default_factory=dict)
    headers: dict[str, str] = field(default_factory=dict)
    events: list[str] | None = None
    data: tuple[bytes, str] | None = None


class Deciding:
    """The policies of one sandbox, with its counters and its pools."""

    def __init__(self, installation: Installation, *, seed: int = 1, clock: Callable[[], float] = time.monotonic):
        self.installation = installation
        self.issuer = Issuer()
        self.limits = Limits(clock)
        self.pools = Pools(installation, seed, clock)
        self._clock = clock
        self._by_key = {each.key: each for each in installation.subscriptions.values()}
        # Id of a response -> its account, and its caller.
        self._owners: dict[str, tuple[str, str]] = {}
        self._mcp = McpServer()
        self._pool_back_at: dict[str, float] = {}
        self._media_calls: dict[str, list[float]] = {}

    def answer(self, call: Call, path: str, query: Mapping[str, str]) -> Answer:
        """Decides on *call*, and notes in it what the log needs. Tokens are counted by ``count``, at the end."""
        call.api_version = query.get("api-version", "")
        call.route = policies.route_of(call.method, path, bool(call.api_version))
        if call.route is None or (call.is_claude and not self.pools.has_claude):
            call.route = None
            message = "Unable to match incoming request to an operation."
            call.last_error = ("configuration", "OperationNotFound", message, "backend")
            return Answer(404, {"statusCode": 404, "message": "Resource not found"})
        refused = self._identify(call, query) or self._filter(call, path) or self._body(call, path)
        refused = refused or self._limit(call, has_product=False) or self._media_limit(call)
        if refused:
            return refused
        if call.surface == "mcp":
            status, body, headers, call.mcp = self._mcp.answer(call)
            return Answer(status, body or {}, headers)
        call.sent, declined = policies.with_usage(call.surface, call.api_version or "v1", call.body)
        if declined:
            call.traces.append(policies.trace("declined"))
        owner: str | None = None
        if call.surface == "responses" and (previous := call.body.get("previous_response_id")):
            caller = call.subscription or call.caller
            owner, whose = self._owners.get(str(previous), (None, caller))
            if whose != caller:
                return _refused(call, 400, model.no_such_response(str(previous)))
        name = call.route.deployment or str(call.body.get("model") or "")
        end = call.correlation_id.replace("-", "")
        call.attempts = self.pools.attempts(call.surface, name, call.sent, end, owner, claude=call.is_claude)
        for number, attempt in enumerate(call.attempts, start=1):
            backend, code = attempt.backend or call.pool, attempt.status or 0
            call.traces.append(policies.trace("attempt", attempt=number, backend=backend, code=code))
        return self._outbound(call, call.attempts[-1])

    def count(self, call: Call) -> None:
        """Counts the tokens of an answer against its caller's limits."""
        answered = call.answered
        if answered and answered.reply:
            self.limits.count(call.subscription or call.caller, answered.reply.usage.total)

    def remaining(self, call: Call) -> dict[str, str]:
        """The headers with what is left of the caller's limits."""
        left = self.limits.left(call.subscription or call.caller, self.installation.products[call.product])
        return dict(zip(policies.limit_headers(), map(str, left), strict=True)) if left else {}

    def set_limits(self, name: str, minute: int | None, month: int | None) -> Product:
        """Changes a product's limits; None keeps one. Raises WrongUse."""
        products = self.installation.products
        known = [each for each in products if each and products[each].tokens_per_minute is not None]
        if name not in known:
            raise WrongUse(f"{name}: not a product with limits; they are {', '.join(known)}")
        old = products[name]
        new = replace(
            old,
            tokens_per_minute=minute or old.tokens_per_minute,
            tokens_per_month=month or old.tokens_per_month,
        )
        self.installation = replace(self.installation, products=products | {name: new})
        return new

    # -- inbound

    def _identify(self, call: Call, query: Mapping[str, str]) -> Answer | None:
        """The gateway's check of a key, the product's limit, and the fragment ``identity``."""
        headers = call.headers
        key = headers.get("x-api-key" if call.is_claude else "api-key") or query.get("subscription-key", "")
        if key:
            subscription: Subscription | None = self._by_key.get(key)
            if subscription is None:
                return self._gateway_error(call, 401, "invalid_api_key", policies.INVALID_KEY, "SubscriptionKeyInvalid")
            call.subscription, call.product = subscription.name, subscription.product
            return self._limit(call, has_product=True)
        bearer = re.match(r"(?i)bearer (.*)", headers.get("authorization", ""))
        if not self.installation.accepts_tokens:
            return self._gateway_error(
                call, 401, "missing_credentials", policies.MISSING_KEY, "SubscriptionKeyNotFound"
            )
        if not bearer:
            return _refused(call, 401, policies.refusal("missing_credentials"))
        audience, role = self.installation.audience, self.installation.role
        caller = self.issuer.caller(bearer[1], audience=audience, role=role)
        if caller is None:
            message = policies.invalid_token()
            return self._gateway_error(call, 401, "invalid_api_key", message, "TokenInvalid", "validate-azure-ad-token")
        call.caller = caller
        call.traces.append(policies.trace("caller", id=caller))
        return None

    def _filter(self, call: Call, path: str) -> Answer | None:
        """The fragment ``request-filter``."""
        deployment = call.route.deployment if call.route else ""
        wrong = bool(deployment) and (not _DEPLOYMENT.fullmatch(deployment) or ".." in deployment)
        if wrong or _BAD_PATH.search(path):
            return _refused(call, 400, policies.refusal("invalid_path"))
        return None

    def _body(self, call: Call, path: str) -> Answer | None:
        """The fragments ``request-body`` and ``allowed-models``."""
        if call.surface == "mcp":
            return None
        given = bodies.Given(path, call.headers.get("content-type", ""), call.text)
        if error := bodies.ambiguous(given, path):
            return _refused(call, 400, error)
        allowed = self.installation.products[call.product].models
        if allowed is None:
            return None
        deployment = call.route.deployment if call.route else ""
        error = bodies.not_allowed(
            allowed, given, deployment=deployment, method=call.method, headers=call.headers, text=call.text
        )
        return _refused(call, 403, error) if error else None

    def _limit(self, call: Call, *, has_product: bool) -> Answer | None:
        """``llm-token-limit``: of the product, or, after the identity, of a caller without one."""
        if has_product != bool(call.product):
            return None
        exceeded: Exceeded | None = self.limits.exceeded(
            call.subscription or call.caller, self.installation.products[call.product]
        )
        if exceeded is None:
            return None
        code = "rate_limit_exceeded" if exceeded.status == 429 else "insufficient_quota"
        answer = self._gateway_error(call, exceeded.status, code, exceeded.message, exceeded.reason, "llm-token-limit")
        if exceeded.wait is not None:
            answer.headers["Retry-After"] = str(exceeded.wait)
        return answer

    def _media_limit(self, call: Call) -> Answer | None:
        """``rate-limit-by-key`` of the fragment ``caller-limits``: images and audio have no tokens that it counts."""
        if call.surface not in media.MODELS or call.product == "unlimited":
            return None
        caller, now = call.subscription or call.caller, self._clock()
        recent = [moment for moment in self._media_calls.get(caller, []) if now - moment < _MINUTE]
        if len(recent) >= int(policies.named_value("media-calls-per-minute")):
            wait = max(1, math.ceil(recent[0] + _MINUTE - now))
            message = f"Rate limit is exceeded. Try again in {wait} seconds."
            answer = self._gateway_error(
                call, 429, "rate_limit_exceeded", message, "RateLimitExceeded", "rate-limit-by-key"
            )
            answer.headers["Retry-After"] = str(wait)
            return answer
        self._media_calls[caller] = [*recent, now]
        return None

    def _gateway_error(
        self, call: Call, status: int, code: str, message: str, reason: str, source: str = "authorization"
    ) -> Answer:
        """The fragment ``gateway-errors``."""
        call.last_error = (source, reason, message, "inbound")
        return _refused(call, status, {"message": message, **policies.refusal(code)})

    # -- outbound

    def _outbound(self, call: Call, last: BackendAnswer) -> Answer:
        if last.status is None:
            return self._nobody_answered(call, last)
        if last.reply is None and call.surface == "models" and last.status == 200:
            return Answer(200, self._models())
        if last.reply is None:
            return self._backend_error(call, last, last.status)
        if call.is_stream:
            events = list(shapes.events(call.surface, last.reply, call.sent))
            return Answer(200, headers=self.remaining(call), events=events)
        if call.surface == "speech":
            return Answer(200, data=last.reply.sound)
        body = shapes.whole(call.surface, last.reply, call.sent)
        if call.surface == "transcriptions" and call.sent.get("response_format") in ("text", "srt", "vtt"):
            return Answer(200, data=(f"{body['text']}\n".encode(), "text/plain; charset=utf-8"))
        if call.surface not in ("embeddings", *media.MODELS):
            call.traces.append(policies.trace("usage", **_told(body)))
        if call.surface == "responses":
            self._owners[last.reply.answer_id] = last.backend, call.subscription or call.caller
        return Answer(200, body)

    def _models(self) -> Json:
        models = {each.full_model for account in self.installation.accounts for each in account.deployments}
        return {"object": "list", "data": [{"id": name, "object": "model"} for name in sorted(models)]}

    def _nobody_answered(self, call: Call, last: BackendAnswer) -> Answer:
        reason = "BackendConnectionFailure" if last.backend else "BackendPoolUnavailable"
        call.last_error = ("forward-request", reason, "No backend answered.", "backend")
        wait = 1000 * self.installation.retry_after
        throttled = [each for each in call.attempts if each.status == 429]
        if throttled:
            wait = min(wait, self._earliest(throttled))
        elif (back_at := self._pool_back_at.get(call.pool, 0.0)) > self._clock():
            wait = max(1000, round(1000 * (back_at - self._clock())))
        error = {"message": policies.no_answer(), **policies.refusal("backend_unavailable")}
        answer = _refused(call, 503, error)
        answer.headers["Retry-After"] = str(math.ceil(wait / 1000))
        return answer

    def _earliest(self, throttled: list[BackendAnswer]) -> int:
        waits = [1000 * (self.installation.retry_after if each.wait is None else each.wait) for each in throttled]
        return min(waits)

    def _backend_error(self, call: Call, last: BackendAnswer, status: int) -> Answer:
        """The fragments ``answer-traces`` and ``backend-errors``."""
        given = dict(last.error or {})
        if code := _error_code(given):
            call.traces.append(policies.trace("error", code=code))
        row = policies.answer_row(status, waits=last.wait is not None)
        if row["code"] == "backend_unauthorized":
            return _refused(call, 502, policies.refusal("backend_unauthorized"))
        if status >= 500:
            message = given.get("message") or policies.backend_failed()
            error = {"message": message, **policies.refusal("backend_unavailable")}
            # The service's own status decides the type.
            answer = replace(_refused(call, status, error), status=503)
        else:
            given.setdefault("message", f"The model's service answered {status}.")
            given.setdefault("param", None)
            given.setdefault("code", "rate_limit_exceeded" if status == 429 else None)
            answer = _refused(call, status, given)
        if status == 429 or status >= 500:
            answer.headers["Retry-After"] = str(math.ceil(self._wait(call, last, status) / 1000))
        return answer

    def _wait(self, call: Call, last: BackendAnswer, status: int) -> int:
        """Milliseconds until a retry may help."""
        usual = 1000 * self.installation.retry_after
        throttled = [each for each in call.attempts if each.status == 429]
        if status == 429:
            wait = self._earliest(throttled)
            self._pool_back_at[call.pool] = self._clock() + wait / 1000
            return wait
        if last.wait is not None:
            return 1000 * last.wait
        return min([usual, *([self._earliest(throttled)] if throttled else [])]) if status == 503 else usual


def _refused(call: Call, status: int, error: Json) -> Answer:
    """An error in the format of the call's API."""
    return Answer(status, policies.error_body(call.route.api if call.route else "", status, error))


def _word(value: Any) -> str:
    return "" if value is None or isinstance(value, dict | list) else re.sub(r"[^A-Za-z0-9_.-]", "_", str(value))


def _told(body: Json) -> dict[str, str]:
    """The fields of a trace of usage, as the fragment ``answer-traces`` reads them from an answer."""
    usage = body.get("usage") or {}
    read = usage.get("prompt_tokens_details") or usage.get("input_tokens_details") or {}
    spent = usage.get("completion_tokens_details") or usage.get("output_tokens_details") or {}
    choice = (body.get("choices") or [{}])[0]
    finish = _word((body.get("incomplete_details") or {}).get("reason"))
    if not finish:
        ended = choice.get("finish_reason") or body.get("stop_reason")
        finish = "stop" if body.get("status") == "completed" else _word(ended)
    finish = _FINISH.get(finish, finish)
    return {
        "cached": _word(read.get("cached_tokens", usage.get("cache_read_input_tokens"))),
        "written": _word(read.get("cache_write_tokens", usage.get("cache_creation_input_tokens"))),
        "reasoning": _word(spent.get("reasoning_tokens")),
        "finish": finish,
        "tier": _word(body.get("service_tier", usage.get("service_tier"))),
    }


_FINISH = {
    "end_turn": "stop", "stop_sequence": "stop", "max_output_tokens": "length", "max_tokens": "length",
    "tool_use": "tool_calls", "refusal": "content_filter",
}  # fmt: skip


def _error_code(error: Json) -> str:
    """The code that the fragment ``answer-traces`` traces of an error: a name before a number."""
    names = [name for name in (_word(error.get(each)) for each in ("code", "status", "type")) if name]
    code = next((name for name in names if not name.isdigit()), names[0] if names else "")
    return code[:64]


def _is_deeper(value: Any, levels: int) -> bool:
    """Whether lists and objects stand in each other more than *levels* deep."""
    inside = [value]
    for _ in range(levels):
        inside = [
            child
            for each in inside
            if isinstance(each, (dict, list))
            for child in (each.values() if isinstance(each, dict) else each)
        ]
    return any(isinstance(each, (dict, list)) for each in inside)


def parsed(text: str) -> Json:
    """A request's JSON object; {} for anything else, which the model's service refuses."""
    try:
        found = json.loads(text) if text else {}
        if text.count("[") + text.count("{") > _DEEPEST and _is_deeper(found, _DEEPEST):
            return {}
    except (ValueError, RecursionError):
        return {}
    return found if isinstance(found, dict) else {}
