"""An Azure on loopback, signed in to as with a managed identity, and the guide that talks to it."""

from __future__ import annotations

import tomllib
from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.sandbox.azure.record import CONFIG
from aoai_analytics.setup import Guide, open_setup
from aoai_analytics.setup.steps import STEPS, modules_of, step_named
from aoai_analytics.setup.template import part
from tests.setup.arm_service import GROUP, PROVIDERS, ArmService
from tests.setup.recording import recorded


@pytest.fixture
def azure(monkeypatch: pytest.MonkeyPatch) -> Iterator[ArmService]:
    """The service; ManagedIdentityCredential signs in to it, by App Service's protocol."""
    service = ArmService(recorded()["open"])
    for name in ("AZURE_CLIENT_ID", "AZURE_TENANT_ID", "AZURE_CLIENT_SECRET", "MSI_ENDPOINT"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setenv("IDENTITY_ENDPOINT", f"{service.url}/msi/token")
    monkeypatch.setenv("IDENTITY_HEADER", "on-loopback")
    monkeypatch.setenv("NO_PROXY", "127.0.0.1")
    yield service
    service.stop()


@pytest.fixture
def config(azure: ArmService, tmp_path: Path) -> Path:
    """aoai.toml of the installation on loopback."""
    where = f"""[setup]
management_endpoint = "{azure.url}"
logs_endpoint = "{azure.url}"
credential = "ManagedIdentityCredential"
poll_seconds = 0.02
"""
    path = tmp_path / "aoai.toml"
    path.write_text(CONFIG.read_text("utf-8").replace("[setup]\n", where, 1), "utf-8")
    assert tomllib.loads(path.read_text("utf-8"))["setup"]["poll_seconds"]
    return path


def install(azure: ArmService, guide: Guide) -> None:
    """Let the whole installation stand, without the way there."""
    azure.registered = set(PROVIDERS)
    azure.state.put(GROUP, {"location": "eastus2", "properties": {"provisioningState": "Succeeded"}})
    for step in (STEPS[0], step_named("07")):
        values = {name: {"value": value} for name, value in guide.parameters.items()}
        properties = {"template": part(modules_of(step)), "parameters": values}
        assert azure.deployments.create(f"setup-aoai-try-{step.name}", {"properties": properties}) is None


@pytest.fixture
def said() -> list[str]:
    """What the guide says, line by line."""
    return []


@pytest.fixture
def guide(config: Path, said: list[str]) -> Guide:
    """The guide of that installation."""
    return open_setup(config, say=said.append)
