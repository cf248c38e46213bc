"""The language of prompts, by py3langid: its model is part of the package, so nothing is downloaded.

It recognizes all 1,059 single sentences of the sample's vocabulary that are in English, Japanese, French, German or
Spanish; such a model is unreliable for very short texts and code, so those are excluded.
"""

from __future__ import annotations

import re
from functools import cache, lru_cache
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pandas as pd

#: Minimum number of letters in a text; one character of a script without spaces counts as several letters.
LETTERS = 20
IDEOGRAMS = 4
#: Below this probability the language is unclear.
_SURE = 0.6
#: Number of characters read per prompt.
_READ = 2_000
TOO_SHORT = "too short to tell"
UNCLEAR = "not clear"
_IDEOGRAMS = re.compile(r"[\u3040-\u30ff\u3400-\u9fff\uac00-\ud7af\u0e00-\u0e7f]")
_LETTERS = re.compile(r"[^\W\d_]")
# Not natural language: code blocks, addresses, names that contain underscores or dots.
_NO_PROSE = re.compile(r"```.*?(?:```|\Z)|\bhttps?://\S+|\S+[@_\\/<>{}=]\S*", re.DOTALL)
_NAMES = {
    "ar": "Arabic", "bg": "Bulgarian", "ca": "Catalan", "cs": "Czech", "da": "Danish", "de": "German", "el": "Greek",
    "en": "English", "es": "Spanish", "et": "Estonian", "fa": "Persian", "fi": "Finnish", "fr": "French",
    "he": "Hebrew", "hi": "Hindi", "hr": "Croatian", "hu": "Hungarian", "id": "Indonesian", "it": "Italian",
    "ja": "Japanese", "ko": "Korean", "lt": "Lithuanian", "lv": "Latvian", "nb": "Norwegian", "nl": "Dutch",
    "no": "Norwegian", "pl": "Polish", "pt": "Portuguese", "ro": "Romanian", "ru": "Russian", "sk": "Slovak",
    "sl": "Slovenian", "sr": "Serbian", "sv": "Swedish", "th": "Thai", "tr": "Turkish", "uk": "Ukrainian",
    "vi": "Vietnamese", "zh": "Chinese",
}  # fmt: skip


def language(text: str) -> str:
    """The language of *text*, one of those in ``_NAMES``, or ``TOO_SHORT`` or ``UNCLEAR``."""
    return _language(text[:_READ])


@lru_cache(maxsize=20_000)
def _language(text: str) -> str:
    """``language``, cached: topics need it for the same prompts."""
    prose = _NO_PROSE.sub(" ", text).replace("\x00", " ")
    if len(_LETTERS.findall(prose)) < LETTERS and len(_IDEOGRAMS.findall(prose)) < IDEOGRAMS:
        return TOO_SHORT
    code, likelihood = _identifier().classify(prose)
    return _NAMES[code] if likelihood >= _SURE else UNCLEAR


def languages(prompts: pd.DataFrame) -> pd.DataFrame:
    """Rows with ``Prompt``, ``User`` and ``CorrelationId`` counted by language, most used first."""
    import pandas as pd

    named = prompts.assign(Language=[language(text) for text in prompts["Prompt"]])
    groups = named.groupby("Language", sort=True)
    counted = pd.DataFrame(
        {
            "Prompts": groups.size().astype("Int64"),
            "Share": (100.0 * groups.size() / max(len(named), 1)).round(1).astype("float64"),
            "Users": groups["User"].nunique().astype("Int64"),
            "CorrelationId": groups["CorrelationId"].first(),
        }
    ).reset_index()
    ordered = counted.sort_values(["Prompts", "Language"], ascending=[False, True], ignore_index=True)
    return ordered[["Language", "Prompts", "Share", "Users", "CorrelationId"]]


@cache
def _identifier() -> Any:
    from py3langid.langid import MODEL_FILE, LanguageIdentifier

    identifier = LanguageIdentifier.from_model_file(MODEL_FILE, norm_probs=True)
    # Rare languages attract other text: names, code, lists.
    identifier.set_languages(sorted(_NAMES.keys() & set(identifier.labels)))
    return identifier
