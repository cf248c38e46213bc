"""What ``aoai setup budgets`` asks: each subscription's spending this month, and its budget."""

from __future__ import annotations

from collections.abc import Sequence
from contextlib import closing
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import TYPE_CHECKING

from ..errors import WrongUse
from ..format.numbers import RANGE

if TYPE_CHECKING:
    from ..setup import Guide


@dataclass(frozen=True)
class Spending:
    """A subscription's month so far, in the currency of the prices; ``error``: of *spent*, one standard error."""

    subscription: str
    budget: float
    spent: float
    error: float
    #: Requests whose cost is unknown, so that the month costs more.
    unknown: int

    @property
    def over(self) -> bool:
        """Whether more than the budget is spent for certain: estimates could be 95% wrong and it still were."""
        return self.spent - RANGE * self.error > self.budget


def spending(guide: Guide, now: datetime | None = None) -> list[Spending]:
    """Subscriptions with a budget and requests in the month of *now*. Raises WrongUse if no budget is set."""
    from ..library import library
    from .proving import LogQuestions

    budgets = (guide.parameters.get("alerts") or {}).get("budgets") or {}
    if not budgets:
        raise WrongUse("no budgets: give teams a MonthlyBudget, or set setup.parameters.alerts.budgets")
    now = now or datetime.now(UTC)
    start = now.replace(day=1, hour=0, minute=0, second=0, microsecond=0)
    kql = library().get("cost/budget").bind(budgets=[f"{name}={amount}" for name, amount in budgets.items()])
    with closing(LogQuestions(["cost/budget"])) as questions:
        rows = questions.workspace(guide)(kql, start, now)
    return [
        Spending(
            row["Scope"],
            float(row["Budget"]),
            float(row["SpentCost"] or 0),
            float(row["CostError"] or 0),
            int(row["UnpricedRequests"] or 0) + int(row["UnknownRequests"] or 0),
        )
        for row in rows
        if row["Scope"] in budgets
    ]


def to_suspend(found: Sequence[Spending]) -> list[str]:
    """The subscriptions over their budget; the budget of all together suspends nobody."""
    return [each.subscription for each in found if each.over and each.subscription != "(all)"]
