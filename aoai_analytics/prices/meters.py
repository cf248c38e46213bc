"""Maps a meter name of the Azure Retail Prices API to a row of the price book, or says why it cannot.

The names follow no schema: ``gpt 4.1 cached Inp glbl Tokens``, ``GPT 5 Mini cchd Inpt Glbl 1M Tokens``,
``5.1 cd inp Dz 1M Tokens``, ``gpt-4o-mini-0718-Outp-regnl Tokens``. So a name is cut into words, each word is looked up
in the tables below, and a name with any word that none of them knows is left out: half understood is not matched.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

#: Words of a direction; a cached word makes a prompt a cached one.
_DIRECTIONS = {
    "prompt": ("inp", "inpt", "input"),
    "completion": ("outp", "outpt", "out", "opt", "output"),
    "cache-write": ("wr", "write"),
}
_CACHED = ("cached", "cchd", "ccchd", "cd")
#: Words of a service tier that is not the default.
_TIERS = {"priority": ("pp", "priority"), "flex": ("fl", "flex"), "batch": ("batch",)}
_SPLIT = {"batchinp": ("batch", "inp"), "batchoutp": ("batch", "outp")}
#: Words of a prompt's length, and the tokens above which the price holds.
_LENGTHS = {"272000": ("longco",), "0": ("shortco", "shco")}
#: Words that say what is so without them.
_IDLE = ("std",)
#: Words of a scope. "data zone" is two words.
_SCOPES = {
    "global": ("glbl", "gl", "global"),
    "data-zone": ("dz", "dzone", "dzn", "datazone"),
    "regional": ("regnl", "rgnl", "regn", "regional"),
}
#: Words of things that are billed apart from a request's text tokens, and what they are.
_OTHER = {
    "ft": "fine-tuning", "finetuned": "fine-tuning",
    "trng": "fine-tuning", "training": "fine-tuning", "hstng": "fine-tuning", "hosting": "fine-tuning",
    "grader": "fine-tuning", "aud": "audio", "audio": "audio", "rt": "realtime", "realtime": "realtime",
    "realtimeprvw": "realtime", "transcribe": "audio", "tts": "audio", "txt": "audio, realtime or images",
    "img": "images", "image": "images", "images": "images", "router": "model router", "routers": "model router",
    "rft": "fine-tuning", "tcrb": "audio",
}  # fmt: skip
_OTHER_PARTS = re.compile(r"realtime|(?:rt-?)?(?:(?<!cl)aud|txt)\d*|batch(?!$|inp$|outp$)")
#: A model in the words of its meter -> its name as a deployment says it. Its version is the four digits that follow.
_MODELS = {
    "gpt 4o": "gpt-4o", "gpt 4o mini": "gpt-4o-mini",
    "gpt 4.1": "gpt-4.1", "gpt 4.1 mini": "gpt-4.1-mini", "gpt 4.1 nano": "gpt-4.1-nano",
    "gpt 5": "gpt-5", "gpt 5 mini": "gpt-5-mini", "gpt 5 nano": "gpt-5-nano", "gpt 5 pro": "gpt-5-pro",
    "gpt 5 chat": "gpt-5-chat", "gpt 5 codex": "gpt-5-codex", "gpt 5.1": "gpt-5.1", "gpt 5.1 chat": "gpt-5.1-chat",
    "gpt 5.1 codex": "gpt-5.1-codex", "gpt 5.1 codex mini": "gpt-5.1-codex-mini", "gpt 5.2": "gpt-5.2",
    "gpt 5.2 chat": "gpt-5.2-chat", "gpt 5.2 pro": "gpt-5.2-pro", "gpt 5.4": "gpt-5.4", "gpt 5.4 mini": "gpt-5.4-mini",
    "gpt 5.4 nano": "gpt-5.4-nano", "gpt 5.4 pro": "gpt-5.4-pro", "gpt 5.1 codex max": "gpt-5.1-codex-max",
    "gpt 5.2 codex": "gpt-5.2-codex", "gpt 5.3 chat": "gpt-5.3-chat", "gpt 5.3 codex": "gpt-5.3-codex",
    "gpt 5.5": "gpt-5.5", "gpt 5.6 sol": "gpt-5.6-sol", "gpt 5.6 terra": "gpt-5.6-terra",
    "gpt 5.6 luna": "gpt-5.6-luna", "gpt oss 120b": "gpt-oss-120b",
    "o1": "o1", "o1 mini": "o1-mini", "o1 preview": "o1-preview", "o1 pro": "o1-pro", "o3": "o3", "o3 mini": "o3-mini",
    "o3 pro": "o3-pro", "o4 mini": "o4-mini", "codex mini": "codex-mini",
    "gpt 35 turbo instruct": "gpt-35-turbo-instruct", "gpt 35 turbo 16k": "gpt-35-turbo",
    "text embedding 3 small": "text-embedding-3-small", "text embedding 3 large": "text-embedding-3-large",
    "embedding ada": "text-embedding-ada-002",
}  # fmt: skip
#: Models that have a price for what they read only; their meters name no direction.
_EMBEDDINGS = ("text-embedding-3-small", "text-embedding-3-large", "text-embedding-ada-002")
#: Model and the digits in its meter -> its version. Azure writes the version's month and day.
_VERSIONS = {
    ("gpt-4o", "0513"): "2024-05-13", ("gpt-4o", "0806"): "2024-08-06", ("gpt-4o", "1120"): "2024-11-20",
    ("gpt-4o-mini", "0718"): "2024-07-18", ("o1", "1217"): "2024-12-17", ("o3-mini", "0131"): "2025-01-31",
    ("o3", "0416"): "2025-04-16", ("o4-mini", "0416"): "2025-04-16", ("gpt-5.2-chat", "0210"): "2026-02-10",
    ("gpt-35-turbo", "0125"): "0125", ("gpt-35-turbo", "1106"): "1106",
}  # fmt: skip
#: The API's unit of measure -> factor to a million. A meter's own "1M" or "1K" must not say otherwise.
_UNITS = {"1K": Decimal(1000), "1000": Decimal(1000), "1M": Decimal(1), "1000000": Decimal(1)}


@dataclass(frozen=True)
class Matched:
    """What a meter is: a price of this model, version, scope, direction, tier and prompt length.

    ``factor`` makes it one for a million tokens.
    """

    model: str
    version: str
    scope: str
    direction: str
    factor: Decimal
    tier: str = "default"
    above: int = 0


@dataclass(frozen=True)
class Unmatched:
    """A meter that matches no row of the price book, and why."""

    reason: str


def read_meter(name: str, product: str, unit: str) -> Matched | Unmatched:
    """What the meter *name* of *product*, priced by *unit* (``1K``, ``1M``, ``1 Hour`` …), is."""
    words = _words(name)
    if not words or words[-1] != "tokens":
        return Unmatched("billed by something else than tokens")
    words = words[:-1]
    factor = _UNITS.get(unit.strip().upper().replace(" ", "").replace(",", ""))
    if factor is None:
        return Unmatched(f"unknown unit '{unit}'")
    said = [word for word in words if word in ("1k", "1m")]
    if any(_UNITS[word.upper()] != factor for word in said):
        return Unmatched(f"its name says {said[0].upper()}, its unit {unit}")
    words = [word for word in words if word not in ("1k", "1m", *_IDLE)]
    for word in words:
        if word in _OTHER or _OTHER_PARTS.search(word):
            return Unmatched(_OTHER.get(word, "audio, realtime or batch"))
    # One word says both.
    words = [part for word in words for part in _SPLIT.get(word, (word,))]
    scope = _take(words, _SCOPES)
    direction = _take(words, _DIRECTIONS)
    tier = _take(words, _TIERS) or "default"
    above = int(_take(words, _LENGTHS) or 0)
    cached = any(word in _CACHED for word in words)
    words = [word for word in words if word not in _CACHED]
    if scope is None:
        return Unmatched("no single scope in its name (global, data zone, regional)")
    versions = [word for word in words if re.fullmatch(r"\d{4}", word)]
    model = _model([word for word in words if word not in versions], product)
    if model is None:
        return Unmatched("no known model in its name")
    if direction is None and model in _EMBEDDINGS and not cached:
        direction = "prompt"
    if direction is None or (cached and direction == "completion"):
        return Unmatched("no single direction in its name (prompt, cached prompt, cache write, completion)")
    version = ""
    if versions or any(model == versioned for versioned, _ in _VERSIONS):
        digits = " ".join(versions)
        if (model, digits) not in _VERSIONS:
            return Unmatched(f"no known {model} version in its name")
        version = _VERSIONS[model, digits]
    if cached and direction == "prompt":
        direction = "cached-prompt"
    return Matched(model, version, scope, direction, factor, tier, above)


def _words(name: str) -> list[str]:
    """``gpt-4o-mini-0718-Inp-glbl Tokens`` -> gpt 4o mini 0718 inp glbl tokens; ``Data Zone`` is one word."""
    text = re.sub(r"data[ -]zone", "datazone", name.lower())
    text = re.sub(r"turbo-?(?=\d)", "turbo ", text)  # turbo16k
    return re.sub(r"\bmini(?=\d{4}\b)", "mini ", text).replace("-", " ").replace("_", " ").split()


def _take(words: list[str], tables: dict[str, tuple[str, ...]]) -> str | None:
    """What the words say by one of the tables, None unless exactly once; the word is taken out."""
    found = [(meaning, word) for word in words for meaning, spellings in tables.items() if word in spellings]
    if len(found) != 1:
        return None
    words.remove(found[0][1])
    return found[0][0]


def _model(words: list[str], product: str) -> str | None:
    """The model that the words are, as a whole. Some products' meters leave 'gpt' out."""
    text = " ".join(words)
    if product.startswith("Azure OpenAI") and words and words[0][0].isdigit():
        text = f"gpt {text}"
    return _MODELS.get(text)
