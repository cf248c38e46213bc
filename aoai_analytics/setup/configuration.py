"""What to set up and where: the table ``[setup]`` of ``aoai.toml``."""

from __future__ import annotations

import json
import tomllib
import urllib.request
from pathlib import Path
from typing import Annotated, Any
from urllib.parse import urlsplit
from uuid import UUID

from pydantic import AfterValidator, BaseModel, ConfigDict, Field, ValidationError

from ..errors import WrongUse
from .teams import with_teams


def _encrypted(url: str) -> str:
    """*url* if it is safe for a token: HTTPS, or plain HTTP to this machine."""
    parts = urlsplit(url)
    on_this_machine = parts.hostname in ("127.0.0.1", "localhost", "::1")
    if not parts.hostname or not (parts.scheme == "https" or (parts.scheme == "http" and on_this_machine)):
        raise ValueError("must be https://HOST, because it receives a token")
    return url.rstrip("/")


#: Of ``aoai sandbox start``.
SANDBOX_PORT = 8477

Endpoint = Annotated[str, AfterValidator(_encrypted)]


class Configuration(BaseModel):
    """One installation. ``parameters`` are those of ``setup_scripts/infra/main.json``, by name."""

    model_config = ConfigDict(extra="forbid", frozen=True)

    subscription: UUID
    #: None: the subscription's tenant.
    tenant: UUID | None = None
    resource_group: str = Field(pattern=r"^[\w().-]{0,89}[\w()-]$")
    location: str = Field(min_length=3)
    parameters: dict[str, Any]
    #: CSV file with teams, whose subscriptions and budgets are added to the parameters: ``teams``.
    teams: Path | None = None
    #: Folder with functions.json and summary-rules.json for your own prices; None: the shipped ones.
    exports: Path | None = None
    #: Class of azure-identity; None: DefaultAzureCredential.
    credential: str | None = None
    #: Sovereign clouds have different ones.
    management_endpoint: Endpoint = "https://management.azure.com"
    logs_endpoint: Endpoint = "https://api.loganalytics.io"
    #: Talk to the sandbox on this machine instead of Azure; the other settings are then the sandbox's own.
    sandbox: bool = False
    #: Seconds between checks of a deployment if Azure gives no interval.
    poll_seconds: float = Field(default=5, gt=0, le=60)

    @property
    def group_id(self) -> str:
        """Resource ID of the resource group."""
        return f"/subscriptions/{self.subscription}/resourceGroups/{self.resource_group}"

    @property
    def name(self) -> str:
        """Short name of the installation."""
        return str(self.parameters.get("name", ""))


_WAYS_ON: dict[str, str] = {
    "missing": "add it",
    "extra_forbidden": "no such setting; 'aoai setup example' shows them",
    "uuid_parsing": "give the id, as 'az account list' or the portal shows it",
    "uuid_type": "give the id, as 'az account list' or the portal shows it",
}


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
    given = table.get("setup")
    if not isinstance(given, dict):
        raise WrongUse(f"{path} has no [setup] table; 'aoai setup example' prints one")
    if given.get("sandbox") is True:
        given = _of_sandbox(given, path)
    try:
        found = Configuration.model_validate(given)
    except ValidationError as error:
        first = error.errors()[0]
        name = ".".join(["setup", *map(str, first["loc"])])
        way_on = _WAYS_ON.get(first["type"])
        raise WrongUse(f"{path}: {name}: {first['msg']}{f' ({way_on})' if way_on else ''}") from error
    if found.teams is None:
        return found
    return found.model_copy(update={"parameters": with_teams(found.parameters, path.parent / found.teams)})


def _of_sandbox(given: dict[str, Any], path: Path) -> dict[str, Any]:
    """The settings of the sandbox that runs on this machine. Raises WrongUse."""
    port = given.get("sandbox_port", SANDBOX_PORT)
    others = sorted(given.keys() - {"sandbox", "sandbox_port"})
    if others:
        raise WrongUse(f"{path}: setup.sandbox brings its own settings: remove {', '.join(others)}, or sandbox = true")
    if not isinstance(port, int):
        raise WrongUse(f"{path}: setup.sandbox_port must be a number")
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
