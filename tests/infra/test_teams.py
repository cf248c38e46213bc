"""Teams with limits of their own: each has a product, whose policy is its shared product's with its own numbers."""

from __future__ import annotations

import re
import xml.etree.ElementTree as ET

import pytest

from tests.infra.conftest import Bicep
from tests.infra.snapshots import GATEWAY, POLICIES, properties, resources


def policies(bicep: Bicep) -> dict[str, ET.Element]:
    """Product -> its policy; each is named "policy", so that they are told apart by their ids."""
    found = [r for r in bicep.snapshot("teams")["predictedResources"] if r["type"] == f"{GATEWAY}/products/policies"]
    return {r["id"].split("/")[-3]: ET.fromstring(r["properties"]["value"]) for r in found}


@pytest.mark.parametrize(
    ("team", "minute", "month", "models"),
    [
        ("sub-checkout", "5000", "{{gold-token-quota}}", "chat"),
        ("sub-search", "{{bronze-tokens-per-minute}}", "900000", None),
        ("sub-lab", None, None, "chat"),
    ],
)
def test_a_teams_policy_has_its_numbers_and_the_rest_of_its_products(
    bicep: Bicep, team: str, minute: str | None, month: str | None, models: str | None
) -> None:
    policy = policies(bicep)[f"team-{team}"]
    limit = policy.find("inbound/llm-token-limit")
    assert (limit is None) is (minute is None)
    if limit is not None:
        assert (limit.get("tokens-per-minute"), limit.get("token-quota")) == (minute, month)
        assert limit.get("token-quota-period") == "Monthly" and "Subscription.Id" in str(limit.get("counter-key"))
    allowed = policy.find("inbound/set-variable[@name='allowed-models']")
    assert (None if allowed is None else allowed.get("value")) == models


def test_the_shared_products_stay_as_they_are_shipped(bicep: Bicep) -> None:
    for name in ("bronze", "silver", "gold", "unlimited"):
        shipped = ET.fromstring((POLICIES / f"product-{name}.xml").read_text("utf-8"))
        assert ET.canonicalize(ET.tostring(policies(bicep)[name])) == ET.canonicalize(ET.tostring(shipped))
    assert properties(bicep, "teams", f"{GATEWAY}/namedValues")["gold-tokens-per-minute"]["value"] == "70000"


def test_a_teams_subscription_is_in_its_own_product_which_opens_the_api(bicep: Bicep) -> None:
    products = properties(bicep, "teams", f"{GATEWAY}/products")
    assert {name for name in products if name.startswith("team-")} == {
        "team-sub-checkout", "team-sub-search", "team-sub-lab"
    }  # fmt: skip
    assert all(product["state"] == "published" and product["subscriptionRequired"] for product in products.values())
    for name, subscription in properties(bicep, "teams", f"{GATEWAY}/subscriptions").items():
        product = subscription["scope"].rpartition("/")[2]
        assert product == ("gold" if name == "sub-shared" else f"team-{name}")
        assert subscription["state"] == "active"
    links = [r["id"] for r in bicep.snapshot("teams")["predictedResources"] if r["type"] == f"{GATEWAY}/products/apis"]
    assert {re.findall("/products/([^/]+)/", link)[0] for link in links} == set(products)
    assert resources(bicep, "teams", f"{GATEWAY}/policyFragments").keys() >= {"allowed-models"}
