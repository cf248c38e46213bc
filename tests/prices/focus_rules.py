"""Rules of FOCUS 1.2 for a cost and usage dataset, as a table: what we checked our rows against.

Written from the specification (https://focus.finops.org/focus-specification/v1-2/, "Cost and Usage", and its attributes
of formats, null handling and column naming). The specification's own validator (PyPI, focus-validator 2) needs Python
3.12; ``test_focus_validator`` runs it where it is installed.
"""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Mapping, Sequence
from datetime import datetime
from typing import Any

MOMENT, DECIMAL, TEXT = r"\d{4}-\d\d-\d\dT\d\d:\d\d:\d\dZ", r"-?\d+(\.\d+)?(E[+-]?\d+)?", r".+"
#: Column -> its format, and whether it may be null; those that the specification makes mandatory for every provider.
MANDATORY = {
    "BilledCost": (DECIMAL, False),
    "BillingAccountId": (TEXT, False),
    "BillingAccountName": (TEXT, True),
    "BillingCurrency": (r"[A-Z]{3}", False),
    "BillingPeriodEnd": (MOMENT, False),
    "BillingPeriodStart": (MOMENT, False),
    "ChargeCategory": (r"Usage|Purchase|Tax|Credit|Adjustment", False),
    "ChargeClass": (r"Correction", True),
    "ChargeDescription": (TEXT, True),
    "ChargePeriodEnd": (MOMENT, False),
    "ChargePeriodStart": (MOMENT, False),
    "ContractedCost": (DECIMAL, False),
    "EffectiveCost": (DECIMAL, False),
    "InvoiceIssuerName": (TEXT, False),
    "ListCost": (DECIMAL, False),
    "PricingQuantity": (DECIMAL, True),
    "PricingUnit": (TEXT, True),
    "ProviderName": (TEXT, False),
    "PublisherName": (TEXT, False),
    "ServiceCategory": (
        r"AI and Machine Learning|Analytics|Business Applications|Compute|Databases|Developer Tools|Multicloud|Identity"
        r"|Integration|Internet of Things|Management and Governance|Media|Migration|Mobile|Networking|Security|Storage"
        r"|Web|Other",
        False,
    ),
    "ServiceName": (TEXT, False),
}
#: Columns that a provider may have, or must where it supports what they are about.
OTHERS = {
    "BillingAccountType": (TEXT, True),
    "ChargeFrequency": (r"One-Time|Recurring|Usage-Based", True),
    "InvoiceId": (TEXT, True),
    "ServiceSubcategory": (TEXT, True),
    "SubAccountId": (TEXT, True),
    "SubAccountName": (TEXT, True),
    "SubAccountType": (TEXT, True),
    "Tags": (r"\{.*\}", True),
}
Row = Mapping[str, str]


def _time(row: Row, name: str) -> datetime:
    return datetime.fromisoformat(row[name])


#: What must hold of a row.
RULES: dict[str, Callable[[Row], Any]] = {
    "the charge period ends after it starts": lambda r: _time(r, "ChargePeriodEnd") > _time(r, "ChargePeriodStart"),
    "the billing period ends after it starts": lambda r: _time(r, "BillingPeriodEnd") > _time(r, "BillingPeriodStart"),
    "a purchase is not usage-based": lambda r: (
        r["ChargeCategory"] != "Purchase" or r.get("ChargeFrequency") != "Usage-Based"
    ),
    "a subaccount's type and name are there if and only if it is": lambda r: (
        bool(r.get("SubAccountType")) == bool(r.get("SubAccountId")) >= bool(r.get("SubAccountName"))
    ),
    "a quantity has a unit, and only then": lambda r: bool(r["PricingQuantity"]) == bool(r["PricingUnit"]),
    "a generative service is in its category": lambda r: (
        r.get("ServiceSubcategory") != "Generative AI" or r["ServiceCategory"] == "AI and Machine Learning"
    ),
    "tags are one JSON object of texts": lambda r: (
        not r.get("Tags") or all(isinstance(value, str) for value in json.loads(r["Tags"]).values())
    ),
}


def violations(rows: Sequence[Row]) -> list[str]:
    """What of *rows* (column -> text, '' for null) breaks the specification, each thing once; [] for none."""
    found = dict.fromkeys(f"{name} is missing" for name in MANDATORY if name not in rows[0])
    columns = {name: rule for name, rule in (MANDATORY | OTHERS).items() if name in rows[0]}
    for name in rows[0]:
        if name not in columns and not re.fullmatch(r"x_[A-Z][A-Za-z0-9]*", name):
            found[f"{name} is not a column of FOCUS, and does not start with x_"] = None
    for row in rows:
        for name, (pattern, nullable) in columns.items():
            if row[name] == "" and not nullable:
                found[f"{name} is null"] = None
            elif row[name] and not re.fullmatch(pattern, row[name]):
                found[f"{name} is malformed: {row[name]}"] = None
        found.update({rule: None for rule, holds in RULES.items() if not found and not holds(row)})
    return list(found)
