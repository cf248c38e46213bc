"""Azure Resource Manager: sign-in, reads by resource ID, and deployments, through the Azure SDK.

Everything is read by its ID from ARM itself: there is no local state that could become outdated.
"""

from __future__ import annotations

import base64
import json
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from typing import TYPE_CHECKING, Any
from urllib.parse import parse_qsl

from ..errors import SetupError, WrongUse
from .configuration import Configuration
from .faults import translated

if TYPE_CHECKING:
    from azure.mgmt.resource.deployments import DeploymentsMgmtClient

#: Management API version per kind of path, by the last provider in it; the same as in the templates where possible.
API_VERSIONS = {
    "": "2025-04-01",
    "Microsoft.Resources": "2025-04-01",
    "Microsoft.Authorization": "2022-04-01",
    "Microsoft.CognitiveServices": "2025-06-01",
    "Microsoft.ApiManagement": "2024-06-01-preview",
    "Microsoft.OperationalInsights": "2023-09-01",
    "Microsoft.Insights": "2021-05-01-preview",
    "Microsoft.Storage": "2024-01-01",
    "Microsoft.KeyVault": "2024-11-01",
    "Microsoft.Network": "2024-05-01",
    "Microsoft.EventHub": "2024-01-01",
    "Microsoft.AlertsManagement": "2019-05-05-preview",
}
MODELS_SCOPE = "https://cognitiveservices.azure.com/.default"


def credential_named(name: str | None) -> Any:
    """The azure-identity credential with that class name; None: DefaultAzureCredential. Raises WrongUse."""
    import azure.identity

    made = getattr(azure.identity, name or "DefaultAzureCredential", None)
    if not (name or "Default").endswith(("Credential", "Default")) or made is None:
        raise WrongUse("setup.credential is not an azure-identity class: use AzureCliCredential, or leave it out")
    try:
        return made()
    except (TypeError, ValueError) as error:
        raise WrongUse(f"setup.credential: {name} needs arguments: leave it out and set AZURE_* variables") from error


class _SandboxCredential:
    """Signs in to the sandbox, whose tokens open nothing else."""

    def __init__(self, endpoint: str) -> None:
        self._address = f"{endpoint}/msi/token"

    def get_token(self, *scopes: str, **options: Any) -> Any:
        import urllib.request

        from azure.core.credentials import AccessToken

        opener = urllib.request.build_opener(urllib.request.ProxyHandler({}))
        with opener.open(self._address, timeout=10) as answer:
            found = json.load(answer)
        return AccessToken(found["access_token"], int(found["expires_on"]))


