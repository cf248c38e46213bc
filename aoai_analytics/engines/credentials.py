"""Who asks a service, and where: azure-identity credentials by name, and endpoints that are safe to send a token to."""

from __future__ import annotations

import difflib
from typing import Any
from urllib.parse import urlsplit

from ..errors import UnknownName, WrongUse

_LOOPBACK = ("127.0.0.1", "localhost", "::1")


def credential_for(credential: Any = None) -> Any:
    """The azure-identity credential to ask with.

    None is DefaultAzureCredential; a text names another class of the library that needs no arguments
    (``AzureCliCredential``, ``ManagedIdentityCredential``, …); an object with ``get_token`` is taken as it is.
    Raises UnknownName for a class that is not there, WrongUse for one that cannot be made without arguments.
    """
    if credential is not None and not isinstance(credential, str):
        if not callable(getattr(credential, "get_token", None)):
            raise WrongUse("a credential must be an azure-identity credential or the name of one")
        return credential
    import azure.identity

    known = sorted(name for name in azure.identity.__all__ if name.endswith("Credential"))
    name = credential or "DefaultAzureCredential"
    if name not in known:
        near = difflib.get_close_matches(name, known, n=2) or ["DefaultAzureCredential", "AzureCliCredential"]
        # The text given is not repeated: it may be a secret that was put in the wrong place.
        raise UnknownName(f"the credential is not an azure-identity class; try {' or '.join(near)}")
    try:
        return getattr(azure.identity, name)()
    except (TypeError, ValueError) as error:
        raise WrongUse(
            f"{name} needs arguments: pass such a credential as an object, "
            "or use DefaultAzureCredential with AZURE_* variables"
        ) from error


def checked_endpoint(endpoint: str) -> str:
    """*endpoint* as ``https://host[:port][/path]``; plain HTTP only to this machine itself. Raises WrongUse."""
    text = endpoint if "://" in endpoint else f"https://{endpoint}"
    try:
        parts = urlsplit(text)
        host, _ = parts.hostname, parts.port
    except ValueError as error:
        raise WrongUse("the endpoint is not a URL: use e.g. https://api.loganalytics.azure.cn") from error
    if not host or parts.username is not None or parts.password is not None or parts.query or parts.fragment:
        raise WrongUse("the endpoint must be https://HOST, without user, password or query")
    if parts.scheme == "http":
        if host not in _LOOPBACK:
            raise WrongUse(f"the endpoint http://{host} would send a token unencrypted: use https://{host}")
    elif parts.scheme != "https":
        raise WrongUse(f"the endpoint must begin with https://, not {parts.scheme}://")
    return text.rstrip("/")


def is_plain_http(endpoint: str) -> bool:
    """Whether a checked endpoint is plain HTTP, and so on this machine."""
    return endpoint.startswith("http://")
