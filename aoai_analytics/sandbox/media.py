"""Images, transcriptions and speech: made-up answers in the shapes of the API references, with the tokens they bill.

Images: https://platform.openai.com/docs/api-reference/images; the tokens of an image by its size and quality are those
of the guide to image generation. Audio: https://platform.openai.com/docs/api-reference/audio.
"""

from __future__ import annotations

import base64
import email
import email.policy
import json
import struct
import zlib
from collections.abc import Iterator
from random import Random
from typing import Any

from ..sample.vocabulary import compose, kinds
from .tokens import encode, pieces_of

Json = dict[str, Any]

#: Surfaces and what a model that has it is called.
MODELS = {"images": ("image", "dall-e"), "transcriptions": ("transcribe", "whisper"), "speech": ("tts",)}
#: Tokens of a generated image: quality -> size -> tokens.
IMAGE_TOKENS = {
    "low": {"1024x1024": 272, "1024x1536": 408, "1536x1024": 400},
    "medium": {"1024x1024": 1056, "1024x1536": 1584, "1536x1024": 1568},
    "high": {"1024x1024": 4160, "1024x1536": 6240, "1536x1024": 6208},
}
#: Of a picture that an edit brings.
_PICTURE_TOKENS = 323
#: Tokens of a second of speech, and bytes of one where the file does not say.
_TOKENS_PER_SECOND, _BYTES_PER_SECOND = 10, 16_000
#: A silent frame of MPEG audio: 26 ms at 128 kbit/s and 44,100 Hz.
_FRAME, _FRAME_SECONDS = bytes.fromhex("fffb9000") + bytes(413), 0.0261


class WrongMedia(Exception):
    """What is wrong with a request: a message and the parameter."""


def form_of(content_type: str, raw: bytes) -> Json:
    """The fields of a multipart form; of a file, its ``bytes`` and ``seconds``, if it were sound."""
    head = f"Content-Type: {content_type}\r\n\r\n".encode("latin-1", "replace")
    message = email.message_from_bytes(head + raw, policy=email.policy.HTTP)
    found: Json = {}
    for part in message.iter_parts() if message.is_multipart() else ():
        name = part.get_param("name", header="content-disposition")
        content = part.get_payload(decode=True)
        data = content if isinstance(content, bytes) else b""
        if part.get_filename():
            found[str(name)] = {"bytes": len(data), "seconds": _seconds(data)}
        else:
            text = data.decode("utf-8", "replace")
            found[str(name)] = {"true": True, "false": False}.get(text, text)
    return found


def _seconds(data: bytes) -> float:
    rate = struct.unpack_from("<I", data, 28)[0] if data[:4] == b"RIFF" and len(data) >= 44 else 0
    return max(0, len(data) - 44) / rate if rate else len(data) / _BYTES_PER_SECOND


def pictures(body: Json) -> tuple[list[str], int, int]:
    """Of a request for images: the images as base64, its prompt's tokens and theirs. Raises WrongMedia."""
    prompt, count = body.get("prompt"), body.get("n")
    if not isinstance(prompt, str) or not prompt:
        raise WrongMedia("'prompt' is a required property", "prompt")
    if body.get("stream"):
        raise WrongMedia("The sandbox does not stream images: leave stream out.", "stream")
    try:
        number = int(count or 1)
    except (TypeError, ValueError):
        number = 0
    if not 1 <= number <= 10:
        raise WrongMedia("Invalid value for 'n': 1 to 10 images.", "n")
    sizes = IMAGE_TOKENS.get(str(body.get("quality") or "auto").replace("auto", "medium"))
    tokens = sizes and sizes.get(str(body.get("size") or "auto").replace("auto", "1024x1024"))
    if not sizes or not tokens:
        raise WrongMedia("Invalid value for 'quality' or 'size'.", "size" if sizes else "quality")
    edited = _PICTURE_TOKENS * sum(isinstance(value, dict) and "bytes" in value for value in body.values())
    rng = Random(prompt)
    colours = [bytes(rng.randrange(256) for _ in range(3)) for _ in range(number)]
    return (
        [base64.b64encode(_png(colour)).decode() for colour in colours],
        len(encode(prompt)) + edited,
        tokens * number,
    )


def _png(colour: bytes) -> bytes:
    """A picture of one pixel."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))

    header = struct.pack(">IIBBBBB", 1, 1, 8, 2, 0, 0, 0)
    pixel = zlib.compress(b"\x00" + colour)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IDAT", pixel) + chunk(b"IEND", b"")


def transcript(body: Json) -> tuple[list[str], int, int]:
    """Of a recording: its text in the pieces of a stream, its tokens and those of the text. Raises WrongMedia."""
    file = body.get("file")
    if not isinstance(file, dict) or not file.get("bytes"):
        raise WrongMedia("'file' is a required property", "file")
    seconds = max(1.0, float(file["seconds"]))
    tokens = encode(compose(kinds()["support"], max(4.0, min(seconds * 3, 900.0)), Random(file["bytes"])).text)
    return pieces_of(tokens), round(seconds * _TOKENS_PER_SECOND), len(tokens)


def spoken(body: Json) -> tuple[bytes, str, int, int]:
    """Of a text: silence as long as it would take to say it, its media type, and the tokens. Raises WrongMedia."""
    text, kind = body.get("input"), body.get("response_format") or "mp3"
    if not isinstance(text, str) or not text:
        raise WrongMedia("'input' is a required property", "input")
    if kind not in ("mp3", "wav"):
        raise WrongMedia("The sandbox speaks mp3 and wav: choose one as response_format.", "response_format")
    seconds = max(0.5, len(text) / 15)
    tokens = len(encode(text)), round(seconds * _TOKENS_PER_SECOND * 2)
    if kind == "mp3":
        return _FRAME * round(seconds / _FRAME_SECONDS), "audio/mpeg", *tokens
    data = bytes(2 * round(seconds * 24_000))
    form = struct.pack("<HHIIHH", 1, 1, 24_000, 48_000, 2, 16)
    head = b"RIFF" + struct.pack("<I", 36 + len(data)) + b"WAVEfmt " + struct.pack("<I", 16) + form
    return head + b"data" + struct.pack("<I", len(data)) + data, "audio/wav", *tokens


def image_usage(prompt: int, completion: int) -> Json:
    """The usage object of images."""
    details = {"text_tokens": prompt, "image_tokens": 0}
    total = prompt + completion
    return {
        "input_tokens": prompt,
        "input_tokens_details": details,
        "output_tokens": completion,
        "total_tokens": total,
    }


def transcript_usage(prompt: int, completion: int) -> Json:
    """The usage object of a transcription."""
    details = {"text_tokens": 0, "audio_tokens": prompt}
    counts = {"input_tokens": prompt, "input_token_details": details, "output_tokens": completion}
    return {"type": "tokens", **counts, "total_tokens": prompt + completion}


def transcript_events(pieces: tuple[str, ...], usage: Json) -> Iterator[str]:
    """The server-sent events of a transcription."""
    found: list[Json] = [{"type": "transcript.text.delta", "delta": piece} for piece in pieces]
    found.append({"type": "transcript.text.done", "text": "".join(pieces), "usage": usage})
    for event in found:
        yield f"data: {json.dumps(event, ensure_ascii=False)}\n\n"
