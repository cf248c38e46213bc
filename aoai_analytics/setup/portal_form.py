"""The form behind a *Deploy to Azure* button: ``createUiDefinition.json``, made from the parameters of ``main.json``.

Texts, limits, allowed values and defaults are the template's own; this module says only which parameters are asked on
which step, and why the others are not. Elements and functions: Microsoft Learn, "CreateUiDefinition elements" and
"CreateUiDefinition functions". An element that is not visible has no value, and an expression with such a value does
not evaluate ("coalesce" there): every output of an element that can be hidden begins with coalesce.

``python -m aoai_analytics.setup.portal_form`` writes the file again.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from ..config import shipped
from .template import whole

Json = dict[str, Any]

#: The first step, "Basics", and the steps after it, with the parameters that each asks for.
BASICS = ("name", "publisherEmail", "publisherName")
STEPS = {
    "gateway": ("Gateway", ("existingGatewayId", "gatewayTier", "gatewayCapacity")),
    "policies": ("Policies", ("contentSafety", "ownResponses")),
    "logs": (
        "Logs",
        (
            "logMessages",
            "existingWorkspaceId",
            "retentionDays",
            "llmLogRetentionDays",
            "totalRetentionDays",
            "logToStorage",
            "storageSku",
            "storageDeleteAfterDays",
            "logToEventHub",
            "workbook",
            "queryPack",
        ),
    ),
    "network": ("Network", ("privateNetwork", "networkAddressPrefix")),
}
#: Resources of one's own: their type, and the box to tick before one can be chosen.
BROUGHT = {
    "existingGatewayId": ("Microsoft.ApiManagement/service", "ownGateway", "Use an API Management service of your own"),
    "existingWorkspaceId": (
        "Microsoft.OperationalInsights/workspaces",
        "ownWorkspace",
        "Use a Log Analytics workspace of your own",
    ),
}
#: Parameters that are asked only if an answer before makes them matter.
SHOWN_IF = {
    "existingGatewayId": "steps('gateway').ownGateway",
    "gatewayTier": "not(steps('gateway').ownGateway)",
    "gatewayCapacity": "not(steps('gateway').ownGateway)",
    "existingWorkspaceId": "steps('logs').ownWorkspace",
    "retentionDays": "not(steps('logs').ownWorkspace)",
    "llmLogRetentionDays": "not(steps('logs').ownWorkspace)",
    "totalRetentionDays": "not(steps('logs').ownWorkspace)",
    "storageSku": "steps('logs').logToStorage",
    "storageDeleteAfterDays": "steps('logs').logToStorage",
    "networkAddressPrefix": "steps('network').privateNetwork",
}
#: Parameters that the form does not ask for, and why. What is added later: a parameter file, the same deployment again.
NOT_ASKED = {
    "tags": "tags can be set on the resource group, or later in a parameter file",
    "breakerFailures": "the default follows from the number of accounts",
    "backendRetries": "the default follows from the number of accounts",
    "retryAfterSeconds": "the policies' own default",
    "gatewayName": "the default is unique in Azure; a name typed by hand is often taken",
    "gatewayRegions": "a list; only the tier Premium has it",
    "restoreGateway": "only after a deletion",
    "restoreKeyVault": "only after a deletion",
    "silver": "added later; the form makes one subscription of the product bronze",
    "gold": "added later; the form makes one subscription of the product bronze",
    "unlimitedSubscriptions": "added later; the form makes one subscription of the product bronze",
    "teams": "a list, filled from a CSV file by aoai setup",
    "entra": "needs an app registration first; keys work without it",
    "contentSafetyThreshold": "the policies' own default",
    "semanticCache": "needs a Redis and its secret in the vault, which the first deployment makes",
    "logBodyBytes": "bodies in the gateway log break streaming; read the docs before you raise it",
    "readers": "a list of identities; give them the role later",
    "functions": "the default is the shipped semantic layer; aoai export writes others",
    "rollup": "the default is the shipped definition; aoai export writes others",
    "sums": "added later: settings of several values",
    "reportSchedule": "added later: the image is built into a registry that a deployment makes first",
    "alerts": "added later: recipients, budgets and thresholds",
    "subnets": "needs a network with delegated subnets first",
    "privateDnsZones": "matters only with subnets or zones of your own",
    "applicationGateway": "needs its certificate in the vault, which the first deployment makes",
}
#: Deployments that the form begins with: field, label, default. They are dev.bicepparam's.
DEPLOYMENTS = {
    "chat": {"name": "chat-mini", "model": "gpt-5.4-mini", "version": "2026-03-17", "sku": "GlobalStandard"},
    "embeddings": {
        "name": "embed-small",
        "model": "text-embedding-3-small",
        "version": "1",
        "sku": "Standard",
    },
}
CAPACITY = "30"
#: Claude, on a Foundry resource of its own. Models and versions change often, so the form suggests none.
#: Region: Microsoft Learn, "Deploy and use Claude models in Microsoft Foundry".
CLAUDE = {"name": "claude", "sku": "GlobalStandard", "region": "eastus2", "industry": "technology"}
#: Where the two files lie once the repository is published: the owner and the name are to be filled in.
RAW = "https://raw.githubusercontent.com/OWNER/REPOSITORY/main/setup_scripts"

_MODELS = "models"
_ADD_CLAUDE = f"steps('{_MODELS}').addClaude"
_FIELDS = ("name", "model", "version", "sku", "capacity")
#: What main.json says of a name in words and its own checks, as the portal's pattern.
_PATTERNS = {
    "name": ("^[a-z0-9]+(-[a-z0-9]+)*$", "Lower-case letters, digits and single hyphens inside."),
    "publisherEmail": (r"^[^@\s]+@[^@\s]+$", "An email address."),
    "networkAddressPrefix": (
        "^[0-9]{1,3}([.][0-9]{1,3}){3}/(8|9|1[0-9]|2[0-2])$",
        "An address space in CIDR notation, /22 or larger.",
    ),
    "organizationName": (r'^[^"\\]+$', "No quotation marks and no backslashes."),
    "industry": ("^[A-Za-z][A-Za-z_ -]*$", "Letters, spaces and hyphens."),
    "countryCode": ("^[A-Z]{2}$", "Two capital letters, as in ISO 3166, for example US."),
    **dict.fromkeys(
        ("deployment", "model", "version", "subscription"),
        ("^[A-Za-z0-9_.-]+$", "Letters, digits, hyphens, underscores and dots."),
    ),
}


def form(template: Mapping[str, Any] | None = None) -> Json:
    """The content of ``createUiDefinition.json`` for *template* (default: the shipped ``main.json``)."""
    declared = (template or whole())["parameters"]
    types = (template or whole())["definitions"]
    outputs = {"location": "[location()]"}
    basics = [_element(name, _resolved(declared[name], types), f"basics('{name}')", outputs) for name in BASICS]
    steps = []
    for step, (label, names) in STEPS.items():
        elements = []
        for name in names:
            if name in BROUGHT:
                elements.append(_switch(BROUGHT[name][1], BROUGHT[name][2], declared[name]["metadata"]["description"]))
            elements.append(_element(name, _resolved(declared[name], types), f"steps('{step}').{name}", outputs))
        if step == "policies":
            elements.insert(0, _subscription(outputs))
        steps.append({"name": step, "label": label, "elements": elements})
    steps.insert(1, _models(types, outputs))
    _refuse_small_tiers(steps)
    return {
        "$schema": "https://schema.management.azure.com/schemas/0.1.2-preview/CreateUIDefinition.MultiVm.json#",
        "handler": "Microsoft.Azure.CreateUIDef",
        "version": "0.1.2-preview",
        "parameters": {"basics": basics, "steps": steps, "outputs": outputs},
    }


def button(raw: str = RAW) -> str:
    """The address of the portal's form for files below *raw*, whose slashes must be escaped."""
    from urllib.parse import quote

    template = quote(f"{raw}/infra/main.json", safe="")
    definition = quote(f"{raw}/deploy/portal/createUiDefinition.json", safe="")
    return f"https://portal.azure.com/#create/Microsoft.Template/uri/{template}/createUIDefinitionUri/{definition}"


