"""The sample gateway's users and services: teams, users, APIs, deployments, backends and prices.

Everything is invented. Addresses are from the ranges reserved for documentation (RFC 5737, RFC 3849)
and for private networks (RFC 1918).
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import Any

RESOURCE_ID = (
    "/SUBSCRIPTIONS/7F3A0C52-1111-4C1E-9A55-0A1B2C3D4E5F/RESOURCEGROUPS/RG-AI-GATEWAY"
    "/PROVIDERS/MICROSOFT.APIMANAGEMENT/SERVICE/APIM-CONTOSO"
)
GATEWAY = "https://apim-contoso.azure-api.net"


@dataclass(frozen=True)
class Api:
    """An API of the gateway. ``logs_backend_bodies``: the diagnostic also keeps the two backend bodies."""

    name: str
    path: str
    version: str
    logs_bodies: bool = True
    logs_backend_bodies: bool = False


CLASSIC = Api("azure-openai", "/openai/deployments", "2024-10-21", logs_backend_bodies=True)
V1 = Api("azure-openai-v1", "/openai/v1", "")
LEGAL = Api("azure-openai-legal", "/legal/openai/deployments", "2025-01-01-preview", logs_bodies=False)

#: A backend's region by its account name; the pool's members in order of priority.
REGIONS = {"aoai-eastus2": "eastus2", "aoai-westus3": "westus3", "aoai-swedencentral": "swedencentral"}
POOL = tuple(REGIONS)
POOL_NAME = "aoai-pool"

#: Deployment -> model as the services name it, with its version.
MODELS = {
    "chat-prod": "gpt-4o-2024-08-06",
    "chat-mini": "gpt-4o-mini-2024-07-18",
    "gpt-41": "gpt-4.1-2025-04-14",
    "gpt-41-mini": "gpt-4.1-mini-2025-04-14",
    "gpt-41-nano": "gpt-4.1-nano-2025-04-14",
    "reason": "o4-mini-2025-04-16",
    "gpt-5": "gpt-5-2025-08-07",
    "gpt-5-mini": "gpt-5-mini-2025-08-07",
    "embed-small": "text-embedding-3-small",
    "embed-large": "text-embedding-3-large",
    "legacy-instruct": "gpt-35-turbo-instruct",
    "pictures": "gpt-image-1",
    "posters": "dall-e-3",
    "dictation": "gpt-4o-transcribe",
    "brand-new": "gpt-9-preview",
}
REASONING = {"reason", "gpt-5", "gpt-5-mini"}
#: Approximate milliseconds per response token, by model.
SPEED = {"chat-prod": 12, "chat-mini": 8, "gpt-41": 13, "gpt-41-mini": 8, "gpt-41-nano": 5, "reason": 9, "gpt-5": 15}

#: Model -> USD per 1M tokens: prompt, cached prompt, completion. Other models have no price.
PRICES = {
    "gpt-4o-2024-08-06": (2.5, 1.25, 10.0),
    "gpt-4o-mini-2024-07-18": (0.15, 0.075, 0.6),
    "gpt-4.1-2025-04-14": (2.0, 0.5, 8.0),
    "gpt-4.1-mini-2025-04-14": (0.4, 0.1, 1.6),
    "gpt-4.1-nano-2025-04-14": (0.1, 0.025, 0.4),
    "o4-mini-2025-04-16": (1.1, 0.275, 4.4),
    "gpt-5-2025-08-07": (1.25, 0.125, 10.0),
    "gpt-5-mini-2025-08-07": (0.25, 0.025, 2.0),
    "text-embedding-3-small": (0.02, 0.02, 0.0),
    "text-embedding-3-large": (0.13, 0.13, 0.0),
    "gpt-35-turbo-instruct": (1.5, 1.5, 2.0),
}


@dataclass(frozen=True)
class Workload:
    """A team's use of a deployment; ``prompt`` and ``answer`` are median tokens, ``stream`` a share."""

    api: Api
    surface: str
    deployment: str
    weight: float
    prompt: int = 110
    answer: int = 100
    stream: float = 0.0
    usage: float = 0.5  # share of the streams whose client asks for usage
    documents: float = 0.0  # share of the requests that hold a long document


