"""Each question about prompts, on a few exchanges whose answer is worked out by hand."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from hashlib import md5
from pathlib import Path
from typing import Any

import pyarrow as pa
import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake.delta import Lake
from aoai_analytics.library import library
from aoai_analytics.schema.tables import MESSAGES
from tests.kql.cases import engine_over, plain

DAY = "2026-11-02"
LONG = "x" * 12_000
# CorrelationId, time, columns of the request, prompt, response, prompt complete
EXCHANGES: list[tuple[str, str, dict[str, Any], str, str, bool]] = [
    ("r1", "08:00", {"EndUserId": "ann"}, "Order 12  please", "Done: invoice 7", True),
    ("r2", "08:30", {"EndUserId": "ben", "ModelName": "o4-mini"}, "order 345 PLEASE", "", True),
    ("r3", "09:00", {"EndUserId": "ann", "Surface": "embeddings"}, "請求書を確認してください", "", True),
    ("r4", "15:00", {"Outcome": "content-filter", "ErrorCode": "content_filter"}, "Привет invoice", "", True),
    ("r5", "15:30", {"EndUserId": "cy", "FinishReason": "content_filter"}, LONG, "part", False),
    ("r6", "16:00", {"EndUserId": "ann"}, "1234 !!", "ok", False),
    ("r7", "16:30", {"EndUserId": "cy"}, "", "", False),
]


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    folder = tmp_path_factory.mktemp("prompts") / "lake"
    requests = [
        {
            "TimeGenerated": f"{DAY} {time}",
            "CorrelationId": name,
            "PromptTokens": 10,
            "CompletionTokens": 5,
        }
        | columns
        for name, time, columns, *_ in EXCHANGES
    ]
    made = engine_over(requests, folder)
    rows = [
        {
            "CorrelationId": name,
            "TimeGenerated": datetime.fromisoformat(f"{DAY} {time}").replace(tzinfo=UTC),
            "Prompt": prompt,
            "Response": response,
            "PromptComplete": complete,
            "ResponseComplete": bool(response),
            "MessageSource": "llm-log",
            "date": DAY,
        }
        for name, time, _, prompt, response, complete in EXCHANGES
        if prompt or response
    ]
    Lake(folder).replace_dates(MESSAGES.name, pa.Table.from_pylist(rows, schema=MESSAGES.arrow_schema()), [DAY])
    yield made
    made.close()


def answer(engine: LocalEngine, name: str, *columns: str, **parameters: Any) -> list[tuple[Any, ...]]:
    """The rows of a question, of the columns named."""
    result = engine.query(library().get(f"prompts/{name}").bind(**parameters))
    frame = result.frame[list(columns)]
    kinds = [result.types[column] for column in columns]
    return [
        tuple(plain(value, kind) for value, kind in zip(row, kinds, strict=True))
        for row in frame.itertuples(index=False, name=None)
    ]


def test_search_finds_words_in_prompts_and_answers_of_a_user_and_a_model(engine: LocalEngine) -> None:
    found = answer(engine, "search", "CorrelationId", "FoundIn", text="INVOICE")
    assert found == [("r4", "prompt"), ("r1", "answer")]
    assert answer(engine, "search", "CorrelationId", text="order", user="ben") == [("r2",)]
    assert answer(engine, "search", "CorrelationId", model="o4-mini") == [("r2",)]
    assert [name for (name,) in answer(engine, "search", "CorrelationId")] == ["r6", "r5", "r4", "r3", "r2", "r1"]
    assert answer(engine, "search", "CorrelationId", text="no such words") == []
    assert answer(engine, "search", "CorrelationId", text='"; AoaiMessages | take 1 //') == []


def test_the_latest_prompts_come_first(engine: LocalEngine) -> None:
    found = answer(engine, "completions", "User", "Prompt", "Response", topN=2, length=4)
    assert found == [("ann", "1234", "ok"), ("cy", "xxxx", "part")]


def test_the_longest_prompts_are_told_with_their_length(engine: LocalEngine) -> None:
    found = answer(engine, "longest", "User", "PromptCharacters", "PromptComplete", "Prompt", topN=2, length=3)
    assert found == [("cy", 12_000, False, "xxx"), ("ann", 16, True, "Ord")]


def test_prompts_that_differ_in_digits_capitals_and_spaces_are_the_same(engine: LocalEngine) -> None:
    columns = ("Prompt", "Requests", "Share", "Users", "PromptTokens", "UnknownRequests", "CorrelationId")
    # Four prompts are whole; two of them are one.
    assert answer(engine, "frequent", *columns) == [("order # please", 2, 50.0, 2, 20, 0, "r2")]
    assert len(answer(engine, "frequent", "Prompt", atLeast=1)) == 3


def test_what_a_filter_stopped_is_told_by_its_side(engine: LocalEngine) -> None:
    found = answer(engine, "filtered", "CorrelationId", "Stopped", "ErrorCode", "PromptCharacters")
    assert found == [("r5", "answer", "", 12_000), ("r4", "prompt", "content_filter", 14)]


def test_lengths_are_counted_by_class_and_time(engine: LocalEngine) -> None:
    found = answer(engine, "length-over-time", "TimeGenerated", "LengthClass", "Prompts", "Share")
    six, noon = (datetime(2026, 11, 2, hour, tzinfo=UTC) for hour in (6, 12))
    assert found == [
        (six, "under 100", 3, 100.0),
        (noon, "under 100", 1, 33.3),
        (noon, "10,000 and more", 1, 33.3),
        (noon, "cut", 1, 33.3),
    ]


def test_texts_are_whole_cut_or_missing(engine: LocalEngine) -> None:
    prompts = answer(engine, "texts-logged", "Requests", "WholePrompts", "CutPrompts", "NoPrompts", "WholePromptShare")
    assert prompts == [(7, 4, 2, 1, 57.1)]
    # r3 is an embedding and r4 was refused: neither is answered.
    answers = answer(engine, "texts-logged", "AnsweredRequests", "WholeAnswers", "CutAnswers", "NoAnswers")
    assert answers == [(5, 3, 0, 2)]


def test_a_prompt_s_script_is_that_of_most_of_its_letters(engine: LocalEngine) -> None:
    found = answer(engine, "scripts", "Script", "Prompts", "Share", "Users")
    # "Привет invoice" has six Cyrillic letters and seven Latin ones.
    assert found == [("Latin", 4, 66.7, 4), ("Japanese", 1, 16.7, 1), ("no letters", 1, 16.7, 1)]


def test_topics_are_of_a_sample_of_the_whole_period_that_says_of_how_many(engine: LocalEngine) -> None:
    everything = answer(engine, "topics", "CorrelationId", "AllPrompts")
    assert sorted(everything) == [(f"r{number}", 5) for number in (1, 2, 4, 5, 6)]
    assert answer(engine, "topics", "CorrelationId", "AllPrompts", topN=2) == everything[:2]


def test_languages_are_of_a_sample_of_the_whole_period_that_says_of_how_many(engine: LocalEngine) -> None:
    everything = answer(engine, "languages", "CorrelationId", "AllPrompts")
    assert sorted(everything) == [(f"r{number}", 6) for number in range(1, 7)]
    by_hash = sorted((f"r{number}" for number in range(1, 7)), key=lambda name: md5(name.encode()).hexdigest())
    assert [name for name, _ in answer(engine, "languages", "CorrelationId", "AllPrompts", topN=3)] == by_hash[:3]


@pytest.mark.parametrize("name", ["personal-data", "personal-data-requests"])
def test_personal_data_is_looked_for_in_a_sample_of_the_whole_period_newest_first(
    engine: LocalEngine, name: str
) -> None:
    everything = answer(engine, name, "CorrelationId", "AllRequests")
    names = [f"r{number}" for number in (6, 5, 4, 3, 2, 1)]
    assert everything == [(each, 6) for each in names]
    by_hash = sorted(names, key=lambda each: md5(each.encode()).hexdigest())
    some = answer(engine, name, "CorrelationId", "AllRequests", topN=3)
    assert some == [(each, 6) for each in names if each in by_hash[:3]] != everything[:3]


def test_every_question_about_prompts_is_held_to_an_answer() -> None:
    files = (
        Path(__file__),
        Path(__file__).with_name("test_asked.py"),
        Path(__file__).parents[1] / "functions/test_conversation.py",
    )
    text = "".join(path.read_text("utf-8") for path in files)
    names = [query.name.removeprefix("prompts/") for query in library() if query.section == "prompts"]
    assert [name for name in names if f'"{name}"' not in text and f'prompts/{name}"' not in text] == []


def test_a_prompt_sent_again_within_minutes_is_paid_again_needlessly_after_a_response(tmp_path: Path) -> None:
    """gpt-4o: 1 M prompt tokens cost 2.5 USD."""
    sent = [
        ("ann", "08:00", "same", "success", 1_000_000),
        ("ann", "08:01", "same", "success", 1_000_000),  # needless
        ("ann", "08:02", "other", "client-closed", 1_000_000),
        ("ann", "08:03", "other", "success", 1_000_000),  # after a disconnect
        ("ann", "08:06", "other", "success", 1_000_000),  # too late
        ("ben", "08:01", "same", "success", 1_000_000),  # somebody else
        ("cy", "08:00", "go on", "success", 1_000_000),
        ("cy", "08:01", "go on", "success", 2_000_000),  # a longer conversation
    ]
    requests = [
        {
            "TimeGenerated": f"{DAY} {time}", "CorrelationId": f"r{number}", "EndUserId": user, "Outcome": outcome,
            "PromptTokens": tokens, "CachedTokens": 0, "CompletionTokens": 0, "TokenSource": "usage",
        }
        for number, (user, time, _, outcome, tokens) in enumerate(sent)
    ]  # fmt: skip
    made = engine_over(requests, tmp_path / "lake")
    messages = [
        {
            "CorrelationId": f"r{number}", "TimeGenerated": datetime.fromisoformat(f"{DAY} {time}").replace(tzinfo=UTC),
            "Prompt": prompt, "Response": "", "PromptComplete": True, "ResponseComplete": False,
            "MessageSource": "llm-log", "date": DAY,
        }
        for number, (_, time, prompt, *_) in enumerate(sent)
    ]  # fmt: skip
    table = pa.Table.from_pylist(messages, schema=MESSAGES.arrow_schema())
    Lake(tmp_path / "lake").replace_dates(MESSAGES.name, table, [DAY])
    rows = made.query(library().get("prompts/repeated").text).frame.to_dict("records")
    assert [
        (row["User"], row["RepeatedRequests"], row["AfterFailure"], row["LowSavings"], row["HighSavings"])
        for row in rows
    ] == [("ann", 2, 1, pytest.approx(2.5), pytest.approx(5.0))]
