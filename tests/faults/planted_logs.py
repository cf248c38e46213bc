"""Sample logs whose every prompt, response and error message is planted text, beside lines that are no record."""

from __future__ import annotations

import base64
import gzip
import io
import json
import re
import zipfile
import zlib
from collections.abc import Collection, Iterator
from dataclasses import replace
from pathlib import Path
from typing import Any

import pyarrow.parquet as pq
import pytest

from aoai_analytics.sample import exchange, vocabulary, write_sample

from .planting import TEXT, WORD

#: A member of a page that scripts unpack, or a link that carries a file.
_PACKED = re.compile(r"data-packed(?:=\"|>)([A-Za-z0-9+/=]+)|;base64,([A-Za-z0-9+/=]+)")
#: Long enough that no packed or sealed bytes are it by chance.
_WHOLE = re.compile(rf"{WORD}|{WORD[::-1]}|{base64.b64encode(WORD.encode()).decode()}", re.IGNORECASE)


def write_planted_logs(folder: Path, requests: int) -> None:
    """Logs of two days in *folder*."""
    texts = {
        name: replace(kind, sentences=tuple(_planted(each, n) for n, each in enumerate(kind.sentences)))
        for name, kind in vocabulary.kinds().items()
    }
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(exchange, "kinds", lambda: texts)
        write_sample(folder / "sample", requests=requests, days=2)
    for path in sorted((folder / "sample/logs").rglob("*.json")):
        lines = [_with_errors(json.loads(line)) for line in path.read_text("utf-8").splitlines()]
        path.write_text("".join(f"{json.dumps(line)}\n" for line in [*lines, *_misfits(lines[-1])]), "utf-8")


def _planted(sentence: vocabulary.Sentence, number: int) -> vocabulary.Sentence:
    """A sentence of planted words, now and then with what looks like personal data."""
    more = ("", f" {WORD}@{WORD}.example", " 555-0100")[number % 3]
    text = f"{WORD} {WORD.upper()} {number}{more}."
    return replace(sentence, text=text, events=(text,), json_bytes=len(text))


def _with_errors(record: dict[str, Any]) -> dict[str, Any]:
    """A record whose messages of errors, headers and traces quote the prompt too."""
    properties = record["properties"]
    for error in filter(None, (properties.get("lastError"), *properties.get("errors", ()))):
        error["message"] = TEXT
    for name in ("responseBody", "backendResponseBody"):
        if str(properties.get(name, "")).startswith('{"error"'):
            properties[name] = re.sub(r'("message"\s*:\s*")(?:[^"\\]|\\.)*', rf"\g<1>{TEXT}", properties[name])
    if record["category"] == "GatewayLogs":
        properties["requestHeaders"] = {"X-Prompt": TEXT}
        properties.setdefault("traceRecords", []).append({"source": "policy", "message": TEXT})
    return record


def _misfits(record: dict[str, Any]) -> Iterator[dict[str, Any]]:
    """What is quarantined of a record whose values are of the wrong kind."""
    yield record | {"time": TEXT}
    yield record | {"properties": TEXT}
    yield record | {"properties": record["properties"] | {"responseCode": TEXT, "sequenceNumber": TEXT}}


def written(path: Path) -> str:
    """All that a file says: what is packed in it is unpacked."""
    content = path.read_bytes()
    if path.name.endswith(".gz"):
        content = gzip.decompress(content)
    if path.suffix in (".xlsx", ".zip"):
        with zipfile.ZipFile(io.BytesIO(content)) as book:
            return "\n".join(book.read(name).decode("utf-8") for name in book.namelist())
    if path.suffix == ".parquet":
        return str(pq.read_table(io.BytesIO(content), partitioning=None).to_pydict())
    text = content.decode("utf-8", "replace")
    return "\n".join([text, *map(_unpacked, _PACKED.findall(text))])


def _unpacked(found: tuple[str, str]) -> str:
    packed, plain = found
    if packed:
        return zlib.decompress(base64.b64decode(packed), wbits=-15).decode("utf-8")
    whole = len(plain) // 4 * 4  # a script that makes such links names them too
    return base64.b64decode(plain[:whole]).decode("utf-8", "replace")


def files_that_leak(folder: Path, skip: Collection[Path] = ()) -> list[str]:
    """The files below *folder*, but for those below *skip*, that have the planted word in their name or text."""
    return [
        str(path.relative_to(folder))
        for path in sorted(folder.rglob("*"))
        if path.is_file()
        and not any(path.is_relative_to(other) for other in skip)
        and _WHOLE.search(f"{path.name}\n{written(path)}")
    ]
