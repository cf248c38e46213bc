"""Post-processing steps beyond KQL: the header line ``// then: topics`` names one.

The query file itself runs anywhere and returns the texts that the step reads; the step's rows replace them here.
"""

from __future__ import annotations

import difflib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field, replace
from functools import partial
from typing import TYPE_CHECKING

from .. import extras
from ..engines.protocol import QueryResult
from ..errors import WrongUse
from ..library.queries import Query
from .languages import languages
from .personal_data import by_kind, by_request
from .topics import topics

if TYPE_CHECKING:
    import pandas as pd


@dataclass(frozen=True)
class Step:
    """A step after a query.

    ``run`` converts the query's frame to a new one; ``types`` are its columns' Kusto types, ``units`` as in a header.
    ``chart`` is drawn if texts may be shown, ``hidden_chart`` (default: the same) if not. ``no_text`` names the
    columns that never hold prompt or response text. ``says`` is what of the query's rows a reader has to know.
    """

    run: Callable[[pd.DataFrame], pd.DataFrame]
    types: Mapping[str, str]
    chart: str
    units: Mapping[str, str] = field(default_factory=dict)
    no_text: frozenset[str] = frozenset()
    hidden_chart: str | None = None
    says: Callable[[pd.DataFrame], str] | None = None

    def after(self, result: QueryResult) -> QueryResult:
        """*result* with the step's rows instead of the query's. Raises MissingExtra."""
        with extras.named():
            frame = self.run(result.frame)
        if list(frame.columns) != list(self.types):
            raise AssertionError(f"a step gave {list(frame.columns)}, not {list(self.types)}")
        return replace(result, frame=frame, types=dict(self.types))


def sampled(prompts: pd.DataFrame, what: str = "logged prompts", total: str = "AllPrompts") -> str:
    """How many rows were read, of how many (column *total*) and of when, in words; '' where there is none."""
    if not len(prompts):
        return ""
    first, last = (f"{at.day} {at:%b %Y}" for at in (prompts["TimeGenerated"].min(), prompts["TimeGenerated"].max()))
    of, read = int(prompts[total].max()), len(prompts)
    if read < of:
        return f"From a sample of {read:,} of {of:,} {what}, spread over {first} to {last} (UTC)."
    return f"From all {read:,} {what}, {first} to {last} (UTC)."


_exchanges = partial(sampled, what="requests with a logged text", total="AllRequests")

STEPS = {
    "topics": Step(
        topics,
        {
            "Topic": "string",
            "Terms": "string",
            "Prompts": "long",
            "Share": "real",
            "Users": "long",
            "Example": "string",
            "PromptTokens": "long",
            "UnknownRequests": "long",
            "FirstSeen": "datetime",
            "LastSeen": "datetime",
            "CorrelationId": "string",
            "SharedTerms": "string",
        },
        chart="bar x=Prompts y=Terms",
        hidden_chart="bar x=Prompts y=SharedTerms",
        units={
            "Prompts": "prompts",
            "Share": "%",
            "Users": "users",
            "PromptTokens": "tokens",
            "UnknownRequests": "requests",
        },
        no_text=frozenset({"Topic", "SharedTerms"}),
        says=partial(sampled, what="logged prompts (without texts to embed)"),
    ),
    "languages": Step(
        languages,
        {"Language": "string", "Prompts": "long", "Share": "real", "Users": "long", "CorrelationId": "string"},
        chart="bar x=Prompts y=Language",
        units={"Prompts": "prompts", "Share": "%", "Users": "users"},
        no_text=frozenset({"Language"}),
        says=sampled,
    ),
    "personal-data": Step(
        by_kind,
        {
            "Kind": "string",
            "Prompts": "long",
            "Answers": "long",
            "ShareOfRequests": "real",
            "Findings": "long",
            "Users": "long",
            "LastSeen": "datetime",
            "CorrelationId": "string",
        },
        chart="grouped-bar x=Prompts,Answers y=Kind",
        units={
            "Prompts": "requests",
            "Answers": "requests",
            "ShareOfRequests": "%",
            "Findings": "findings",
            "Users": "users",
        },
        no_text=frozenset({"Kind"}),
        says=_exchanges,
    ),
    "personal-data-requests": Step(
        by_request,
        {
            "TimeGenerated": "datetime",
            "User": "string",
            "Kinds": "string",
            "Found": "string",
            "InPrompt": "long",
            "InAnswer": "long",
            "SubscriptionId": "string",
            "ModelName": "string",
            "CorrelationId": "string",
        },
        chart="table",
        units={"InPrompt": "findings", "InAnswer": "findings"},
        no_text=frozenset({"User", "Kinds"}),
        says=_exchanges,
    ),
}


def step_of(query: Query) -> Step | None:
    """The step named in the header of *query*, if any. Raises WrongUse for an unknown name."""
    name = query.header.get("then")
    if not name:
        return None
    if name not in STEPS:
        near = difflib.get_close_matches(name, STEPS, n=1)
        raise WrongUse(f"{query.name}: unknown step '{name}'; use {near[0] if near else ', '.join(STEPS)}")
    return STEPS[name]
