"""The form behind a *Deploy to Azure* button: ``createUiDefinition.json``, made from the parameters of ``main.json``.

Texts, limits, allowed values and defaults are the template's own; this module says only which parameters are asked on
which step. Elements and functions: Microsoft Learn, "CreateUiDefinition elements" and "CreateUiDefinition functions".

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

#: Steps after "Basics", with the parameters that each asks for.
BASICS = ("name", "publisherEmail", "publisherName", "gatewayTier", "gatewayCapacity")
STEPS = {
    "policies": ("Policies", ("contentSafety",)),
    "logs": (
        "Logs",
        (
            "logMessages",
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
#: Where the two files lie once the repository is published: the owner and the name are to be filled in.
RAW = "https://raw.githubusercontent.com/OWNER/REPOSITORY/main/setup_scripts"

_MODELS = "models"
_FIELDS = ("name", "model", "version", "sku", "capacity")
#: What main.json says of a name in words and its own checks, as the portal's pattern.
_PATTERNS = {
    "name": ("^[a-z0-9]+(-[a-z0-9]+)*$", "Lower-case letters, digits and single hyphens inside."),
    "publisherEmail": (r"^[^@\s]+@[^@\s]+$", "An email address."),
    "networkAddressPrefix": (
        "^[0-9]{1,3}([.][0-9]{1,3}){3}/(8|9|1[0-9]|2[0-2])$",
        "An address space in CIDR notation, /22 or larger.",
    ),
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
    steps = [_models(types, outputs)]
    for step, (label, names) in STEPS.items():
        elements = [
            _element(name, _resolved(declared[name], types), f"steps('{step}').{name}", outputs) for name in names
        ]
        if step == "policies":
            elements.insert(0, _subscription(outputs))
        steps.append({"name": step, "label": label, "elements": elements})
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


def _element(name: str, schema: Json, value: str, outputs: dict[str, str], *, pattern: str | None = None) -> Json:
    """The element that asks for a parameter; its value goes to *outputs* under the parameter's name."""
    tip = schema["metadata"]["description"]
    default = schema.get("defaultValue")
    element: Json = {"name": name, "type": "Microsoft.Common.TextBox", "label": _label(name), "toolTip": tip}
    outputs[name] = f"[{value}]"
    if schema["type"] == "bool":
        element |= {"type": "Microsoft.Common.CheckBox", "defaultValue": bool(default)}
    elif "allowedValues" in schema:
        choices = [{"label": choice, "value": choice} for choice in schema["allowedValues"]]
        element |= {"type": "Microsoft.Common.DropDown", "defaultValue": default}
        element["constraints"] = {"allowedValues": choices, "required": True}
    elif schema["type"] == "int":
        outputs[name] = f"[int({value})]"
        element |= {"defaultValue": str(default), "constraints": _whole_number(schema, value)}
    else:
        element["constraints"] = _text(schema, pattern or name)
        if default is not None:
            element["defaultValue"] = default
    return element


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
    """The step with the deployments, the same in the gateway's region and in an optional second one."""
    deployment = next(schema for name, schema in types.items() if name.endswith("modelDeployment"))
    tip = types["openAIAccount"]["properties"]["location"]["metadata"]["description"]
    short = {"regex": "^[a-z0-9]{3,36}$", "message": "A region's short name, for example westus3."}
    elements: list[Json] = [
        {
            "name": "secondRegion",
            "type": "Microsoft.Common.TextBox",
            "label": "Second region",
            "toolTip": f"{tip} Empty: the models are in the gateway's region only.",
            "defaultValue": "",
            "constraints": {"required": False, "validations": [short]},
        }
    ]
    offered: list[str] = []
    for kind, defaults in DEPLOYMENTS.items():
        asked: list[Json] = []
        for field in _FIELDS:
            schema = {**deployment["properties"][field], "defaultValue": defaults.get(field, CAPACITY)}
            value = f"steps('{_MODELS}').{kind}.{field}"
            asked.append(_element(field, schema, value, {}, pattern="deployment" if field == "name" else field))
            quote = "" if field == "capacity" else '"'
            begin = "{" if field == _FIELDS[0] else ","
            offered += [f"""'{begin}"{field}":{quote}'""", value, f"'{quote}'"]
        offered.append("'}'" if kind == list(DEPLOYMENTS)[-1] else "'},'")
        label = f"{kind.title()} model"
        elements.append({"name": kind, "type": "Microsoft.Common.Section", "label": label, "elements": asked})
    other = f"steps('{_MODELS}').secondRegion"
    first, second = (", ".join(_account(where, place, offered)) for where, place in (("location()", 1), (other, 2)))
    also = f"if(empty({other}), '', concat(',', {second}))"
    outputs["openAIAccounts"] = f"[parse(concat('[', {first}, {also}, ']'))]"
    return {"name": _MODELS, "label": "Models", "elements": elements}


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


def _account(where: str, priority: int, offered: list[str]) -> list[str]:
    """The pieces of an account's JSON text in the region *where*."""
    begin = ["""'{"name":"aoai-'""", where, """'","location":"'""", where]
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
