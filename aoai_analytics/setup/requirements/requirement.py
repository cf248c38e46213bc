"""A requirement: what must hold, in which step it is brought about, and the check that asks the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..findings import MET, NOT_ASKED, NOT_MET, Finding
from ..installation import Installation
from ..template import whole


class NotAskedFor(Exception):
    """The installation does without it: why."""


@dataclass(frozen=True)
class Requirement:
    """``check`` yields what is wrong, nothing where all is well; it raises NotAskedFor where it does not apply."""

    name: str
    step: str
    what: str
    check: Callable[[Installation], Iterator[str]]
    #: Beyond running the step again.
    way_on: str = ""

    def find(self, installation: Installation) -> Finding:
        """Ask the service. Raises SetupError where it cannot be asked."""
        try:
            wrong = list(self.check(installation))
        except NotAskedFor as reason:
            return Finding(self.name, self.what, NOT_ASKED, str(reason))
        if not wrong:
            return Finding(self.name, self.what, MET)
        way_on = self.way_on or f"run notebooks/setup/{self.step} (aoai setup run --only {self.step[:2]})"
        return Finding(self.name, self.what, NOT_MET, "; ".join(wrong) + ".", way_on)


def value_of(installation: Installation, name: str) -> Any:
    """A parameter of main.json as it was given, else its default."""
    return installation.parameters.get(name, whole()["parameters"][name].get("defaultValue"))


def differences(about: str, found: dict[str, Any] | None, wanted: dict[str, Any]) -> Iterator[str]:
    """One text for each value of *wanted* (dotted path -> value) that *found* does not have."""
    if found is None:
        yield f"{about} does not exist"
        return
    for path, value in wanted.items():
        there: Any = found
        for key in path.split("."):
            there = there.get(key) if isinstance(there, dict) else None
        same = there.lower() == value.lower() if isinstance(there, str) and isinstance(value, str) else there == value
        if not same:
            said = "not set" if there is None else f"{there}"
            yield f"{about}: {path.removeprefix('properties.')} is {said}, not {value}"
