"""An Azure on loopback that the real SDKs talk to: sign-in, Azure Resource Manager, models, log queries.

It speaks ARM's protocol: 201 and 202 with Azure-AsyncOperation or Location and Retry-After, polling, what-if, pages
with nextLink, errors in its shape. It is as awkward as Azure: what-if names changes that are none, a deleted group
leaves soft-deleted accounts, gateway and vault, endpoints get interfaces of their own, reads can be throttled or, at
the subscription, refused, and the list of models has stages and dates. Templates are not evaluated here: what each step
makes is what Bicep's evaluator said (recorded.json), with references resolved against what really stands.

The guided setup runs against it with ``[setup] sandbox = true``; the tests of the setup add faults to it.
"""

from __future__ import annotations

import base64
import json
import re
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Protocol
from urllib.parse import parse_qs, urlsplit

from ...errors import AoaiError
from .deployments import Deployments
from .state import WORKSPACE, State

SUBSCRIPTION = "00000000-0000-0000-0000-0000000000aa"
TENANT = "00000000-0000-0000-0000-0000000000bb"
USER = "00000000-0000-0000-0000-0000000000ff"
GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-aoai-try"
PAGE = 4
REGIONS = ["East US 2", "West US 3"]
PROVIDERS = {
    "Microsoft.ApiManagement": ["service"],
    "Microsoft.OperationalInsights": ["workspaces"],
    "Microsoft.Insights": ["diagnosticSettings"],
    "Microsoft.Storage": ["storageAccounts"],
    "Microsoft.KeyVault": ["vaults"],
    "Microsoft.CognitiveServices": ["accounts"],
    "Microsoft.Network": ["virtualNetworks"],
    "Microsoft.EventHub": ["namespaces"],
    "Microsoft.ManagedIdentity": ["userAssignedIdentities"],
    "Microsoft.App": ["jobs"],
    "Microsoft.ContainerRegistry": ["registries"],
    "Microsoft.Consumption": ["budgets"],
}
#: Properties that Azure fills in, which what-if takes for changed each time.
ALWAYS = {
    "microsoft.operationalinsights/workspaces": [
        {"path": "properties.sku", "propertyChangeType": "NoEffect", "after": {"name": "PerGB2018"}}
    ]
}
Answer = tuple[int, dict[str, str], Any]


def model(name: str, version: str, *, stage: str = "GenerallyAvailable", ends: str = "", **skus: str) -> dict[str, Any]:
    """An entry of the list of models: sku -> name of its quota; its stage, and when its inference ends."""
    offered = [{"name": sku, "usageName": usage} for sku, usage in skus.items()]
    about: dict[str, Any] = {"format": "OpenAI", "name": name, "version": version, "skus": offered}
    about["lifecycleStatus"] = stage
    about["deprecation"] = {"inference": ends} if ends else {}
    return {"kind": "OpenAI", "model": about}


class Services(Protocol):
    """What is behind the resources: models, keys, and the logs of the workspace."""

    #: Whether whoever is signed in has the role to ask the models.
    role: bool

    def answer(self, path: str, headers: dict[str, str], body: dict[str, Any]) -> Answer:
        """A model's answer at its account; a body of type list is a stream's events."""

    def key(self, subscription: str) -> str:
        """The key of a subscription of the gateway."""

    def logs(self, query: str, timespan: str) -> tuple[dict[str, str], list[list[Any]]]:
        """Columns with their types, and rows. Raises AoaiError for a query that fails."""


