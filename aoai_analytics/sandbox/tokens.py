"""Texts as tokens, by the tokenizer of the current OpenAI models (o200k_base)."""

from __future__ import annotations

import json
from functools import cache
from typing import Any

from ..sample import build_vocabulary

#: Tokens of a chat in addition to its texts: per message, and once.
MESSAGE_TOKENS, REPLY_TOKENS = 4, 3
#: Of an image in a message: by its detail.
IMAGE_TOKENS = {"low": 85, "high": 765, "auto": 765}


@cache
def _encoding() -> Any:
    import bpe_openai

    return bpe_openai.get_encoding(build_vocabulary.ENCODING)


def encode(text: str) -> list[int]:
    """The tokens of a text; text that looks like a special token is text."""
    tokens: list[int] = _encoding().encode_ordinary(text)
    return tokens


def pieces_of(tokens: list[int]) -> list[str]:
    """The text of tokens as a stream sends it; see ``build_vocabulary.pieces_of``."""
    return build_vocabulary.pieces_of(tokens, _encoding())


def text_of(content: Any) -> str:
    """The text of a message's content: a string, or parts with text; of any other part its JSON, without pictures."""
    if isinstance(content, str):
        return content
    if content is None:
        return ""
    if isinstance(content, list):
        return "\n".join(filter(None, map(_part, content)))
    return _part(content)


def _part(part: Any) -> str:
    if isinstance(part, str):
        return part
    if not isinstance(part, dict):
        return json.dumps(part)
    if images([part]):
        return ""
    for name in ("text", "content", "output", "arguments", "input"):
        if name in part:
            return text_of(part[name])
    return json.dumps(part)


def images(content: Any) -> int:
    """Tokens of the images in a message's content."""
    found = 0
    for part in content if isinstance(content, list) else ():
        if isinstance(part, dict) and part.get("type") in ("image_url", "input_image", "image"):
            inner = part.get("image_url")
            detail = part.get("detail") or (inner.get("detail") if isinstance(inner, dict) else None) or "auto"
            found += IMAGE_TOKENS.get(detail, IMAGE_TOKENS["auto"])
    return found
