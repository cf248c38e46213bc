"""The controls of explore.ipynb, worked as a person does: choose, fill in, press Run."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import pytest
from IPython.core.interactiveshell import InteractiveShell
from IPython.utils.capture import capture_output

from aoai_analytics.interactive.controls import Controls
from aoai_analytics.reporting import Report, open_report


@pytest.fixture(scope="module")
def report(sample_lake: Path) -> Iterator[Report]:
    InteractiveShell.instance()
    yield open_report(str(sample_lake))
    InteractiveShell.clear_instance()


def run(controls: Controls) -> list[Any]:
    """What pressing Run shows."""
    with capture_output() as seen:
        controls.run.click()
    return [*seen.outputs, seen.stdout]


def test_a_query_is_chosen_by_its_section_and_run_with_its_parameters(report: Report) -> None:
    controls = Controls(report)
    assert controls.section.value == "tokens"
    assert "tokens/by-subscription" in [name for _, name in controls.query.options]
    controls.query.value = "tokens/by-subscription"
    controls.parameters["topN"].value = 2
    shown = run(controls)
    assert len(shown) > 1
    assert controls.cell.value == 'report.show("tokens/by-subscription", topN=2)'
    assert not controls.run.disabled and controls.run.description == "Run"


def test_a_field_shows_what_the_answer_is_asked_with(report: Report) -> None:
    controls = Controls(report)
    for name in ("tokens/by-subscription", "tokens/over-time", "tokens/by-hour-and-weekday"):
        controls.query.value = name
        kql = str([getattr(output, "data", "") for output in run(controls)])
        if "topN" in controls.parameters:
            assert f"let topN = {controls.parameters['topN'].value};" in kql, name
        if "step" in controls.parameters:
            assert controls.parameters["step"].value == "" and controls.parameters["step"].placeholder


def test_a_parameter_with_few_values_is_a_list_of_them(report: Report) -> None:
    controls = Controls(report)
    controls.section.value, controls.query.value = "cost", "cost/what-if"
    tier = controls.parameters["toTier"]
    assert [value for _, value in tier.options] == ["default", "batch", "flex", "priority"]
    tier.value = "batch"
    run(controls)
    assert controls.cell.value == "report.show(\"cost/what-if\", toTier='batch')"


def test_a_period_and_a_filter_narrow_the_answer_and_are_in_the_cell(report: Report) -> None:
    controls = Controls(report)
    controls.query.value = "tokens/by-surface"
    model = controls.filters["Model"]
    assert model.options
    model.value = model.options[0]
    controls.start.value = controls.end.value = date(2026, 11, 14)
    run(controls)
    assert controls.cell.value.splitlines() == [
        f'# in aoai.toml: only = ["ModelName={model.value}"]',
        "narrowed = open_report(source, '2026-11-14', '2026-11-15', time_zone='UTC')",
        'narrowed.show("tokens/by-surface")',
    ]
    narrowed = controls._narrowed().query("AoaiRequests | distinct ModelName").frame.ModelName.tolist()
    assert narrowed == [model.value]


def test_the_filters_are_by_team_subscription_model_and_user(report: Report) -> None:
    controls = Controls(report)
    assert list(controls.filters) == ["Team", "Subscription", "Model", "User"]
    assert "sub-claims" in controls.filters["Subscription"].options
    controls.filters["Subscription"].value = "sub-claims"
    assert controls._narrowed().query("AoaiRequests | distinct SubscriptionId").frame.SubscriptionId.tolist() == [
        "sub-claims"
    ]


def test_a_wrong_parameter_is_one_line_where_the_answer_would_be(report: Report) -> None:
    controls = Controls(report)
    controls.query.value = "tokens/over-time"
    field = controls.parameters["step"]
    field.value = "soon"
    *_, printed = run(controls)
    shown = printed.rpartition("\r")[2].strip()
    assert shown.startswith("tokens/over-time: parameter 'step'") and "\n" not in shown
