"""A charge of the sample's invoice as the rows of Cost Management's datasets, with all their columns.

Columns and their order: https://learn.microsoft.com/azure/cost-management-billing/dataset-schema/schema-index, and the
live headers of Enterprise and Microsoft Customer Agreements.
"""

from __future__ import annotations

from dataclasses import dataclass
from datetime import date, timedelta
from decimal import Decimal

_FOCUS_10 = """BilledCost,BillingAccountId,BillingAccountName,BillingAccountType,BillingCurrency,BillingPeriodEnd,
BillingPeriodStart,ChargeCategory,ChargeClass,ChargeDescription,ChargeFrequency,ChargePeriodEnd,ChargePeriodStart,
CommitmentDiscountCategory,CommitmentDiscountId,CommitmentDiscountName,CommitmentDiscountStatus,CommitmentDiscountType,
ConsumedQuantity,ConsumedUnit,ContractedCost,ContractedUnitPrice,EffectiveCost,InvoiceIssuerName,ListCost,ListUnitPrice,
PricingCategory,PricingQuantity,PricingUnit,ProviderName,PublisherName,RegionId,RegionName,ResourceId,ResourceName,
ResourceType,ServiceCategory,ServiceName,SkuId,SkuPriceId,SubAccountId,SubAccountName,SubAccountType,Tags,
x_BillingExchangeRate,x_InvoiceId,x_PricingBlockSize,x_PricingCurrency,x_PricingUnitDescription,x_SkuMeterCategory,
x_SkuMeterId,x_SkuMeterName,x_SkuMeterSubcategory"""
_FOCUS_12 = _FOCUS_10.replace("x_InvoiceId,", "").replace("x_SkuMeterName,", "") + (
    ",CapacityReservationId,CapacityReservationStatus,CommitmentDiscountQuantity,CommitmentDiscountUnit,InvoiceId,"
    "PricingCurrency,ServiceSubcategory,SkuMeter,SkuPriceDetails"
)
_EA = """BillingAccountId,BillingAccountName,BillingPeriodStartDate,BillingPeriodEndDate,BillingProfileId,
BillingProfileName,AccountOwnerId,AccountName,SubscriptionId,SubscriptionName,Date,Product,PartNumber,MeterId,
ServiceFamily,MeterCategory,MeterSubCategory,MeterRegion,MeterName,Quantity,EffectivePrice,Cost,UnitPrice,BillingCurrency,
ResourceLocation,AvailabilityZone,ConsumedService,ResourceId,ResourceName,ServiceInfo1,ServiceInfo2,AdditionalInfo,Tags,
InvoiceSectionId,InvoiceSection,CostCenter,UnitOfMeasure,ResourceGroup,ReservationId,ReservationName,ProductOrderId,
ProductOrderName,OfferId,IsAzureCreditEligible,Term,PublisherName,PlanName,ChargeType,Frequency,PublisherType,PayGPrice,
PricingModel,CostAllocationRuleName,benefitId,benefitName"""
_MCA = """invoiceId,previousInvoiceId,billingAccountId,billingAccountName,billingProfileId,billingProfileName,
invoiceSectionId,invoiceSectionName,resellerName,resellerMpnId,costCenter,billingPeriodEndDate,billingPeriodStartDate,
servicePeriodEndDate,servicePeriodStartDate,date,serviceFamily,productOrderId,productOrderName,consumedService,meterId,
meterName,meterCategory,meterSubCategory,meterRegion,ProductId,ProductName,SubscriptionId,subscriptionName,publisherType,
publisherId,publisherName,resourceGroupName,ResourceId,resourceLocation,location,effectivePrice,quantity,unitOfMeasure,
chargeType,billingCurrency,pricingCurrency,costInBillingCurrency,costInPricingCurrency,costInUsd,
paygCostInBillingCurrency,paygCostInUsd,exchangeRatePricingToBilling,exchangeRateDate,isAzureCreditEligible,serviceInfo1,
serviceInfo2,additionalInfo,tags,PayGPrice,frequency,term,reservationId,reservationName,pricingModel,unitPrice,
costAllocationRuleName,benefitId,benefitName,provider"""

SUBSCRIPTION = "7f3a0c52-1111-4c1e-9a55-0a1b2c3d4e5f"
_GROUP = f"/subscriptions/{SUBSCRIPTION}/resourceGroups/rg-ai-gateway/providers"
RESERVATION = "/providers/Microsoft.Capacity/reservationOrders/0b1c/reservations/2d3e"
#: Unit of measure -> how many units of use it has.
BLOCKS = {"1K": Decimal(1000), "1M": Decimal(1_000_000), "1 Hour": Decimal(1), "1": Decimal(1)}


@dataclass(frozen=True)
class Charge:
    """A charge of one day: ``quantity`` tokens or hours at a list price for a ``unit``, and what is charged for it.

    ``billed`` is on the invoice, ``effective`` amortized; ``account`` is '' for a reservation.
    """

    day: date
    account: str
    meter: str
    category: str
    unit: str
    quantity: Decimal
    listed: Decimal
    billed: Decimal
    effective: Decimal
    kind: str = "Usage"
    status: str = ""
    region: str = ""


def resource_of(charge: Charge) -> str:
    """The resource id of a charge."""
    if not charge.account:
        return ""
    service = "ApiManagement/service" if charge.category == "API Management" else "CognitiveServices/accounts"
    return f"{_GROUP}/Microsoft.{service}/{charge.account}"


