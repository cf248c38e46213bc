"""Generate ``vocabulary.json``, the tokenized sentences of the sample, from ``phrases.toml``.

A development tool: it needs ``bpe-openai`` (the o200k_base encoding), of the extra ``sandbox``.

    python -m aoai_analytics.sample.build_vocabulary
"""

from __future__ import annotations

import json
import random
import re
import tomllib
from pathlib import Path
from typing import Any

HERE = Path(__file__).parent
ENCODING = "o200k_base"
_DIGITS = "0123456789abcdefghijklmnopqrstuvwxyz"


def expand(slots: dict[str, list[str]], kind: dict[str, Any], rng: random.Random) -> list[str]:
    """The sentences of one kind: ``count`` different fillings of its patterns, or the patterns unchanged."""
    if not kind["count"]:
        return list(kind["sentences"])
    sentences: dict[str, None] = {}
    for turn in range(kind["count"] * 20):
        pattern = kind["sentences"][turn % len(kind["sentences"])]
        filled = re.sub(r"\{(\w+)\}", lambda m: rng.choice(slots[m[1]]) if m[1] in slots else m[0], pattern)
        sentences[filled[0].upper() + filled[1:] if kind["join"] == " " else filled] = None
        if len(sentences) == kind["count"]:
            break
    return list(sentences)


def pieces_of(tokens: list[int], encoding: Any) -> list[str]:
    """The text of tokens as a stream sends it: one piece each, but a character is never split. A rest is left out."""
    pieces, pending = [], b""
    for token in tokens:
        pending += encoding.decode_bytes([token])
        try:
            pieces.append(pending.decode())
        except UnicodeDecodeError:
            continue
        pending = b""
    return pieces


def tokenized(sentence: str, encoding: Any) -> list[Any]:
    """``[sentence, lengths, tokens]``: the number of characters in each streamed piece, one base-36 digit each.

    A token may be part of a character, but an event of a stream contains whole characters, so
    such tokens share a piece and ``tokens`` may exceed the number of pieces.
    """
    tokens = encoding.encode(sentence)
    pieces = pieces_of(tokens, encoding)
    if "".join(pieces) != sentence:
        raise ValueError(f"the tokenizer did not give back {sentence!r}")
    # A long run of spaces is one token; a digit can count at most 35.
    lengths = [part for piece in pieces for part in [35] * (len(piece) // 36) + [len(piece) - 35 * (len(piece) // 36)]]
    return [sentence, "".join(_DIGITS[length] for length in lengths), len(tokens)]


def build() -> dict[str, Any]:
    """The whole vocabulary, ``{"encoding": …, "kinds": {name: {"join": …, "sentences": [tokenized, …]}}}``."""
    import bpe_openai

    encoding = bpe_openai.get_encoding(ENCODING)
    phrases = tomllib.loads((HERE / "phrases.toml").read_text(encoding="utf-8"))
    rng = random.Random(2026)
    kinds = {}
    for name, kind in phrases["kinds"].items():
        sentences = expand(phrases["slots"], kind, rng)
        kinds[name] = {"join": kind["join"], "sentences": [tokenized(sentence, encoding) for sentence in sentences]}
    return {"encoding": ENCODING, "kinds": kinds}


def rendered(vocabulary: dict[str, Any]) -> str:
    """The file's text: one sentence per line, so that diffs show the changed lines."""
    blocks = []
    for name, kind in vocabulary["kinds"].items():
        lines = ",\n".join(json.dumps(sentence, ensure_ascii=False) for sentence in kind["sentences"])
        blocks.append(f'{json.dumps(name)}: {{"join": {json.dumps(kind["join"])}, "sentences": [\n{lines}\n]}}')
    return f'{{"encoding": {json.dumps(vocabulary["encoding"])}, "kinds": {{\n' + ",\n".join(blocks) + "\n}}\n"


if __name__ == "__main__":
    (HERE / "vocabulary.json").write_text(rendered(build()), encoding="utf-8")
