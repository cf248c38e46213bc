"""What the sandbox stands for: accounts, products and subscriptions, from the parameters of ``main.json``."""

from __future__ import annotations

import re
import tomllib
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field, ValidationError

from ..errors import WrongUse
from .policies import named_value

DEFAULT = Path(__file__).with_name("sandbox.toml")
#: What the validator expects, in words.
_EXPECTED = {
    "string_type": "text in quotes",
    "int_type": "a whole number",
    "bool_type": "true or false",
    "tuple_type": "a list",
    "model_type": "a table",
    "literal_error": "{expected}",
    "too_short": "a list with an entry",
    "greater_than_equal": "{ge} or more",
    "less_than_equal": "{le} or less",
}
#: A number above 0, with Bicep's limits; in Python True would be 1.
Count = Annotated[int, Field(strict=True, ge=1)]
Truth = Annotated[bool, Field(strict=True)]


class Deployment(BaseModel):
    """A model deployment of an account."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    model: str
    version: str = ""
    format: str = ""
    sku: str = "GlobalStandard"
    #: Thousands of tokens per minute; of a provisioned one, PTUs.
    capacity: Count | None = None

    @property
    def tokens_per_minute(self) -> int | None:
        """The deployment's rate limit; None: none is known."""
        return None if self.capacity is None or "Provisioned" in self.sku else 1000 * self.capacity

    @property
    def is_claude(self) -> bool:
        """Whether clients reach it by Claude's API."""
        return self.format == "Anthropic" or (not self.format and self.model.startswith("claude"))

    @property
    def full_model(self) -> str:
        """The model as answers and logs name it: ``gpt-5.4-2026-03-05``; a short version is left out."""
        return f"{self.model}-{self.version}" if len(self.version) > 3 else self.model


class Account(BaseModel):
    """An account with models: a backend of each pool that it belongs to."""

    model_config = ConfigDict(frozen=True, extra="ignore")

    name: str
    location: str
    priority: int = Field(default=1, strict=True, ge=0)
    weight: Count = 1
    deployments: tuple[Deployment, ...] = Field(min_length=1)

    def deployment(self, name: str) -> Deployment | None:
        """Its deployment of that name, in any case: the service takes names so."""
        return next((each for each in self.deployments if each.name.lower() == name.lower()), None)


class _Limits(BaseModel):
    model_config = ConfigDict(extra="ignore")

    tokensPerMinute: Count | None = None
    tokensPerMonth: Count | None = None
    subscriptions: tuple[str, ...] = ()


class _Entra(BaseModel):
    model_config = ConfigDict(extra="ignore")

    accept: Truth = False
    audience: str | None = None
    role: str | None = None
    tokensPerMinute: Count | None = None
    tokensPerMonth: Count | None = None


class _Team(BaseModel):
    model_config = ConfigDict(extra="ignore")

    subscription: str
    product: Literal["bronze", "silver", "gold", "unlimited"]
    tokensPerMinute: Count | None = None
    tokensPerMonth: Count | None = None
    models: tuple[str, ...] | None = Field(default=None, min_length=1)


class _Parameters(BaseModel):
    model_config = ConfigDict(extra="ignore")

    openAIAccounts: tuple[Account, ...] = Field(min_length=1)
    bronze: _Limits = _Limits()
    silver: _Limits = _Limits()
    gold: _Limits = _Limits()
    unlimitedSubscriptions: tuple[str, ...] = ()
    teams: tuple[_Team, ...] = ()
    entra: _Entra = _Entra()
    backendRetries: Count | None = Field(default=None, le=50)
    breakerFailures: Count | None = Field(default=None, le=100)
    retryAfterSeconds: Count | None = Field(default=None, le=300)
    logBodyBytes: int = Field(default=0, strict=True, ge=0, le=8192)


@dataclass(frozen=True)
class Product:
    """A product's limits for each of its subscriptions; None: unlimited. '' is the name for callers without one.

    ``models``: the only deployments that a team's own product may use; None: all.
    """

    name: str
    tokens_per_minute: int | None
    tokens_per_month: int | None
    models: tuple[str, ...] | None = None


@dataclass(frozen=True)
class Subscription:
    """A subscription and its product. The ``key`` is readable, because it opens nothing but this machine's sandbox."""

    name: str
    product: str
    key: str


