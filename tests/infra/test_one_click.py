"""``azd up`` and the Deploy to Azure button: what they deploy is main.json, with parameters that it takes."""

from __future__ import annotations

import importlib.util
import json
import os
import re
import shutil
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import yaml

from aoai_analytics.setup.parameters import checked
from aoai_analytics.setup.portal_form import DEPLOYMENTS, NOT_ASKED, RAW, button, form
from tests.conftest import REPO
from tests.infra.conftest import AZD, INFRA, Bicep
from tests.infra.test_docs import table

HOOKS = REPO / "setup_scripts/deploy/azd"
FORM: dict[str, Any] = json.loads((REPO / "setup_scripts/deploy/portal/createUiDefinition.json").read_text("utf-8"))
MAIN: dict[str, Any] = json.loads((INFRA / "main.json").read_text("utf-8"))
HOOK = {
    "type": "object",
    "additionalProperties": False,
    "required": ["run"],
    "properties": {
        "shell": {"enum": ["sh", "pwsh"]},
        "run": {"type": "string", "minLength": 1},
        "continueOnError": {"type": "boolean"},
        "interactive": {"type": "boolean"},
    },
}
#: The parts used here of Azure/azure-dev, schemas/v1.0/azure.yaml.json.
AZURE_YAML = {
    "type": "object",
    "required": ["name"],
    "additionalProperties": False,
    "properties": {
        "name": {"type": "string", "minLength": 2, "pattern": "^[a-z0-9]([-a-z0-9]*[a-z0-9])?$"},
        "metadata": {"type": "object", "properties": {"template": {"type": "string"}}},
        "infra": {
            "type": "object",
            "additionalProperties": False,
            "properties": {
                "provider": {"type": "string", "pattern": "^[a-z0-9.]+$"},
                "path": {"type": "string"},
                "module": {"type": "string"},
            },
        },
        "hooks": {
            "type": "object",
            "additionalProperties": False,
            "patternProperties": {
                "^(pre|post)(provision|up|down|restore|package|deploy|publish)$": {
                    "type": "object",
                    "additionalProperties": False,
                    "properties": {"posix": HOOK, "windows": HOOK},
                }
            },
        },
    },
}


# ---- azd


def test_azure_yaml_follows_azds_schema(tmp_path: Path) -> None:
    if importlib.util.find_spec("check_jsonschema") is None:
        pytest.skip("needs check-jsonschema")
    (tmp_path / "schema.json").write_text(json.dumps(AZURE_YAML), "utf-8")
    check = [sys.executable, "-m", "check_jsonschema", "--schemafile", str(tmp_path / "schema.json")]
    done = subprocess.run([*check, str(REPO / "azure.yaml")], capture_output=True, text=True)
    assert done.returncode == 0, done.stdout


def test_azure_yaml_names_files_that_are_there() -> None:
    given = yaml.safe_load((REPO / "azure.yaml").read_text("utf-8"))
    infra = given["infra"]
    for ending in ("bicep", "bicepparam"):
        assert (REPO / infra["path"] / f"{infra['module']}.{ending}").is_file()
    for hook in given["hooks"].values():
        for system, ending, shell in (("posix", ".sh", "sh"), ("windows", ".ps1", "pwsh")):
            assert (hook[system]["shell"], Path(hook[system]["run"]).suffix) == (shell, ending)
            assert (REPO / hook[system]["run"]).is_file()


def test_azds_parameters_are_taken_by_the_template(bicep: Bicep) -> None:
    assert (bicep.said["parameters main"].code, bicep.said["parameters main"].errors) == (0, "")
    read = json.loads((bicep.folder / "main.parameters.json").read_text("utf-8"))["parameters"]
    given = {name: each["value"] for name, each in read.items()}
    assert checked(given)
    assert given["name"] == AZD["AZURE_ENV_NAME"].lower() and given["publisherEmail"] == AZD["PUBLISHER_EMAIL"]
    assert [account["location"] for account in given["openAIAccounts"]] == [AZD["AZURE_LOCATION"]]


