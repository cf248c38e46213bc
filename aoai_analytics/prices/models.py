"""The model book: each model version's retirement date and context length.

Retirement follows the version, not the name. The dates are Microsoft's at the day that the source names; what a region
offers now is only known to Azure (``aoai setup check``).
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

#: ``available`` can be deployed; ``legacy`` too, but has a successor; ``deprecated`` only where it is in use already.
STAGES = ("available", "legacy", "deprecated")
#: A model that ends sooner is none to begin with.
ENDING = timedelta(days=90)


@dataclass(frozen=True)
class Model:
    """A model version: its stage, the day from which it no longer answers, its context in tokens, and the source."""

    name: str
    version: str
    stage: str
    retires: date
    context: int
    source: str

    def can_begin(self, day: date) -> bool:
        """Whether a deployment should begin with it on *day*: not deprecated, and not ending within 90 days."""
        return self.stage != "deprecated" and self.retires - day > ENDING


@cache
def shipped_models() -> tuple[Model, ...]:
    """The model versions that come with the package, by name and version."""
    with Path(__file__).with_name("model-book.csv").open(encoding="utf-8", newline="") as file:
        return tuple(
            Model(
                *(row["Model"], row["Version"], row["Stage"], date.fromisoformat(row["Retires"])),
                *(int(row["Context"]), row["Source"]),
            )
            for row in csv.DictReader(file)
        )


def model_named(name: str, version: str) -> Model | None:
    """A model version of the book; None if the book does not have it, so that nothing is known."""
    return next((model for model in shipped_models() if (model.name, model.version) == (name, version)), None)
