"""Checks before anything is created: sign-in, permissions, providers, regions, models, quota, names.

Most of them read at the subscription, where a role on the resource group does not reach: a read that Azure refuses is
"not asked", with the permission that it needs, and no failure.
"""

from __future__ import annotations

import fnmatch
from collections.abc import Iterator
from datetime import UTC, datetime, timedelta
from functools import cached_property
from typing import Any

from ..errors import SetupError
from .arm import Arm
from .costs import said
from .faults import Refused
from .findings import MET, NOT_ASKED, NOT_MET, Finding
from .installation import Installation

#: Resource types created in ``location``; options add their own.
_TYPES = {
    "Microsoft.ApiManagement": "service",
    "Microsoft.OperationalInsights": "workspaces",
    "Microsoft.Insights": "diagnosticSettings",
    "Microsoft.Storage": "storageAccounts",
    "Microsoft.KeyVault": "vaults",
    "Microsoft.CognitiveServices": "accounts",
}
_OF_REPORTS = ("Microsoft.App", "Microsoft.ContainerRegistry", "Microsoft.ManagedIdentity", "Microsoft.Network")
#: Actions of the deployments that need a permission.
_ACTIONS = (
    "Microsoft.Resources/deployments/write",
    "Microsoft.CognitiveServices/accounts/write",
    "Microsoft.ApiManagement/service/write",
    "Microsoft.Authorization/roleAssignments/write",
)


#: What each check reads, all at the subscription: the least permission for it.
PERMISSIONS = {
    "login": "Microsoft.Resources/subscriptions/read",
    "providers": "Microsoft.Resources/subscriptions/providers/read",
    "region": "Microsoft.Resources/subscriptions/providers/read",
    "models": "Microsoft.CognitiveServices/locations/models/read",
    "lifecycle": "Microsoft.CognitiveServices/locations/models/read",
    "quota": "Microsoft.CognitiveServices/locations/usages/read",
    "group": "Microsoft.Resources/subscriptions/resourceGroups/read",
    "subnets": "Microsoft.Network/virtualNetworks/read, Microsoft.Network/virtualNetworks/subnets/read",
    "rights": "Microsoft.Authorization/permissions/read",
    "names": "Microsoft.CognitiveServices/deletedAccounts/read, "
    "Microsoft.CognitiveServices/checkDomainAvailability/action, "
    "Microsoft.ApiManagement/deletedServices/read, Microsoft.ApiManagement/checkNameAvailability/action, "
    "Microsoft.KeyVault/deletedVaults/read, Microsoft.KeyVault/checkNameAvailability/action, "
    "Microsoft.Storage/checkNameAvailability/read",
}
#: Use of a subnet of one's own -> what it must be delegated to.
_DELEGATIONS = {"gateway": "Microsoft.Web/serverFarms", "reports": "Microsoft.App/environments"}
#: A model that ends sooner is none to begin with.
ENDING = timedelta(days=90)


def _not_asked(check: str, what: str) -> Finding:
    where = "on the resource group" if check == "group" else "on the subscription"
    return Finding(check, what, NOT_ASKED, f"Azure refused the read: it needs {PERMISSIONS[check]} {where}")


def signed_in(arm: Arm) -> Finding:
    """The signed-in identity. Raises SetupError if there is none, or its tenant is not the subscription's."""
    configuration = arm.configuration
    who = arm.who()
    if configuration.tenant and who["tenant"] and who["tenant"] != str(configuration.tenant):
        raise SetupError(
            f"you are logged in to tenant {who['tenant']}, but setup.tenant is {configuration.tenant}. Fix: "
            f"az login --tenant {configuration.tenant}"
        )
    try:
        found = arm.get(f"/subscriptions/{configuration.subscription}")
    except Refused:
        return _not_asked("login", "The login can see the subscription")
    if found is None:
        seen = [f"{s['displayName']} ({s['subscriptionId']})" for s in arm.list("/subscriptions")]
        raise SetupError(
            f"subscription {configuration.subscription} is not visible to {who['name'] or 'you'} in tenant "
            f"{who['tenant']}; visible: {', '.join(seen) or 'none'}. Fix: correct setup.subscription, or log "
            "in to its tenant with 'az login --tenant TENANT-ID'"
        )
    if found.get("state") not in ("Enabled", "Warned"):
        raise SetupError(f"subscription {found['displayName']} is {found.get('state')}: Azure cannot use it")
    detail = f"{who['name'] or who['object']}, subscription {found['displayName']}, tenant {who['tenant']}"
    return Finding("login", "The login can see the subscription", MET, detail)