@pytest.fixture
def project(tmp_path: Path) -> Path:
    """A project with the hooks and an ``aoai`` that writes down how it was called, and fails on "check"."""
    shutil.copytree(HOOKS, tmp_path / "setup_scripts/deploy/azd")
    (tmp_path / "bin").mkdir()
    program = tmp_path / "bin/aoai"
    program.write_text(f'#!/bin/sh\necho "$@" >> {tmp_path}/called\nexit "${{CODE:-0}}"\n')
    program.chmod(0o755)
    return tmp_path


def hook(project: Path, name: str, **environment: str) -> subprocess.CompletedProcess[str]:
    path = f"{project}/bin:/usr/bin:/bin"
    return subprocess.run(
        ["/bin/sh", str(project / f"setup_scripts/deploy/azd/{name}.sh")],
        capture_output=True,
        text=True,
        cwd="/",
        env={"PATH": path, "AZURE_ENV_NAME": "try", "PUBLISHER_EMAIL": "a@b.c", **environment},
    )


@pytest.mark.skipif(os.name == "nt", reason="needs /bin/sh")
def test_the_hooks_check_before_and_verify_after_where_there_are_settings(project: Path) -> None:
    assert hook(project, "before").returncode == 0 and not (project / "called").exists()
    (project / "aoai.toml").touch()
    assert hook(project, "before").returncode == hook(project, "after").returncode == 0
    assert (project / "called").read_text().splitlines() == [
        "setup check --config aoai.toml",
        "setup verify --config aoai.toml",
    ]
    assert hook(project, "before", CODE="1").returncode == 1, "a check that fails stops the deployment"
    assert hook(project, "after", CODE="1").returncode == 1


@pytest.mark.parametrize("name", ["", "ab", "a_b", "a--b", "-ab", "ab-", "ai.prod", "thirteen-char"])
def test_a_name_that_no_resource_can_have_is_refused_before_anything_is_made(project: Path, name: str) -> None:
    done = hook(project, "before", AZURE_ENV_NAME=name)
    assert done.returncode == 1 and "3 to 12 letters" in done.stderr
    pattern = re.search(r"-notmatch '(.*)'", (HOOKS / "before.ps1").read_text("utf-8"))
    assert pattern and not re.search(pattern[1], name), "PowerShell's hook refuses the same"


def test_a_missing_address_is_said_before_anything_is_made(project: Path) -> None:
    done = hook(project, "before", PUBLISHER_EMAIL="")
    assert done.returncode == 1 and "azd env set PUBLISHER_EMAIL" in done.stderr


# ---- The button's form


def elements(part: Any) -> Iterator[dict[str, Any]]:
    for element in part:
        yield from elements(element["elements"]) if "elements" in element else [element]


def sections() -> dict[str, dict[str, Any]]:
    """The section around an element, by the element's path."""
    return {
        f"steps('{step['name']}').{each['name']}.{inner['name']}": each
        for step in FORM["parameters"]["steps"]
        for each in step["elements"]
        for inner in each.get("elements", [])
    }


def every_element() -> dict[str, dict[str, Any]]:
    parameters = FORM["parameters"]
    found = {f"basics('{each['name']}')": each for each in parameters["basics"]}
    for step in parameters["steps"]:
        for each in step["elements"]:
            for inner in each.get("elements", [each]):
                path = f"{each['name']}.{inner['name']}" if inner is not each else each["name"]
                found[f"steps('{step['name']}').{path}"] = inner
    return found


class Unknown:
    """The value of an element that is not visible: an expression with it does not evaluate, except in coalesce."""

    def __getattr__(self, name: str) -> Unknown:
        return self


def known(*values: Any) -> tuple[Any, ...]:
    assert not any(isinstance(value, Unknown) for value in values), "the portal cannot evaluate this"
    return values