def _resolved(schema: Mapping[str, Any], types: Mapping[str, Any]) -> Json:
    reference = schema.get("$ref")
    return {**types[reference.removeprefix("#/definitions/")], **schema} if reference else dict(schema)


def _switch(name: str, label: str, tip: str) -> Json:
    """A box to tick that no parameter is made of: it shows other elements."""
    return {"name": name, "type": "Microsoft.Common.CheckBox", "label": label, "toolTip": tip, "defaultValue": False}


def _element(name: str, schema: Json, value: str, outputs: dict[str, str], *, pattern: str | None = None) -> Json:
    """The element that asks for a parameter; its value goes to *outputs* under the parameter's name."""
    tip = schema["metadata"]["description"]
    default = schema.get("defaultValue")
    element: Json = {"name": name, "type": "Microsoft.Common.TextBox", "label": _label(name), "toolTip": tip}
    given = value
    if shown := SHOWN_IF.get(name):
        element["visible"] = f"[{shown}]"
        given = f"coalesce({value}, '{'' if default is None else default}')"
    outputs[name] = f"[{given}]"
    if name in BROUGHT:
        # The template takes an empty text for none.
        outputs[name] = f"[coalesce({value}.id, '')]"
        element |= {"type": "Microsoft.Solutions.ResourceSelector", "resourceType": BROUGHT[name][0]}
        element |= {
            "options": {"filter": {"subscription": "all", "location": "all"}},
            "constraints": {"required": True},
        }
    elif schema["type"] == "bool":
        element |= {"type": "Microsoft.Common.CheckBox", "defaultValue": bool(default)}
    elif "allowedValues" in schema:
        choices = [{"label": choice, "value": choice} for choice in schema["allowedValues"]]
        element |= {"type": "Microsoft.Common.DropDown", "defaultValue": default}
        element["constraints"] = {"allowedValues": choices, "required": True}
    elif schema["type"] == "int":
        outputs[name] = f"[int({given})]"
        element |= {"defaultValue": str(default), "constraints": _whole_number(schema, value)}
    else:
        element["constraints"] = _text(schema, pattern or name)
        if default is not None:
            element["defaultValue"] = default
    return element


