"""How wide the errors of estimates are: wide enough for what is true, and not much wider than what is known allows."""

from __future__ import annotations

from math import sqrt
from random import Random
from typing import Any

import pandas as pd

from .test_estimates import estimated, linear


def total(rows: pd.DataFrame, open_ones: list[dict[str, Any]], true: int) -> tuple[float, float]:
    """The true and the stated error of the tokens of *open_ones* together, as parts of the *true* number."""
    found = rows.loc[[row["CorrelationId"] for row in open_ones]]
    assert set(found.TokenSource) == {"estimated"}
    stated = sqrt(found.TokensOwnVariance.sum() + found.TokensSharedError.sum() ** 2)
    return abs(found.TotalTokens.sum() - true) / true, stated / true


def test_streams_that_only_time_can_tell_are_as_sure_as_the_time_is(tmp_path):
    # No stream of the model has known usage. Its bytes are forty times a plain answer's, and say nothing of the doubt.
    draw = Random(5)

    def answer(name: str, tokens: int, *, known: bool, **columns: Any) -> dict[str, Any]:
        time = round((300 + 10 * tokens) * draw.gauss(1, 0.1))
        return linear(name, 200, tokens, known=known, BackendTime=time, **columns)

    sizes = [draw.randint(20, 600) for _ in range(60)]
    known = [answer(f"k{n}", tokens, known=True) for n, tokens in enumerate(sizes)]
    streams = [
        answer(f"o{n}", tokens, known=False, IsStream=True, ResponseBytes=1500 + 220 * tokens)
        for n, tokens in enumerate(sizes)
    ]
    true, stated = total(estimated(tmp_path, known + streams), streams, sum(200 + tokens for tokens in sizes))
    assert true < 3 * stated
    assert stated < 0.05


def test_long_requests_are_surer_the_more_of_the_callers_own_are_known(tmp_path):
    draw = Random(7)

    def job(name: str, tokens: int, *, known: bool) -> dict[str, Any]:
        size = round(4 * tokens * draw.gauss(1, 0.05))
        return linear(name, tokens, 9, known=known, RequestBytes=600 + size, PromptBytes=size)

    def doubt(folder: str, long_ones: int) -> tuple[float, float]:
        short = [job(f"s{n}", draw.randint(50, 400), known=True) for n in range(200)]
        long = [job(f"l{n}", draw.randint(9000, 12000), known=True) for n in range(long_ones)]
        sizes = [draw.randint(9000, 11000) for _ in range(40)]
        open_ones = [job(f"o{n}", tokens, known=False) for n, tokens in enumerate(sizes)]
        rows = estimated(tmp_path / folder, short + long + open_ones)
        return total(rows, open_ones, sum(tokens + 9 for tokens in sizes))

    (few_true, few), (many_true, many) = doubt("few", 2), doubt("many", 40)
    assert few_true < 3 * few and many_true < 3 * many
    assert few > 0.08
    assert many < 0.045
