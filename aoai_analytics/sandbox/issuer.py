"""Tokens of a tenant of the sandbox's own, as ``validate-azure-ad-token`` checks them."""

from __future__ import annotations

import base64
import hmac
import json
import secrets
import time
from typing import Any

TENANT = "11111111-2222-3333-4444-555555555555"
#: The caller of a token that names none.
CALLER = "4f6f2c1a-0000-4000-8000-00000000000a"
#: Proves to the token endpoint that it is asked from the machine itself, as App Service does.
IDENTITY_HEADER = "loopback"


class Issuer:
    """Signs with a secret of this process: a token of one sandbox opens no other."""

    def __init__(self) -> None:
        self._secret = secrets.token_bytes(32)

    def issue(
        self, audience: str, *, caller: str = CALLER, roles: tuple[str, ...] = ("Models.Use",), seconds: int = 3600
    ) -> str:
        """A token for *audience*."""
        claims = {"aud": audience, "tid": TENANT, "oid": caller, "roles": roles, "exp": int(time.time()) + seconds}
        parts = [{"typ": "JWT", "alg": "HS256"}, claims]
        text = ".".join(_base64(json.dumps(part).encode()) for part in parts)
        return f"{text}.{self._signature(text)}"

    def caller(self, token: str, *, audience: str, role: str) -> str | None:
        """The caller's object id, where the token is this issuer's, for *audience*, with *role* and in its time."""
        text, _, signature = token.rpartition(".")
        if not hmac.compare_digest(signature.encode(), self._signature(text).encode()):
            return None
        claims: dict[str, Any] = json.loads(base64.urlsafe_b64decode(text.partition(".")[2] + "=="))
        good = claims["aud"] == audience and role in claims["roles"] and claims["exp"] > time.time()
        return str(claims["oid"]) if good else None

    def _signature(self, text: str) -> str:
        return _base64(hmac.digest(self._secret, text.encode(), "sha256"))


def _base64(data: bytes) -> str:
    return base64.urlsafe_b64encode(data).decode().rstrip("=")
