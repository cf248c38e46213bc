"""The outcome of a request: served, throttled, refused, failed over, abandoned …"""

from __future__ import annotations

from dataclasses import dataclass
from random import Random

from aoai_analytics.sample.bodies import Body, error_answer
from aoai_analytics.sample.flaws import Flaws
from aoai_analytics.sample.world import CLASSIC, POOL, Team, Workload


@dataclass(frozen=True, slots=True)
class Fate:
    """How a request ended. ``outcome`` is a value of ``AoaiRequests.Outcome``.

    ``backend`` is the last one called, '' if none was; ``traced`` are the attempts that the policy traced,
    each a backend and its status, empty if there was only one.
    """

    outcome: str
    code: int
    backend: str = ""
    backend_code: int | None = None
    traced: tuple[tuple[str, int], ...] = ()
    error: Body | None = None
    last_error: tuple[str, str, str, str] | None = None  # source, reason, message, section

    @property
    def answered(self) -> bool:
        """A model responded, at least in part, and its tokens are billed."""
        return self.outcome == "success" or (self.outcome == "client-closed" and self.backend_code == 200)

    @property
    def attempts(self) -> int:
        return len(self.traced) or int(bool(self.backend))


_FAILURES = {
    "not-found": (404, "DeploymentNotFound", "The API deployment for this resource does not exist."),
    "client-error": (400, "context_length_exceeded", "The messages are longer than the model's context."),
    "server-error": (503, "server_error", "The server is busy and could not process the request."),
}
_TIRED = "Requests to this deployment are above its token rate limit. Retry after 9 seconds."


def _shares(workload: Workload, team: Team, load: float, trouble: bool, stream: bool) -> dict[str, float]:
    """The probability of each failure; ``load`` is the team's, 1 at its peak."""
    if workload.surface in ("images", "audio", "other"):
        return {"unauthorized": 0.01, "server-error": 0.01}
    strict = team.product in ("bronze", "silver")
    shares = {
        "unauthorized": 0.011,
        "throttled-gateway": 0.008 + (0.05 if strict else 0.014) * load,
        "client-closed": 0.008 + (0.012 if stream else 0.0),
        "not-found": 0.006,
        "client-error": 0.007,
        "throttled-backend": 0.08 if trouble else 0.003 + 0.022 * load,
        "server-error": 0.06 if trouble else 0.007,
    }
    if workload.surface != "embeddings":
        shares["content-filter"] = 0.012
    if workload.api is CLASSIC and workload.surface == "chat" and not stream:
        shares["cache-hit"] = 0.045
    return shares


def decide(
    rng: Random, workload: Workload, team: Team, *, load: float, trouble: bool, stream: bool, flaws: Flaws
) -> Fate:
    """Draw an outcome. ``trouble``: the first backend refuses most of its requests."""
    draw = rng.random()
    for outcome, share in _shares(workload, team, load, trouble, stream).items():
        draw -= share
        if draw < 0:
            return _failed(rng, outcome, stream, flaws)
    return _served(rng, workload, 0.75 if trouble else 0.012 + 0.06 * load)


def _served(rng: Random, workload: Workload, failover: float) -> Fate:
    # A tripped circuit breaker sends requests directly to the next backend, without a trace.
    first = 0 if rng.random() < 0.84 else rng.choice((1, 1, 2))
    if first < 2 and workload.surface != "other" and rng.random() < failover:
        last = first + 1 if first == 1 or rng.random() < 0.7 else 2
        traced = (*((POOL[i], 429) for i in range(first, last)), (POOL[last], 200))
        return Fate("success", 200, POOL[last], 200, traced)
    return Fate("success", 200, POOL[first], 200)


def _failed(rng: Random, outcome: str, stream: bool, flaws: Flaws) -> Fate:
    if outcome == "unauthorized":
        message = "Access denied due to invalid subscription key."
        return Fate(outcome, 401, last_error=("subscription", "SubscriptionKeyNotFound", message, "inbound"))
    if outcome == "throttled-gateway":
        message = f"Token limit is exceeded. Try again in {rng.randrange(2, 59)} seconds."
        return Fate(
            outcome,
            429,
            error=error_answer("429", message),
            last_error=("llm-token-limit", "TokenLimitExceeded", message, "inbound"),
        )
    if outcome == "client-closed":
        gone = ("forward-request", "ClientConnectionFailure", "A task was canceled.", "backend")
        if stream and flaws.closed_while_streaming and rng.random() < 0.7:
            return Fate(outcome, 499, POOL[0], 200, last_error=gone)
        return Fate(outcome, 499, error=error_answer("499", "The client closed the connection."), last_error=gone)
    if outcome == "cache-hit":
        return Fate(outcome, 200)
    if outcome == "throttled-backend":
        traced = tuple((backend, 429) for backend in POOL)
        return Fate(outcome, 429, POOL[-1], 429, traced, error_answer("429", _TIRED))
    backend = rng.choice(POOL)
    if outcome == "content-filter":
        message = "The prompt was filtered under the content management policy."
        error = error_answer("content_filter", message, inner="ResponsibleAIPolicyViolation")
        return Fate(outcome, 400, backend, 400, error=error)
    code, name, message = _FAILURES[outcome]
    if outcome == "server-error" and rng.random() < 0.35:
        code = 500
    return Fate(outcome, code, backend, code, error=error_answer(name, message))
