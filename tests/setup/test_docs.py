"""The table of steps in docs/setup.md leaves nothing out: modules, policies and checks stand where they belong."""

from __future__ import annotations

import re

from aoai_analytics.setup.before import PERMISSIONS
from aoai_analytics.setup.faults import WAYS_ON
from aoai_analytics.setup.guide import Guide
from aoai_analytics.setup.requirements import REQUIREMENTS
from aoai_analytics.setup.steps import STEPS, modules_of, step_named
from aoai_analytics.setup.template import whole
from tests.conftest import REPO

PAGE = (REPO / "docs/setup.md").read_text("utf-8")
#: The steps of the sample that this project goes back to.
ORIGINAL = (
    "provision Azure OpenAI, deploy a model, test it",
    "provision the gateway",
    "import the API",
    "header, credential, backend",
    "diagnostics",
    "test the API",
    "access control and throttling",
    "high availability",
    "network and Key Vault",
    "clients",
    "clean up",
)


def rows() -> list[dict[str, list[str]]]:
    """The table's rows: heading -> what is quoted as code there; the step's words under ``step``."""
    table = PAGE.partition("<!-- table: steps -->")[2].partition("<!-- end of table -->")[0]
    head, _, *lines = [[cell.strip() for cell in line.strip("|").split("|")] for line in table.strip().splitlines()]
    return [
        {
            "step": [line[0]],
            **{name: re.findall(r"`([^`]+)`", cell) for name, cell in zip(head[1:], line[1:], strict=True)},
        }
        for line in lines
    ]


def test_every_step_of_the_original_has_its_row_in_order() -> None:
    assert [row["step"][0] for row in rows()][1:] == list(ORIGINAL)


def test_every_notebook_stands_in_the_table_and_exists() -> None:
    named = [row["notebook"][0] for row in rows()]
    assert list(dict.fromkeys(named)) == [step.name for step in STEPS]
    for name in named:
        assert (REPO / f"notebooks/setup/{name}.ipynb").exists()


def test_every_module_stands_with_a_step_that_deploys_it() -> None:
    for row in rows():
        assert set(row["modules"]) <= set(modules_of(step_named(row["notebook"][0]))), row["step"]
    assert {module for row in rows() for module in row["modules"]} == set(whole()["resources"])


def test_every_policy_file_stands_in_the_table() -> None:
    folder = REPO / "setup_scripts/policies"
    files = {path.relative_to(folder).as_posix() for path in folder.rglob("*.*")}
    assert {policy for row in rows() for policy in row["policies"]} == files


def test_every_requirement_stands_with_its_step_and_every_call_exists() -> None:
    named = [(row["notebook"][0], check) for row in rows() for check in row["checks"] if check != "docs/clients.md"]
    calls = {(step, check.removesuffix("()")) for step, check in named if check.endswith("()")}
    assert {(step, check) for step, check in named if not check.endswith("()")} == {
        (requirement.step, requirement.name) for requirement in REQUIREMENTS
    }
    for step, call in calls:
        assert hasattr(Guide, call)
        assert f"setup.{call}(" in (REPO / f"notebooks/setup/{step}.ipynb").read_text("utf-8")


def test_every_step_that_deploys_has_a_requirement() -> None:
    assert {step.name for step in STEPS if modules_of(step)} == {requirement.step for requirement in REQUIREMENTS}


def test_every_error_code_that_the_pages_name_has_its_way_on() -> None:
    page = (REPO / "docs/infrastructure.md").read_text("utf-8")
    failures = page.partition("## Troubleshooting")[2].partition("## ")[0]
    codes = set(re.findall(r"^\| `([A-Z]\w+)", failures, re.M))
    for step in STEPS:
        text = (REPO / f"notebooks/setup/{step.name}.ipynb").read_text("utf-8")
        codes |= set(re.findall(r"\"\| `([A-Z][A-Za-z]+)`", text))
    assert {"InsufficientQuota", "ServiceAlreadyExists"} <= codes
    assert codes - WAYS_ON.keys() == set()


def test_every_permission_of_a_check_is_named() -> None:
    for check, permissions in PERMISSIONS.items():
        for permission in permissions.split(", "):
            assert f"`{permission}`" in PAGE, check
