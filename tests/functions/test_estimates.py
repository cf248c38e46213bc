"""Rule 4, the estimates: right where tokens follow the bytes, marked always, and honest where they do not."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta
from math import sqrt
from random import Random
from typing import Any

import pandas as pd
import pyarrow as pa
import pytest

from aoai_analytics.engines.frames import frame_from_arrow
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library import library
from aoai_analytics.schema.tables import REQUESTS, REQUESTS_LOGGED

START = datetime(2026, 11, 3, tzinfo=UTC)
TOKENS = ["PromptTokens", "CompletionTokens", "TotalTokens"]


def logged(name: str, prompt: int | None, completion: int | None, **columns: Any) -> dict[str, Any]:
    """A row of AoaiRequestsLogged: an answered chat request; without tokens one whose usage was never logged."""
    known = prompt is not None and completion is not None
    return {
        "CorrelationId": name,
        "TimeGenerated": START,
        "Surface": "chat",
        "SubscriptionId": "sub-claims",
        "CallerIpAddress": "203.0.113.7",
        "DeploymentName": "chat",
        "ModelName": "gpt-4o",
        "ModelVersion": "2024-08-06",
        "ResponseCode": 200,
        "BackendResponseCode": 200,
        "Outcome": "success",
        "IsStream": False,
        "Attempts": 1,
        "PromptTokens": prompt,
        "CompletionTokens": completion,
        "TotalTokens": prompt + completion if prompt is not None and completion is not None else None,
        "TokenSource": "llm-log" if known else "none",
        "BodyState": "absent",
        "PromptKind": "text",
    } | columns


def linear(name: str, prompt: int, completion: int, *, known: bool = True, **columns: Any) -> dict[str, Any]:
    """A request whose bytes follow its tokens: 4 a prompt token, 6 a completion token, 10 ms a completion token."""
    sizes = {
        "RequestBytes": 600 + 4 * prompt,
        "PromptBytes": 4 * prompt,
        "ResponseBytes": 1000 + 6 * completion,
        "BackendTime": 300 + 10 * completion,
    }
    tokens = (prompt, completion) if known else (None, None)
    return logged(name, *tokens, **(sizes | columns))


def estimated(folder, rows: list[dict[str, Any]]) -> pd.DataFrame:
    """AoaiRequests of these rows, by CorrelationId."""
    lake = Lake.create(folder)
    schema = REQUESTS_LOGGED.arrow_schema()
    dated = [row | {"date": row["TimeGenerated"].strftime("%Y-%m-%d")} for row in rows]
    table = pa.Table.from_pylist([{name: row.get(name) for name in schema.names} for row in dated], schema=schema)
    lake.append(REQUESTS_LOGGED.name, table)
    engine = LocalEngine(lake, str(folder))
    try:
        return frame_from_arrow(*engine.arrow(library().functions()[REQUESTS.name].text, {})).set_index("CorrelationId")
    finally:
        engine.close()


def known_ones(count: int = 40, seed: int = 1, **columns: Any) -> list[dict[str, Any]]:
    draw = Random(seed)
    name = "/".join(map(str, columns.values()))
    return [linear(f"k{name}{n}", draw.randint(20, 4000), draw.randint(5, 900), **columns) for n in range(count)]


def test_tokens_that_follow_the_bytes_are_found_exactly_and_marked(tmp_path):
    open_ones = [linear(f"o{n}", 37 * n + 11, 13 * n + 3, known=False) for n in range(10)]
    rows = estimated(tmp_path, known_ones() + open_ones)
    found = rows[rows.TokenSource == "estimated"]
    assert len(found) == 10
    for number in range(10):
        row = found.loc[f"o{number}"]
        assert (row.PromptTokens, row.CompletionTokens) == (37 * number + 11, 13 * number + 3)
        assert row.TotalTokens == row.PromptTokens + row.CompletionTokens
        assert row.PromptTokensError < 0.5
        assert pd.isna(row.CachedTokens)


def test_known_tokens_stay_as_logged_without_error(tmp_path):
    known = known_ones()
    rows = estimated(tmp_path, [*known, linear("o", 50, 50, known=False)])
    for row in known:
        assert tuple(rows.loc[row["CorrelationId"], TOKENS]) == tuple(row[name] for name in TOKENS)
        assert rows.loc[row["CorrelationId"], "PromptTokensError"] == 0


def test_what_was_not_billed_stays_zero_and_a_picture_stays_unknown(tmp_path):
    free = linear("free", 0, 0, TokenSource="not-billed", Outcome="cache-hit")
    picture = linear("picture", 9, 9, known=False, Surface="images")
    rows = estimated(tmp_path, [*known_ones(), free, picture])
    assert (rows.loc["free", "TotalTokens"], rows.loc["free", "TokenSource"]) == (0, "not-billed")
    assert rows.loc["picture", "TokenSource"] == "none"
    assert rows.loc["picture", TOKENS].isna().all()
    assert pd.isna(rows.loc["picture", "PromptTokensError"])


def test_nothing_is_estimated_below_zero(tmp_path):
    tiny = linear("tiny", 1, 1, known=False, RequestBytes=1, PromptBytes=1, ResponseBytes=1, BackendTime=1)
    row = estimated(tmp_path, [*known_ones(), tiny]).loc["tiny"]
    assert row.TokenSource == "estimated"
    assert min(row.PromptTokens, row.CompletionTokens) >= 0


def test_too_few_known_requests_correct_a_prior_as_far_as_their_callers_go(tmp_path):
    """A prior half as much more or less, and callers 0.32 apart: sqrt(1 / (1 / 0.25 + callers / 0.1)) is left."""
    others = [linear(f"k{n}", 100 + n, 20, User=f"user-{n}", SubscriptionId=f"sub-{n}") for n in range(10)]
    for known, left in ((known_ones(5), 0.267), (others, 0.098)):
        row = estimated(tmp_path / str(left), [*known, linear("o", 1000, 10, known=False)]).loc["o"]
        assert (row.TokenSource, row.EstimateBasis) == ("estimated", "prior")
        assert row.TokensSharedError == pytest.approx(left * row.TotalTokens, rel=0.02)
        assert row.PromptTokens == pytest.approx(1000, rel=0.02)


@pytest.mark.parametrize("others", [0, 1], ids=["one user", "two users"])
def test_a_request_without_a_name_is_of_the_only_user_that_its_address_names(tmp_path, others):
    """Without a body there is no name. The user's headers and bytes per token are not those of everybody else."""

    def rows(user: str, address: str, header: int, bytes_per_token: int) -> list[dict[str, Any]]:
        draw = Random(user)
        sizes = [(n, draw.randint(200, 900)) for n in range(30)]
        return [
            linear(f"{user}{n}", size, 50, User=user, CallerIpAddress=address, BodyBytes=bytes_per_token * size)
            | {"RequestBytes": header + bytes_per_token * size, "PromptBytes": None}
            for n, size in sizes
        ]

    address = "203.0.113.8"
    known = [*rows("anna", address, 2000, 2), *rows("bert", "203.0.113.9", 300, 4)]
    known += rows("carl", address, 300, 4) * others
    sent = {"RequestBytes": 2000 + 2 * 500, "PromptBytes": None, "User": address, "CallerIpAddress": address}
    row = estimated(tmp_path, [*known, linear("o", 500, 50, known=False) | sent]).loc["o"]
    off = abs(row.PromptTokens - 500)
    assert row.PromptTokensError > off / 3
    assert (off < 5 and row.PromptTokensError < 10) if not others else row.PromptTokensError > 100


