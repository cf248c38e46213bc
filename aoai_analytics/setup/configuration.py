"""What to set up and where: the table ``[setup]`` of ``aoai.toml``."""

from __future__ import annotations

import json
import tomllib
import urllib.request
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..config import refuse_unknown
from ..errors import WrongUse
from .teams import with_teams


def _encrypted(url: str) -> str:
    """*url* if it is safe for a token: HTTPS, or plain HTTP to this machine."""
    parts = urlsplit(url)
    on_this_machine = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and on_this_machine)):
        raise ValueError
    return url.rstrip("/")


_ENDPOINT = "https://HOST, because it receives a token"
#: Of ``aoai sandbox start``.
SANDBOX_PORT = 8477

Endpoint = Annotated[str, AfterValidator(_encrypted)]


class Configuration(BaseModel):
    """One installation. ``parameters`` are those of ``setup_scripts/infra/main.json``, by name.

    A field's description says what it must be, in the words of an error.
    """

    model_config = ConfigDict(extra="forbid", frozen=True)

    subscription: UUID = Field(description=f"a subscription's ID, such as {UUID(int=0)}")
    #: None: the subscription's tenant.
    tenant: UUID | None = Field(default=None, description=f"a tenant's ID, such as {UUID(int=0)}")
    resource_group: str = Field(
        pattern=r"^[\w().-]{0,89}[\w()-]$",
        description="a resource group's name: up to 90 letters, digits and ( ) . _ -, not ending in a dot",
    )
    location: str = Field(min_length=3, description='a region\'s name, such as "eastus2"')
    parameters: dict[str, Any] = Field(description="a table, [setup.parameters]")
    #: CSV file with teams, whose subscriptions and budgets are added to the parameters: ``teams``.
    teams: Path | None = Field(default=None, description="the name of a CSV file, in quotes")
    #: Folder with functions.json and summary-rules.json for your own prices; None: the shipped ones.
    exports: Path | None = Field(default=None, description="the name of a folder, in quotes")
    #: Class of azure-identity; None: DefaultAzureCredential.
    credential: str | None = Field(default=None, description='an azure-identity class, such as "AzureCliCredential"')
    #: Sovereign clouds have different ones.
    management_endpoint: Endpoint = Field(default="https://management.azure.com", description=_ENDPOINT)
    logs_endpoint: Endpoint = Field(default="https://api.loganalytics.io", description=_ENDPOINT)
    #: Talk to the sandbox on this machine instead of Azure; the other settings are then the sandbox's own.
    sandbox: bool = Field(default=False, strict=True, description="true or false")
    #: Seconds between checks of a deployment if Azure gives no interval.
    poll_seconds: float = Field(default=5, gt=0, le=60, strict=True, description="a number above 0, at most 60")

    @property
    def group_id(self) -> str:
        """Resource ID of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def name(self) -> str:
        """Short name of the installation."""
        return str(self.parameters.get("name", ""))


def read_configuration(path: Path) -> Configuration:
    """The table ``[setup]`` of the TOML file *path*. Raises WrongUse with the setting and its problem."""
    try:
        table: Any = tomllib.loads(path.read_text("utf-8"))
    except FileNotFoundError as error:
        raise WrongUse(f"{path}: no such file. Fix: aoai setup example > {path}, then fill in your values") from error
    except OSError as error:
        raise WrongUse(f"cannot read {path}: {error.strerror}") from error
    except (tomllib.TOMLDecodeError, UnicodeDecodeError) as error:
        raise WrongUse(f"{path} is not valid TOML: {error}") from error
    refuse_unknown(table, str(path))
    given = table.get("setup")
    if not isinstance(given, dict):
        raise WrongUse(f"{path} has no [setup] table; 'aoai setup example' prints one")
    if given.get("sandbox") is True:
        given = _of_sandbox(given, path)
    try:
        found = Configuration.model_validate(given)
    except ValidationError as error:
        raise WrongUse(f"{path}: {_fault(error)}") from error
    if found.teams is None:
        return found
    return found.model_copy(update={"parameters": with_teams(found.parameters, path.parent / found.teams)})


def _fault(error: ValidationError) -> str:
    """What is wrong with ``[setup]``, in words: an unknown key before what is missing, which it may be meant for."""
    faults = error.errors()
    first = next((fault for fault in faults if fault["type"] == "extra_forbidden"), faults[0])
    name, known = str(first["loc"][0]), Configuration.model_fields
    if first["type"] == "extra_forbidden":
        near = get_close_matches(name, known, 1)
        return f"[setup] has no '{name}'; " + (f"did you mean '{near[0]}'?" if near else "see 'aoai setup example'")
    if first["type"] == "missing":
        return f"[setup] lacks '{name}': add {known[name].description}"
    return f"setup.{name} must be {known[name].description}"


def _of_sandbox(given: dict[str, Any], path: Path) -> dict[str, Any]:
    """The settings of the sandbox that runs on this machine. Raises WrongUse."""
    port = given.get("sandbox_port", SANDBOX_PORT)
    others = sorted(given.keys() - {"sandbox", "sandbox_port"})
    if others:
        raise WrongUse(f"{path}: setup.sandbox brings its own settings: remove {', '.join(others)}, or sandbox = true")
    if type(port) is not int or not 0 < port < 65536:
        raise WrongUse(f"{path}: setup.sandbox_port must be a port's number, such as {SANDBOX_PORT}")
    # No proxy of the environment: the sandbox is on this machine.
    opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
    try:
        with opener.open(f"http://127.0.0.1:{port}/sandbox/azure", timeout=10) as answer:
            found = json.load(answer)
        setup, url = dict(found["setup"]), str(found["url"])
    except (OSError, ValueError, KeyError, TypeError) as error:
        raise WrongUse(
            f"{path}: setup.sandbox: no sandbox for the setup answers on port {port}; "
            "start one with 'aoai sandbox start --setup'"
        ) from error
    return {**setup, "sandbox": True, "management_endpoint": url, "logs_endpoint": url, "poll_seconds": 0.2}