class ArmService(ThreadingHTTPServer):
    """The service, which runs until ``stop``; its fields are what it knows. *gateway* is the gateway's URL."""

    daemon_threads = True

    def __init__(self, recorded: dict[str, dict[str, Any]], services: Services, gateway: str = "") -> None:
        super().__init__(("127.0.0.1", 0), _Handler)
        self.url = f"http://127.0.0.1:{self.server_address[1]}"
        self.lock = threading.RLock()
        self.state = State(self.url, gateway or f"{self.url}/gateway")
        self.deployments = Deployments(self.state, GROUP, recorded)
        self.services = services
        self.signed_in = True
        self.tenant = TENANT
        self.visible = [SUBSCRIPTION]
        self.registered = set(PROVIDERS) - {"Microsoft.ApiManagement"}
        self.regions = dict.fromkeys(PROVIDERS, REGIONS)
        mini = model("gpt-5.4-mini", "2026-03-17", GlobalStandard="OpenAI.GlobalStandard.gpt-5.4-mini")
        embed = model("text-embedding-3-small", "1", Standard="OpenAI.Standard.text-embedding-3-small")
        self.offers: dict[str, list[dict[str, Any]]] = {"eastus2": [mini, embed], "westus3": [mini, embed]}
        self.quota = {
            "OpenAI.GlobalStandard.gpt-5.4-mini": (0, 100),
            "OpenAI.Standard.text-embedding-3-small": (0, 100),
        }
        self.actions = ["*"]
        #: Changes that what-if names for a resource (by lower-case id) that does not change.
        self.noise: dict[str, list[dict[str, Any]]] = {}
        #: True: only roles on the resource group, so that every read of the subscription is refused.
        self.group_only = False
        self.taken: set[str] = set()
        self.deleted: dict[str, str] = {}
        self.deleted_vaults: set[str] = set()
        #: Polls for which an operation goes on.
        self.slow = 1
        self.operations: dict[str, tuple[int, Answer]] = {}
        self.thread = threading.Thread(target=self.serve_forever, kwargs={"poll_interval": 0.02}, daemon=True)
        self.thread.start()

    def stop(self) -> None:
        self.shutdown()
        self.server_close()

    # ---- the way of a request

    def answer(self, method: str, path: str, query: dict[str, str], headers: dict[str, str], body: Any) -> Answer:
        path = path.replace("/resourcegroups/", "/resourceGroups/")
        if path == "/msi/token":
            return self._token(query)
        if path.startswith(("/model/", "/gateway/")):
            return self.services.answer(path, headers, body)
        if not headers.get("authorization", "").startswith("Bearer "):
            return _error(401, "AuthenticationFailed", "Authentication failed.")
        if path.startswith("/v1/workspaces/"):
            return self._logs(path, body)
        if path.startswith("/operations/"):
            return self._poll(path)
        if not path.startswith("/subscriptions"):
            return _error(404, "NotFound", path)
        if not query.get("api-version"):
            return _error(
                400, "MissingApiVersionParameter", "The api-version query parameter (?api-version=) is required."
            )
        return self._management(method, path, query, body)

    def _token(self, query: dict[str, str]) -> Answer:
        if not self.signed_in:
            return 400, {}, {"error": "invalid_request", "error_description": "Identity not found"}
        claims = {"tid": self.tenant, "oid": USER, "upn": "somebody@contoso.com"}
        part = base64.urlsafe_b64encode(json.dumps(claims).encode()).decode().rstrip("=")
        token = {"access_token": f"e30.{part}.sig", "expires_on": str(int(time.time()) + 3600), "token_type": "Bearer"}
        return 200, {}, {**token, "resource": query.get("resource", "")}

    def _management(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        if path == "/subscriptions":
            return _list([self._subscription(each) for each in self.visible])
        subscription = path.split("/")[2]
        if subscription not in self.visible:
            return _error(404, "SubscriptionNotFound", f"The subscription '{subscription}' could not be found.")
        rest = path.removeprefix(f"/subscriptions/{subscription}")
        if self.group_only and "/resourceGroups/" not in rest:
            action = "/".join(path.split("/")[3:5]) or "Microsoft.Resources/subscriptions"
            return _error(403, "AuthorizationFailed", f"The client does not have authorization to read '{action}'.")
        if not rest:
            return 200, {}, self._subscription(subscription)
        if rest.startswith("/providers/"):
            return self._provider(method, path, rest.removeprefix("/providers/"), query, body)
        return self._group(method, path, query, body)

    def _subscription(self, each: str) -> dict[str, Any]:
        return {"subscriptionId": each, "displayName": "Contoso try-out", "state": "Enabled", "tenantId": self.tenant}

    # ---- subscription level

    def _provider(self, method: str, path: str, rest: str, query: dict[str, str], body: Any) -> Answer:
        name, _, below = rest.partition("/")
        if below == "register":
            self.registered.add(name)
            return 200, {}, {"registrationState": "Registering"}
        if not below:
            state = "Registered" if name in self.registered else "NotRegistered"
            types = [{"resourceType": kind, "locations": self.regions[name]} for kind in PROVIDERS[name]]
            return 200, {}, {"namespace": name, "registrationState": state, "resourceTypes": types}
        if below == "permissions":
            return _list([{"actions": self.actions, "notActions": []}])
        if found := re.fullmatch(r"locations/(\w+)/models", below):
            return self._page(path, self.offers.get(found[1], []), query)
        if re.fullmatch(r"locations/\w+/usages", below):
            usages = self.quota.items()
            return _list([{"name": {"value": n}, "currentValue": used, "limit": most} for n, (used, most) in usages])
        if below in ("deletedAccounts", "deletedservices"):
            gone = [each for each in self.deleted.values() if f"/{name}/" in each]
            return _list([{"id": each, "name": each.rpartition("/")[2]} for each in gone])
        if below == "deletedVaults":
            return _list([{"id": "x", "name": each} for each in sorted(self.deleted_vaults)])
        if below in ("checkNameAvailability", "checkDomainAvailability"):
            free = body.get("name", body.get("subdomainName")) not in self.taken
            key = "isSubdomainAvailable" if "Domain" in below else "nameAvailable"
            return 200, {}, {key: free, "reason": None if free else "AlreadyExists"}
        if method == "DELETE" and path in self.deleted.values():
            self.deleted = {name: each for name, each in self.deleted.items() if each != path}
            return self._begin((200, {}, None), "Location")
        return _error(404, "NotFound", path)

    # ---- resource group level

    def _group(self, method: str, path: str, query: dict[str, str], body: Any) -> Answer:
        if path.lower() == GROUP.lower():
            return self._group_itself(method, path, body)
        if self.state.get(GROUP) is None:
            name = path.split("/")[4]
            return _error(404, "ResourceGroupNotFound", f"Resource group '{name}' could not be found.")
        if path == f"{GROUP}/resources":
            return self._page(path, self.state.within(GROUP), query)
        if path.endswith("/providers/Microsoft.Authorization/permissions"):
            return _list([{"actions": self.actions, "notActions": []}])
        if found := re.fullmatch(
            re.escape(GROUP) + r"/providers/Microsoft.Resources/deployments/([\w-]+)(/\w+)?", path
        ):
            return self._deployment(method, found[1], found[2] or "", query, body)
        if method == "POST" and path.endswith("/listSecrets"):
            return 200, {}, {"primaryKey": self.services.key(path.split("/")[-2]), "secondaryKey": "d" * 32}
        if method == "DELETE":
            if self.state.get(path) is None:
                return 204, {}, None
            self.state.delete_under(path)
            return self._begin((200, {}, None), "Location")
        if method == "PUT":
            self.state.put(path, body)
            if path.count("/roleAssignments/"):
                self.services.role = True
            return 201, {}, {**body, "id": path}
        if method == "GET":
            # Ids alternate: an even number of parts ends in a name, an odd one in a collection.
            if path.strip("/").rpartition("providers/")[2].count("/") % 2:
                return self._page(path, self.state.children(path), query)
            resource = self.state.seen(path)
            if resource is None:
                return _error(404, "ResourceNotFound", f"The Resource '{path}' was not found.")
            return 200, {}, resource
        return _error(405, "MethodNotAllowed", method)

    def _group_itself(self, method: str, path: str, body: Any) -> Answer:
        if method == "PUT":
            self.state.put(path, {**body, "properties": {"provisioningState": "Succeeded"}})
            return 201, {}, self.state.get(path)
        found = self.state.get(path)
        if found is None:
            return _error(404, "ResourceGroupNotFound", "Resource group 'rg-aoai-try' could not be found.")
        if method == "DELETE":
            self._soft_delete()
            self.state.delete_under(path)
            return self._begin((200, {}, None), "Location")
        return 200, {}, found

    def _soft_delete(self) -> None:
        """What Azure keeps of a group: accounts and gateways until purged, vaults with their names."""
        for resource in self.state.within(GROUP):
            kind, name = str(resource.get("type", "")).lower(), resource["name"]
            before = f"/subscriptions/{SUBSCRIPTION}/providers"
            place = resource.get("location", REGIONS[0])
            if kind == "microsoft.cognitiveservices/accounts":
                group = f"{before}/Microsoft.CognitiveServices/locations/{place}/resourceGroups/rg-aoai-try"
                self.deleted[name] = f"{group}/deletedAccounts/{name}"
            elif kind == "microsoft.apimanagement/service":
                self.deleted[name] = f"{before}/Microsoft.ApiManagement/locations/{place}/deletedservices/{name}"
            elif kind == "microsoft.keyvault/vaults":
                self.deleted_vaults.add(name)

    def _deployment(self, method: str, name: str, below: str, query: dict[str, str], body: Any) -> Answer:
        path = self.deployments.path(name)
        if below == "/operations":
            return self._page(f"{path}/operations", self.state.children(f"{path}/operations"), query)
        if below == "/whatIf":
            return self._begin((200, {}, self._what_if(name)), "Location")
        known = self.state.get(path)
        if method == "PUT":
            if known and known["properties"]["provisioningState"] == "Running":
                text = f"Unable to edit or replace deployment '{name}': previous deployment is still active."
                return _error(409, "DeploymentActive", text)
            error = self.deployments.create(name, body)
            end: dict[str, Any] = {"status": "Failed", "error": error} if error else {"status": "Succeeded"}
            status, headers, _ = self._begin((200, {}, end), "Azure-AsyncOperation")
            assert status == 202
            return 201, headers, {"id": path, "name": name, "properties": {"provisioningState": "Accepted"}}
        if known is None:
            return _error(404, "DeploymentNotFound", f"Deployment '{name}' could not be found.")
        answer = json.loads(json.dumps(known))
        if left := known.get("running"):
            known["running"] -= 1
            if left == 1:
                known["properties"]["provisioningState"] = "Succeeded"
        return 200, {}, answer

    def _what_if(self, name: str) -> dict[str, Any]:
        changes = []
        for resource in self.deployments.step_of(name)["resources"]:
            path = resource["id"]
            kind = "NoChange" if self.state.get(path) else "Create"
            change: dict[str, Any] = {"resourceId": path, "changeType": kind, "after": {"id": path}}
            if kind == "NoChange" and (
                delta := self.noise.get(path.lower(), ALWAYS.get(str(resource["type"]).lower()))
            ):
                change |= {"changeType": "Modify", "delta": delta}
            changes.append(change)
        changes.append(
            {"resourceId": f"{GROUP}/providers/Microsoft.Storage/storageAccounts/else", "changeType": "Ignore"}
        )
        return {"status": "Succeeded", "properties": {"changes": changes}}

    # ---- protocol

    def _begin(self, end: Answer, header: str) -> Answer:
        """202 with where to ask how it goes on."""
        path = f"/operations/{len(self.operations)}"
        self.operations[path] = (self.slow, end)
        return 202, {header: f"{self.url}{path}?api-version=2025-04-01", "Retry-After": "0"}, None

    def _poll(self, path: str) -> Answer:
        left, end = self.operations[path]
        if left:
            self.operations[path] = (left - 1, end)
            async_operation = isinstance(end[2], dict) and "properties" not in end[2]
            return (
                (200 if async_operation else 202),
                {"Retry-After": "0", "Location": f"{self.url}{path}"},
                {"status": "Running"},
            )
        return end

    def _page(self, path: str, found: list[Any], query: dict[str, str]) -> Answer:
        start = int(query.get("$skipToken", 0))
        page: dict[str, Any] = {"value": found[start : start + PAGE]}
        if start + PAGE < len(found):
            page["nextLink"] = f"{self.url}{path}?api-version=2025-04-01&$skipToken={start + PAGE}"
        return 200, {}, page

    def _logs(self, path: str, body: dict[str, Any]) -> Answer:
        if WORKSPACE not in path:
            return _error(404, "WorkspaceNotFoundError", "no such workspace")
        try:
            columns, rows = self.services.logs(body["query"], body.get("timespan") or "")
        except AoaiError as error:
            return _error(400, "BadArgumentError", str(error))
        return _table(columns, rows)


def _table(columns: dict[str, str], rows: list[list[Any]]) -> Answer:
    described = [{"name": name, "type": kind} for name, kind in columns.items()]
    return 200, {}, {"tables": [{"name": "PrimaryResult", "columns": described, "rows": rows}]}


def _list(found: list[Any]) -> Answer:
    return 200, {}, {"value": found}


def _error(status: int, code: str, message: str) -> Answer:
    return status, {}, {"error": {"code": code, "message": message}}


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    # Head and body in one packet: a client that waits for the second delays every answer by 40 ms.
    wbufsize = -1

    def _serve(self) -> None:
        service: ArmService = self.server  # type: ignore[assignment]
        length = int(self.headers.get("Content-Length") or 0)
        raw = self.rfile.read(length)
        parts = urlsplit(self.path)
        query = {name: values[0] for name, values in parse_qs(parts.query).items()}
        headers = {name.lower(): value for name, value in self.headers.items()}
        with service.lock:
            try:
                answer = service.answer(self.command, parts.path, query, headers, json.loads(raw) if raw else {})
            except Exception as error:  # the caller sees what the service ran into, rather than a dropped connection
                answer = _error(418, "LoopbackFailed", f"{type(error).__name__}: {error}")
        self._send(*answer)

    def _send(self, status: int, headers: dict[str, str], body: Any) -> None:
        if isinstance(body, list):
            content = "".join(f"data: {json.dumps(event)}\n\n" for event in body) + "data: [DONE]\n\n"
        else:
            content = "" if body is None else json.dumps(body)
        self.send_response(status)
        for name, value in {"Content-Type": "application/json", **headers}.items():
            self.send_header(name, value)
        self.send_header("Content-Length", str(len(content.encode())))
        self.end_headers()
        self.wfile.write(content.encode())

    do_GET = do_PUT = do_POST = do_DELETE = do_HEAD = _serve

    def log_message(self, format: str, *arguments: Any) -> None:
        pass
