"""How far a count is from the truth: in all, by group, and against the error it states of itself."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TYPE_CHECKING

from .cases import GROUPS

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Spread:
    """Errors of groups, absolute, in percent of each group's true tokens; a group without tokens is not among them."""

    groups: int
    median: float
    p90: float
    most: float


@dataclass(frozen=True)
class Stated:
    """How the stated standard errors hold: of ``groups`` with an estimate, the share within 1, 2 and 3 of them."""

    groups: int
    within_1: float
    within_2: float
    within_3: float


@dataclass(frozen=True)
class Measured:
    """One method on one case. Errors are percent of the true tokens; ``found`` is the share of them it counts.

    ``missed`` are requests with tokens of which it counts none, and ``missed_tokens`` what they used, in percent of
    all; ``twice`` those it counts more than once; ``outside`` rows whose request the truth does not know.
    ``stated`` and ``stated_error`` (percent, one standard error of the total) are for a method that states its
    error; ``sigmas`` is its total's true error in those, None where it is off and states none. ``unseen`` is the error
    stated of models of which no log tells a token, and ``seen`` that of the others' estimates, both in percent of
    the estimated tokens; None where there are none.
    """

    true_tokens: int
    tokens: int
    error: float
    found: float
    by: Mapping[str, Spread]
    missed: int
    missed_tokens: float
    twice: int
    outside: int
    stated: Mapping[str, Stated]
    stated_error: float | None
    sigmas: float | None
    unseen: float | None = None
    seen: float | None = None


def measure(truth: pd.DataFrame, counted: pd.DataFrame) -> Measured:
    """Compare *counted* (see ``methods.count``) with *truth* (see ``cases.read_truth``).

    Rows of requests that the truth does not know are left out of every number but ``outside``.
    """
    known = counted[counted["CorrelationId"].isin(truth["CorrelationId"])]
    rows = known.groupby("CorrelationId", sort=False).size()
    joined = truth.merge(known, on="CorrelationId", how="left", suffixes=("True", ""))
    tokens = int(known["Tokens"].sum())
    true_tokens = int(truth["Tokens"].sum())
    positive = known.loc[known["Tokens"] > 0, "CorrelationId"]
    missed = truth[(truth["Tokens"] > 0) & ~truth["CorrelationId"].isin(positive)]
    stated, stated_error, sigmas, unseen, seen = {}, None, None, None, None
    if "Own" in known:
        stated = {group: _stated(truth, joined, group) for group in ("User", "SubscriptionId")}
        own_error = _standard_error(known)
        stated_error = 100 * own_error / true_tokens
        sigmas = abs(tokens - true_tokens) / own_error if own_error else (0.0 if tokens == true_tokens else None)
        if "IsEstimated" in known:
            unseen, seen = _by_what_is_seen(joined)
    return Measured(
        true_tokens=true_tokens,
        tokens=tokens,
        error=100 * (tokens - true_tokens) / true_tokens,
        found=100 * tokens / true_tokens,
        by={group: _spread(truth, joined, group) for group in GROUPS},
        missed=len(missed),
        missed_tokens=100 * int(missed["Tokens"].sum()) / true_tokens,
        twice=int((rows > 1).sum()),
        outside=len(counted) - len(known),
        stated=stated,
        stated_error=stated_error,
        sigmas=sigmas,
        unseen=unseen,
        seen=seen,
    )


def _by_what_is_seen(joined: pd.DataFrame) -> tuple[float | None, float | None]:
    """The stated error of the models of which no log tells a token, and that of the others' estimates."""
    counted = joined[joined["Tokens"].notna() & (joined["TokensTrue"] > 0)]
    told = set(counted.loc[~counted["IsEstimated"].astype(bool), "ModelName"])
    estimated = counted[counted["IsEstimated"].astype(bool)]
    parts = (estimated[~estimated["ModelName"].isin(told)], estimated[estimated["ModelName"].isin(told)])
    unseen, seen = (
        100 * _standard_error(part) / float(part["Tokens"].sum()) if part["Tokens"].sum() else None for part in parts
    )
    return unseen, seen


def _standard_error(rows: pd.DataFrame) -> float:
    """As the header of kql/functions/AoaiRequests.kql adds them up."""
    return float((rows["Own"].sum() + rows["Shared"].sum() ** 2) ** 0.5)


def _totals(truth: pd.DataFrame, joined: pd.DataFrame, group: str) -> pd.DataFrame:
    """True and counted tokens of each group that has any, with their difference."""
    totals = truth.groupby(group)["Tokens"].sum().to_frame("True")
    totals["Counted"] = joined.groupby(group)["Tokens"].sum().astype("float64")
    totals = totals[totals["True"] > 0].fillna({"Counted": 0.0})
    totals["Off"] = (totals["Counted"] - totals["True"]).abs()
    return totals


def _spread(truth: pd.DataFrame, joined: pd.DataFrame, group: str) -> Spread:
    totals = _totals(truth, joined, group)
    percent = 100 * totals["Off"] / totals["True"]
    return Spread(len(percent), *(float(percent.quantile(q)) for q in (0.5, 0.9, 1.0)))


def _stated(truth: pd.DataFrame, joined: pd.DataFrame, group: str) -> Stated:
    totals = _totals(truth, joined, group)
    own = joined.groupby(group)["Own"].sum()
    shared = joined.groupby(group)["Shared"].sum()
    totals["Error"] = (own + shared**2) ** 0.5
    estimated = totals[totals["Error"] > 0]
    within = [float((estimated["Off"] <= n * estimated["Error"]).mean()) if len(estimated) else 1.0 for n in (1, 2, 3)]
    return Stated(len(estimated), *within)
