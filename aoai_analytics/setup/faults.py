"""Azure Resource Manager errors, unwrapped to their cause, with a fix.

A failed deployment's error contains the failed resource's error, which contains the service's, sometimes as JSON text.
Only the innermost error is actionable.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from typing import Any

from ..errors import SetupError

#: Code of an ARM or service error -> fix. The codes are from docs/infrastructure.md and
#: https://learn.microsoft.com/azure/azure-resource-manager/troubleshooting/common-deployment-errors
WAYS_ON = {
    "InsufficientQuota": "lower 'capacity', ask for quota, or choose another region or 'sku' for that deployment",
    "QuotaExceeded": "lower what is asked for, or ask for quota in the portal (Subscriptions > Usage + quotas)",
    "FlagMustBeSetForRestore": "an account of that name was deleted lately: set restore = true at it in aoai.toml, or "
    "purge it with 'aoai setup purge NAME'",
    "ServiceAlreadyExistsInSoftDeletedState": "a gateway of that name was deleted lately: set restoreGateway = true, "
    "or purge it with 'aoai setup purge NAME'",
    "CustomDomainInUse": "the account's name is taken in all of Azure: choose another 'name' in aoai.toml",
    "SubDomainNameInUse": "the account's name is taken in all of Azure: choose another 'name' in aoai.toml",
    "ServiceAlreadyExists": "the gateway's name is taken in all of Azure: set another gatewayName",
    "StorageAccountAlreadyTaken": "the storage account's name is taken in all of Azure: choose another 'name'",
    "VaultAlreadyExists": "the vault's name is taken or was deleted lately: set restoreKeyVault = true, or choose "
    "another 'name'",
    "ConflictError": "a vault of that name was deleted lately and cannot be purged: set restoreKeyVault = true, or "
    "choose another 'name'",
    "RoleAssignmentUpdateNotPermitted": "an old role assignment names an identity that is gone: delete it at the "
    "account (Access control), and run the step again",
    "InvalidAuthenticationTokenTenant": "you are signed in to another tenant than the subscription's: sign in with "
    "'az login --tenant TENANT-ID'",
    "InvalidAuthenticationToken": "sign in again: 'az login'",
    "ExpiredAuthenticationToken": "sign in again: 'az login'",
    "AuthorizationFailed": "ask an owner for Contributor and Role Based Access Control Administrator on the resource "
    "group",
    "LinkedAuthorizationFailed": "ask an owner for a role on the resource that it names",
    "RequestDisallowedByPolicy": "your organization's policy forbids it: ask the owner of the named policy",
    "SubscriptionNotFound": "check 'subscription' in aoai.toml, and that you are signed in to its tenant",
    "ResourceGroupNotFound": "run the notebook 00-start first",
    "DeploymentNotFound": "a step that this one builds on has not been run: run them in order ('aoai setup status')",
    "MissingSubscriptionRegistration": "register the resource provider that it names, or run the notebook 00-start",
    "LocationNotAvailableForResourceType": "choose another 'location'",
    "InvalidResourceLocation": "it exists in another region: choose another 'name', or the region it is in",
    "DeploymentModelNotSupported": "choose a model version that the region offers ('aoai setup check' lists them)",
    "InvalidResourceProperties": "choose a model, version and 'sku' that the region offers ('aoai setup check')",
    "SkuNotAvailable": "choose another 'location' or tier",
    "ScopeLocked": "the resource group is locked: ask the person who locked it",
    "NotSupported": "where it names a private endpoint: approve its connection at the gateway, and run the step again",
    "DeploymentActive": "this step is being deployed by another run: wait for it, then run it again",
    "AnotherOperationInProgress": "another change of that resource is under way: run the step again when it is done",
    "RequestConflict": "another change of that resource is under way: run the step again when it is done",
    "TooManyRequests": "Azure asks to slow down: run the step again in some minutes",
}
#: Wrapper errors that carry no information.
_WRAPPERS = {"DeploymentFailed", "ResourceDeploymentFailure", "MultipleErrorsOccurred", "InvalidTemplateDeployment"}


class Refused(SetupError):
    """The login lacks a permission (HTTP 403)."""


@dataclass(frozen=True)
class Cause:
    """An innermost error: its code, message and, if known, its resource."""

    code: str
    message: str
    target: str = ""

    def __str__(self) -> str:
        about = f"{self.target}: " if self.target else ""
        way_on = WAYS_ON.get(self.code)
        return f"{about}{self.code}: {self.message.rstrip('. ')}" + (f". Fix: {way_on}" if way_on else "")


def causes(error: Any) -> list[Cause]:
    """The innermost errors of an ARM error body (``{"error": …}`` or the error itself), in order, deduplicated."""
    return list(dict.fromkeys(_innermost(error, "")))


def _innermost(error: Any, target: str) -> Iterator[Cause]:
    while isinstance(error, dict) and isinstance(error.get("error"), dict):
        error = error["error"]
    if not isinstance(error, dict) or not ("code" in error or "message" in error):
        return
    target = _short(error.get("target")) or target
    details = error.get("details")
    inside = [*(details if isinstance(details, list) else []), error.get("innererror"), _as_json(error.get("message"))]
    found = [cause for part in inside for cause in _innermost(part, target)]
    # An inner error that is only a code, or a wrapper without its cause, says less than the outer one.
    telling = [cause for cause in found if cause.message and cause.code not in _WRAPPERS]
    if telling:
        yield from telling
    else:
        yield Cause(str(error.get("code", "Error")), " ".join(str(error.get("message") or "").split()), target)


def _as_json(text: Any) -> Any:
    if not isinstance(text, str) or not text.lstrip().startswith("{"):
        return None
    try:
        return json.loads(text)
    except ValueError:
        return None


def _short(target: Any) -> str:
    """A resource ID without its subscription and group; other targets unchanged."""
    text = str(target or "")
    return text.split("/providers/")[-1] if text.startswith("/") else text


def translated(error: Exception, doing: str) -> SetupError:
    """The SetupError for an Azure SDK error while *doing* something: one line, with its fix."""
    from azure.core.exceptions import ClientAuthenticationError, HttpResponseError, ServiceRequestError

    response = getattr(error, "response", None)
    status = getattr(error, "status_code", None)
    kind = Refused if status == 403 else SetupError
    found = causes(_body(response)) if isinstance(error, HttpResponseError) and response is not None else []
    if found:
        return kind(f"{doing}: " + "; ".join(str(cause) for cause in found))
    if isinstance(error, ClientAuthenticationError):
        return SetupError(
            f"{doing}: no login works. Fix: sign in with 'az login' (or set AZURE_* variables, or "
            "'credential' in aoai.toml), then run it again"
        )
    if isinstance(error, ServiceRequestError):
        return SetupError(f"{doing}: Azure cannot be reached. Fix: check the network and proxy, then run it again")
    return kind(f"{doing}: {type(error).__name__}{f' (HTTP {status})' if status else ''}")


def _body(response: Any) -> Any:
    try:
        return json.loads(response.text())
    except (ValueError, AttributeError, TypeError):
        return None