def test_where_nothing_is_known_nothing_is_estimated(tmp_path):
    rows = estimated(tmp_path, [linear(name, 100, 10, known=False) for name in "ab"])
    assert set(rows.TokenSource) == {"none"}
    assert rows[TOKENS].isna().all(axis=None)


def test_an_embedding_has_no_completion(tmp_path):
    columns = {"Surface": "embeddings", "ModelName": "text-embedding-3-small"}
    known = [linear(f"k{n}", 30 * n + 20, 0, ResponseBytes=9000, **columns) for n in range(30)]
    row = estimated(tmp_path, [*known, linear("o", 500, 0, known=False, ResponseBytes=9000, **columns)]).loc["o"]
    assert (row.PromptTokens, row.CompletionTokens, row.CompletionTokensError) == (500, 0, 0)


@pytest.mark.parametrize("streamed", [False, True])
def test_an_unknown_mode_is_told_by_bytes_and_time(tmp_path, streamed):
    streams = [
        row
        | {
            "IsStream": True,
            "ResponseBytes": 1000 + 280 * row["CompletionTokens"],
            "BackendTime": 300 + 4 * row["CompletionTokens"],
        }
        for row in known_ones(seed=2, EndUserId="s")
    ]
    sizes = (1000 + 280 * 100, 300 + 4 * 100) if streamed else (1000 + 6 * 100, 300 + 10 * 100)
    open_one = linear("o", 200, 100, known=False, IsStream=None, ResponseBytes=sizes[0], BackendTime=sizes[1])
    row = estimated(tmp_path, [*known_ones(), *streams, open_one]).loc["o"]
    assert abs(row.CompletionTokens - 100) <= 2


