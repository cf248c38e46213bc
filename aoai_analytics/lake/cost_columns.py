"""The columns of Cost Management exports, by which one is known.

Sources: see ``cost_rows``. Agreements differ in capitals, so names are compared without them.
"""

from __future__ import annotations

from collections.abc import Iterable

FOCUS, AMORTIZED, ACTUAL = "FocusCost", "AmortizedCost", "ActualCost"
#: Column -> what exports call it, in lower case: FOCUS first, then cost details. The first that has a value counts.
TEXTS = {
    "BillingAccountId": ("billingaccountid", "billingprofileid"),
    "BillingCurrency": ("billingcurrency", "billingcurrencycode"),
    "PricingCurrency": ("pricingcurrency", "x_pricingcurrency", "pricingcurrencycode"),
    "ChargeClass": ("chargeclass",),
    "ChargeDescription": ("chargedescription", "productname", "product"),
    "CommitmentDiscountId": ("commitmentdiscountid", "benefitid", "reservationid"),
    "PricingUnit": ("x_pricingunitdescription", "pricingunit", "unitofmeasure"),
    "SubAccountId": ("subaccountid", "subscriptionid", "subscriptionguid"),
    "RegionId": ("regionid", "resourcelocation"),
    "ResourceId": ("resourceid", "instanceid"),
    "ServiceName": ("servicename", "consumedservice"),
    "SkuMeter": ("skumeter", "x_skumetername", "metername"),
    "MeterId": ("x_skumeterid", "meterid"),
    "MeterCategory": ("x_skumetercategory", "metercategory"),
    "MeterSubcategory": ("x_skumetersubcategory", "metersubcategory"),
    "InvoiceId": ("invoiceid", "x_invoiceid"),
    "Tags": ("tags",),
}
NUMBERS = {
    "ExchangeRate": ("x_billingexchangerate", "exchangeratepricingtobilling"),
    "PricingQuantity": ("pricingquantity", "quantity"),
}
DAYS = ("chargeperiodstart", "date", "usagedate")
COSTS = ("billedcost", "costinbillingcurrency", "cost", "pretaxcost")

#: What every export has.
_NEEDED = {"cost": COSTS, "BillingCurrency": TEXTS["BillingCurrency"], "charge date": DAYS}
_SEPARATORS = {";": "semicolons", "\t": "tabs", "|": "pipes"}


def dataset_of(header: Iterable[str]) -> str:
    """The dataset whose columns *header* has: FocusCost, or ActualCost, as amortized cost has the same; '' for none."""
    names = _names(header)
    if _lacking(names):
        return ""
    return FOCUS if "chargeperiodstart" in names and "billedcost" in names else ACTUAL


def lacking_columns(header: Iterable[str]) -> str:
    """Why *header* is not that of a cost export; '' where it is."""
    columns = list(header)
    lacking = _lacking(_names(columns))
    for mark, name in _SEPARATORS.items():
        if lacking and not _lacking(_names(mark.join(columns).split(mark))):
            return f"they are separated by {name}, not commas; give the file as it was exported"
    return f"it has no {' and no '.join(lacking)}" if lacking else ""


def _names(header: Iterable[str]) -> set[str]:
    return {name.strip('" ').lower() for name in header}


def _lacking(names: set[str]) -> list[str]:
    return [column for column, called in _NEEDED.items() if not names & set(called)]