def evaluated(text: str, values: dict[str, Any]) -> Any:
    """The value of an expression of CreateUiDefinition, by what Microsoft says of its functions."""
    names = {
        "concat": lambda *parts: "".join(map(str, known(*parts))),
        "parse": lambda text: json.loads(*known(text)),
        "int": lambda text: int(*known(text)),
        "if_": lambda test, yes, no: yes if known(test)[0] else no,
        "empty": lambda value: not known(value)[0],
        "coalesce": lambda *parts: next(part for part in parts if not isinstance(part, Unknown)),
        "and_": lambda *parts: all(known(*parts)),
        "or_": lambda *parts: any(known(*parts)),
        "not_": lambda value: not known(value)[0],
        "equals": lambda left, right: left == known(left, right)[1],
        "greaterOrEquals": lambda left, right: left >= right,
        "lessOrEquals": lambda left, right: left <= right,
        "location": lambda: "eastus2",
        "value": values.__getitem__,
    }
    assert text.startswith("[") and text.endswith("]"), text
    # Strings are kept apart, so that nothing inside of one is taken for a function.
    for name in sorted(values, key=len, reverse=True):
        text = text.replace(name, f"value({json.dumps(name)})")
    text = re.sub(r"\b(if|and|or|not)\(", r"\1_(", text[1:-1])
    return eval(text, {"__builtins__": {}}, names)


class Resource:
    """What a ResourceSelector gives."""

    def __init__(self, path: str) -> None:
        self.id = path


def typed_in(**other: Any) -> dict[str, Any]:
    """The value of each element by its path, with the form's defaults and *other* values by how the paths end."""
    typed = {"basics('name')": "aoai-try", "publisherEmail')": "a@b.c", "publisherName')": "A"} | other
    values: dict[str, Any] = {}
    shown = sections()
    for path, element in every_element().items():
        answers = [value for name, value in typed.items() if path.endswith(name)]
        values[path] = answers[0] if answers else element.get("defaultValue")
    for path, element in every_element().items():
        conditions = [each["visible"] for each in (element, shown.get(path, {})) if "visible" in each]
        if not all(evaluated(condition, values) for condition in conditions):
            values[path] = Unknown()
        assert values[path] is not None, f"{path} has no default and nobody fills it in"
    return values


def filled(**other: Any) -> dict[str, Any]:
    """The parameters that the portal would deploy, with the form's defaults and *other* values."""
    values = typed_in(**other)
    return {name: evaluated(text, values) for name, text in FORM["parameters"]["outputs"].items()}


def test_the_committed_form_is_made_from_the_template() -> None:
    assert form() == FORM, "run python -m aoai_analytics.setup.portal_form"


def test_every_mandatory_parameter_is_asked_for_and_no_other_name_is_set() -> None:
    needed = {
        name
        for name, schema in MAIN["parameters"].items()
        if "defaultValue" not in schema and not schema.get("nullable")
    }
    outputs = FORM["parameters"]["outputs"].keys()
    assert needed and needed <= outputs <= MAIN["parameters"].keys()
    assert FORM["handler"] == "Microsoft.Azure.CreateUIDef" and FORM["version"] == "0.1.2-preview"
    assert [step["name"] for step in FORM["parameters"]["steps"]] == [
        "gateway",
        "models",
        "policies",
        "logs",
        "network",
    ]


def test_each_parameter_is_asked_for_or_named_with_the_reason_why_not() -> None:
    asked = FORM["parameters"]["outputs"].keys()
    assert asked | NOT_ASKED.keys() == MAIN["parameters"].keys() and not asked & NOT_ASKED.keys()
    assert all(len(reason) > 15 for reason in NOT_ASKED.values())
    page = (REPO / "docs/infrastructure.md").read_text("utf-8")
    found = re.search(r"<!-- table: not in the form -->\n(.*?)<!-- end of table -->", page, re.S)
    rows = [["not in the form", "why"], *([f"`{name}`", reason] for name, reason in NOT_ASKED.items())]
    assert found and found[1] == table(rows), f"the page's table should be:\n{table(rows)}"


GATEWAY = "/subscriptions/s/resourceGroups/rg-hub/providers/Microsoft.ApiManagement/service/apim-hub"
LOGS = "/subscriptions/s/resourceGroups/rg-hub/providers/Microsoft.OperationalInsights/workspaces/log-hub"


