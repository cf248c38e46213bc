"""The policy files: valid, complete, and one with the data beside them."""

from __future__ import annotations

import re
import subprocess
import xml.etree.ElementTree as ET

import pytest

from tests.policies import gateway

PLACEHOLDER = re.compile(r"\{\{([\w.-]+)\}\}")
OPTIONS = ("content-safety", "semantic-cache-lookup", "semantic-cache-store", "claude", "own-responses")
FORWARDED = ("Authorization", "api-key", "Ocp-Apim-Subscription-Key")


def without_comments(text: str) -> str:
    return re.sub(r"<!--.*?-->", "", text, flags=re.DOTALL)


@gateway.needs_checker
def test_every_policy_file_is_allowed_where_it_stands(tmp_path):
    whole = tmp_path / "api-with-every-option.xml"
    whole.write_text(gateway.with_options((gateway.POLICIES / "api.xml").read_text(), OPTIONS))
    run = subprocess.run([gateway.CHECK, *gateway.policy_files(), whole], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


@gateway.needs_checker
def test_every_fragment_is_allowed_in_the_section_that_includes_it(tmp_path):
    """The checker knows no section for a fragment: put each where the API includes it."""
    root = ET.fromstring(gateway.with_options((gateway.POLICIES / "api.xml").read_text(), OPTIONS))
    for section in root:
        for place, include in enumerate(section):
            if include.tag == "include-fragment":
                policies = list(ET.parse(gateway.FRAGMENTS / f"{include.get('fragment-id')}.xml").getroot())
                (tmp_path / f"{include.get('fragment-id')}.xml").write_text(
                    ET.tostring(_document(section.tag, policies), encoding="unicode")
                )
            assert include.tag != "base" or place == 0, "an outer scope's policies come first"
    documents = sorted(tmp_path.glob("*.xml"))
    assert len(documents) == len(list(gateway.FRAGMENTS.glob("*.xml"))), "a fragment is included nowhere"
    run = subprocess.run([gateway.CHECK, *documents], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def _document(section: str, policies: list[ET.Element]) -> ET.Element:
    root = ET.Element("policies")
    ET.SubElement(root, section).extend(policies)
    return root


@gateway.needs_simulator
def test_every_expression_compiles_with_the_documented_types():
    run = subprocess.run([gateway.SIMULATOR, "check", *gateway.policy_files()], capture_output=True, text=True)
    assert run.returncode == 0, run.stdout


def test_no_fragment_includes_another():
    """API Management refuses a fragment in a fragment (its documentation of policy fragments, "Limitations")."""
    for file in gateway.FRAGMENTS.glob("*.xml"):
        assert ET.parse(file).getroot().find(".//include-fragment") is None, file.name


def test_placeholders_are_the_named_values_that_are_listed():
    used = {file.stem: set(PLACEHOLDER.findall(without_comments(file.read_text()))) for file in gateway.policy_files()}
    assert set().union(*used.values()) == set(gateway.NAMED_VALUES)
    for name, row in gateway.NAMED_VALUES.items():
        assert row["what"].endswith(".")
        assert row["value"] is None or isinstance(row["value"], str), f"{name}: a named value is text"
        owners = {stem for stem, names in used.items() if name in names}
        assert (owners == {row["option"]}) if "option" in row else not owners & set(OPTIONS), name


def test_the_body_of_errors_is_an_expression_that_a_named_value_can_hold():
    """It is put into XML as it is, and is no placeholder itself; a named value has at most 4,096 characters."""
    value = gateway.NAMED_VALUES["error-body"]["value"]
    assert value.startswith("@{") and len(value) <= 4096
    assert not re.search(r"[&<]|\{\{|\}\}", value)
    for file in gateway.FRAGMENTS.glob("*.xml"):
        for body in ET.parse(file).getroot().iterfind(".//return-response/set-body"):
            assert body.text == "{{error-body}}", f"{file.name} makes a body of its own"


def test_the_types_of_errors_on_claude_s_api_are_anthropic_s():
    value = gateway.NAMED_VALUES["error-body"]["value"]
    found = {int(status): kind for status, kind in re.findall(r"(\d{3}) ([a-z_]+)", value)}
    assert found.pop(503) == "overloaded_error", "Anthropic lists no 503"
    assert found == {status: kind for status, kind in gateway.CLAUDE_STATUS.items() if status != 500}


@pytest.mark.parametrize("name", ["silver", "gold"])
def test_the_limited_products_differ_only_in_their_named_values(name):
    bronze = (gateway.POLICIES / "product-bronze.xml").read_text()
    assert (gateway.POLICIES / f"product-{name}.xml").read_text() == bronze.replace("bronze", name)


def test_a_backend_is_named_alike_in_both_places_that_trace_attempts():
    """A fragment cannot include another, so that the expression stands twice."""
    expressions = {
        variable.get("value")
        for file in ("backend-attempts", "gateway-errors")
        for variable in ET.parse(gateway.FRAGMENTS / f"{file}.xml").getroot().iter("set-variable")
        if variable.get("name") == "backend"
    }
    assert len(expressions) == 1


def test_credentials_are_removed_after_they_were_checked():
    policies = list(ET.parse(gateway.FRAGMENTS / "identity.xml").getroot())
    assert policies[0].tag == "choose"
    removed = {policy.get("name") for policy in policies[1:] if policy.get("exists-action") == "delete"}
    assert removed >= {*FORWARDED, "subscription-key"}


def test_the_real_logs_hold_traces_of_the_same_format(shared_data):
    pattern = re.compile(gateway.TRACE_FORMAT["attempt"]["pattern"])
    found = 0
    for file in (shared_data / "logs").rglob("*.json"):
        for message in re.findall(r'"message": ?"(Inference[^"]*)"', file.read_text(errors="replace")):
            assert pattern.search(message), message
            found += 1
    assert found > 0


def test_a_request_is_kept_for_a_retry_and_a_stream_is_not_held_back():
    """Both are the gateway's own work, which the simulator does not show."""
    forward = ET.parse(gateway.FRAGMENTS / "backend-attempts.xml").getroot().find("retry/forward-request")
    assert forward is not None
    assert forward.attrib == {"buffer-request-body": "true", "buffer-response": "false"}


def test_no_metric_has_more_dimensions_of_our_own_than_are_allowed():
    """At most five, besides those that the gateway fills itself (documentation of llm-emit-token-metric)."""
    metric = ET.parse(gateway.FRAGMENTS / "token-metric.xml").getroot().find("llm-emit-token-metric")
    assert metric is not None
    assert sum("value" in dimension.attrib for dimension in metric) <= 5
