"""What must hold of our own count: small errors on ordinary traffic, honest ones on strange traffic."""

from __future__ import annotations

from collections.abc import Sequence

from .measures import Measured

#: Ordinary traffic: percent of the true tokens, in all and for nine in ten users.
TOTAL_WITHIN = 0.25
USERS_WITHIN = 1.5
#: Strange traffic: the true error in stated standard errors; the share of groups that must keep to it.
SIGMAS = 3
USERS_HONEST = 0.95
SUBSCRIPTIONS_HONEST = 0.9
#: What is further off than ordinary traffic may be must state at least this many times that traffic's error; and a
#: model of which no log tells a token so many times the error of the other estimates.
WIDER = 1.5
#: Over all odd mixes: the least share of users, and of totals, within 1, 2 and 3 stated errors; and the least that the
#: totals' errors may be in stated ones (root of the mean square): below, the stated ones are too wide to be of use.
CALIBRATED = (0.6, 0.9, 0.98)
NARROW = 1 / 3


def misses(ours: Measured, *, bound: bool, plain: Measured | None) -> list[str]:
    """What does not hold, a line each; none where all is well. *plain* is the same count of ordinary traffic."""
    found = [] if not ours.twice else [f"{ours.twice} requests are counted twice"]
    return found + (_too_far(ours) if bound else _dishonest(ours, plain))


def _too_far(ours: Measured) -> list[str]:
    found = []
    if abs(ours.error) > TOTAL_WITHIN:
        found.append(f"the total is {ours.error:+.3f}% off, more than {TOTAL_WITHIN}%")
    if ours.by["User"].p90 > USERS_WITHIN:
        found.append(f"nine in ten users are within {ours.by['User'].p90:.2f}%, not within {USERS_WITHIN}%")
    return found


def _dishonest(ours: Measured, plain: Measured | None) -> list[str]:
    found = []
    if ours.sigmas is None or ours.sigmas > SIGMAS:
        said = "no error at all" if ours.sigmas is None else f"{ours.sigmas:.1f} standard errors"
        found.append(f"the total is {ours.error:+.3f}% off, which is {said} of those it states")
    for group, share in (("User", USERS_HONEST), ("SubscriptionId", SUBSCRIPTIONS_HONEST)):
        if ours.stated[group].within_3 < share:
            found.append(
                f"only {100 * ours.stated[group].within_3:.0f}% of {ours.stated[group].groups} by {group} are within "
                f"{SIGMAS} stated standard errors, fewer than {100 * share:.0f}%"
            )
    if plain is not None and _too_far(ours) and (ours.stated_error or 0) < WIDER * (plain.stated_error or 0):
        found.append(
            f"it is further off than plain traffic may be, and states ±{ours.stated_error:.3f}%, "
            f"not {WIDER} times the ±{plain.stated_error:.3f}% of plain traffic"
        )
    if ours.unseen is not None and ours.seen is not None and ours.unseen < WIDER * ours.seen:
        found.append(
            f"of a model without known tokens it states ±{ours.unseen:.1f}%, "
            f"not {WIDER} times the ±{ours.seen:.1f}% of other estimates"
        )
    return found


def uncalibrated(odd: Sequence[Measured]) -> list[str]:
    """What does not hold of the stated errors over all odd mixes together, a line each."""
    found = []
    for what, shares in (("users", user_shares(odd)), ("totals", total_shares(odd))):
        for n, (share, least) in enumerate(zip(shares, CALIBRATED, strict=True), start=1):
            if share < least:
                found.append(
                    f"{100 * share:.0f}% of the {what} are within {n} stated errors, fewer than {100 * least:.0f}%"
                )
    if rms(odd) < NARROW:
        found.append(f"the totals' errors are {rms(odd):.2f} of the stated ones: those are too wide")
    return found


def user_shares(odd: Sequence[Measured]) -> tuple[float, float, float]:
    """The shares of all users of the mixes within 1, 2 and 3 stated errors."""
    stated = [m.stated["User"] for m in odd]
    users = sum(s.groups for s in stated)
    if not users:
        return 1.0, 1.0, 1.0
    return (
        sum(s.within_1 * s.groups for s in stated) / users,
        sum(s.within_2 * s.groups for s in stated) / users,
        sum(s.within_3 * s.groups for s in stated) / users,
    )


def total_shares(odd: Sequence[Measured]) -> tuple[float, float, float]:
    """The shares of the mixes' totals within 1, 2 and 3 stated errors."""
    sigmas = [float("inf") if m.sigmas is None else m.sigmas for m in odd]
    within = [sum(s <= n for s in sigmas) / len(sigmas) for n in (1, 2, 3)]
    return within[0], within[1], within[2]


def rms(odd: Sequence[Measured]) -> float:
    """The root of the mean square of the totals' errors, in stated ones."""
    sigmas = [m.sigmas for m in odd if m.sigmas is not None]
    return float((sum(s * s for s in sigmas) / max(len(sigmas), 1)) ** 0.5)
