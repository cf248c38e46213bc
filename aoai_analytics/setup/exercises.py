"""Exercises in the notebooks: the models, the API, its limits, and a failover. Each returns findings, row by row."""

from __future__ import annotations

import json
import time
from collections import Counter
from collections.abc import Iterator
from dataclasses import dataclass, replace
from typing import Any

from ..config import shipped
from ..errors import SetupError
from . import calls
from .arm import MODELS_SCOPE
from .calls import Answer
from .findings import MET, NOT_ASKED, NOT_MET, Finding
from .installation import Installation
from .requirements.gateway import role_for, subscriptions_of
from .requirements.models import claude_endpoint, endpoint
from .teams import PRODUCTS

#: The gateway's built-in subscription for all APIs, which exists before any product.
ALL_ACCESS = "master"
#: The gateway's own token limit error, see docs/policies.md; an account's has another code.
LIMITED = "rate_limit_exceeded"
#: Tokens that each burst request reserves for its response; real responses are one word.
RESERVED = 4000


@dataclass(frozen=True)
class Gateway:
    """The API's address and a key for it. The key is never shown."""

    base: str
    key: str


def gateway_of(installation: Installation, subscription: str) -> Gateway:
    """The API with the key of that subscription. Raises SetupError if either does not exist."""
    found = installation.gateway
    if found is None:
        raise SetupError("no gateway yet: run notebooks/setup/02-gateway")
    path = f"{installation.id_of('gateway')}/subscriptions/{subscription}"
    if installation.get(path) is None:
        raise SetupError(
            f"the gateway has no subscription {subscription}: run notebooks/setup/05-access-and-throttling"
        )
    key = installation.arm.post(f"{path}/listSecrets")["primaryKey"]
    return Gateway(f"{found['properties']['gatewayUrl'].rstrip('/')}/openai", key)


def try_models(installation: Installation) -> Iterator[Finding]:
    """One short chat with each account, with your own identity. A missing role is reported, not a failure."""
    what = "The model answers you directly"
    for asked in installation.parameters["openAIAccounts"]:
        short = asked["name"]
        account = installation.get(installation.account_ids[short])
        if account is None:
            yield Finding(short, what, NOT_MET, "the account does not exist.", "run notebooks/setup/01-openai")
            continue
        model = calls.chat_model(asked) or calls.claude_model(asked)
        if model is None:
            yield Finding(short, what, NOT_ASKED, "it has no chat model.")
            continue
        headers = {"Authorization": f"Bearer {installation.arm.token(MODELS_SCOPE)}", **model.headers("")}
        where = claude_endpoint(account) if model.claude else endpoint(account)
        answer = calls.send(model.url(f"{where}openai"), model.body(), headers)
        if answer.status in (401, 403):
            detail = (
                f"HTTP {answer.status}: calling a model needs the role {role_for(account.get('kind', ''))[1]}, which "
                "owners do not have by default; setup.let_me_ask() assigns it to you, notebook 03 to the gateway."
            )
            yield Finding(short, what, NOT_ASKED, detail)
        else:
            yield _expected(short, what, answer, 200)


def let_me_ask(installation: Installation) -> dict[str, str]:
    """Assign the logged-in identity the role that may call models on each account: account -> the role's name."""
    import uuid

    arm = installation.arm
    who = arm.who()["object"]
    if not who:
        raise SetupError("the login does not include your object id: assign yourself the role in the portal")
    role = f"/subscriptions/{arm.configuration.subscription}/providers/Microsoft.Authorization/roleDefinitions/"
    kinds = {account["name"]: account.get("kind", "OpenAI") for account in installation.parameters["openAIAccounts"]}
    for short, path in installation.account_ids.items():
        wanted, _ = role_for(kinds[short])
        # The name is derived from the assignment, so that a second run finds the first one's.
        name = uuid.uuid5(uuid.NAMESPACE_URL, f"{path.lower()}/{who}/{wanted}")
        properties = {"roleDefinitionId": f"{role}{wanted}", "principalId": who}
        arm.put(f"{path}/providers/Microsoft.Authorization/roleAssignments/{name}", {"properties": properties})
    return {short: role_for(kinds[short])[1] for short in installation.account_ids}


