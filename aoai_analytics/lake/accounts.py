"""The model accounts of a subscription, as Azure Resource Manager lists them."""

from __future__ import annotations

import re
from collections import defaultdict
from collections.abc import Iterator
from typing import Any
from urllib.parse import urlsplit

from ..engines.credentials import checked_endpoint, credential_for, is_plain_http
from ..errors import SourceError, WrongUse

ENDPOINT = "https://management.azure.com"
#: Kinds of accounts that have models and their metrics; others are Speech, Vision and the like.
KINDS = ("OpenAI", "AIServices")
_VERSION = "2024-10-01"
_MOST_PAGES = 1000


def accounts_by_region(subscription: str, *, credential: Any = None, endpoint: str = ENDPOINT) -> dict[str, list[str]]:
    """Region -> resource ids of the accounts of Azure OpenAI and Foundry in *subscription*.

    Needs Monitoring Reader on the subscription, as their metrics do. Raises WrongUse; SourceError where the service
    cannot be asked, refuses, or lists none.
    """
    if not re.fullmatch(r"[0-9a-fA-F-]{36}", subscription):
        raise WrongUse("--subscription must be the id of a subscription, e.g. from: az account show --query id")
    base = checked_endpoint(endpoint)
    found: defaultdict[str, list[str]] = defaultdict(list)
    for account in _accounts(base, subscription, credential_for(credential)):
        if account.get("kind") in KINDS and account.get("id"):
            found[str(account.get("location", "")).lower().replace(" ", "")].append(account["id"])
    if not found:
        raise SourceError("the login sees no model account in this subscription: it needs Monitoring Reader there")
    return dict(found)


def _accounts(base: str, subscription: str, credential: Any) -> Iterator[dict[str, Any]]:
    from azure.core import PipelineClient
    from azure.core.exceptions import AzureError, ClientAuthenticationError
    from azure.core.pipeline.policies import BearerTokenCredentialPolicy, RetryPolicy, UserAgentPolicy
    from azure.core.rest import HttpRequest

    plain = {"enforce_https": False} if is_plain_http(base) else {}
    policies = [
        UserAgentPolicy("aoai-analytics"),
        RetryPolicy(retry_total=4, retry_backoff_factor=0.5),
        BearerTokenCredentialPolicy(credential, f"{ENDPOINT if plain else base}/.default"),
    ]
    client: PipelineClient[Any, Any] = PipelineClient(base, policies=policies)
    link = f"{base}/subscriptions/{subscription}/providers/Microsoft.CognitiveServices/accounts?api-version={_VERSION}"
    with client:
        for _ in range(_MOST_PAGES):
            try:
                response = client.send_request(HttpRequest("GET", link), **plain)
            except ClientAuthenticationError as error:
                raise SourceError("Azure refused the login: run 'az login', or use --credential") from error
            except AzureError as error:
                raise SourceError("Azure Resource Manager cannot be reached; try again later") from error
            if response.status_code in (401, 403, 404):
                raise SourceError(
                    "the login may not list the accounts of this subscription: it needs Monitoring Reader there"
                )
            try:
                page = response.json() if response.status_code == 200 else {}
                yield from page["value"]
                link = page.get("nextLink") or ""
            except (ValueError, KeyError, TypeError, AttributeError) as error:
                raise SourceError(f"Azure Resource Manager did not list accounts ({response.status_code})") from error
            if not link:
                return
            # The token goes to no other host.
            if urlsplit(link)[:2] != urlsplit(base)[:2]:
                raise SourceError("Azure Resource Manager links its next page to another host")
    raise SourceError("Azure Resource Manager lists accounts without end")