class Before:
    """The checks. Each returns a Finding; none creates anything."""

    def __init__(self, arm: Arm, parameters: dict[str, Any]) -> None:
        self.arm, self.parameters = arm, parameters
        self.subscription = f"/subscriptions/{arm.configuration.subscription}"

    def findings(self) -> list[Finding]:
        """All checks, sign-in first. Raises SetupError if Azure cannot be reached."""
        login = signed_in(self.arm)
        checks = {
            "providers": ("Azure's services are registered in the subscription", self.unregistered),
            "region": ("The services exist in the region", self.missing_in_region),
            "models": ("Every region offers its models", self.missing_models),
            "lifecycle": ("No model is retired, deprecated, or ends within 90 days", self.ending_models),
            "quota": ("There is quota for every deployment", self.missing_quota),
            "group": ("The resource group is where it should be", self.misplaced_group),
            "subnets": ("Your own subnets are there, in the region, and delegated", self.unfit_subnets),
            "rights": ("You may make resources and assign roles", self.missing_rights),
        }
        found = [login]
        for name, (what, check) in checks.items():
            try:
                wrong = list(check())
            except Refused:
                found.append(_not_asked(name, what))
                continue
            state = NOT_MET if wrong else MET
            found.append(
                Finding(name, what, state, "; ".join(w for w, _ in wrong), "; ".join({o: 0 for _, o in wrong}))
            )
        cost = Finding("cost", "What it costs each month is known", MET, said(self.parameters))
        return [*found, self.names(), cost]

    @cached_property
    def _providers(self) -> dict[str, dict[str, Any]]:
        wanted = dict.fromkeys(_TYPES)
        if self.parameters.get("privateNetwork"):
            wanted["Microsoft.Network"] = None
        if self.parameters.get("logToEventHub"):
            wanted["Microsoft.EventHub"] = None
        if alerts := self.parameters.get("alerts"):
            wanted["Microsoft.ManagedIdentity"] = None
            if alerts.get("monthlyBudget"):
                wanted["Microsoft.Consumption"] = None
        if self.parameters.get("reportSchedule"):
            wanted |= dict.fromkeys(_OF_REPORTS)
        version = {"api-version": "2021-04-01"}
        return {name: self.arm.get(f"{self.subscription}/providers/{name}", **version) or {} for name in wanted}

    def unregistered(self) -> Iterator[tuple[str, str]]:
        """Unregistered providers; ``register`` registers them."""
        for name, found in self._providers.items():
            state = found.get("registrationState", "NotRegistered")
            if state != "Registered":
                yield f"{name} is {state}", "run the notebook 00-start, which registers them (it may take minutes)"

    def register(self) -> list[str]:
        """Request registration of every unregistered provider; return their names."""
        try:
            asked = [name for name, found in self._providers.items() if found.get("registrationState") != "Registered"]
        except Refused:
            return []  # Without the read nobody knows; a deployment then says what is missing.
        for name in asked:
            self.arm.post(f"{self.subscription}/providers/{name}/register", **{"api-version": "2021-04-01"})
        return asked

    def missing_in_region(self) -> Iterator[tuple[str, str]]:
        """Services that are not available in their location."""
        for provider, kind in _TYPES.items():
            here = self.arm.configuration.location if provider != "Microsoft.CognitiveServices" else None
            types = self._providers[provider].get("resourceTypes", [])
            offered = {
                location.replace(" ", "").lower()
                for found in types
                if found["resourceType"].lower() == kind.lower()
                for location in found.get("locations", [])
            }
            wanted = {here} if here else {account["location"] for account in self.parameters["openAIAccounts"]}
            for location in sorted(wanted):
                # A service that is available everywhere names no region.
                if offered and location.replace(" ", "").lower() not in offered:
                    yield f"{provider}/{kind} is not offered in {location}", "choose another location in aoai.toml"

    @cached_property
    def _listed(self) -> dict[str, list[dict[str, Any]]]:
        locations = sorted({account["location"] for account in self.parameters["openAIAccounts"]})
        path = f"{self.subscription}/providers/Microsoft.CognitiveServices/locations"
        return {location: list(self.arm.list(f"{path}/{location}/models")) for location in locations}

    def _offers(self, account: dict[str, Any]) -> list[dict[str, Any]]:
        """The models that an account of this kind can have in its region."""
        kind = account.get("kind", "OpenAI")
        return [entry["model"] for entry in self._listed[account["location"]] if entry.get("kind") == kind]

    def _sku(self, account: dict[str, Any], deployment: dict[str, Any]) -> dict[str, Any] | None:
        for model in self._offers(account):
            if _is(model, deployment):
                return next((sku for sku in model.get("skus", []) if sku["name"] == deployment["sku"]), None)
        return None

    def missing_models(self) -> Iterator[tuple[str, str]]:
        """Deployments whose model, version or sku is not available in the account's region, and the available ones."""
        for account in self.parameters["openAIAccounts"]:
            location = account["location"]
            for deployment in account["deployments"]:
                if self._sku(account, deployment):
                    continue
                versions = [m for m in self._offers(account) if m["name"] == deployment["model"]]
                exact = [m for m in versions if m["version"] == deployment["version"]]
                if exact and not any(_is(m, deployment) for m in exact):
                    offer = (
                        f"its format is {exact[0].get('format', 'OpenAI')}, not {deployment.get('format', 'OpenAI')}"
                    )
                elif exact:
                    skus = ", ".join(sku["name"] for sku in exact[0].get("skus", []))
                    offer = f"it offers that version as {skus or 'nothing'}"
                elif versions:
                    offer = f"it offers the versions {', '.join(m['version'] for m in versions)}"
                else:
                    offer = "it does not offer that model"
                about = f"{deployment['model']} {deployment['version']} as {deployment['sku']} in {location}"
                yield f"{about}: {offer}", "choose a model, version, sku or region that goes together"

    def ending_models(self) -> Iterator[tuple[str, str]]:
        """Deployments whose model is retired or deprecated, or ends within 90 days, and models to take instead."""
        now = datetime.now(UTC)
        seen: set[tuple[str, ...]] = set()
        for account in self.parameters["openAIAccounts"]:
            offers = self._offers(account)
            for deployment in account["deployments"]:
                wanted = (deployment["model"], deployment["version"])
                model = next((m for m in offers if (m["name"], m["version"]) == wanted), None)
                if model is None or (account["location"], *wanted) in seen:
                    continue
                seen.add((account["location"], *wanted))
                if (why := _ending(model, now)) is None:
                    continue
                instead = [
                    f"{m['name']} {m['version']}"
                    for m in offers
                    if _ending(m, now) is None
                    and m.get("lifecycleStatus", "GenerallyAvailable") != "Preview"
                    and _does(m) == _does(model)
                    and any(sku["name"] == deployment["sku"] for sku in m.get("skus", []))
                ]
                there = f"; {account['location']} offers as {deployment['sku']}: {', '.join(instead) or 'nothing else'}"
                yield f"{' '.join(wanted)} {why}{there}", "choose a model that stays"

    def missing_quota(self) -> Iterator[tuple[str, str]]:
        """Quota that the deployments need beyond the free quota; their existing quota counts as theirs."""
        for location in sorted(self._listed):
            path = f"{self.subscription}/providers/Microsoft.CognitiveServices/locations/{location}/usages"
            usages = {usage["name"]["value"]: usage for usage in self.arm.list(path)}
            needed: dict[str, int] = {}
            for account in self.parameters["openAIAccounts"]:
                for deployment in account["deployments"] if account["location"] == location else ():
                    sku = self._sku(account, deployment)
                    if sku and sku.get("usageName"):
                        name = sku["usageName"]
                        more = deployment["capacity"] - self._standing_capacity(account["name"], deployment["name"])
                        needed[name] = needed.get(name, 0) + more
            for name, more in needed.items():
                usage = usages.get(name, {"limit": 0, "currentValue": 0})
                free = int(usage["limit"] - usage["currentValue"])
                if more > free:
                    yield (
                        f"{location}: {name}: {more} more needed, {free} of {int(usage['limit'])} free",
                        "lower 'capacity', ask for quota (Azure AI Foundry > Management > Quota), or choose another "
                        "region or sku",
                    )

    @cached_property
    def _standing_accounts(self) -> dict[str, str]:
        """Short name -> ID of accounts that this installation already has."""
        if self._group is None:
            return {}
        path = f"{self.arm.configuration.group_id}/providers/Microsoft.CognitiveServices/accounts"
        there = [account["id"] for account in self.arm.list(path)]
        shorts = [account["name"] for account in self.parameters["openAIAccounts"]]
        return {
            short: path
            for short in shorts
            for path in there
            if fnmatch.fnmatch(path.rpartition("/")[2], f"{short}-" + "[a-z0-9]" * 13)
        }

    def _standing_capacity(self, account: str, deployment: str) -> int:
        path = self._standing_accounts.get(account)
        found = self.arm.get(f"{path}/deployments/{deployment}") if path else None
        return int(found["sku"]["capacity"]) if found else 0

    @cached_property
    def _group(self) -> dict[str, Any] | None:
        return self.arm.get(self.arm.configuration.group_id)

    def misplaced_group(self) -> Iterator[tuple[str, str]]:
        """A resource group with that name that is being deleted. Its own region does not matter."""
        if self._group and self._group["properties"].get("provisioningState") == "Deleting":
            yield (
                f"{self.arm.configuration.resource_group} is being deleted",
                "wait until it is gone, or name another resource_group",
            )

    def unfit_subnets(self) -> Iterator[tuple[str, str]]:
        """Subnets of the network of your own that are missing, elsewhere, or not delegated as their use needs."""
        for use, path in (self.parameters.get("subnets") or {}).items():
            network, _, name = path.partition("/subnets/")
            found = self.arm.get(path) if name else None
            if found is None:
                yield f"subnets.{use}: {path} does not exist or is not visible", "correct the subnet's resource id"
                continue
            services = {
                delegation["properties"]["serviceName"].lower()
                for delegation in found["properties"].get("delegations", [])
            }
            wanted = _DELEGATIONS.get(use)
            if wanted and wanted.lower() not in services:
                yield f"subnets.{use}: {name} is not delegated to {wanted}", f"delegate it to {wanted}"
            region = str((self.arm.get(network) or {}).get("location", "")).replace(" ", "").lower()
            if region and region != self.arm.configuration.location.replace(" ", "").lower():
                yield f"subnets.{use}: its network is in {region}", "use a network in the gateway's region"

    def missing_rights(self) -> Iterator[tuple[str, str]]:
        """Actions that the deployments need and you may not perform."""
        scope = self.arm.configuration.group_id if self._group else self.subscription
        permissions = self.arm.list(f"{scope}/providers/Microsoft.Authorization/permissions")
        for action in _ACTIONS:
            if not any(_allows(permission, action) for permission in permissions):
                yield (
                    f"you lack {action}",
                    "ask an owner for Contributor and Role Based Access Control Administrator on the resource group",
                )

    def names(self) -> Finding:
        """Whether globally unique names are free, or already belong to this installation."""
        what = "The names are free, or taken by this installation"
        if self._group is None:
            return Finding("names", what, NOT_ASKED, "names depend on the resource group, which 00-start makes")
        installation = Installation(self.arm, self.parameters)
        try:
            wrong = list(self._taken(installation))
        except Refused:
            return _not_asked("names", what)
        ways = "; ".join(dict.fromkeys(way for _, way in wrong))
        return Finding("names", what, NOT_MET if wrong else MET, "; ".join(said for said, _ in wrong), ways)

    def _taken(self, installation: Installation) -> Iterator[tuple[str, str]]:
        another = "choose another 'name' in aoai.toml"
        deleted = deleted_resources(self.arm)
        accounts = {a["name"]: a.get("restore", False) for a in self.parameters["openAIAccounts"]}
        of_account = {a["name"]: a.get("kind", "OpenAI") for a in self.parameters["openAIAccounts"]}
        kinds = {path: of_account[short] for short, path in installation.account_ids.items()}
        asked = [
            *(
                (path, accounts[short], f"restore = true at the account {short}")
                for short, path in installation.account_ids.items()
            ),
            (installation.id_of("gateway"), self.parameters.get("restoreGateway", False), "restoreGateway = true"),
            (installation.id_of("keyVault"), self.parameters.get("restoreKeyVault", False), "restoreKeyVault = true"),
            (installation.id_of("storage"), False, ""),
        ]
        for path, restoring, restore in asked:
            provider, kind, name = path.split("/")[-3:]
            if installation.get(path) is not None:
                continue
            if name in deleted:
                if not restoring:
                    way = f"set {restore} to recover it" + (
                        f", or purge it: aoai setup purge {name}" if deleted[name] else "; it cannot be purged"
                    )
                    yield f"{name} ({provider}/{kind}) was deleted lately and still holds its name", way
            elif restoring:
                yield f"{name} is to be restored, but nothing of that name was deleted", f"take {restore} out again"
            elif (why := self._unavailable(provider, kind, name, kinds.get(path, "OpenAI"))) is not None:
                yield f"{name} ({provider}/{kind}) is taken in all of Azure{why}", another

    def _unavailable(self, provider: str, kind: str, name: str, account_kind: str) -> str | None:
        """None if the name is available, otherwise Azure's message about it."""
        action = "checkDomainAvailability" if kind == "accounts" else "checkNameAvailability"
        body = {"name": name, "subdomainName": name, "type": f"{provider}/{kind}"}
        if kind == "accounts":
            body = {"subdomainName": name, "type": f"{provider}/{kind}", "kind": account_kind}
        elif kind == "service":
            body = {"name": name}
        else:
            del body["subdomainName"]
        answer = self.arm.post(f"{self.subscription}/providers/{provider}/{action}", body)
        if answer.get("nameAvailable", answer.get("isSubdomainAvailable")):
            return None
        return f": {answer['reason']}" if answer.get("reason") else ""


