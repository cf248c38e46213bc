"""Teams as data: the file that names them in reports (``docs/dimensions.md``) also makes their subscriptions.

Rows whose ``Key`` is ``subscription`` may have a ``Product`` and a ``MonthlyBudget``: the subscription then belongs to
that product, and the alert on budgets watches it.
"""

from __future__ import annotations

import copy
import csv
import io
from collections.abc import Iterator, Mapping
from decimal import Decimal, InvalidOperation
from pathlib import Path
from typing import Any

from ..errors import WrongUse

PRODUCTS = ("bronze", "silver", "gold", "unlimited")


def with_teams(parameters: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """*parameters* of ``main.json`` with the subscriptions and budgets of the CSV *file*. Raises WrongUse."""
    made = copy.deepcopy(dict(parameters))
    known = {name: product for product in PRODUCTS for name in _listed(made, product)}
    budgets: dict[str, str] = {}
    for where, row in _rows(file):
        name, product, budget = row["value"], row.get("product", "").lower(), row.get("monthlybudget", "")
        if product:
            if product not in PRODUCTS:
                raise WrongUse(f"{where}: Product must be one of {', '.join(PRODUCTS)}, not '{product}'")
            if known.get(name, product) != product:
                raise WrongUse(f"{where}: the subscription {name} is in product {known[name]} already")
            if name not in known:
                known[name] = product
                _add(made, product, name)
        if budget:
            if name not in known:
                raise WrongUse(f"{where}: {name} has a MonthlyBudget, but no Product: give it one")
            if budgets.setdefault(name, _amount(budget, where)) != _amount(budget, where):
                raise WrongUse(f"{where}: {name} has another MonthlyBudget before")
    if budgets:
        alerts = made.get("alerts")
        if not isinstance(alerts, dict):
            raise WrongUse(f"{file}: MonthlyBudget needs setup.parameters.alerts, with the emails to send alerts to")
        made["alerts"] = {**alerts, "budgets": {**alerts.get("budgets", {}), **budgets}}
    return made


def _listed(parameters: Mapping[str, Any], product: str) -> list[str]:
    if product == "unlimited":
        return list(parameters.get("unlimitedSubscriptions", []))
    return list(parameters.get(product, {}).get("subscriptions", []))


def _add(parameters: dict[str, Any], product: str, name: str) -> None:
    if product == "unlimited":
        parameters["unlimitedSubscriptions"] = [*_listed(parameters, product), name]
    else:
        parameters[product] = {
            **parameters.get(product, {}),
            "subscriptions": [*_listed(parameters, product), name],
        }


def _rows(file: Path) -> Iterator[tuple[str, dict[str, str]]]:
    """The rows about subscriptions, with lower-case column names, and where each is."""
    try:
        text = file.read_text("utf-8-sig")
    except OSError as error:
        raise WrongUse(f"cannot read setup.teams {file}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"setup.teams {file} is not valid UTF-8: save it as 'CSV UTF-8'") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    for row in reader:
        cells = {str(name).strip().lower(): str(value or "").strip() for name, value in row.items() if name}
        if not {"key", "value"} <= cells.keys():
            raise WrongUse(f"setup.teams {file} has no columns Key and Value; see docs/dimensions.md")
        if cells["key"].lower() == "subscription":
            yield f"{file}, line {reader.line_num}", cells


def _amount(text: str, where: str) -> str:
    """A budget as the alert takes it: a number as text."""
    try:
        amount = Decimal(text)
    except InvalidOperation:
        amount = Decimal(0)
    if not amount.is_finite() or amount <= 0:
        raise WrongUse(f"{where}: MonthlyBudget must be a number above 0, not '{text}'")
    return text
