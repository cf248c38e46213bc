"""Everything that ``aoai setup verify`` checks, in the order of the steps."""

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
    """The requirements that a step brings about; all for None."""
    return tuple(requirement for requirement in REQUIREMENTS if step in (None, requirement.step))


def find(installation: Installation, requirements: Iterable[Requirement]) -> list[Finding]:
    """Ask the service about each. Raises SetupError where it cannot be asked."""
    return [requirement.find(installation) for requirement in requirements]
