"""Azurite: Azure Storage's own emulator on loopback, over HTTPS, asked with Microsoft Entra tokens like the service."""

from __future__ import annotations

import base64
import datetime
import ipaddress
import json
import shutil
import socket
import subprocess
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

PROGRAM = Path(__file__).parent / "node_modules/.bin/azurite-blob"
ACCOUNT = "devstoreaccount1"


class TokenCredential:
    """Gives tokens of the shape that Azurite checks (audience, issuer, times); who signed them it does not."""

    def get_token(self, *scopes: str, **_: Any) -> Any:
        from azure.core.credentials import AccessToken

        now = int(time.time())
        tenant = "00000000-0000-0000-0000-0000000000bb"
        claims = {
            "aud": "https://storage.azure.com",
            "iss": f"https://sts.windows.net/{tenant}/",
            "tid": tenant,
            "oid": "00000000-0000-0000-0000-0000000000cc",
            "ver": "1.0",
            "nbf": now - 60,
            "iat": now - 60,
            "exp": now + 3600,
        }
        parts = ({"alg": "RS256", "typ": "JWT"}, claims)
        texts = [base64.urlsafe_b64encode(json.dumps(part).encode()).rstrip(b"=").decode() for part in parts]
        return AccessToken(".".join([*texts, "c2lnbmF0dXJl"]), now + 3600)


@contextmanager
def azurite(folder: Path) -> Iterator[tuple[str, Path]]:
    """Run Azurite with its data in memory and its certificate in *folder*: the blob endpoint, and that certificate.

    The endpoint is ``https://127.0.0.1:PORT/devstoreaccount1``. Skips where Azurite is not installed.
    """
    if not PROGRAM.exists() or shutil.which("node") is None:
        pytest.skip("needs azurite: npm ci --prefix tests/azurite")
    certificate, key = _certificate(folder)
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    arguments = ["--blobHost", "127.0.0.1", "--blobPort", str(port), "--inMemoryPersistence", "--oauth", "basic"]
    arguments += ["--cert", str(certificate), "--key", str(key), "--disableTelemetry", "--skipApiVersionCheck"]
    process = subprocess.Popen(
        [str(PROGRAM), *arguments], cwd=folder, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True
    )
    assert process.stdout
    try:
        said = []
        for line in process.stdout:
            said.append(line)
            if "successfully listen" in line:
                break
        else:
            pytest.fail("azurite did not start: " + "".join(said))
        yield f"https://127.0.0.1:{port}/{ACCOUNT}", certificate
    finally:
        process.kill()
        process.wait()
        process.stdout.close()


def _certificate(folder: Path) -> tuple[Path, Path]:
    """A certificate for 127.0.0.1 that is its own authority, and its key."""
    from cryptography import x509
    from cryptography.hazmat.primitives import hashes, serialization
    from cryptography.hazmat.primitives.asymmetric import ec
    from cryptography.x509.oid import NameOID

    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "127.0.0.1")])
    now = datetime.datetime.now(datetime.UTC)
    certificate = (
        x509.CertificateBuilder()
        .subject_name(name)
        .issuer_name(name)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - datetime.timedelta(days=1))
        .not_valid_after(now + datetime.timedelta(days=1))
        .add_extension(x509.SubjectAlternativeName([x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]), critical=False)
        .add_extension(x509.BasicConstraints(ca=True, path_length=None), critical=True)
        .sign(key, hashes.SHA256())
    )
    paths = folder / "azurite.crt", folder / "azurite.key"
    paths[0].write_bytes(certificate.public_bytes(serialization.Encoding.PEM))
    paths[1].write_bytes(
        key.private_bytes(serialization.Encoding.PEM, serialization.PrivateFormat.PKCS8, serialization.NoEncryption())
    )
    return paths
