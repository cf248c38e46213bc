"""Functions that code and decode texts: base64, compression, punycode, hashes and command lines, in Python.

Sources: the page of each at https://learn.microsoft.com/kusto/query/.
"""

from __future__ import annotations

import base64
import binascii
import gzip
import re
import uuid
import zlib
from collections.abc import Callable
from datetime import datetime
from typing import Any

from .values import as_text

_ALL = 2**64 - 1
_PRIMES = (
    11400714785074694791,
    14029467366897019727,
    1609587929392839161,
    9650029242287828579,
    2870177450012600261,
)


def _decoded(text: Any) -> bytes | None:
    try:
        return base64.b64decode(as_text(text), validate=True)
    except (binascii.Error, ValueError):
        return None


def decode_to_array(text: Any) -> list[int] | None:
    decoded = _decoded(text)
    return None if decoded is None else list(decoded)


def encode_from_array(numbers: Any) -> str | None:
    try:
        return base64.b64encode(bytes(numbers)).decode()
    except (TypeError, ValueError):
        return ""


def decode_to_guid(text: Any) -> str | None:
    decoded = _decoded(text)
    return None if decoded is None or len(decoded) != 16 else str(uuid.UUID(bytes_le=decoded))


def encode_from_guid(guid: Any) -> str | None:
    try:
        return base64.b64encode(uuid.UUID(as_text(guid)).bytes_le).decode()
    except ValueError:
        return None


def _unpacked(unpack: Callable[[bytes], bytes]) -> Callable[[Any], str]:
    def unpacked(text: Any) -> str:
        decoded = _decoded(text)
        try:
            return unpack(decoded).decode() if decoded else ""
        except (OSError, EOFError, ValueError, zlib.error):
            return ""

    return unpacked


def _zip(text: Any) -> str:
    return base64.b64encode(gzip.compress(as_text(text).encode(), mtime=0)).decode()


def _zlib(text: Any) -> str:
    return base64.b64encode(zlib.compress(as_text(text).encode())).decode()


def _to_punycode(text: Any) -> str:
    return as_text(text).encode("punycode").decode()


def _from_punycode(text: Any) -> str:
    try:
        return as_text(text).encode("ascii").decode("punycode")
    except (UnicodeError, ValueError):
        return ""


def _domain_to_punycode(domain: Any) -> str:
    parts = as_text(domain).split(".")
    return ".".join(part if part.isascii() else f"xn--{_to_punycode(part)}" for part in parts)


def _domain_from_punycode(domain: Any) -> str:
    parts = as_text(domain).split(".")
    return ".".join(_from_punycode(part[4:]) if part.startswith("xn--") else part for part in parts)


def _turned(number: int, bits: int) -> int:
    return (number << bits | number >> (64 - bits)) & _ALL


def _mixed(total: int, lane: int) -> int:
    return _turned((total + lane * _PRIMES[1]) & _ALL, 31) * _PRIMES[0] & _ALL


def xxhash64(data: bytes) -> int:
    """https://github.com/Cyan4973/xxHash/blob/dev/doc/xxhash_spec.md, signed, with a seed of 0."""
    first, second, third, fourth, fifth = _PRIMES
    done, size = 0, len(data)

    def lane(start: int, length: int = 8) -> int:
        return int.from_bytes(data[start : start + length], "little")

    total = fifth
    if size >= 32:
        lanes = [(first + second) & _ALL, second, 0, -first & _ALL]
        while done + 32 <= size:
            lanes = [_mixed(one, lane(done + 8 * place)) for place, one in enumerate(lanes)]
            done += 32
        total = sum(_turned(one, bits) for one, bits in zip(lanes, (1, 7, 12, 18), strict=True)) & _ALL
        for one in lanes:
            total = ((total ^ _mixed(0, one)) * first + fourth) & _ALL
    total = (total + size) & _ALL
    while done + 8 <= size:
        total = (_turned(total ^ _mixed(0, lane(done)), 27) * first + fourth) & _ALL
        done += 8
    if done + 4 <= size:
        total = (_turned(total ^ (lane(done, 4) * first & _ALL), 23) * second + third) & _ALL
        done += 4
    while done < size:
        total = _turned(total ^ (data[done] * fifth & _ALL), 11) * first & _ALL
        done += 1
    for bits, prime in ((33, second), (29, third), (32, 1)):
        total = ((total ^ total >> bits) * prime) & _ALL
    return total - 2**64 if total >= 2**63 else total


def hashed(kind: str, value: Any, modulus: Any = None) -> int | None:
    """The hash of a value of DuckDB's type *kind*: of a text's UTF-8, and of a moment's ticks."""
    if value is None:
        return None
    if kind == "TIMESTAMP":
        ticks = datetime.fromisoformat(value) - datetime(1, 1, 1)
        data = ((ticks.days * 86400 + ticks.seconds) * 10_000_000 + ticks.microseconds * 10).to_bytes(8, "little")
    elif isinstance(value, int) and not isinstance(value, bool):
        data = (value % 2**64).to_bytes(8, "little")
    else:
        data = as_text(value).encode()
    made = xxhash64(data)
    return made % int(modulus) if modulus else made


def command_line(text: Any, parser: Any) -> list[str] | None:
    """The arguments of a Windows command line: quotes hold blanks, two backslashes before a quote are one."""
    if as_text(parser).lower() != "windows":
        return None
    found: list[str] = []
    current, quoted, started = "", False, False
    for slashes, quote, other in re.findall(r'(\\*)(?:(")|([^\\"]|$))', as_text(text)):
        if quote:
            current += "\\" * (len(slashes) // 2)
            started = True
            if len(slashes) % 2:
                current += '"'
            else:
                quoted = not quoted
            continue
        current += slashes
        if other.isspace() and not quoted:
            found += [current] if current or started else []
            current, started = "", False
        else:
            current += other
    return [*found, current] if current or started else found


#: Function -> fewest and most arguments, the type of the result, and what computes it.
FUNCTIONS: dict[str, tuple[int, int, str, Any]] = {
    "base64_decode_toarray": (1, 1, "dynamic", decode_to_array),
    "base64_decode_toguid": (1, 1, "guid", decode_to_guid),
    "base64_encode_fromarray": (1, 1, "string", encode_from_array),
    "base64_encode_fromguid": (1, 1, "string", encode_from_guid),
    "gzip_compress_to_base64_string": (1, 1, "string", _zip),
    "gzip_decompress_from_base64_string": (1, 1, "string", _unpacked(gzip.decompress)),
    "zlib_compress_to_base64_string": (1, 1, "string", _zlib),
    "zlib_decompress_from_base64_string": (1, 1, "string", _unpacked(zlib.decompress)),
    "punycode_from_string": (1, 1, "string", _to_punycode),
    "punycode_to_string": (1, 1, "string", _from_punycode),
    "punycode_domain_from_string": (1, 1, "string", _domain_to_punycode),
    "punycode_domain_to_string": (1, 1, "string", _domain_from_punycode),
    "parse_command_line": (2, 2, "dynamic", command_line),
    "regex_quote": (1, 1, "string", lambda text: re.sub(r"([\\.+*?()|\[\]{}^$])", r"\\\1", as_text(text))),
}
