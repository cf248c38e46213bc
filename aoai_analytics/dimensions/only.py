"""The setting ``only``: the requests that queries and reports are narrowed to."""

from __future__ import annotations

from collections.abc import Sequence

from ..config import settings
from ..errors import WrongUse
from .mapping import COLUMNS

#: Columns of AoaiRequests that requests can be chosen by: those that say whose a request is.
CHOOSABLE = (*COLUMNS, "ApiId", "SubscriptionId", "ProductId", "UserId", "User")


def only_setting(given: Sequence[str] = ()) -> dict[str, tuple[str, ...]]:
    """Column -> the values to keep, of the setting ``only``; {} for all. '' stands for requests without a value.

    *given* replaces the setting, a list of ``COLUMN=VALUE``. Values of a column are alternatives. Raises WrongUse.
    """
    chosen: dict[str, tuple[str, ...]] = {}
    known = {column.lower(): column for column in CHOOSABLE}
    for pair in given or settings().only:
        name, separator, value = pair.partition("=")
        column = known.get(name.strip().lower())
        if not separator or column is None:
            raise WrongUse(f"--only takes COLUMN=VALUE, not '{pair}'; COLUMN is one of {', '.join(CHOOSABLE)}")
        value = value.strip()
        chosen[column] = (*chosen.get(column, ()), "" if value == "(none)" else value)
    return chosen
