"""The model book: each model version's retirement date, replacement, size and context length.

Retirement follows the version, not the name. The dates are Microsoft's at the day that the source names; what a region
offers now is only known to Azure (``aoai setup check``). Queries read it as ``AoaiModels``.
"""

from __future__ import annotations

import csv
from dataclasses import dataclass
from datetime import date, timedelta
from functools import cache
from pathlib import Path

#: ``available`` can be deployed; ``legacy`` too, but has a successor; ``deprecated`` only where it is in use already.
STAGES = ("available", "legacy", "deprecated")
#: Sizes of chat models by their names, the largest first; '' for other kinds, and for names that do not say it.
SIZES = ("large", "mini", "nano")
#: A model that ends sooner is none to begin with.
ENDING = timedelta(days=90)


@dataclass(frozen=True)
class Model:
    """A model version; a version of '' is every version.

    It no longer answers from *retires* on, or not before that day, and in Standard deployments from *standard_retires*
    on. *replacement* is Microsoft's ('' where it names none), *context* is in tokens, None where the book lacks it.
    """

    name: str
    version: str
    stage: str
    retires: date
    not_before: bool
    standard_retires: date | None
    replacement: str
    size: str
    context: int | None
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
                name=row["Model"],
                version=row["Version"],
                stage=row["Stage"],
                retires=date.fromisoformat(row["Retires"]),
                not_before=row["NotBefore"] == "yes",
                standard_retires=date.fromisoformat(row["StandardRetires"]) if row["StandardRetires"] else None,
                replacement=row["Replacement"],
                size=row["Size"],
                context=int(row["Context"]) if row["Context"] else None,
                source=row["Source"],
            )
            for row in csv.DictReader(file)
        )


def model_named(name: str, version: str) -> Model | None:
    """A model version of the book; None if the book does not have it, so that nothing is known."""
    return next((model for model in shipped_models() if (model.name, model.version) == (name, version)), None)
