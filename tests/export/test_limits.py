"""What is sent or deployed fits the services' limits, with room: sizes and headroom, printed with ``-s``.

Sources: Azure Monitor service limits (alert rules: 64 KB for all properties; 30 active summary rules a workspace),
and, for a workbook, the size at which the service is known to refuse one.
"""

from __future__ import annotations

import json
from datetime import UTC, datetime

import pytest

from aoai_analytics.engines.kql.functions import definitions
from aoai_analytics.engines.kql.inlining import scoped
from aoai_analytics.export.alerts import ALERTS, Alert
from aoai_analytics.library.queries import Query, library
from tests.conftest import REPO

EXPORTS = REPO / "setup_scripts/exports"
#: How much of a limit may be used.
SHARE = 0.8


def fits(what: str, size: int, limit: int) -> None:
    print(f"{what}: {size:,} of {limit:,}, headroom {1 - size / limit:.0%}")
    assert size <= SHARE * limit, f"{what} takes {size:,} of {limit:,}"


def test_the_workbook_is_smaller_than_the_service_takes() -> None:
    fits("workbook.json", (EXPORTS / "workbook.json").stat().st_size, 1_048_576)


@pytest.mark.parametrize("alert", ALERTS, ids=lambda alert: alert.name)
def test_each_alert_rule_fits_its_64_kilobytes(alert: Alert) -> None:
    # A rule's other properties take less than two kilobytes.
    fits(f"alert {alert.name}", len(alert.text().encode()) + 2048, 65_536)


def test_the_summary_rules_are_fewer_than_a_workspace_takes() -> None:
    rules = json.loads((EXPORTS / "summary-rules.json").read_text("utf-8"))
    fits("summary rules", 1 if isinstance(rules, dict) else len(rules), 30)


@pytest.mark.parametrize("query", list(library()), ids=lambda query: query.name)
def test_a_query_with_the_functions_it_needs_fits_a_request(query: Query) -> None:
    """2,000,000 bytes for the text of a query: believed, not documented (docs/unproven.md)."""
    within = (datetime(2026, 10, 1, tzinfo=UTC), datetime(2026, 11, 1, tzinfo=UTC))
    sent = scoped(query.text, within, functions=definitions(), is_there=lambda _: False)
    fits(query.name, len(sent.text.encode()), 2_000_000)


@pytest.mark.parametrize("name", ["functions.json", "query-pack.json", "summary-rules.json"])
def test_a_template_fits_what_the_resource_manager_takes(name: str) -> None:
    """4 MB for a template (Azure Resource Manager limits)."""
    fits(name, (EXPORTS / name).stat().st_size, 4 * 1_048_576)


def test_a_compiled_deployment_fits_what_the_resource_manager_takes() -> None:
    fits("main.json", (REPO / "setup_scripts/infra/main.json").stat().st_size, 4 * 1_048_576)
