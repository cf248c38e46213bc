"""Topics and languages of prompts: the same every time, and right where the answer is plain."""

from __future__ import annotations

import re

import pandas as pd
import pytest

from aoai_analytics.prompts.languages import TOO_SHORT, language, languages
from aoai_analytics.prompts.steps import STEPS, sampled
from aoai_analytics.prompts.topics import OTHER, topics

SPOKEN = {
    "The quarterly report is late, please tell me when it will be ready.": "English",
    "Bitte prüfen Sie, ob der Wartungsvertrag noch in diesem Jahr verlängert wird.": "German",
    "Pourriez-vous vérifier la facture avant la réunion de lundi ?": "French",
    "¿Podría revisar la factura antes de la reunión del lunes?": "Spanish",
    "請求書の内容を確認して、来週の月曜日までに要約してください。": "Japanese",
    "请在下周一之前检查这份合同并总结要点。": "Chinese",
    "Пожалуйста, проверьте счёт до понедельника.": "Russian",
    "이번 주 금요일까지 계약서를 검토하고 요약해 주세요.": "Korean",
    "ok": TOO_SHORT,
    "": TOO_SHORT,
    "\x00\x00 1234 !!": TOO_SHORT,
    "https://contoso.example/a/very/long/address/of/a/page": TOO_SHORT,
}
BREAD = ["knead dough with flour", "flour for sourdough dough", "dough needs sourdough and flour"]
TAX = ["deadline of the pension return", "pension deadline", "return the pension form before the deadline"]
HIKE = ["trail over the ridge", "ridge trail with steep ascent", "the steep ascent needs boots"]
SUBJECTS = (BREAD, TAX, HIKE)


def prompts(texts: list[str]) -> pd.DataFrame:
    return pd.DataFrame(
        {
            "TimeGenerated": pd.date_range("2026-11-02", periods=len(texts), freq="h", tz="UTC"),
            "User": [f"user-{number % 3}" for number in range(len(texts))],
            "PromptTokens": pd.array([10] * len(texts), dtype="Int64"),
            "Prompt": texts,
            "CorrelationId": [f"r{number:03}" for number in range(len(texts))],
        }
    )


@pytest.mark.parametrize("text", SPOKEN)
def test_a_language_is_told_where_there_is_enough_to_tell(text: str) -> None:
    assert language(text) == SPOKEN[text]


def test_languages_are_counted() -> None:
    first, *_ = languages(prompts([*SPOKEN, *list(SPOKEN)[:1]])).to_dict("records")
    assert (first["Language"], first["Prompts"], first["Share"]) == (TOO_SHORT, 4, 30.8)


def test_prompts_of_three_subjects_make_topics_that_do_not_mix() -> None:
    texts = [f"{text} {number}" for number in range(6) for side in SUBJECTS for text in side]
    found = topics(prompts(texts))
    assert found["Prompts"].sum() == len(texts)
    subjects = [
        {number for number, side in enumerate(SUBJECTS) if set(re.findall(r"\w+", terms)) & set(" ".join(side).split())}
        for terms in found["Terms"]
    ]
    assert all(len(subject) == 1 for subject in subjects), list(found["Terms"])
    assert set().union(*subjects) == {0, 1, 2}


def test_topics_are_the_same_whatever_the_order_of_the_rows() -> None:
    made = prompts([f"{text} {number}" for number in range(6) for side in SUBJECTS for text in side])
    again = made.sample(frac=1, random_state=3)
    pd.testing.assert_frame_equal(topics(made), topics(again))


@pytest.mark.parametrize("texts", [[], ["one prompt"], ["", "\x00"], ["same words here"] * 40])
def test_too_little_to_group_is_no_topic(texts: list[str]) -> None:
    found = topics(prompts(texts))
    assert list(found["Topic"]) == ([OTHER] if texts else [])
    assert found["Prompts"].sum() == len(texts)


def test_unknown_tokens_are_counted_and_never_summed_as_nothing() -> None:
    made = prompts(["a prompt", "another"])
    made["PromptTokens"] = pd.array([None, None], dtype="Int64")
    (row,) = topics(made).to_dict("records")
    assert pd.isna(row["PromptTokens"]) and row["UnknownRequests"] == 2


def test_only_words_that_enough_users_share_are_shared_terms() -> None:
    made = prompts([f"{text} {number}" for number in range(6) for side in SUBJECTS for text in side])
    made["User"] = [f"user-{number % 9}" for number in range(len(made))]
    # One user writes a word of his own in each of many prompts.
    own = [f"{text} for zebrafish" for text in BREAD for _ in range(6)]
    secret = prompts(own).assign(User="cy", CorrelationId=[f"s{number:03}" for number in range(len(own))])
    everything = pd.concat([made, secret], ignore_index=True)
    found = topics(everything, shared_by=3)
    words = set(", ".join(found["SharedTerms"]).split(", "))
    assert "zebrafish" in ", ".join(found["Terms"]) and "zebrafish" not in words
    users_of = {
        word: everything[everything["Prompt"].str.contains(rf"\b{word}\b")]["User"].nunique()
        for word in words
        if not word.startswith("(")
    }
    assert users_of and min(users_of.values()) >= 3
    assert set(topics(everything, shared_by=100)["SharedTerms"]) <= {"(no word of 100 users)", "(no topic)"}


def test_how_many_prompts_were_read_of_when_is_said() -> None:
    made = prompts(["a prompt", "another"]).assign(AllPrompts=2_000)
    read = "2 of 2,000 logged prompts, spread over 2 Nov 2026 to 2 Nov 2026 (UTC)."
    assert sampled(made) == f"From a sample of {read}"
    assert sampled(made.assign(AllPrompts=2)).startswith("From all 2 logged prompts")
    assert sampled(made.head(0)) == ""
    of_topics, of_languages = STEPS["topics"].says, STEPS["languages"].says
    assert of_topics and of_topics(made).startswith(
        "From a sample of 2 of 2,000 logged prompts (without texts to embed), "
    )
    assert of_languages and of_languages(made) == f"From a sample of {read}"