def try_api(installation: Installation) -> Iterator[Finding]:
    """The APIs as clients use them: each route, a stream, embeddings, and each error in OpenAI's format."""
    gateway = gateway_of(installation, ALL_ACCESS)
    accounts = installation.parameters["openAIAccounts"]
    for model in calls.first_models(accounts):
        # The names of OpenAI's own are those of old pages.
        mark = "claude-" if model.claude else ""
        url, body, key = model.url(gateway.base), model.body(), model.headers(gateway.key)
        answer = calls.send(url, body, key)
        first = "Claude's API answers" if model.claude else "The deployment-style route answers"
        yield _expected(f"{mark}chat", f"{first}, with its tokens", answer, 200, tokens=True)
        if not model.claude:
            v1 = f"{gateway.base}/v1/chat/completions"
            answer = calls.send(v1, {**body, "model": model.name}, key)
            yield _expected("chat-v1", "The v1 route answers, with its tokens", answer, 200, tokens=True)
        answer = calls.send(url, {**body, "stream": True}, key)
        yield _streamed(f"{mark}stream", answer)
        embeddings = calls.embeddings_deployment(accounts)
        if embeddings and not model.claude:
            where = f"{gateway.base}/deployments/{embeddings}/embeddings?api-version={calls.API_VERSION}"
            answer = calls.send(where, {"input": "ready"}, key)
            yield _expected("embeddings", "Embeddings are answered, with their tokens", answer, 200, tokens=True)
        missing = replace(model, name="no-such-deployment")
        answer = calls.send(missing.url(gateway.base), missing.body(), key)
        yield _expected(f"{mark}no-deployment", "An unknown deployment is 404", answer, 404)
        answer = calls.send(url, body, model.headers(""))
        yield _expected(f"{mark}no-key", "Neither key nor token is 401", answer, 401, code="missing_credentials")
        answer = calls.send(url, body, model.headers("0" * 32))
        yield _expected(f"{mark}wrong-key", "A wrong key is 401", answer, 401, code="invalid_api_key")


def _expected(name: str, what: str, answer: Answer, status: int, *, code: str = "", tokens: bool = False) -> Finding:
    got = f"HTTP {answer.status}" + (f" {answer.code}" if answer.code else "") if answer.status else "no answer"
    right = answer.status == status and (not code or answer.code == code)
    if right and tokens and answer.tokens is None:
        return Finding(name, what, NOT_MET, f"{got}, but without token counts.", "see docs/policies.md")
    if right:
        return Finding(name, what, MET, got + (f", {answer.tokens} tokens" if answer.tokens is not None else ""))
    wanted = f"HTTP {status}" + (f" {code}" if code else "")
    return Finding(name, what, NOT_MET, f"{got} instead of {wanted}.", _WAYS_ON.get(answer.status, ""))


#: Fixes for unexpected responses.
_WAYS_ON = {
    0: "check that this machine reaches the gateway: a private one is reached from inside its network only",
    401: "run notebooks/setup/03-api: the key header or the gateway's role is not in force; a role takes some minutes",
    403: "see its message in the logs: a quota that is used up, or a filter",
    404: "check the deployments: notebooks/setup/01-openai",
    429: "wait a minute: this minute's tokens are used up",
    502: "run notebooks/setup/03-api: the gateway lacks its role at an account; a new role takes some minutes",
    503: "the accounts do not answer, or all breakers are open: wait half a minute and try again",
}


def _streamed(name: str, answer: Answer) -> Finding:
    what = "A stream arrives as events, with its usage at the end"
    if answer.status != 200:
        return _expected(name, what, answer, 200)
    if len(answer.events) < 2:
        return Finding(name, what, NOT_MET, "HTTP 200, but not as a stream.", "set logBodyBytes to 0: it buffers")
    return _expected(name, what, answer, 200, tokens=True)


def use_up_a_limit(installation: Installation, most: int = 12) -> Iterator[Finding]:
    """Send requests with the most limited subscription until the gateway returns 429, at most *most* requests.

    The prompts are as long as necessary; their tokens are billed (some thousandths of a dollar with the example's
    limit and model).
    """
    name, product = next(iter(subscriptions_of(installation.parameters).items()), ("", ""))
    what = "The gateway refuses a caller over its tokens/min limit"
    if product in ("", "unlimited") or product not in limits_of(installation.parameters):
        detail = "aoai.toml has no subscriptions of a limited product"
        yield Finding("limit", what, NOT_ASKED, detail)
        return
    gateway = gateway_of(installation, name)
    limit = limits_of(installation.parameters)[product][0]
    model = calls.first_models(installation.parameters["openAIAccounts"])[0]
    # A short word and its space are about one token; 100,000 fit the context of every current model.
    body = model.body("word " * min(limit + 100, 100_000) + calls.PROMPT)
    statuses: Counter[int] = Counter()
    for _ in range(most):
        answer = calls.send(model.url(gateway.base), body, model.headers(gateway.key))
        statuses[answer.status] += 1
        if answer.status == 429:
            break
        if answer.status != 200:
            yield _expected("limit", what, answer, 429)
            return
    asked = f"{name} of {product}, {limit:,} tokens/min: {statuses[200]} answered, then"
    if not statuses[429]:
        detail = f"{asked} no refusal in {most} requests."
        yield Finding("limit", what, NOT_MET, detail, "run notebooks/setup/05-access-and-throttling")
        return
    if answer.code != LIMITED:
        detail = f"{asked} the accounts behind the gateway refused first ({answer.code or 'no code'})."
        way_on = "give the deployment more capacity than the product's limit, or wait a minute"
        yield Finding("limit", what, NOT_MET, detail, way_on)
        return
    yield Finding("limit", what, MET, f"{asked} HTTP 429")
    told = answer.headers.get("retry-after", "")
    what = "The refusal has Retry-After and OpenAI's error format"
    if told.isdigit() and answer.code:
        yield Finding("retry-after", what, MET, f"Retry-After {told} s, code {answer.code}")
    else:
        yield Finding("retry-after", what, NOT_MET, "it lacks Retry-After or a code.", "run notebooks/setup/03-api")


