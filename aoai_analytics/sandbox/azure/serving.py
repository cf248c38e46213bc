"""Starting the loopback Azure of a sandbox."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager

from ..app import Sandbox
from .arm import ArmService
from .record import recorded, setup_table
from .services import Ask, SandboxServices


@contextmanager
def azure_of(sandbox: Sandbox, gateway: str, ask: Ask) -> Iterator[ArmService]:
    """An empty Azure whose gateway, once deployed, is *sandbox* at the URL *gateway*; *ask* queries its logs.

    The sandbox must have the installation of ``gateway_installation``.
    """
    service = ArmService(recorded(), SandboxServices(sandbox.deciding.installation, ask), gateway)
    sandbox.azure = {"url": service.url, "setup": setup_table()}
    try:
        yield service
    finally:
        sandbox.azure = None
        service.stop()
