"""A figure's finding as its title, if the query's header has a template."""

from __future__ import annotations

import re
from collections.abc import Mapping
from typing import TYPE_CHECKING

from ..errors import WrongUse
from ..format.labels import named
from ..format.numbers import UNITS, human, is_missing, unit_of
from .series import is_number

if TYPE_CHECKING:
    import pandas as pd

_MONEY = (UNITS["USD"], UNITS["EUR"])
#: The row of a query that stands for all others.
_ALL = "All traffic"
_FIELD = re.compile(r"\{(\w+)\}")


def headline(frame: pd.DataFrame, template: str, units: Mapping[str, str]) -> str:
    """*template* filled in from the first row: ``{SubscriptionId} used {Share} of all tokens`` -> plain text.

    The template is the header's ``// headline:`` line: only the query knows what its rows leave out,
    so it defines the sentence. '' if there is no template or row, or a value is unknown or empty.
    Raises WrongUse if the result lacks a column.
    """
    columns = _FIELD.findall(template)
    for column in columns:
        if column not in frame.columns:
            raise WrongUse(f"headline '{template}': the result has no column '{column}'")
    if not template or not len(frame):
        return ""
    first = frame.iloc[0]
    if any(is_missing(first[column]) or first[column] == "" for column in columns):
        return ""

    amounts = [first[column] for column in columns if unit_of(column, units) in _MONEY]
    if any(amount == 0 for amount in amounts):
        return ""  # that nothing was saved or spent is no finding

    def value(match: re.Match[str]) -> str:
        column = match[1]
        if is_number(frame[column]):
            return human(first[column], unit_of(column, units))
        return _ALL if first[column] == "(all)" else named(first[column])

    text = _FIELD.sub(value, template)
    return text if template.startswith("{") else text[:1].upper() + text[1:]