def burst_size(installation: Installation) -> int:
    """Requests that together reserve more than the first accounts allow per minute; 0 if impossible.

    The service throttles by the maximum tokens of requests, max_tokens included:
    https://learn.microsoft.com/azure/ai-services/openai/how-to/quota#understanding-rate-limits
    """
    model = calls.first_models(installation.parameters["openAIAccounts"])[0]
    members = _with_deployment(installation, model)
    first = min(priority for priority, _ in members)
    capacity = 0
    for priority, deployment in members:
        if priority == first:
            if "Provisioned" in deployment["sku"]:
                return 0
            capacity += deployment["capacity"]
    return capacity * 1000 // RESERVED + 5


def _with_deployment(installation: Installation, model: calls.Model) -> list[tuple[int, dict[str, Any]]]:
    """Priority of each account that has the model's deployment, with the deployment; others are in another pool."""
    return [
        (account.get("priority", 1), deployment)
        for account in installation.parameters["openAIAccounts"]
        for deployment in account["deployments"]
        if deployment["name"] == model.name
    ]


def fail_over(installation: Installation, most: int = 300) -> Iterator[Finding]:
    """Send a burst that reserves more than the first accounts allow, so that the pool fails over to the others.

    It throttles real traffic too, for up to a minute. Tokens are reserved, not used: each response is one word.
    """
    what = "A burst that throttles the first account is answered by the others"
    model = calls.first_models(installation.parameters["openAIAccounts"])[0]
    members = _with_deployment(installation, model)
    if len(members) < 2:
        yield Finding("failover", what, NOT_ASKED, "aoai.toml has one account for it, so there is no failover")
        return
    if len({priority for priority, _ in members}) < 2:
        detail = "all accounts share the load at one priority: a burst would use up all of them together"
        yield Finding("failover", what, NOT_ASKED, detail)
        return
    if model.claude:
        # https://platform.claude.com/docs/en/api/rate-limits: max_tokens does not count against the output limit.
        detail = "Claude's limits count the tokens that were written, so only many long answers would use them up"
        yield Finding("failover", what, NOT_ASKED, detail)
        return
    count = burst_size(installation)
    if not 0 < count <= most:
        detail = "the first-asked deployments are provisioned" if not count else f"it would take {count} requests"
        yield Finding("failover", what, NOT_ASKED, f"{detail}: try it on an installation with less capacity")
        return
    gateway = gateway_of(installation, ALL_ACCESS)
    body = {**model.body(), **calls.reserving(model.model, RESERVED)}
    started = time.monotonic()
    answers = calls.send_many(model.url(gateway.base), body, model.headers(gateway.key), count=count)
    statuses = Counter(answer.status for answer in answers)
    said = ", ".join(f"{number} x HTTP {status}" for status, number in sorted(statuses.items()))
    detail = f"{count} requests in {time.monotonic() - started:.0f} s: {said}"
    if statuses[200] == count:
        yield Finding("failover", what, MET, f"{detail}; the logs show which backend answered each")
    else:
        way = "compare docs/policies.md; with 429 or 503 all accounts were used up: give the later ones more capacity"
        yield Finding("failover", what, NOT_MET, f"{detail}.", way)


def limits_of(parameters: dict[str, Any]) -> dict[str, tuple[int, int]]:
    """Product -> tokens per minute, tokens per month: the requested ones, otherwise from policies/named-values.json."""
    values = json.loads((shipped("setup_scripts") / "policies/named-values.json").read_text("utf-8"))
    limits = {}
    for product in PRODUCTS[:3]:
        asked = parameters.get(product, {})
        minute = asked.get("tokensPerMinute", values[f"{product}-tokens-per-minute"]["value"])
        limits[product] = (int(minute), int(asked.get("tokensPerMonth", values[f"{product}-token-quota"]["value"])))
    for team in parameters.get("teams", []):
        if team["product"] in limits:
            minute, month = limits[team["product"]]
            own = (team.get("tokensPerMinute", minute), team.get("tokensPerMonth", month))
            limits[f"team-{team['subscription']}"] = own
    return limits
