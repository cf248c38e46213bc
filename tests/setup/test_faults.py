"""ARM's errors are unfolded to what caused them, whatever they are folded in."""

from __future__ import annotations

import json
from typing import Any

from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.setup.faults import WAYS_ON, Cause, causes

CAUSE = {"code": "InsufficientQuota", "message": "This operation requires 30 new capacity."}


def test_a_service_s_error_inside_json_inside_a_deployment_s_is_found() -> None:
    error = {
        "error": {
            "code": "DeploymentFailed",
            "message": "At least one resource deployment operation failed.",
            "details": [
                {
                    "code": "Conflict",
                    "target": "/subscriptions/x/resourceGroups/y/providers/Microsoft.CognitiveServices/accounts/z",
                    "message": json.dumps(
                        {
                            "status": "Failed",
                            "error": {"code": "ResourceDeploymentFailure", "message": "failed", "details": [CAUSE]},
                        }
                    ),
                }
            ],
        }
    }
    (cause,) = causes(error)
    assert cause == Cause(CAUSE["code"], CAUSE["message"], "Microsoft.CognitiveServices/accounts/z")
    assert str(cause).endswith(f"30 new capacity. Fix: {WAYS_ON['InsufficientQuota']}")


def test_the_same_cause_of_several_resources_is_said_once() -> None:
    assert len(causes({"code": "MultipleErrorsOccurred", "message": "", "details": [CAUSE, CAUSE]})) == 1


def test_an_inner_error_that_says_nothing_gives_way_to_the_one_around_it() -> None:
    error = {"code": "BadRequest", "message": "The name is wrong.", "innererror": {"code": "x", "message": ""}}
    assert causes(error) == [Cause("BadRequest", "The name is wrong.")]


def test_what_is_no_error_has_no_cause() -> None:
    for body in (None, [], "text", {}, {"value": 1}, {"error": "text"}):
        assert causes(body) == []


def wrapped(inner: st.SearchStrategy[dict[str, Any]]) -> st.SearchStrategy[dict[str, Any]]:
    return st.one_of(
        inner.map(lambda e: {"error": e}),
        inner.map(lambda e: {"code": "DeploymentFailed", "message": "folded", "details": [e]}),
        inner.map(lambda e: {"code": "ResourceDeploymentFailure", "message": json.dumps({"error": e})}),
        inner.map(lambda e: {"code": "BadRequest", "message": "folded", "innererror": e}),
    )


@given(st.recursive(st.just(CAUSE), wrapped, max_leaves=6))
def test_however_deep_the_cause_is_folded_it_is_what_is_said(error: dict[str, Any]) -> None:
    assert [(cause.code, cause.message) for cause in causes(error)] == [(CAUSE["code"], CAUSE["message"])]


@given(
    st.recursive(
        st.none() | st.booleans() | st.integers() | st.text(),
        lambda inner: (
            st.lists(inner)
            | st.dictionaries(st.sampled_from(["error", "code", "message", "details", "innererror", "target"]), inner)
        ),
        max_leaves=12,
    )
)
def test_no_answer_however_odd_is_too_much(body: Any) -> None:
    assert all("\n" not in cause.message for cause in causes(body))
