"""Rules on answers that no sample gives."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from typing import Any

import pandas as pd
import pytest

from aoai_analytics.doctor.answers import Answers
from aoai_analytics.doctor.rules import columns_missing, estimates_that_guess, rows_without_partner, share

DAY = datetime(2026, 11, 2, tzinfo=UTC)


class Given(Answers):
    """Answers with rows given."""

    def __init__(self, **rows: list[dict[str, Any]]):
        super().__init__(None, None, None)  # type: ignore[arg-type]
        self._frames = {name.replace("_", "-"): pd.DataFrame(values) for name, values in rows.items()}


def days(*alone_of: tuple[int, int]) -> Given:
    return Given(
        rows_without_partner=[
            {
                "TimeGenerated": pd.Timestamp(DAY + timedelta(days=n)),
                "LlmLogOnly": alone,
                "LlmLogOnlyTokens": 100 * alone,
                "LlmLogOnlyShare": 100 * alone / whole if whole else float("nan"),
            }
            for n, (alone, whole) in enumerate(alone_of)
        ]
    )


def test_a_share_without_gateway_rows_that_stays_day_by_day_speaks_of_sampling() -> None:
    (finding,) = rows_without_partner(days((50, 100), (48, 99), (61, 120)))
    assert (finding.kind, finding.hidden.requests) == ("sampling-suspected", 159)


def test_single_losses_do_not_speak_of_sampling() -> None:
    (finding,) = rows_without_partner(days((1, 100), (9, 100), (0, 120), (0, 0)))
    assert (finding.kind, finding.hidden.requests) == ("llm-rows-without-gateway-row", 10)


def test_days_without_any_gateway_row_are_an_interruption_of_the_gateway_log() -> None:
    interruption, losses = rows_without_partner(days((1, 100), (99, 100), (80, 80), (2, 100)))
    assert (interruption.kind, interruption.hidden.requests) == ("gateway-log-interrupted", 179)
    assert (interruption.start, interruption.end) == (DAY + timedelta(days=1), DAY + timedelta(days=3))
    assert (losses.kind, losses.hidden.requests) == ("llm-rows-without-gateway-row", 3)


def test_no_request_alone_is_no_finding() -> None:
    assert list(rows_without_partner(days((0, 10), (0, 0)))) == []


def test_columns_that_are_empty_are_found_with_their_api() -> None:
    row = {"ApiId": "chat", "Requests": 10, "AnsweredRequests": 8, "WithoutAddress": 4, "WithoutBytes": 0}
    (finding,) = columns_missing(Given(coverage_by_api=[row]))
    assert (finding.kind, finding.hidden.requests, finding.where) == ("client-address-missing", 4, {"ApiId": ["chat"]})


def test_estimates_beyond_every_known_request_are_found_apart_from_those_of_a_fit() -> None:
    columns = ("EstimateBasis", "ModelName", "Surface", "EstimatedRequests", "EstimatedTokens", "EstimatedTokensError")
    rows = [("fit", "gpt-4o", "chat", 90, 9000, 30.0), ("beyond", "gpt-4o", "chat", 3, 60_000, 4000.0)]
    (finding,) = estimates_that_guess(Given(estimates_by_basis=[dict(zip(columns, row, strict=True)) for row in rows]))
    assert (finding.kind, finding.hidden.estimated_tokens) == ("estimates-beyond-known", 60_000)
    assert finding.what == "3 estimated requests are larger than every known one (60,000 ± 4,000 tokens)"


@pytest.mark.parametrize(
    ("part", "whole", "said"),
    [(0, 10, "0%"), (1, 100_000, "< 0.1%"), (99_999, 100_000, "> 99.99%"), (10, 10, "100%"), (0, 0, "0%")],
)
def test_a_share_is_never_rounded_to_nothing_or_to_all(part: int, whole: int, said: str) -> None:
    assert share(part, whole) == said