def columns(version: str) -> list[str]:
    """The columns of FocusCost ``1.0`` or ``1.2-preview``, or of cost details of an ``EA`` or ``MCA``."""
    text = {"1.0": _FOCUS_10, "1.2-preview": _FOCUS_12, "EA": _EA, "MCA": _MCA}[version]
    return text.replace("\n", "").split(",")


def row(charge: Charge, dataset: str, version: str, currency: str, rate: Decimal) -> dict[str, str] | None:
    """A charge as a row; None where the dataset leaves it out: purchases in amortized, unused parts in actual cost."""
    first = charge.day.replace(day=1)
    end = (first + timedelta(days=32)).replace(day=1)
    priced = charge.quantity / BLOCKS[charge.unit]
    amounts = {"listed": charge.listed * rate, "billed": charge.billed * rate, "effective": charge.effective * rate}
    if dataset == "FocusCost":
        return _focus(charge, version, currency, rate, amounts, priced, first, end)
    if dataset == "AmortizedCost" and charge.kind == "Purchase":
        return None
    if dataset == "ActualCost" and charge.status == "Unused":
        return None
    cost = amounts["effective" if dataset == "AmortizedCost" else "billed"]
    kind = "UnusedReservation" if charge.status == "Unused" else charge.kind
    common = {
        "date": f"{charge.day:%m/%d/%Y}",
        "metername": charge.meter,
        "metercategory": charge.category,
        "metersubcategory": _subcategory(charge),
        "quantity": _plain(priced),
        "unitofmeasure": charge.unit,
        "billingcurrency": currency,
        "pricingcurrency": "USD",
        "costinbillingcurrency": _plain(cost),
        "cost": _plain(cost),
        "paygcostinbillingcurrency": _plain(amounts["listed"]),
        # An Enterprise Agreement has its prices in the currency that it is billed in.
        "paygprice": _plain(charge.listed / priced * (rate if version == "EA" else 1) if priced else Decimal(0)),
        "exchangeratepricingtobilling": _plain(rate),
        "subscriptionid": "" if charge.status == "Unused" else SUBSCRIPTION,
        "resourceid": resource_of(charge),
        "resourcelocation": charge.region,
        "chargetype": kind,
        "pricingmodel": "Reservation" if charge.status or charge.kind == "Purchase" else "OnDemand",
        "reservationid": RESERVATION.rpartition("/")[2] if charge.status or charge.kind == "Purchase" else "",
        "product": f"{charge.category} - {charge.meter}",
        "productname": f"{charge.category} - {charge.meter}",
        "billingperiodstartdate": f"{first:%m/%d/%Y}",
        "billingaccountid": "8611537",
        "invoiceid": _invoice(charge),
        "publishername": "Microsoft",
    }
    return {name: common.get(name.lower(), "") for name in columns(version)}


def _focus(
    charge: Charge,
    version: str,
    currency: str,
    rate: Decimal,
    amounts: dict[str, Decimal],
    priced: Decimal,
    first: date,
    end: date,
) -> dict[str, str]:
    committed = bool(charge.status) or charge.kind == "Purchase"
    values = {
        "BilledCost": _plain(amounts["billed"]),
        "EffectiveCost": _plain(amounts["effective"]),
        "ContractedCost": _plain(amounts["listed"]),
        "ListCost": _plain(amounts["listed"]),
        "BillingAccountId": "/providers/Microsoft.Billing/billingAccounts/8611537",
        "BillingCurrency": currency,
        "InvoiceId": _invoice(charge),
        "x_InvoiceId": _invoice(charge),
        "BillingPeriodStart": f"{first}T00:00:00Z",
        "BillingPeriodEnd": f"{end}T00:00:00Z",
        # 1.0 has no seconds.
        "ChargePeriodStart": f"{charge.day}T00:00Z" if version == "1.0" else f"{charge.day}T00:00:00Z",
        "ChargePeriodEnd": f"{charge.day + timedelta(days=1)}T00:00:00Z",
        "ChargeCategory": charge.kind,
        "ChargeDescription": f"{charge.category} - {charge.meter}",
        "CommitmentDiscountId": RESERVATION if committed else "",
        "CommitmentDiscountStatus": charge.status if version == "1.0" else "",
        "ConsumedQuantity": _plain(charge.quantity) if charge.kind == "Usage" else "",
        "ConsumedUnit": "Units" if charge.unit != "1 Hour" else "Hours",
        "PricingCategory": "Committed" if committed else "Standard",
        "PricingQuantity": _plain(priced),
        "PricingUnit": "Units",
        "x_PricingUnitDescription": charge.unit,
        "x_PricingBlockSize": _plain(BLOCKS[charge.unit]),
        "PricingCurrency": "USD",
        "x_PricingCurrency": "USD",
        "x_BillingExchangeRate": _plain(rate),
        "ResourceId": resource_of(charge),
        "RegionId": charge.region,
        "ServiceName": charge.category,
        "SubAccountId": "" if charge.status == "Unused" else f"/subscriptions/{SUBSCRIPTION}",
        "SkuMeter": charge.meter,
        "x_SkuMeterName": charge.meter,
        "x_SkuMeterCategory": charge.category,
        "x_SkuMeterSubcategory": _subcategory(charge),
        "ProviderName": "Microsoft",
        "PublisherName": "Microsoft",
    }
    return {name: values.get(name, "") for name in columns(version)}


def _invoice(charge: Charge) -> str:
    return f"G{charge.day:%Y%m}"


def _subcategory(charge: Charge) -> str:
    return charge.category if charge.category == "API Management" else "Azure OpenAI"


def _plain(amount: Decimal) -> str:
    """A number without exponent."""
    return f"{amount:f}"
