"""The templates compile without a word, and the compiled template that is committed is theirs."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from typing import Any

import pytest

from tests.infra.conftest import INFRA, Bicep

MAIN = json.loads((INFRA / "main.json").read_text("utf-8"))


def templates(template: dict[str, Any], name: str = "main") -> Iterator[tuple[str, dict[str, Any]]]:
    """The template and those of its modules, at any depth, by symbolic name."""
    yield name, template
    resources = template["resources"]
    # A module that uses nothing newer compiles to a list without symbolic names, and has no modules of its own here.
    for symbol, resource in resources.items() if isinstance(resources, dict) else enumerate(resources):
        if resource["type"] == "Microsoft.Resources/deployments":
            yield from templates(resource["properties"]["template"], f"{name}/{symbol}")


ALL = dict(templates(MAIN))


def without_generator(part: Any) -> Any:
    """The template without the name, version and hash of what compiled it."""
    if isinstance(part, dict):
        return {key: without_generator(value) for key, value in part.items() if key != "_generator"}
    return [without_generator(value) for value in part] if isinstance(part, list) else part


def strings(part: Any) -> Iterator[str]:
    if isinstance(part, dict):
        for value in part.values():
            yield from strings(value)
    elif isinstance(part, list):
        for value in part:
            yield from strings(value)
    elif isinstance(part, str):
        yield part


@pytest.mark.parametrize("call", ["build", "parameters dev", "parameters prod", "snapshot dev", "snapshot prod"])
def test_bicep_has_nothing_to_say(bicep: Bicep, call: str) -> None:
    assert (bicep.said[call].code, bicep.said[call].errors) == (0, "")


def test_the_committed_template_is_what_the_files_compile_to(bicep: Bicep) -> None:
    assert without_generator(bicep.template()) == without_generator(MAIN), (
        "setup_scripts/infra/main.json is old: run `bicep build setup_scripts/infra/main.bicep` and commit it"
    )


def test_every_module_is_deployed_by_main() -> None:
    # types.bicep declares shapes and deploys nothing.
    files = {path.stem for path in (INFRA / "modules").glob("*.bicep")} - {"types"}
    text = "".join(path.read_text("utf-8") for path in (INFRA / "main.bicep", *INFRA.glob("modules/*.bicep")))
    assert files == set(re.findall(r"module \w+ '(?:modules/)?([\w-]+)\.bicep'", text))


@pytest.mark.parametrize("name", ALL)
def test_every_parameter_and_output_is_described(name: str) -> None:
    template = ALL[name]
    for section in ("parameters", "outputs"):
        for item, definition in template.get(section, {}).items():
            assert definition.get("metadata", {}).get("description"), f"{name}: {section} {item}"


@pytest.mark.parametrize("name", ALL)
def test_no_parameter_holds_a_secret_and_no_output_gives_one(name: str) -> None:
    template = ALL[name]
    types = {definition.get("type", "").lower() for definition in template.get("parameters", {}).values()}
    assert not types & {"securestring", "secureobject"}
    for output, definition in template.get("outputs", {}).items():
        assert not re.search(r"key|secret|password|token|connection", output.removeprefix("keyVault"), re.I), output
        assert not any(re.search(r"\blist\w*\(", text) for text in strings(definition)), output


def test_no_key_is_read_anywhere() -> None:
    expressions = [text for text in strings(MAIN["resources"]) if text.startswith("[")]
    assert len(expressions) > 100
    assert [text for text in expressions if re.search(r"\blist[A-Z]\w*\(|\blist\(", text)] == []


def test_modules_keep_to_what_the_notebooks_deploy_one_at_a_time() -> None:
    """The steps of the setup take their templates out of main.json by these names."""
    assert set(MAIN["resources"]) >= {
        "workspace", "archive", "eventHub", "openAI", "keyVault", "network", "privateEndpoints", "gatewayFirst",
        "gateway", "roles", "backends", "namedValues", "api", "products", "gatewayLogging", "publicEntrance",
    }  # fmt: skip


def test_only_the_first_making_of_a_private_gateway_leaves_it_open() -> None:
    first = ALL["main/gatewayFirst"]["resources"]["service"]
    assert "onlyIfNotExists" in first["@options"]
    assert MAIN["resources"]["gatewayFirst"]["condition"] == (
        "[and(parameters('privateNetwork'), empty(parameters('existingGatewayId')))]"
    )
    assert "privateEndpoints" in MAIN["resources"]["gateway"]["dependsOn"]
    assert "gatewayFirst" in MAIN["resources"]["privateEndpoints"]["dependsOn"]


@pytest.mark.parametrize(
    ("later", "earlier"),
    [
        ("api", {"namedValues", "backends"}),
        ("products", {"namedValues", "api"}),
        ("gatewayLogging", {"api", "workspace", "archive", "eventHub"}),
        ("roles", {"gateway", "openAI", "workspace", "archive"}),
        ("backends", {"gateway"}),
        ("namedValues", {"gateway"}),
    ],
)
def test_what_a_step_names_is_made_before_it(later: str, earlier: set[str]) -> None:
    assert earlier <= set(MAIN["resources"][later]["dependsOn"])


def test_a_deployment_that_spills_over_is_made_after_its_target() -> None:
    resources = ALL["main/openAI"]["resources"]
    assert "plainDeployments" in resources["spillingDeployments"]["dependsOn"]
    for loop in ("plainDeployments", "spillingDeployments"):
        assert (resources[loop]["copy"]["mode"], resources[loop]["copy"]["batchSize"]) == ("serial", 1)


def test_file_names_say_what_is_in_them_and_files_stay_short() -> None:
    for path in INFRA.rglob("*.bicep"):
        if path.name != "main.bicep":
            assert len(path.read_text("utf-8").splitlines()) <= 250, path
        assert re.match(r"metadata (name|description) = ", path.read_text("utf-8")), path