def _refuse_small_tiers(steps: list[Json]) -> None:
    """A private network with a tier that cannot join it stops in the form, as the template would stop it."""
    (prefix,) = [each for step in steps for each in step["elements"] if each["name"] == "networkAddressPrefix"]
    tier = "steps('gateway').gatewayTier"
    # Of a gateway of one's own the form does not know the tier.
    fits = ", ".join(f"equals(coalesce({tier}, 'StandardV2'), '{name}')" for name in ("StandardV2", "PremiumV2"))
    rule = {"isValid": f"[or({fits})]", "message": "Choose the gateway tier StandardV2 or PremiumV2."}
    prefix["constraints"]["validations"].append(rule)


def _whole_number(schema: Json, value: str) -> Json:
    low, high = schema.get("minValue", 0), schema.get("maxValue")
    inside = f"greaterOrEquals(int({value}), {low})"
    said = f"At least {low}."
    if high is not None:
        inside = f"and({inside}, lessOrEquals(int({value}), {high}))"
        said = f"{low} to {high}."
    digits = {"regex": "^[0-9]{1,6}$", "message": "A whole number."}
    return {"required": True, "validations": [digits, {"isValid": f"[{inside}]", "message": said}]}


def _text(schema: Json, pattern: str) -> Json:
    low, high = schema.get("minLength", 0), schema.get("maxLength")
    length = f"^.{{{low},{'' if high is None else high}}}$"
    said = f"{low} to {high} characters." if high is not None else f"At least {low} characters."
    rules = [{"regex": length, "message": said}]
    if pattern in _PATTERNS:
        regex, words = _PATTERNS[pattern]
        rules.append({"regex": regex, "message": words})
    return {"required": bool(low), "validations": rules}


def _models(types: Mapping[str, Any], outputs: dict[str, str]) -> Json:
    """The step with the deployments, the same in the gateway's region and in an optional second one; and Claude."""
    tip = types["openAIAccount"]["properties"]["location"]["metadata"]["description"]
    second_region = _region("secondRegion", "Second region", f"{tip} Empty: the models are in one region only.", "")
    second_region["constraints"]["required"] = False
    elements: list[Json] = [second_region]
    offered: list[str] = []
    for kind, defaults in DEPLOYMENTS.items():
        asked, pieces = _deployment(kind, types, {"capacity": CAPACITY, **defaults})
        offered += [*(["','"] if offered else []), *pieces]
        label = f"{kind.title()} model"
        elements.append({"name": kind, "type": "Microsoft.Common.Section", "label": label, "elements": asked})
    elements += _claude(types, outputs)
    other, claude = f"steps('{_MODELS}').secondRegion", f"coalesce(steps('{_MODELS}').claude.region, '')"
    _, of_claude = _deployment("claude", types, {}, hidden=True, begin='{"format":"Anthropic",')
    first = ", ".join(_account("aoai", "OpenAI", "location()", 1, offered))
    second = ", ".join(_account("aoai", "OpenAI", other, 2, offered))
    third = ", ".join(_account("claude", "AIServices", claude, 1, of_claude))
    also = f"if(empty({other}), '', concat(',', {second}))"
    and_claude = f"if({_ADD_CLAUDE}, concat(',', {third}), '')"
    outputs["openAIAccounts"] = f"[parse(concat('[', {first}, {also}, {and_claude}, ']'))]"
    return {"name": _MODELS, "label": "Models", "elements": elements}


