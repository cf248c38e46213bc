"""What must hold of our own count: small errors on ordinary traffic, honest ones on strange traffic."""

from __future__ import annotations

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