def test_hidden_reasoning_is_told_by_the_time_it_took(tmp_path):
    draw = Random(3)
    rows = []
    for number in range(60):
        shown, reasoning = draw.randint(5, 300), draw.randint(0, 3000)
        rows.append(
            linear(
                f"k{number}",
                100,
                shown + reasoning,
                ModelName="o4-mini",
                ResponseBytes=1000 + 6 * shown,
                known=number >= 10,
            )
        )
    truth = [row["BackendTime"] // 10 - 30 for row in rows[:10]]
    found = estimated(tmp_path, rows).CompletionTokens
    assert [abs(int(found.loc[f"k{n}"]) - truth[n]) <= 2 for n in range(10)] == [True] * 10


def test_a_model_never_seen_with_tokens_is_estimated_with_a_wider_error(tmp_path):
    noisy = [
        row | {"CompletionTokens": row["CompletionTokens"] * (1 + number % 3), "ModelName": f"model-{number % 3}"}
        for number, row in enumerate(known_ones(90))
    ]
    rows = estimated(
        tmp_path,
        [
            *noisy,
            linear("new", 100, 400, known=False, ModelName="new"),
            linear("old", 100, 400, known=False, ModelName="model-0"),
        ],
    )
    new, old = rows.loc["new"], rows.loc["old"]
    assert (new.TokenSource, old.TokenSource) == ("estimated", "estimated")
    assert new.CompletionTokensError > 3 * old.CompletionTokensError
    assert abs(new.CompletionTokens - 400) <= 3 * sqrt(
        new.CompletionTokensError**2 + new.CompletionTokensSharedError**2
    )


def test_texts_of_different_kinds_are_fitted_apart_by_subscription(tmp_path):
    dense = [
        row | {"PromptBytes": 2 * row["PromptTokens"], "RequestBytes": 600 + 2 * row["PromptTokens"]}
        for row in known_ones(seed=4, SubscriptionId="sub-tokyo", CallerIpAddress="203.0.113.9")
    ]
    columns = {"SubscriptionId": "sub-tokyo", "CallerIpAddress": "203.0.113.9", "PromptBytes": 2000}
    rows = estimated(tmp_path, [*known_ones(), *dense, linear("o", 1000, 10, known=False, **columns)])
    assert rows.loc["o", "PromptTokens"] == 1000


def test_a_fit_reaches_into_the_next_month_and_never_back(tmp_path):
    october = START - timedelta(days=10)
    rows = estimated(
        tmp_path,
        [
            *known_ones(TimeGenerated=START),
            linear("before", 100, 10, known=False, TimeGenerated=october),
            linear("after", 100, 10, known=False, TimeGenerated=START + timedelta(days=35)),
            linear("long after", 100, 10, known=False, TimeGenerated=START + timedelta(days=80)),
        ],
    )
    bases = rows.loc[["before", "after", "long after"], "EstimateBasis"]
    assert list(bases) == ["prior", "fit", "prior"]


def test_a_deployment_that_serves_one_model_stands_for_it_and_one_that_serves_two_does_not(tmp_path):
    nameless = {"ModelName": "", "ModelVersion": ""}
    rows = estimated(
        tmp_path,
        [
            linear("a", 9, 9, DeploymentName="one"),
            linear("b", 9, 9, DeploymentName="one", **nameless),
            linear("c", 9, 9, DeploymentName="two"),
            linear("d", 9, 9, DeploymentName="two", ModelVersion="2024-11-20"),
            linear("e", 9, 9, DeploymentName="two", **nameless),
        ],
    )
    assert (rows.loc["b", "ModelName"], rows.loc["b", "ModelVersion"]) == ("gpt-4o", "2024-08-06")
    assert rows.loc["e", "ModelName"] == ""


def test_the_stated_error_of_a_sum_is_as_wide_as_the_true_one(tmp_path):
    draw = Random(11)
    rows, truth = [], 0
    for number in range(400):
        row = linear(f"r{number}", draw.randint(50, 3000), draw.randint(5, 500))
        row["PromptBytes"] = int(row["PromptBytes"] * draw.gauss(1, 0.1))
        if number < 200:
            truth += row["TotalTokens"]
            row |= {"PromptTokens": None, "CompletionTokens": None, "TotalTokens": None, "TokenSource": "none"}
        rows.append(row)
    found = estimated(tmp_path, rows)
    found = found[found.TokenSource == "estimated"]
    own = (found.PromptTokensError**2 + found.CompletionTokensError**2).sum()
    shared = (found.PromptTokensSharedError + found.CompletionTokensSharedError).sum()
    stated = sqrt(own + shared**2)
    assert len(found) == 200
    assert abs(found.TotalTokens.sum() - truth) <= 3 * stated
    assert stated < 0.05 * truth


def test_what_is_larger_than_every_known_request_says_so_and_is_less_sure(tmp_path):
    rows = estimated(
        tmp_path,
        [
            *known_ones(),
            linear("within", 3000, 100, known=False),
            linear("beyond", 12_000, 100, known=False),
        ],
    )
    assert list(rows.loc[["within", "beyond"], "EstimateBasis"]) == ["fit", "beyond"]
    assert rows.loc["within", "TokensSharedError"] == 0
    assert rows.loc["beyond", "PromptTokensSharedError"] > 0.1 * (12_000 - 4000)


def test_a_caller_without_known_requests_states_how_far_callers_are_apart(tmp_path):
    def ask(name: str, caller: int, tokens: int, **more: Any) -> dict[str, Any]:
        """A prompt of a caller who takes three to six bytes for a token."""
        size = (3 + caller % 4) * tokens
        return linear(name, tokens, 20, User=f"user-{caller}", PromptBytes=size, RequestBytes=600 + size, **more)

    known = [ask(f"k{caller}/{n}", caller, 50 + 40 * n) for caller in range(12) for n in range(15)]
    open_ones = [
        ask(f"{name}{n}", caller, 500, known=False) for name, caller in (("new", 77), ("old", 1)) for n in range(10)
    ]
    rows = estimated(tmp_path, [*known, *open_ones])
    new, old = (rows[rows.index.str.startswith(name)] for name in ("new", "old"))
    spread = sqrt((new.PromptTokensError**2).sum()) / new.PromptTokens.sum()
    # Callers are some 25% from the mean, and all requests of one are so together.
    assert 0.15 < spread < 0.6
    assert list(old.PromptTokens) == [500] * 10
    assert sqrt((old.PromptTokensError**2).sum()) < 0.02 * old.PromptTokens.sum()


def test_pictures_are_counted_each_by_the_tokens_that_known_ones_take(tmp_path):
    known = known_ones(60, Pictures=0, PictureBytes=0)
    shown = [
        row
        | {
            "CorrelationId": f"p{number}",
            "Pictures": 1 + number % 3,
            "PromptTokens": row["PromptTokens"] + 700 * (1 + number % 3),
            "TotalTokens": row["TotalTokens"] + 700 * (1 + number % 3),
            "PictureBytes": 90_000,
            "RequestBytes": row["RequestBytes"] + 90_000,
            "PromptKind": "image",
        }
        for number, row in enumerate(known_ones(24, seed=5))
    ]
    columns = {"Pictures": 2, "PictureBytes": 50_000, "RequestBytes": 51_800, "PromptKind": "image"}
    open_one = linear("o", 300, 50, known=False, **columns)
    row = estimated(tmp_path, [*known, *shown, open_one]).loc["o"]
    assert row.PromptTokens == pytest.approx(300 + 2 * 700, rel=0.02)


def test_a_refused_prompt_has_no_completion_and_what_was_logged_of_one_side_stays(tmp_path):
    refused = linear("r", 200, 0, known=False, Outcome="content-filter", ResponseCode=400) | {"CompletionTokens": 0}
    half = linear("h", 300, 80, known=False) | {"PromptTokens": 301}
    rows = estimated(tmp_path, [*known_ones(), refused, half])
    assert (rows.loc["r", "PromptTokens"], rows.loc["r", "CompletionTokens"]) == (200, 0)
    assert rows.loc["r", "TokenSource"] == "estimated"
    assert (rows.loc["h", "PromptTokens"], rows.loc["h", "PromptTokensError"]) == (301, 0)
    assert rows.loc["h", "CompletionTokens"] == pytest.approx(80, abs=1)


def a_400(name: str, **columns: Any) -> dict[str, Any]:
    """A prompt of 200 tokens that the backend answered with 400."""
    codes = {"ResponseCode": 400, "BackendResponseCode": 400}
    row = linear(name, 200, 0, known=False, Outcome="client-error", TokenSource="not-billed", **codes)
    return row | dict.fromkeys(TOKENS, 0) | columns


def test_a_400_that_no_log_explains_is_charged_as_often_as_those_that_are_explained(tmp_path):
    seen = {"BodyState": "full", "ErrorCode": "content_filter", "Outcome": "content-filter", "TokenSource": "usage"}
    filtered = [a_400(f"f{n}", **seen | dict(zip(TOKENS, (200, 0, 200), strict=True))) for n in range(30)]
    mistakes = [a_400(f"m{n}", BodyState="full", ErrorCode="invalid_value") for n in range(10)]
    rows = estimated(tmp_path, [*known_ones(), *filtered, *mistakes, *(a_400(f"o{n}") for n in range(20))])
    found = rows[rows.index.str.startswith("o")]
    assert set(found.TokenSource) == {"estimated"} and set(found.EstimateBasis) == {"chance"}
    assert found.PromptTokens.sum() == pytest.approx(20 * 150, rel=0.02)
    # How many of 20 are charged varies by 1.9, and 30 of 40 say how often with 0.07: requests of 200 tokens each.
    stated = sqrt(found.TokensOwnVariance.sum() + found.TokensSharedError.sum() ** 2)
    assert stated == pytest.approx(200 * sqrt(20 * 0.75 * 0.25 + (20 * 0.07) ** 2), rel=0.1)
    assert set(rows[rows.index.str.startswith("m")].TokenSource) == {"not-billed"}


def test_a_400_where_none_is_explained_states_that_it_may_be_charged_or_not(tmp_path):
    row = estimated(tmp_path, [*known_ones(), a_400("o")]).loc["o"]
    assert (row.PromptTokens, row.CompletionTokens, row.EstimateBasis) == (100, 0, "chance")
    assert row.TokensSharedError == pytest.approx(100)


@pytest.mark.parametrize("streamed", [False, True])
def test_where_too_little_is_known_the_time_says_whether_an_answer_was_a_stream(tmp_path, streamed):
    sizes = (1500 + 220 * 150, 1600) if streamed else (1100 + 4 * 6000, 60_000)
    open_one = linear("o", 200, 1, known=False, IsStream=None, ResponseBytes=sizes[0], BackendTime=sizes[1])
    row = estimated(tmp_path, [*known_ones(1), open_one]).loc["o"]
    assert row.EstimateBasis == "prior"
    assert row.CompletionTokens == pytest.approx(150 if streamed else 6000, rel=0.3)


def test_audio_whose_whole_answer_has_no_usage_is_billed_by_the_minute(tmp_path):
    tokens = [linear(f"k{n}", 300 + n, 40 + n, Surface="audio", ModelName="gpt-4o-transcribe") for n in range(30)]
    minutes = linear("m", 300, 40, known=False, Surface="audio", ModelName="", DeploymentName="whisper")
    rows = estimated(tmp_path, [*tokens, minutes | {"BodyState": "full"}, minutes | {"CorrelationId": "unseen"}])
    assert list(rows.loc[["m", "unseen"], "TokenSource"]) == ["none", "none"]


def _claude(name: str, least: int, prompt_bytes: int) -> dict[str, Any]:
    """A Claude stream of which the LLM log alone is known: its prompt without what the cache read and wrote."""
    sizes = {"RequestBytes": 600 + prompt_bytes, "ResponseBytes": 40_000, "BackendTime": 2000}
    model = {"Surface": "messages", "ModelName": "claude-opus-5", "ModelVersion": None, "IsStream": True}
    return logged(name, None, 85, **sizes, **model, PromptKind=None, LeastPromptTokens=least)


@pytest.mark.parametrize("others", [0, 40])
def test_a_prompt_that_may_have_been_cached_is_estimated_from_its_bytes(tmp_path, others):
    rows = [_claude("cached", 26, 48_000), _claude("plain", 1000, 4_400), _claude("large", 12_500, 48_000)]
    found = estimated(tmp_path / "lake", [*rows, *known_ones(others)])
    assert found.loc["cached", "TokenSource"] == "estimated"
    assert 8_000 < found.loc["cached", "PromptTokens"] < 16_000
    assert found.loc["cached", "CompletionTokens"] == 85
    assert found.loc["cached", "CompletionTokensError"] == 0
    error = found.loc["cached", "PromptTokensError"] + found.loc["cached", "PromptTokensSharedError"]
    assert error > 0.02 * found.loc["cached", "PromptTokens"]
    # What Claude caches has 1,024 tokens or more: where the bytes leave no place for it, the log's prompt stands.
    assert found.loc["plain", "PromptTokens"] == 1000
    assert found.loc["plain", "TotalTokens"] == 1085
    assert found.loc["large", "PromptTokens"] == 12_500