@dataclass(frozen=True)
class Team:
    """An APIM subscription and its callers.

    ``shape`` names a weekly pattern (see ``shape.py``), ``utc_offset`` is in hours, ``texts`` weights kinds of text.
    ``caller`` says how a request names its end user: ``user``, ``safety_identifier``, ``trace`` or not at all.
    ``escapes``: the client writes JSON like Python's ``json.dumps``, with spaces and ``\\uXXXX``.
    """

    name: str
    subscription: str
    product: str
    weight: float
    users: int
    utc_offset: int
    shape: str
    texts: dict[str, float]
    workloads: tuple[Workload, ...]
    system: int = 0  # which of the vocabulary's system prompts
    caller: str = ""
    escapes: bool = False
    nat: str = ""  # one address for all of them


def _chat(api: Api, deployment: str, weight: float, **more: Any) -> Workload:
    return Workload(api, "chat", deployment, weight, **more)


TEAMS: tuple[Team, ...] = (
    Team(
        "claims",
        "sub-claims",
        "gold",
        18,
        22,
        1,
        "office",
        {"support": 6, "legal": 1, "european": 2, "emoji": 0.5},
        (
            _chat(V1, "chat-mini", 6, stream=0.3, usage=0.6),
            _chat(CLASSIC, "chat-prod", 4, prompt=160, answer=140, stream=0.4, documents=0.035),
            Workload(CLASSIC, "completions", "legacy-instruct", 1.3, prompt=90, answer=60),
            Workload(CLASSIC, "embeddings", "embed-small", 1.5, prompt=120),
        ),
        system=1,
        caller="user",
        nat="203.0.113.17",
    ),
    Team(
        "developers",
        "sub-engineering",
        "unlimited",
        17,
        24,
        -7,
        "office",
        {"engineering": 3, "code": 5},
        (
            _chat(V1, "gpt-41", 5, prompt=260, answer=180, stream=0.75, usage=0.7, documents=0.02),
            _chat(V1, "gpt-41-mini", 3, prompt=150, answer=120, stream=0.7, usage=0.8),
            Workload(V1, "responses", "gpt-5", 1.6, prompt=220, answer=160, stream=0.5),
            Workload(V1, "responses", "reason", 1.4, prompt=200, answer=140, stream=0.3),
            Workload(V1, "other", "", 0.35),
        ),
        system=2,
        caller="safety_identifier",
    ),
    Team(
        "finance",
        "sub-finance",
        "gold",
        10,
        14,
        1,
        "office",
        {"finance": 5, "legal": 1, "european": 0.5},
        (
            _chat(CLASSIC, "chat-prod", 5, prompt=200, answer=130, documents=0.03),
            _chat(V1, "gpt-41", 3, prompt=220, answer=150, stream=0.3),
            _chat(CLASSIC, "brand-new", 0.8, answer=120, stream=0.3),
        ),
        system=3,
        escapes=True,
    ),
    Team(
        "tokyo",
        "sub-tokyo",
        "silver",
        11,
        13,
        9,
        "office",
        {"japanese": 8, "support": 0.7, "emoji": 0.3},
        (
            _chat(CLASSIC, "chat-mini", 5, prompt=130, answer=120, stream=0.4, usage=0.5, documents=0.006),
            _chat(V1, "gpt-41-mini", 3, prompt=140, answer=130, stream=0.3),
            Workload(V1, "responses", "gpt-5-mini", 1.2, answer=110),
            Workload(V1, "audio", "dictation", 0.35, answer=120),
        ),
        system=4,
        caller="user",
        nat="198.51.100.40",
    ),
    Team(
        "legal",
        "sub-legal",
        "bronze",
        4,
        7,
        0,
        "office",
        {"legal": 1},
        (
            _chat(LEGAL, "gpt-41", 3, prompt=420, answer=220, stream=0.25, usage=0.4, documents=0.08),
            _chat(LEGAL, "chat-prod", 1, prompt=300, answer=150, documents=0.05),
        ),
    ),
    Team(
        "search",
        "sub-search",
        "unlimited",
        12,
        4,
        0,
        "batch",
        {"support": 2, "finance": 1, "legal": 1, "european": 1},
        (
            Workload(CLASSIC, "embeddings", "embed-small", 5, prompt=180, documents=0.01),
            Workload(V1, "embeddings", "embed-large", 3, prompt=160),
            _chat(V1, "gpt-41-nano", 3, prompt=140, answer=12),
        ),
    ),
    Team(
        "mobile",
        "sub-mobile",
        "silver",
        14,
        18,
        -5,
        "consumer",
        {"emoji": 4, "marketing": 2, "support": 2},
        (
            _chat(V1, "chat-mini", 6, prompt=60, answer=90, stream=0.85, usage=0.35),
            Workload(V1, "responses", "chat-mini", 3, prompt=70, answer=90, stream=0.7),
        ),
        caller="trace",
        nat="203.0.113.88",
    ),
    Team(
        "science",
        "sub-research",
        "unlimited",
        7,
        9,
        -7,
        "office",
        {"research": 4, "code": 1.5},
        (
            _chat(CLASSIC, "reason", 3, prompt=260, answer=170, documents=0.02),
            Workload(V1, "responses", "gpt-5", 2, prompt=240, answer=190, stream=0.4),
            Workload(CLASSIC, "embeddings", "embed-large", 1, prompt=200),
        ),
        escapes=True,
    ),
    Team(
        "studio",
        "sub-marketing",
        "bronze",
        5,
        8,
        1,
        "office",
        {"marketing": 5, "emoji": 1, "european": 1},
        (
            _chat(CLASSIC, "chat-prod", 4, prompt=80, answer=170, stream=0.4, documents=0.01),
            _chat(V1, "gpt-5-mini", 2, prompt=90, answer=150, stream=0.3),
            Workload(V1, "images", "pictures", 0.01, prompt=40),
            Workload(V1, "images", "posters", 0.35, prompt=40),
        ),
        system=5,
        caller="user",
    ),
    Team(
        "operators",
        "master",
        "",
        2,
        3,
        1,
        "office",
        {"people": 3, "engineering": 1},
        (
            _chat(CLASSIC, "chat-mini", 3, prompt=70, answer=80, stream=0.3),
            _chat(CLASSIC, "brand-new", 1, answer=90, stream=0.5),
            Workload(V1, "responses", "chat-mini", 1),
        ),
    ),
)