def _deployment(
    section: str, types: Mapping[str, Any], defaults: Mapping[str, str], *, hidden: bool = False, begin: str = "{"
) -> tuple[list[Json], list[str]]:
    """The elements that ask for a deployment in *section*, and the pieces of its JSON text.

    A *hidden* section has no values while it is hidden. The text begins with *begin*.
    """
    deployment = _named(types, "modelDeployment")
    asked: list[Json] = []
    pieces: list[str] = []
    for field in _FIELDS:
        schema = {**deployment["properties"][field], "defaultValue": defaults.get(field)}
        value = f"steps('{_MODELS}').{section}.{field}"
        asked.append(_element(field, schema, value, {}, pattern="deployment" if field == "name" else field))
        quote = "" if field == "capacity" else '"'
        before = begin if field == _FIELDS[0] else ","
        pieces += [f"""'{before}"{field}":{quote}'""", f"coalesce({value}, '')" if hidden else value, f"'{quote}'"]
    return asked, [*pieces, "'}'"]


def _claude(types: Mapping[str, Any], outputs: dict[str, str]) -> list[Json]:
    """The box and the section for a Claude deployment, with what Azure asks about its customer."""
    customer = _named(types, "anthropicCustomer")
    tip = types["openAIAccount"]["properties"]["location"]["metadata"]["description"]
    asked, _ = _deployment("claude", types, {"capacity": CAPACITY, **CLAUDE})
    asked.append(_region("region", "Region", tip, CLAUDE["region"]))
    pieces: list[str] = []
    for field, schema in customer["properties"].items():
        value = f"steps('{_MODELS}').claude.{field}"
        asked.append(_element(field, {**schema, "defaultValue": CLAUDE.get(field)}, value, {}))
        pieces += [f"""'{"," if pieces else "{"}"{field}":"'""", f"coalesce({value}, '')", """'"'"""]
    outputs["claudeCustomer"] = f"[parse(if({_ADD_CLAUDE}, concat({', '.join(pieces)}, '}}'), 'null'))]"
    label = "Claude, with an API of its own"
    section = {"name": "claude", "type": "Microsoft.Common.Section", "label": "Claude model", "elements": asked}
    terms = "You accept Anthropic's terms in the Marketplace, which the subscription must be allowed to buy from."
    return [_switch("addClaude", label, terms), section | {"visible": f"[{_ADD_CLAUDE}]"}]


def _named(types: Mapping[str, Any], ending: str) -> Json:
    """The template's type of that name; Bicep numbers the files that types are imported from."""
    return next(schema for name, schema in types.items() if name.endswith(ending))


def _region(name: str, label: str, tip: str, default: str) -> Json:
    short = {"regex": "^[a-z0-9]{3,36}$", "message": "A region's short name, for example westus3."}
    element: Json = {"name": name, "type": "Microsoft.Common.TextBox", "label": label, "toolTip": tip}
    return element | {"defaultValue": default, "constraints": {"required": True, "validations": [short]}}


def _subscription(outputs: dict[str, str]) -> Json:
    """The first subscription, without which nobody has a key for one product."""
    outputs["bronze"] = """[parse(concat('{"subscriptions":["', steps('policies').firstSubscription, '"]}'))]"""
    return {
        "name": "firstSubscription",
        "type": "Microsoft.Common.TextBox",
        "label": "First subscription",
        "toolTip": "Name of a subscription of the product bronze: a team or an application.",
        "defaultValue": "sub-try-out",
        "constraints": _text({"minLength": 1, "maxLength": 80}, "subscription"),
    }


def _account(name: str, kind: str, where: str, priority: int, offered: list[str]) -> list[str]:
    """The pieces of an account's JSON text in the region *where*."""
    begin = [f"""'{{"name":"{name}-'""", where, f"""'","kind":"{kind}","location":"'""", where]
    return [*begin, f"""'","priority":{priority},"deployments":['""", *offered, "']}'"]


def _label(name: str) -> str:
    """``publisherEmail`` as people write it: Publisher email."""
    words = re.sub(r"(?<=[a-z])(?=[A-Z])", " ", name).lower()
    return (words[:1].upper() + words[1:]).replace("llm", "LLM")


def write() -> Path:
    """Write the shipped file again and return its path."""
    path = shipped("setup_scripts") / "deploy/portal/createUiDefinition.json"
    path.write_text(json.dumps(form(), indent=2) + "\n", "utf-8")
    return path


if __name__ == "__main__":
    print(write())
