"""A case's numbers as text."""

from __future__ import annotations

from collections.abc import Mapping

from .cases import GROUPS
from .measures import Measured

_HEADINGS = ("method", "found", "error", *GROUPS, "missed", "tokens missed", "twice")


def table(measured: Mapping[str, Measured]) -> str:
    """The methods of one case, a line each; a group's errors are median/p90/max in percent."""
    rows = [_HEADINGS]
    for name, m in measured.items():
        spreads = (f"{s.median:.2f}/{s.p90:.2f}/{s.most:.2f}" for s in (m.by[group] for group in GROUPS))
        missed = f"{m.missed_tokens:.2f}%"
        rows.append((name, f"{m.found:.2f}%", f"{m.error:+.3f}%", *spreads, f"{m.missed:,}", missed, f"{m.twice:,}"))
    widths = [max(len(row[i]) for row in rows) for i in range(len(_HEADINGS))]
    return "\n".join(
        "  ".join([row[0].ljust(widths[0]), *(cell.rjust(w) for cell, w in zip(row[1:], widths[1:], strict=True))])
        for row in rows
    )


def calibration(m: Measured) -> str:
    """How our stated errors hold, in lines."""
    lines = [f"stated standard error of the total: {m.stated_error:.3f}%; the true error is {_in_sigmas(m)} of them"]
    if m.unseen is not None and m.seen is not None:
        lines.append(
            f"stated of models without known tokens: {m.unseen:.1f}% of their estimates; of the others: {m.seen:.1f}%"
        )
    for group, stated in m.stated.items():
        if stated.groups:
            shares = ", ".join(f"{100 * share:.0f}%" for share in (stated.within_1, stated.within_2, stated.within_3))
            lines.append(f"of {stated.groups} by {group} with an estimate, within 1, 2 and 3 stated: {shares}")
    return "\n".join(lines)


def line(m: Measured) -> str:
    """Total and users in one line: errors and how the stated ones hold."""
    users, stated = m.by["User"], m.stated["User"]
    held = "/".join(f"{100 * share:.0f}" for share in (stated.within_1, stated.within_2, stated.within_3))
    spread = f"{users.median:.2f}/{users.p90:.2f}/{users.most:.2f}%"
    return f"total {m.error:+.3f} ± {m.stated_error:.3f}%, users {spread}, within 1/2/3 stated {held}%"


def _in_sigmas(m: Measured) -> str:
    return "more than any number" if m.sigmas is None else f"{m.sigmas:.2f}"
