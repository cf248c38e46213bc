"""docs/infrastructure.md against the templates that it tells of."""

from __future__ import annotations

import json
import re
from typing import Any

import pytest

from aoai_analytics.setup.costs import AS_OF, monthly
from tests.conftest import REPO
from tests.infra.conftest import INFRA, Bicep

PAGE = (REPO / "docs/infrastructure.md").read_text("utf-8")
MAIN = json.loads((INFRA / "main.json").read_text("utf-8"))


def rows_of_modules() -> list[list[str]]:
    head = ["module", "named in main.json", "what it makes"]
    main = "".join(path.read_text("utf-8") for path in (INFRA / "main.bicep", *sorted(INFRA.glob("modules/*.bicep"))))
    rows = []
    for path in sorted(INFRA.glob("modules/*.bicep")):
        says = re.search(r"^metadata description = '(.*)'$", path.read_text("utf-8"), re.M)
        assert says, path
        names = re.findall(rf"^module (\w+) '(?:modules/)?{path.stem}\.bicep'", main, re.M)
        rows.append([f"`{path.name}`", ", ".join(f"`{name}`" for name in names), says[1].replace("\\'", "'")])
    return [head, *rows]


def default_of(parameter: dict[str, Any]) -> str:
    if "defaultValue" not in parameter:
        return "" if parameter.get("nullable") else "required"
    value = parameter["defaultValue"]
    if isinstance(value, str) and value.startswith("["):
        return "computed"
    return f"`{json.dumps(value)}`"


def rows_of_parameters() -> list[list[str]]:
    rows = [
        [f"`{name}`", default_of(parameter), parameter["metadata"]["description"]]
        for name, parameter in MAIN["parameters"].items()
    ]
    return [["parameter", "default", "what it is"], *rows]


def rows_of_outputs() -> list[list[str]]:
    rows = [[f"`{name}`", output["metadata"]["description"]] for name, output in MAIN["outputs"].items()]
    return [["output", "what it is"], *rows]


def rows_of_costs(bicep: Bicep) -> list[list[str]]:
    """What each parameter file costs a month: by Bicep's own reading of it."""
    found = {}
    for name in ("dev", "prod"):
        found[name] = {cost.what: (cost.quantity, cost.month) for cost in monthly(bicep.parameters(name))}
    whats = dict.fromkeys(what for costs in reversed(found.values()) for what in costs)
    rows = [["part", *(f"`{name}.bicepparam`" for name in found)]]
    for what in whats:
        cells = [costs.get(what) for costs in found.values()]
        rows.append([what, *(f"{cell[0]:,} for {cell[1]:,.0f}" if cell else "" for cell in cells)])
    totals = [sum(month for _, month in costs.values()) for costs in found.values()]
    return [*rows, ["**together**", *(f"**{total:,.0f}**" for total in totals)]]


def table(rows: list[list[str]]) -> str:
    lines = [f"| {' | '.join(cells)} |\n" for cells in rows]
    return "".join([lines[0], "|" + "---|" * len(rows[0]) + "\n", *lines[1:]])


@pytest.mark.parametrize(
    ("name", "rows"),
    [("modules", rows_of_modules()), ("parameters", rows_of_parameters()), ("outputs", rows_of_outputs())],
    ids=["modules", "parameters", "outputs"],
)
def test_the_tables_are_what_the_templates_say(name: str, rows: list[list[str]]) -> None:
    found = re.search(rf"<!-- table: {name} -->\n(.*?)<!-- end of table -->", PAGE, re.S)
    assert found
    assert found[1] == table(rows), f"the page's table should be:\n{table(rows)}"


def test_the_monthly_cost_is_that_of_the_parameter_files(bicep: Bicep) -> None:
    rows = rows_of_costs(bicep)
    found = re.search(r"<!-- table: monthly cost -->\n(.*?)<!-- end of table -->", PAGE, re.S)
    assert found and found[1] == table(rows), f"the page's table should be:\n{table(rows)}"
    assert f"List prices of {AS_OF}" in PAGE


def test_every_file_that_the_page_names_is_there() -> None:
    named = set(re.findall(r"`((?:[\w.-]+/)*[\w.-]+\.(?:bicep|bicepparam|md|json))`", PAGE))
    assert named
    assert not [name for name in named if not any((base / name).exists() for base in (REPO, INFRA, INFRA / "modules"))]


def test_every_parameter_and_output_that_the_page_names_is_there() -> None:
    prose = PAGE.split("\n## Modules")[0]
    declared = "".join(path.read_text("utf-8") for path in INFRA.rglob("*.bicep"))
    named = set(re.findall(r"`([a-z]+[A-Z][A-Za-z]+)`", prose))
    assert len(named) >= 8
    assert not [name for name in named if not re.search(rf"\b{name}\b", declared)]
