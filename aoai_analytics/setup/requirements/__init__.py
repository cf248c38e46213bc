"""All checks of ``aoai setup verify``, in step order."""

from __future__ import annotations

from collections.abc import Iterable

from ..findings import Finding
from ..installation import Installation
from . import answers, gateway, logs, models, network
from .requirement import Requirement

REQUIREMENTS: tuple[Requirement, ...] = tuple(
    sorted(
        (*models.REQUIREMENTS, *gateway.REQUIREMENTS, *logs.REQUIREMENTS, *answers.REQUIREMENTS, *network.REQUIREMENTS),
        key=lambda requirement: requirement.step[:2],
    )
)


def requirements_of(step: str | None) -> tuple[Requirement, ...]:
    """The requirements that a step meets; None for all."""
    return tuple(requirement for requirement in REQUIREMENTS if step in (None, requirement.step))


def find(installation: Installation, requirements: Iterable[Requirement]) -> list[Finding]:
    """Check each with the service. Raises SetupError if the service cannot be reached."""
    return [requirement.find(installation) for requirement in requirements]
