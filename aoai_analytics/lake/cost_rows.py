"""One row of a Cost Management export -> one row of ``CostDetails``, whatever the dataset and its version.

Columns: https://learn.microsoft.com/azure/cost-management-billing/dataset-schema/schema-index (FOCUS 1.0 and
1.2-preview, actual and amortized cost details of Enterprise and Microsoft Customer Agreements). Agreements
differ in capitals, so names are compared without them.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Mapping
from datetime import UTC, date, datetime
from typing import Any

from ..prices.invoice_meters import block_of, invoice_meter, is_ours
from .blobs import Unreadable
from .cost_columns import COSTS, DAYS, FOCUS, NUMBERS, TEXTS
from .records import Misfit
from .values import parse_time

#: ChargeType of cost details -> ChargeCategory of FOCUS, and the status of the commitment's discount.
_CHARGE_TYPES = {
    "usage": ("Usage", ""),
    "purchase": ("Purchase", ""),
    "refund": ("Purchase", ""),
    "tax": ("Tax", ""),
    "credit": ("Credit", ""),
    "unusedreservation": ("Usage", "Unused"),
    "unusedsavingsplan": ("Usage", "Unused"),
    "roundingadjustment": ("Adjustment", ""),
}
_PRICING_MODELS = {"ondemand": "Standard", "reservation": "Committed", "savingsplan": "Committed", "spot": "Dynamic"}
_US_DAY = re.compile(r"(\d{1,2})/(\d{1,2})/(\d{4})")
_ISO_DAY = re.compile(r"(\d{4})-(\d\d)-(\d\d)")


def cost_row(record: Mapping[str, Any], dataset: str) -> dict[str, Any] | None:
    """The row of *record*, without the columns of its export; None for a charge of another service.

    Costs are in BillingCurrency. Raises Misfit for a row whose day, currency or cost is missing or malformed, and
    Unreadable where it shows that no date of its file can be read.
    """
    given = {name.strip().lower(): value for name, value in record.items() if value not in (None, "")}
    row: dict[str, Any] = {column: _text(given, names) for column, names in TEXTS.items()}
    texts = (row["MeterCategory"], row["MeterSubcategory"], row["ServiceName"], row["ChargeDescription"])
    if not is_ours(row["ResourceId"], *texts, _text(given, ("publishername", "reservationname"))):
        return None
    row |= {column: _number(given, names) for column, names in NUMBERS.items()}
    row["TimeGenerated"] = _day(given, DAYS)
    if row["TimeGenerated"] is None:
        raise Misfit("no charge date")
    row["ChargePeriodEnd"] = _day(given, ("chargeperiodend",))
    month = datetime.fromtimestamp(row["TimeGenerated"] / 1e6, UTC).replace(day=1, hour=0, minute=0, second=0)
    billed = _day(given, ("billingperiodstart", "billingperiodstartdate"))
    row["BillingPeriodStart"] = parse_time(month) if billed is None else billed
    if not re.fullmatch(r"[A-Za-z]{3}", row["BillingCurrency"]):
        raise Misfit("no BillingCurrency of three letters")
    row["BillingCurrency"] = row["BillingCurrency"].upper()
    row["PricingCurrency"] = row["PricingCurrency"].upper()
    row["SubAccountId"] = row["SubAccountId"].lower().removeprefix("/subscriptions/").strip("/")
    row["ResourceId"] = row["ResourceId"].lower()
    _charge(row, given, dataset)
    _costs(row, given, dataset)
    _meter(row, given)
    return row


def is_amortized(row: Mapping[str, Any]) -> bool:
    """Whether only amortized cost has such a row: what a commitment covers costs nothing in actual cost."""
    return row["CommitmentDiscountStatus"] == "Unused" or (
        row["PricingCategory"] == "Committed" and row["ChargeCategory"] == "Usage" and bool(row["BilledCost"])
    )


def _charge(row: dict[str, Any], given: Mapping[str, Any], dataset: str) -> None:
    status = ""
    if dataset == FOCUS:
        category = _text(given, ("chargecategory",)) or "Usage"
        row["PricingCategory"] = _text(given, ("pricingcategory",))
        status = _text(given, ("commitmentdiscountstatus",))
    else:
        kind = _text(given, ("chargetype",)) or "Usage"
        category, status = _CHARGE_TYPES.get(kind.lower(), (kind, ""))
        model = _text(given, ("pricingmodel",))
        row["PricingCategory"] = _PRICING_MODELS.get(model.lower(), model)
    if not status and row["CommitmentDiscountId"] and category == "Usage":
        # Exports leave the subscription out of what no subscription used.
        status = "Used" if row["SubAccountId"] or row["ResourceId"] else "Unused"
    row["ChargeCategory"], row["CommitmentDiscountStatus"] = category, status


def _costs(row: dict[str, Any], given: Mapping[str, Any], dataset: str) -> None:
    cost = _number(given, COSTS)
    if cost is None:
        raise Misfit("no cost")
    row["BilledCost"] = cost
    row["EffectiveCost"] = _number(given, ("effectivecost",)) if dataset == FOCUS else None
    row["ListCost"] = _number(given, ("listcost", "paygcostinbillingcurrency"))
    price = _number(given, ("paygprice",))
    if row["ListCost"] is None and price is not None and row["PricingQuantity"] is not None:
        rate = row["ExchangeRate"] if row["PricingCurrency"] not in ("", row["BillingCurrency"]) else 1.0
        row["ListCost"] = None if rate is None else price * row["PricingQuantity"] * rate
    # Exports write 0 where they have no list price (Microsoft, FOCUS conformance report).
    if row["ListCost"] == 0 and (cost or row["EffectiveCost"]):
        row["ListCost"] = None


def _meter(row: dict[str, Any], given: Mapping[str, Any]) -> None:
    """What the meter is for, and how many tokens or hours were charged."""
    size = _number(given, ("x_pricingblocksize",))
    unit = row["PricingUnit"]
    if size and block_of(unit) == 1 != size:
        unit = f"{size:.0f} {unit}".strip()
    meter = invoice_meter(
        *(row["SkuMeter"], unit, row["MeterCategory"], row["MeterSubcategory"]),
        row["ChargeDescription"],
    )
    row |= {
        "MeterKind": meter.kind,
        "MeterModel": meter.model,
        "MeterVersion": meter.version,
        "MeterDirection": meter.direction,
        "MeterTier": meter.tier,
        "MeterScope": meter.scope,
        "MeterAbove": meter.above,
        "MeterMatch": meter.why,
    }
    priced, consumed = row["PricingQuantity"], _number(given, ("consumedquantity",))
    row["MeterQuantity"] = consumed if priced is None else priced * float(meter.block)


def _text(given: Mapping[str, Any], names: Iterable[str]) -> str:
    found = next((given[name] for name in names if name in given), "")
    return found if isinstance(found, str) else str(found)


def _number(given: Mapping[str, Any], names: Iterable[str]) -> float | None:
    for name in names:
        if name in given:
            try:
                number = float(given[name])
            except (TypeError, ValueError):
                raise Misfit(f"{name} is not a number such as 1234.56") from None
            if number - number != 0:
                raise Misfit(f"{name} is not a number such as 1234.56")
            return number
    return None


def _day(given: Mapping[str, Any], names: Iterable[str]) -> int | None:
    """Microseconds of a moment, or of a day's beginning: exports write 2026-10-01T00:00Z, 2026-10-01 or 10/31/2026.

    Raises Unreadable for 31/10/2026: the file's other dates, such as 05/10/2026, would be read as those of other days.
    """
    name, value = next(((name, given[name]) for name in names if name in given), ("", None))
    if value is None:
        return None
    try:
        if isinstance(value, str):
            text = value.strip()
            if us := _US_DAY.match(text):
                if int(us[1]) > 12 >= int(us[2]):
                    raise Unreadable(f"its dates are day/month/year, such as {us[0]}; export it as 2026-10-31")
                value = datetime(int(us[3]), int(us[1]), int(us[2]), tzinfo=UTC)
            elif day := _ISO_DAY.fullmatch(text):
                value = datetime.fromisoformat(day[0]).replace(tzinfo=UTC)
        elif isinstance(value, date) and not isinstance(value, datetime):
            value = datetime(value.year, value.month, value.day, tzinfo=UTC)
        return parse_time(value)
    except (ValueError, OverflowError):
        raise Misfit(f"{name} is not a date such as 2026-10-31 or 10/31/2026") from None