def _is(model: dict[str, Any], deployment: dict[str, Any]) -> bool:
    """Whether a deployment is of this model of the region's list."""
    named = ("name", "model"), ("version", "version")
    return all(model[key] == deployment[asked] for key, asked in named) and (
        model.get("format", "OpenAI") == deployment.get("format", "OpenAI")
    )


def _ending(model: dict[str, Any], now: datetime) -> str | None:
    """Why no deployment should begin with a model: its stage, or its date of retirement; None if nothing is wrong."""
    text = (model.get("deprecation") or {}).get("inference")
    end = datetime.fromisoformat(text.replace("Z", "+00:00")) if text else None
    if end is not None and end.tzinfo is None:
        end = end.replace(tzinfo=UTC)
    if end is not None and end <= now:
        return f"was retired on {end:%Y-%m-%d}"
    if model.get("lifecycleStatus") in ("Deprecated", "Deprecating"):
        return "is deprecated" + (f" and retires on {end:%Y-%m-%d}" if end else "")
    return f"retires on {end:%Y-%m-%d}" if end is not None and end - now <= ENDING else None


def _does(model: dict[str, Any]) -> tuple[bool, bool]:
    """Whether a model chats and embeds, as the list of models says; by its name where that says nothing."""
    able = model.get("capabilities") or {}
    if not able:
        return ("embedding" not in model["name"], "embedding" in model["name"])
    return (able.get("chatCompletion") == "true", able.get("embeddings") == "true")


def deleted_resources(arm: Arm) -> dict[str, str]:
    """Soft-deleted accounts, gateways and vaults of the subscription: name -> path to purge it; '' for vaults.

    The vaults have purge protection: they keep their names until Azure releases them.
    """
    before = f"/subscriptions/{arm.configuration.subscription}/providers"
    found: dict[str, str] = {}
    for kind in ("Microsoft.CognitiveServices/deletedAccounts", "Microsoft.ApiManagement/deletedservices"):
        found |= {gone["id"].rpartition("/")[2]: gone["id"] for gone in arm.list(f"{before}/{kind}")}
    vaults = arm.list(f"{before}/Microsoft.KeyVault/deletedVaults")
    return found | {vault["name"]: "" for vault in vaults}


def _allows(permission: dict[str, Any], action: str) -> bool:
    def matches(patterns: list[str]) -> bool:
        return any(fnmatch.fnmatch(action.lower(), pattern.lower()) for pattern in patterns)

    return matches(permission.get("actions", [])) and not matches(permission.get("notActions", []))
