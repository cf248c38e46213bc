"""A step's template is a part of main.json that Bicep's own evaluator takes, and it makes what the whole makes."""

from __future__ import annotations

import json
import re

import pytest

from aoai_analytics.sandbox.azure.deployments import module_of
from aoai_analytics.setup.steps import STEPS, Step, modules_of, step_named
from aoai_analytics.setup.template import part, saved_functions, whole
from tests.conftest import REPO
from tests.infra.conftest import bicep_program
from tests.setup.recording import RECORDS, bicep_literal, record_all, recorded, shipped_texts, texts_out


def test_the_record_is_what_bicep_says_of_the_templates_now() -> None:
    program = bicep_program()
    if program is None:
        pytest.skip("needs bicep: ../shared/tools/bicep or a bicep on PATH")
    now = texts_out(record_all(program), shipped_texts())
    assert {variant: json.loads(path.read_text("utf-8")) for variant, path in RECORDS.items()} == now, (
        "make it anew: python -m tests.setup.recording"
    )


def test_the_steps_together_make_what_the_whole_template_makes() -> None:
    steps = recorded()["open"]
    everything = steps["07-network-and-key-vault"]["resources"]
    final = {resource["id"].lower() for resource in everything}
    before = {
        resource["id"].lower()
        for name, step in steps.items()
        if name != "07-network-and-key-vault"
        for resource in step["resources"]
    }
    left = [resource for resource in everything if resource["id"].lower() not in before]
    modules = {module_of(resource["type"].lower(), resource["id"]) for resource in left}
    assert modules == {"keyVault", "reports", "roles"}
    assert before <= final


def test_every_module_is_deployed_by_a_step_before_those_that_build_on_it() -> None:
    deployed: set[str] = set()
    for step in STEPS:
        assert set(step.builds_on) <= deployed, step.name
        deployed |= set(modules_of(step))
    assert deployed == set(whole()["resources"])


@pytest.mark.parametrize("step", [step for step in STEPS if modules_of(step)], ids=lambda step: step.name)
def test_a_part_has_its_modules_and_reads_earlier_ones_as_existing(step: Step) -> None:
    template = part(modules_of(step))
    resources = template["resources"]
    made = {name for name, resource in resources.items() if not resource.get("existing")}
    assert made == set(modules_of(step))
    for name in made:
        assert resources[name]["properties"]["template"] == whole()["resources"][name]["properties"]["template"]
        assert set(resources[name].get("dependsOn", [])) <= made
    names = [resource["name"] for resource in resources.values()]
    assert len(set(names)) == len(names)
    assert not any("deployment().name" in name for name in names)


def test_a_part_leaves_the_whole_as_it_is() -> None:
    before = json.dumps(whole())
    part(["openAI"])
    assert json.dumps(whole()) == before


def test_the_saved_functions_are_all_of_the_semantic_layer_in_their_order() -> None:
    functions = saved_functions()
    files = {path.stem: path.read_text("utf-8") for path in (REPO / "kql/functions").glob("*.kql")}
    listed = re.findall(r"alias: '(\w+)'", (REPO / "setup_scripts/infra/functions.bicep").read_text("utf-8"))
    assert [function["alias"] for function in functions] == listed
    assert all(files[function["alias"]] == function["query"] for function in functions)


def test_a_number_names_a_step_as_its_name_does() -> None:
    assert step_named("3") is step_named("03") is step_named("03-api")


def test_a_bicep_literal_keeps_quotes_backslashes_and_dollars() -> None:
    assert bicep_literal("it's \\d ${x}\n") == "'it\\'s \\\\d \\${x}\\n'"
