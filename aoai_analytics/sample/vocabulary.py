"""The sample's texts: sentences with their real token counts, and how a stream splits them.

``build_vocabulary.py`` generates ``vocabulary.json`` from ``phrases.toml``. The tokens of joined sentences
are the sum of theirs, within about one per cent of the tokenizer's count for the whole text.
"""

from __future__ import annotations

import json
from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from importlib.resources import files
from random import Random

import orjson


@dataclass(frozen=True, slots=True)
class Sentence:
    """A sentence; ``events`` are its pieces as JSON strings without quotes, ``json_bytes`` their total length."""

    text: str
    tokens: int
    events: tuple[str, ...]
    json_bytes: int


@dataclass(frozen=True, slots=True)
class Kind:
    """A kind of text: its sentences, their separator (also as JSON), and the mean tokens per sentence."""

    join: str
    join_json: str
    sentences: tuple[Sentence, ...]
    mean_tokens: float


@dataclass(frozen=True, slots=True)
class Text:
    """A text and its tokens; ``sentences`` and ``join_json`` serve streaming, which never needs the text itself."""

    text: str
    tokens: int
    sentences: list[Sentence]
    join_json: str

    def events(self) -> Iterator[str]:
        """The pieces of the text in a stream, as JSON strings without quotes."""
        join = ""
        for sentence in self.sentences:
            yield join + sentence.events[0]
            yield from sentence.events[1:]
            join = self.join_json

    @property
    def event_count(self) -> int:
        return sum(len(sentence.events) for sentence in self.sentences)

    @property
    def json_bytes(self) -> int:
        """Bytes of the text as a JSON string, without quotes."""
        between = len(self.join_json) * max(len(self.sentences) - 1, 0)
        return sum(sentence.json_bytes for sentence in self.sentences) + between


EMPTY = Text("", 0, [], "")


def _bare_json(text: str) -> str:
    return orjson.dumps(text).decode()[1:-1]


def _sentence(text: str, lengths: str, tokens: int) -> Sentence:
    events, at = [], 0
    for digit in lengths:
        length = int(digit, 36)
        events.append(_bare_json(text[at : at + length]))
        at += length
    return Sentence(text, tokens, tuple(events), sum(len(event.encode()) for event in events))


@cache
def kinds() -> dict[str, Kind]:
    """Every kind of text by its name (``support``, ``code``, ``japanese``, ``hostile``, …)."""
    stored = json.loads(files(__package__).joinpath("vocabulary.json").read_text(encoding="utf-8"))
    loaded = {}
    for name, kind in stored["kinds"].items():
        sentences = tuple(_sentence(*sentence) for sentence in kind["sentences"])
        mean = sum(sentence.tokens for sentence in sentences) / len(sentences)
        loaded[name] = Kind(kind["join"], _bare_json(kind["join"]), sentences, mean)
    return loaded


def compose(kind: Kind, tokens: float, rng: Random) -> Text:
    """A text with about the given number of tokens, at least one sentence."""
    sentences = rng.choices(kind.sentences, k=max(1, round(tokens / kind.mean_tokens)))
    return put_together(kind, sentences)


def put_together(kind: Kind, sentences: list[Sentence]) -> Text:
    """The text made of these sentences."""
    text = kind.join.join([sentence.text for sentence in sentences])
    return Text(text, sum([sentence.tokens for sentence in sentences]), sentences, kind.join_json)
