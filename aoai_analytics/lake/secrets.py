"""Credentials in logs: found and replaced before a row is stored.

Gateway logs hold what clients sent: an ``api-key`` header, a subscription key in a URL, a SAS in a backend's address.
No query needs them, and lakes are copied more often than keys are rotated. A value is found by
the name beside it (a header, a member of JSON, a parameter of a URL), or by its own form (a bearer token, a JWT).
"""

from __future__ import annotations

import re
from collections.abc import Sequence
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

REDACTED = "REDACTED"

#: Names whose value is a credential, as headers and members of JSON spell them; a prefix (``x-``) may stand before.
_WORDS = (
    r"(?:api[-_]?key|subscription[-_]?key|functions[-_]key|sas[-_]key|account[-_]?key|access[-_]?key"
    r"|authorization(?:[-_]auxiliary)?|cookie|password|client[-_]?secret|(?:access|refresh|id|session|security)[-_]?token"
    r"|client[-_]assertion)"
)
_NAME = rf"[\w.-]{{0,40}}?{_WORDS}"
#: Names of URL parameters: any that ends in one of these words, for ``key=`` alone is one as well.
_PARAMETER = r"(?:[\w.-]{0,40}?(?:key|token|secret|password|pwd|sig|signature|assertion)|code)"
#: What goes before a parameter, as it is, in JSON, or encoded.
_BEFORE = r"(?:[?&;]|\\u0026|&amp;|%3[fF]|%26)"

# Detection runs over whole columns in RE2, which knows neither look-around nor back-references: it is the looser half.
_FOUND = (
    r"(?i)"
    rf"{_BEFORE}{_PARAMETER}(?:=|%3d)[^&]"
    rf'|"{_NAME}\\*"\s*:'
    rf'|\\*"(?:name|key|header)\\*"\s*:\s*\\*"{_NAME}\\*"'
    rf"|{_WORDS}['\"]?\s*[:=]\s*\S{{4}}"
    r"|\b(?:bearer|basic|sharedkey|sharedaccesssignature)\s+\S{12}"
    r"|\beyJ[\w-]{10,}\.[\w-]{10,}"
    r"|\bsk-[\w-]{20,}"
)

_IN_URL = re.compile(rf"({_BEFORE}{_PARAMETER}(?:=|%3[dD]))(?:(?!%26|\\u0026|&amp;)[^&\s\"'<>\\])+", re.IGNORECASE)
_PLAIN_STRING = r'"(?:[^"\\]|\\.)*"'
_PLAIN_VALUE = rf"(?:{_PLAIN_STRING}|\[(?:\s*{_PLAIN_STRING}\s*,?)*\s*\]|-?\d[\d.eE+-]*)"
_MEMBER = re.compile(rf'("{_NAME}"\s*:\s*)({_PLAIN_VALUE})', re.IGNORECASE)
# The same within a string of JSON, where each quote has one or more backslashes before it.
_ESCAPED = re.compile(
    rf'((\\+)"{_NAME}\2"\s*:\s*)(\2"(?:(?!\2").)*\2"|\[(?:\s*\2"(?:(?!\2").)*\2"\s*,?)*\s*\])',
    re.IGNORECASE | re.DOTALL,
)
_NAMED_VALUE = re.compile(
    rf'((\\*)"(?:name|key|header)\2"\s*:\s*\2"{_NAME}\2"\s*,\s*\2"values?\2"\s*:\s*)'
    rf'(\2"(?:(?!\2").|(?<=\\)")*?(?<!\\)\2"|\[[^\]]*\])',
    re.IGNORECASE | re.DOTALL,
)
_VALUE_NAMED = re.compile(
    rf'((\\*)"values?\2"\s*:\s*)(\2"(?:(?!\2").)*\2"|\[[^\]]*\])'
    rf'(?=\s*,\s*\2"(?:name|key|header)\2"\s*:\s*\2"{_NAME}\2")',
    re.IGNORECASE | re.DOTALL,
)
#: A header as text: ``api-key: 0123…``; shorter or spaced values are prose. A scheme's name may stand before.
_AS_TEXT = re.compile(
    rf"({_WORDS}['\"]?\s*[:=]\s*['\"]?(?:(?:bearer|basic|sharedkey|sharedaccesssignature)\s+)?)"
    rf"(?!{REDACTED})[\w.~+/=:%-]{{16,}}",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"(\b(?:set-)?cookie\s*:\s*)(?![\"'\[\\])[^\r\n\"\\]{4,}", re.IGNORECASE)
# Words of prose have no digit in them.
_SCHEME = re.compile(
    r"\b(bearer|basic|sharedkey|sharedaccesssignature)(\s+)(?!REDACTED)(?=\S*[\d=])[\w.~+/=:%&-]{12,}", re.IGNORECASE
)
_TOKEN = re.compile(r"\beyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?|\bsk-[A-Za-z0-9][\w-]{19,}")


def redact(text: str) -> str:
    """*text* with each credential's value replaced by ``REDACTED``; the surrounding text is unchanged."""
    text = _MEMBER.sub(rf'\1"{REDACTED}"', text)
    text = _ESCAPED.sub(lambda found: f'{found[1]}{found[2]}"{REDACTED}{found[2]}"', text)
    text = _NAMED_VALUE.sub(lambda found: f'{found[1]}{found[2]}"{REDACTED}{found[2]}"', text)
    text = _VALUE_NAMED.sub(lambda found: f'{found[1]}{found[2]}"{REDACTED}{found[2]}"', text)
    text = _IN_URL.sub(rf"\1{REDACTED}", text)
    text = _COOKIE.sub(rf"\1{REDACTED}", text)
    text = _AS_TEXT.sub(rf"\1{REDACTED}", text)
    text = _SCHEME.sub(rf"\1\2{REDACTED}", text)
    return _TOKEN.sub(REDACTED, text)


def redact_columns(rows: pa.Table, *, but: Sequence[str] = ()) -> tuple[pa.Table, list[int]]:
    """*rows* with the credentials in their texts replaced, and the numbers of the rows that changed.

    Columns of *but* (ids) stay as they are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    changed: set[int] = set()
    for number, field in enumerate(rows.schema):
        if not pa.types.is_string(field.type) or field.name in but:
            continue
        column = rows.column(number)
        # Most columns hold one value again and again, or none.
        found = pc.match_substring_regex(column, _FOUND)
        places = pc.indices_nonzero(pc.fill_null(found, False)).to_pylist()
        if not places:
            continue
        values: list[Any] = column.to_pylist()
        for place in places:
            clean = redact(values[place])
            if clean != values[place]:
                values[place] = clean
                changed.add(place)
        rows = rows.set_column(number, field, pa.array(values, field.type))
    return rows, sorted(changed)