def test_a_gateway_and_a_workspace_of_ones_own_are_chosen_and_their_settings_are_not_asked() -> None:
    assert (filled()["existingGatewayId"], filled()["existingWorkspaceId"]) == ("", ""), "the template: none"
    brought = {
        "ownGateway": True,
        "ownWorkspace": True,
        "existingGatewayId": Resource(GATEWAY),
        "existingWorkspaceId": Resource(LOGS),
    }
    given = filled(**brought)
    assert checked(given)
    assert (given["existingGatewayId"], given["existingWorkspaceId"]) == (GATEWAY, LOGS)
    hidden = {path for path, value in typed_in(**brought).items() if isinstance(value, Unknown)}
    assert {path.split(".")[-1] for path in hidden if ".claude." not in path} == {
        "gatewayTier",
        "gatewayCapacity",
        "retentionDays",
        "llmLogRetentionDays",
        "totalRetentionDays",
        "networkAddressPrefix",
    }
    for path, element in every_element().items():
        if element["type"] == "Microsoft.Solutions.ResourceSelector":
            # Ticked, but none chosen: the form must not go on, for it would make a new one.
            assert element["constraints"]["required"] is True and "visible" in element, path
            _, kind = element["resourceType"].split("/")
            assert f"/{kind}/" in given[element["name"]]


CLAUDE = {
    "addClaude": True,
    "claude.model": "claude-sonnet-5",
    "claude.version": "1",
    "organizationName": "Contoso",
    "countryCode": "DE",
}


def test_claude_gets_a_foundry_account_and_the_customer_that_azure_asks_for() -> None:
    assert filled()["claudeCustomer"] is None
    given = filled(**CLAUDE)
    assert checked(given)
    assert given["claudeCustomer"] == {"organizationName": "Contoso", "industry": "technology", "countryCode": "DE"}
    account = given["openAIAccounts"][1]
    assert (account["name"], account["kind"], account["location"]) == ("claude-eastus2", "AIServices", "eastus2")
    assert [(each["format"], each["name"]) for each in account["deployments"]] == [("Anthropic", "claude")]
    assert len(filled(**CLAUDE, secondRegion="westus3")["openAIAccounts"]) == 3
    of_claude = [path for path in every_element() if ".claude." in path]
    for path in of_claude:
        constraints = every_element()[path]["constraints"]
        assert constraints["required"] and (
            "allowedValues" in constraints or not allowed(constraints["validations"], '"}')
        ), path


def test_own_responses_are_off_until_they_are_asked_for() -> None:
    assert filled()["ownResponses"] is False and filled(ownResponses=True)["ownResponses"] is True


@pytest.mark.parametrize(
    ("tier", "fits"), [("StandardV2", True), ("PremiumV2", True), ("BasicV2", False), ("Premium", False)]
)
def test_a_private_network_is_refused_with_a_tier_that_cannot_join_it(tier: str, fits: bool) -> None:
    values = typed_in(privateNetwork=True, gatewayTier=tier)
    rules = every_element()["steps('network').networkAddressPrefix"]["constraints"]["validations"]
    (rule,) = [rule for rule in rules if "isValid" in rule]
    assert evaluated(rule["isValid"], values) is fits
    own = typed_in(privateNetwork=True, ownGateway=True, existingGatewayId=Resource(GATEWAY))
    assert evaluated(rule["isValid"], own), "the tier of one's own gateway is not known here"


def test_what_can_be_hidden_is_hidden_by_what_the_form_asks_for_before() -> None:
    """The portal knows the value of a later element only after its step was opened."""
    order = list(every_element())
    for place, (path, element) in enumerate(every_element().items()):
        for condition in (each.get("visible", "") for each in (element, sections().get(path, {}))):
            named = [other for other in order if other in condition]
            assert bool(named) == bool(condition) and all(order.index(other) < place for other in named), path


