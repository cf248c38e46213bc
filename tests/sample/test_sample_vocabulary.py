"""Token counts are those of a real tokenizer, and text is cut as the gateway cuts it."""

from __future__ import annotations

import json
from random import Random

import orjson
import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.sample import records
from aoai_analytics.sample.vocabulary import compose, kinds


@pytest.mark.parametrize("kind", ["support", "legal", "code", "japanese", "european", "emoji"])
def test_a_composed_text_has_the_tokens_that_the_tokenizer_counts(kind):
    tokenizer = pytest.importorskip("bpe_openai", reason="bpe-openai is not installed").get_encoding("o200k_base")
    text = compose(kinds()[kind], 2000, Random(3))
    assert text.tokens == pytest.approx(len(tokenizer.encode(text.text)), rel=0.06)


def test_the_stored_vocabulary_is_what_its_source_gives():
    pytest.importorskip("bpe_openai", reason="bpe-openai is not installed")
    from aoai_analytics.sample import build_vocabulary as source

    assert source.rendered(source.build()) == (source.HERE / "vocabulary.json").read_text(encoding="utf-8")


def test_tokens_hold_more_of_english_than_of_code_and_least_of_japanese():
    density = {name: compose(kinds()[name], 3000, Random(1)) for name in ("support", "code", "japanese")}
    characters = {name: len(text.text) / text.tokens for name, text in density.items()}
    assert characters["support"] > 4 > characters["code"] > 2.5 > 1.8 > characters["japanese"]


@pytest.mark.parametrize("kind", sorted(kinds()))
def test_the_events_of_a_text_spell_it(kind):
    text = compose(kinds()[kind], 300, Random(5))
    events = list(text.events())
    assert "".join(json.loads(f'"{event}"') for event in events) == text.text
    assert len(events) == text.event_count
    assert sum(len(event.encode()) for event in events) == text.json_bytes == len(orjson.dumps(text.text)) - 2


@given(st.text(), st.integers(4, 40))
def test_pieces_are_within_the_limit_and_join_to_the_text(text, limit):
    pieces = records.chunks(text, limit)
    assert "".join(pieces) == text
    assert all(len(piece.encode()) <= limit for piece in pieces)


@given(st.text(), st.integers(0, 40))
def test_a_cut_text_is_the_longest_beginning_within_the_limit(text, limit):
    kept = records.cut(text, limit)
    assert text.startswith(kept)
    assert len(kept.encode()) <= limit
    assert kept == text or len(text[: len(kept) + 1].encode()) > limit