@dataclass(frozen=True)
class Installation:
    """Accounts in their order, products and subscriptions by name, and the pool's settings."""

    accounts: tuple[Account, ...]
    products: dict[str, Product]
    subscriptions: dict[str, Subscription]
    accepts_tokens: bool
    audience: str
    role: str
    retries: int
    breaker_failures: int
    retry_after: int
    body_bytes: int

    def named_values(self) -> dict[str, str]:
        """The named values that differ from the shipped ones, as ``named-values.bicep`` sets them."""
        values = {
            "backend-retries": str(self.retries),
            "backend-members": " ".join(account.name for account in self.pooled(claude=False)),
            "claude-members": " ".join(account.name for account in self.pooled(claude=True)),
            "retry-after-seconds": str(self.retry_after),
            "entra-audience": self.audience if self.accepts_tokens else "off",
            "entra-role": self.role,
        }
        for product in self.products.values():
            # A team's product has its numbers in its policy.
            if product.tokens_per_minute is not None and not product.name.startswith("team-"):
                name = product.name or "direct"
                values[f"{name}-tokens-per-minute"] = str(product.tokens_per_minute)
                values[f"{name}-token-quota"] = str(product.tokens_per_month)
        return values

    def pooled(self, *, claude: bool) -> list[Account]:
        """The accounts of a pool, as ``main.bicep`` chooses them: Claude has one of its own.

        With Claude alone its accounts are in both, since the gateway refuses a pool without members.
        """
        found = [each for each in self.accounts if any(one.is_claude == claude for one in each.deployments)]
        return found or ([] if claude else [*self.accounts])

    def account(self, word: str) -> Account:
        """The one account whose name or region contains *word*. Raises WrongUse."""
        found = [each for each in self.accounts if word.lower() in f"{each.name} {each.location}".lower()]
        if len(found) != 1:
            names = ", ".join(each.name for each in self.accounts)
            raise WrongUse(f"{word}: matches {len(found)} backends, not one; the backends are {names}")
        return found[0]


def read_installation(path: Path = DEFAULT) -> Installation:
    """The installation in the table ``[setup.parameters]`` of a TOML file. Raises WrongUse."""
    try:
        table: Any = tomllib.loads(path.read_text("utf-8"))
    except OSError as error:
        raise WrongUse(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} is not valid TOML: {error}") from error
    given = table.get("setup", {})
    given = given.get("parameters") if isinstance(given, dict) else None
    if not isinstance(given, dict):
        raise WrongUse(f"{path} has no [setup.parameters] table; 'aoai setup example' prints one")
    try:
        parameters = _Parameters.model_validate(given)
    except ValidationError as error:
        raise WrongUse(f"{path}: {_fault(error)}") from error
    return _installation(parameters, path)


def _fault(error: ValidationError) -> str:
    """What is wrong with ``[setup.parameters]``, in words; the first entry of a list is 0."""
    first = error.errors()[0]
    where = "".join(
        f"[{part}]" if isinstance(part, int) else f".{part}" for part in ("setup", "parameters", *first["loc"])
    )
    if first["type"] == "missing":
        return f"{where[1:]} is missing"
    expected = _EXPECTED.get(first["type"], "another value").format(**first.get("ctx", {}))
    return f"{where[1:]} must be {expected}"


def _installation(parameters: _Parameters, path: Path) -> Installation:
    limits = {name: getattr(parameters, name) for name in ("bronze", "silver", "gold")}
    products = {
        name: Product(name, *_limits(name, given.tokensPerMinute, given.tokensPerMonth))
        for name, given in limits.items()
    }
    products["unlimited"] = Product("unlimited", None, None)
    entra = parameters.entra
    products[""] = Product("", *_limits("direct", entra.tokensPerMinute, entra.tokensPerMonth))
    pairs = [(each, name) for name, given in limits.items() for each in given.subscriptions]
    pairs += [(each, "unlimited") for each in parameters.unlimitedSubscriptions]
    for team in parameters.teams:
        like, own = products[team.product], f"team-{team.subscription}"
        minute, month = team.tokensPerMinute or like.tokens_per_minute, team.tokensPerMonth or like.tokens_per_month
        products[own] = Product(own, minute, month, team.models)
        pairs.append((team.subscription, own))
    names = [name for name, _ in pairs]
    for name in names:
        if names.count(name) > 1 or not re.fullmatch(r"[\w.-]+", name):
            raise WrongUse(f"{path}: the subscription {name!r} is there twice, or has characters other than A-z0-9_.-")
    accounts = parameters.openAIAccounts
    several = len(accounts) > 1
    return Installation(
        accounts=accounts,
        products=products,
        subscriptions={name: Subscription(name, product, f"key-of-{name}") for name, product in pairs},
        accepts_tokens=entra.accept,
        audience=entra.audience or named_value("entra-audience"),
        role=entra.role or named_value("entra-role"),
        retries=parameters.backendRetries or max(1, len(accounts) - 1),
        breaker_failures=parameters.breakerFailures or (1 if several else 3),
        retry_after=parameters.retryAfterSeconds or int(named_value("retry-after-seconds")),
        body_bytes=parameters.logBodyBytes,
    )


def _limits(name: str, minute: int | None, month: int | None) -> tuple[int, int]:
    return minute or int(named_value(f"{name}-tokens-per-minute")), month or int(named_value(f"{name}-token-quota"))
