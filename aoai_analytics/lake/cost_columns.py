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


def dataset_of(header: Iterable[str]) -> str:
    """The dataset whose columns *header* has: FocusCost, or ActualCost, as amortized cost has the same; '' for none."""
    names = {name.strip().lower() for name in header}
    if not names & set(COSTS) or not names & set(TEXTS["BillingCurrency"]) or not names & set(DAYS):
        return ""
    return FOCUS if "chargeperiodstart" in names and "billedcost" in names else ACTUAL