class Arm:
    """One subscription's Azure Resource Manager.

    Every method raises SetupError with Azure's innermost cause, in one line. The SDK retries throttled and transient
    failures, following Azure's Retry-After.
    """

    def __init__(self, configuration: Configuration, credential: Any = None) -> None:
        self.configuration = configuration
        self.endpoint = configuration.management_endpoint
        self.credential = credential or (
            _SandboxCredential(self.endpoint) if configuration.sandbox else credential_named(configuration.credential)
        )
        self._clients: dict[str, Any] = {}

    @property
    def _scope(self) -> str:
        where = self.endpoint if self.endpoint.startswith("https") else "https://management.azure.com"
        return f"{where}/.default"

    def token(self, scope: str | None = None) -> str:
        """An access token; never log it."""
        with _said("signing in"):
            token: str = self.credential.get_token(scope or self._scope).token
            return token

    def who(self) -> dict[str, str]:
        """``tenant``, ``object`` (ID) and ``name`` from the signed-in user's token; '' if missing."""
        try:
            payload = self.token().split(".")[1]
            claims = json.loads(base64.urlsafe_b64decode(payload + "=" * (-len(payload) % 4)))
        except (IndexError, ValueError):
            claims = {}
        name = claims.get("upn") or claims.get("unique_name") or claims.get("appid") or ""
        return {"tenant": claims.get("tid", ""), "object": claims.get("oid", ""), "name": name}

    def _authentication(self) -> Any:
        from azure.mgmt.core.policies import ARMChallengeAuthenticationPolicy

        class OnLoopback(ARMChallengeAuthenticationPolicy):
            """Sends tokens over plain HTTP: the configuration allows that only for this machine's own addresses."""

            def on_request(self, request: Any) -> None:
                request.context.options["enforce_https"] = False
                super().on_request(request)

        kind = ARMChallengeAuthenticationPolicy if self.endpoint.startswith("https") else OnLoopback
        return kind(self.credential, self._scope)

    @property
    def deployments_client(self) -> DeploymentsMgmtClient:
        """The SDK's deployments client."""
        if "deployments" not in self._clients:
            from azure.mgmt.resource.deployments import DeploymentsMgmtClient

            self._clients["deployments"] = DeploymentsMgmtClient(
                self.credential,
                str(self.configuration.subscription),
                self.endpoint,
                authentication_policy=self._authentication(),
                polling_interval=self.configuration.poll_seconds,
            )
        client: DeploymentsMgmtClient = self._clients["deployments"]
        return client

    @property
    def _reader(self) -> Any:
        if "reader" not in self._clients:
            from azure.core.pipeline import policies
            from azure.mgmt.core import ARMPipelineClient
            from azure.mgmt.core.policies import ARMHttpLoggingPolicy

            self._clients["reader"] = ARMPipelineClient(
                self.endpoint,
                policies=[
                    policies.RequestIdPolicy(),
                    policies.UserAgentPolicy("aoai-analytics"),
                    policies.ContentDecodePolicy(),
                    policies.RetryPolicy(),
                    self._authentication(),
                    ARMHttpLoggingPolicy(),
                ],
            )
        return self._clients["reader"]

    def _sent(self, method: str, path: str, body: Any = None, **query: str) -> Any:
        """The response as an azure.core response, even for 404."""
        from azure.core.rest import HttpRequest

        address = path
        if path.startswith("/"):
            address, _, asked = path.partition("?")
            query = {"api-version": _version(address), **dict(parse_qsl(asked)), **query}
            address = self.endpoint + address
        request = HttpRequest(method, address, params=query or None, json=body)
        response = self._reader.send_request(request)
        if response.status_code != 404:
            response.raise_for_status()
        return response

    def get(self, path: str, **query: str) -> dict[str, Any] | None:
        """The resource with an ID (starting at ``/subscriptions/``); None if it does not exist."""
        with _said(f"reading {_short(path)}"):
            response = self._sent("GET", path, **query)
            if response.status_code == 404:
                # A missing subscription also returns 404, but is a different problem.
                if _code(response) == "SubscriptionNotFound" and path.count("/") > 2:
                    response.raise_for_status()
                return None
            found: dict[str, Any] = response.json()
            return found

    def list(self, path: str, **query: str) -> list[dict[str, Any]]:
        """Every member of a collection, from all pages; [] if it does not exist."""
        found: list[dict[str, Any]] = []
        page = self.get(path, **query)
        while page is not None:
            found += page.get("value", [])
            page = self.get(page["nextLink"]) if page.get("nextLink") else None
        return found

    def post(self, path: str, body: Any = None, **query: str) -> dict[str, Any]:
        """The response to an action. Raises SetupError if its target does not exist."""
        with _said(f"asking {_short(path)}"):
            response = self._sent("POST", path, body, **query)
            response.raise_for_status()
            answer: dict[str, Any] = response.json() if response.content else {}
            return answer

    def put(self, path: str, body: Any) -> dict[str, Any]:
        """Create or change one resource immediately."""
        with _said(f"writing {_short(path)}"):
            response = self._sent("PUT", path, body)
            response.raise_for_status()
            answer: dict[str, Any] = response.json()
            return answer

    def delete(self, path: str, waiting: Callable[[], None] = lambda: None, **query: str) -> None:
        """Delete one resource and wait until it is gone, calling *waiting* regularly. Callers must have confirmed."""
        from azure.core.polling import LROPoller
        from azure.core.rest import HttpRequest
        from azure.mgmt.core.polling.arm_polling import ARMPolling

        with _said(f"deleting {_short(path)}"):
            request = HttpRequest("DELETE", f"{self.endpoint}{path}", params={"api-version": _version(path), **query})
            first = self._reader.send_request(request, _return_pipeline_response=True)
            if first.http_response.status_code == 404:
                raise SetupError(f"{_short(path)}: nothing to delete")
            first.http_response.raise_for_status()
            method = ARMPolling(self.configuration.poll_seconds, path_format_arguments={})
            poller: Any = LROPoller(self._reader, first, lambda response: None, method)
            while not poller.done():
                waiting()
                poller.wait(self.configuration.poll_seconds)
            poller.result()


def _version(path: str) -> str:
    provider = path.rpartition("/providers/")[2].partition("/")[0] if "/providers/" in path else ""
    return API_VERSIONS.get(provider, API_VERSIONS[""])


def _code(response: Any) -> str:
    try:
        return str(response.json().get("error", {}).get("code", ""))
    except ValueError:
        return ""


def _short(path: str) -> str:
    return path.partition("?")[0].split("/providers/")[-1].removeprefix("https://")


@contextmanager
def _said(doing: str) -> Iterator[None]:
    """Convert Azure's errors to SetupError."""
    from azure.core.exceptions import AzureError

    try:
        yield
    except AzureError as error:
        raise translated(error, doing) from error