def test_the_form_as_it_opens_gives_parameters_that_the_template_takes() -> None:
    given = filled()
    assert checked(given)
    assert [(each["name"], each["kind"]) for each in given["openAIAccounts"]] == [("aoai-eastus2", "OpenAI")]
    two = filled(secondRegion="westus3")["openAIAccounts"]
    assert [(each["name"], each["priority"]) for each in two] == [("aoai-eastus2", 1), ("aoai-westus3", 2)]
    assert two[0]["deployments"] == two[1]["deployments"], "every account of the pool offers the same names"
    # What is not asked keeps the template's default; what is asked begins with it.
    for name, schema in MAIN["parameters"].items():
        if name in given and not str(schema.get("defaultValue", "[")).startswith("[") and name != "bronze":
            assert given[name] == schema["defaultValue"], name


def test_the_form_carries_the_templates_limits_and_choices() -> None:
    asked = every_element()
    for name, text in FORM["parameters"]["outputs"].items():
        if name in (
            "location",
            "openAIAccounts",
            "bronze",
            "claudeCustomer",
            "existingGatewayId",
            "existingWorkspaceId",
        ):
            continue
        (path,) = [path for path in asked if re.search(rf"[\[(]{re.escape(path)}[\]),]", text)]
        element = asked[path]
        schema = MAIN["parameters"][name]
        schema = {**MAIN["definitions"].get(schema.get("$ref", "").removeprefix("#/definitions/"), {}), **schema}
        rules = element.get("constraints", {}).get("validations", [])
        if "allowedValues" in schema:
            choices = [choice["value"] for choice in element["constraints"]["allowedValues"]]
            assert choices == schema["allowedValues"]
        if schema["type"] == "int":
            for bound, inside in (("minValue", 1), ("maxValue", -1)):
                if bound in schema:
                    (test,) = [rule["isValid"] for rule in rules if path in rule.get("isValid", "")]
                    limit = schema[bound]
                    assert evaluated(test, {path: str(limit)}) and not evaluated(test, {path: str(limit - inside)})
        if schema["type"] == "string" and "allowedValues" not in schema:
            refused = [text for text in (".", "x" * 200, "a_b", "a b") if not allowed(rules, text)]
            assert allowed(rules, filled()[name])
            if "maxLength" in schema:
                assert "x" * 200 in refused
            if name == "name":
                assert set(refused) == {".", "x" * 200, "a_b", "a b"}


def allowed(rules: list[dict[str, str]], text: str) -> bool:
    return all(re.search(rule["regex"], text) for rule in rules if "regex" in rule)


def test_what_is_typed_cannot_leave_its_place_in_the_parameters() -> None:
    asked = every_element()
    texts = [path for path in asked if path.startswith("steps('models')") or "firstSubscription" in path]
    assert len(texts) == 22
    for path in texts:
        if asked[path]["type"] == "Microsoft.Common.TextBox":
            rules = asked[path]["constraints"]["validations"]
            assert not allowed(rules, '"}'), path
            assert all(
                rule["regex"].startswith("^") and rule["regex"].endswith("$") for rule in rules if "regex" in rule
            )


def test_the_form_begins_with_the_deployments_of_the_small_example() -> None:
    dev = (INFRA / "dev.bicepparam").read_text("utf-8")
    for deployment in DEPLOYMENTS.values():
        assert all(f"{field}: '{value}'" in dev for field, value in deployment.items())


def test_the_button_leads_to_the_two_files_and_says_that_its_address_is_to_be_filled_in() -> None:
    page = (REPO / "docs/infrastructure.md").read_text("utf-8")
    assert button() in page and "OWNER" in RAW and "OWNER/REPOSITORY" in page
    named = re.findall(r"uri/([^/]+)/createUIDefinitionUri/(.+)", button("https://example.com/setup_scripts"), re.I)[0]
    from urllib.parse import unquote

    for address in map(unquote, named):
        assert (REPO / address.removeprefix("https://example.com/")).is_file()


def test_the_portal_needs_no_other_file() -> None:
    assert not re.search(r'"(templateLink|relativePath)":', json.dumps(MAIN))