def teams_of(mix: str) -> tuple[Team, ...]:
    """The teams of a mix: in ``languages`` each has one kind of text, in ``unseen-model`` the new model gets more."""
    if mix == "languages":
        kinds = {
            "claims": "support", "developers": "code", "finance": "finance", "tokyo": "japanese", "legal": "legal",
            "search": "european", "mobile": "emoji", "science": "research", "studio": "marketing",
            "operators": "people",
        }  # fmt: skip
        return tuple(_of_one_kind(team, kinds[team.name]) for team in TEAMS)
    if mix == "unseen-model":
        return tuple(
            replace(
                team,
                workloads=tuple(
                    replace(w, weight=w.weight * (4 if w.deployment == "brand-new" else 1)) for w in team.workloads
                ),
            )
            for team in TEAMS
        )
    return TEAMS


def _of_one_kind(team: Team, kind: str) -> Team:
    """Only the legal team sends long documents, in half of its requests."""
    share = 0.5 if kind == "legal" else 0.0
    workloads = tuple(replace(w, documents=share) for w in team.workloads)
    return replace(team, texts={kind: 1.0}, workloads=workloads, system=0)


@dataclass(frozen=True)
class User:
    """A person or program: the addresses it calls from, whether APIM knows it, and its client's header bytes."""

    name: str
    addresses: tuple[str, ...]
    registered: bool
    header_bytes: int


def users_of(teams: tuple[Team, ...]) -> dict[str, list[User]]:
    """Each team's users: some share one address (NAT), some have several, a few use IPv6."""
    users: dict[str, list[User]] = {}
    number = 0
    for t, team in enumerate(teams):
        members = []
        for i in range(team.users):
            number += 1
            own = f"10.{20 + t}.{i % 4}.{10 + number}"
            addresses: tuple[str, ...] = (team.nat,) if team.nat and i % 5 else (own,)
            if i % 7 == 3:
                addresses += (f"172.16.{t}.{20 + i}", f"198.51.100.{100 + number}")
            if i % 11 == 6:
                addresses = (f"2001:db8:{t:x}::{number:x}",)
            if team.name == "mobile" and not i % 3:
                addresses = (f"192.0.2.{number}", team.nat)
            members.append(User(f"user-{number:03}", addresses, number % 10 in (1, 4, 8), 420 + number * 37 % 340))
        users[team.name] = members
    return users
