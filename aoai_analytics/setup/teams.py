"""Teams as data: the file that names them in reports (``docs/dimensions.md``) also makes their subscriptions.

Rows whose ``Key`` is ``subscription`` may have a ``Product`` and a ``MonthlyBudget``: the subscription then belongs to
that product, and the alert on budgets watches it. ``TokensPerMinute``, ``TokensPerMonth`` and ``Models`` (separated by
spaces) give it limits of its own, in a product of its own.
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
_LIMITS = ("tokensperminute", "tokenspermonth", "models")


def with_teams(parameters: Mapping[str, Any], file: Path) -> dict[str, Any]:
    """*parameters* of ``main.json`` with the subscriptions and budgets of the CSV *file*. Raises WrongUse."""
    made = copy.deepcopy(dict(parameters))
    known = {name: product for product in PRODUCTS for name in _listed(made, product)}
    known |= {team["subscription"]: team["product"] for team in made.get("teams", [])}
    budgets: dict[str, str] = {}
    own: dict[str, dict[str, Any]] = {team["subscription"]: team for team in made.get("teams", [])}
    for where, row in _rows(file):
        name, product, budget = row["value"], row.get("product", "").lower(), row.get("monthlybudget", "")
        if product:
            if product not in PRODUCTS:
                raise WrongUse(f"{where}: Product must be one of {', '.join(PRODUCTS)}, not '{product}'")
            if known.get(name, product) != product:
                raise WrongUse(f"{where}: the subscription {name} is in product {known[name]} already")
            limits = _limits(row, product, where)
            if limits and name in known and name not in own:
                raise WrongUse(f"{where}: {name} is listed without limits of its own before")
            if limits and own.setdefault(name, _team(name, product, limits)) != _team(name, product, limits):
                raise WrongUse(f"{where}: {name} has other limits before")
            if name not in known:
                known[name] = product
                if not limits:
                    _add(made, product, name)
        elif any(row.get(column) for column in _LIMITS):
            raise WrongUse(f"{where}: {name} has limits, but no Product to start from: give it one")
        if budget:
            if name not in known:
                raise WrongUse(f"{where}: {name} has a MonthlyBudget, but no Product: give it one")
            if budgets.setdefault(name, _amount(budget, where)) != _amount(budget, where):
                raise WrongUse(f"{where}: {name} has another MonthlyBudget before")
    if own:
        made["teams"] = list(own.values())
    if budgets:
        alerts = made.get("alerts")
        if not isinstance(alerts, dict):
            raise WrongUse(f"{file}: MonthlyBudget needs setup.parameters.alerts, with the emails to send alerts to")
        made["alerts"] = {**alerts, "budgets": {**alerts.get("budgets", {}), **budgets}}
    return made


def _limits(row: Mapping[str, str], product: str, where: str) -> dict[str, Any]:
    """What the row's team may use, where that differs from its product."""
    limits: dict[str, Any] = {}
    for column, parameter in (("tokensperminute", "tokensPerMinute"), ("tokenspermonth", "tokensPerMonth")):
        text = row.get(column, "")
        if not text:
            continue
        if product == "unlimited":
            raise WrongUse(f"{where}: the product unlimited has no limits; choose bronze, silver or gold")
        if not text.isdecimal() or not 0 < int(text) < 2**31:
            raise WrongUse(
                f"{where}: {parameter[0].upper()}{parameter[1:]} must be a whole number above 0, not '{text}'"
            )
        limits[parameter] = int(text)
    if models := row.get("models", "").split():
        limits["models"] = models
    return limits


def _team(name: str, product: str, limits: Mapping[str, Any]) -> dict[str, Any]:
    return {"subscription": name, "product": product, **limits}


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
