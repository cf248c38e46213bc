"""A requirement: what must be true, the step that ensures it, and the check that reads it from the service."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from typing import Any

from ..findings import MET, NOT_ASKED, NOT_MET, Finding
from ..installation import Installation
from ..template import whole


class NotAskedFor(Exception):
    """The installation does not need it; the message gives the reason."""


@dataclass(frozen=True)
class Requirement:
    """``check`` yields problems, nothing if all is well; it raises NotAskedFor if it does not apply."""

    name: str
    step: str
    what: str
    check: Callable[[Installation], Iterator[str]]
    #: Fixes other than running the step again.
    way_on: str = ""

    def find(self, installation: Installation) -> Finding:
        """Check with the service. Raises SetupError if it cannot be reached."""
        try:
            wrong = list(self.check(installation))
        except NotAskedFor as reason:
            return Finding(self.name, self.what, NOT_ASKED, str(reason))
        if not wrong:
            return Finding(self.name, self.what, MET)
        way_on = self.way_on or f"run notebooks/setup/{self.step} (aoai setup run --only {self.step[:2]})"
        return Finding(self.name, self.what, NOT_MET, "; ".join(wrong) + ".", way_on)


def value_of(installation: Installation, name: str) -> Any:
    """A parameter's given value, otherwise its default in main.json."""
    return installation.parameters.get(name, whole()["parameters"][name].get("defaultValue"))


def differences(about: str, found: dict[str, Any] | None, wanted: dict[str, Any]) -> Iterator[str]:
    """One message for each value of *wanted* (dotted path -> value) that is not in *found*."""
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
