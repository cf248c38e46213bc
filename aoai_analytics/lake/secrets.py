"""Credentials in logs: found and replaced before a row is stored.

Gateway logs hold what clients sent: an ``api-key`` header, a subscription key in a URL, a SAS in a backend's address.
No query needs them, and lakes are copied more often than keys are rotated. A value is found by
the name beside it (a header, a member of JSON, a parameter of a URL), or by its own form (a bearer token, a JWT).
"""

from __future__ import annotations

import re
from collections.abc import Iterator, Sequence
from itertools import groupby
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    import pyarrow as pa

REDACTED = "REDACTED"
#: Bytes of columns that are searched as one: they are copied for it.
_TOGETHER = 4 * 2**20

#: Names whose value is a credential, as headers and members of JSON spell them; a prefix (``x-``) may stand before.
_WORDS = (
    r"(?:(?:api|subscription|functions|sas|account|access|primary|secondary|private|secret|signing)[-_]?key"
    r"|authorization(?:[-_]auxiliary)?|cookie|password|client[-_]?secret"
    r"|(?:access|api|auth|id|private|refresh|security|session)[-_]?token"
    r"|client[-_]assertion)"
).replace("[-_]?", r"(?:[-_]|\\+u002d)?")
_NAME = rf"[\w.-]{{0,40}}?{_WORDS}"
#: Names of URL parameters: any that ends in one of these words, for ``key=`` alone is one as well.
_PARAMETER = r"(?:[\w.-]{0,40}?(?:key|token|secret|password|pwd|sig|signature|assertion)|code)"
#: What goes before a parameter, as it is, in JSON, or encoded.
_BEFORE = r"(?:[?&;#]|\\u0026|&amp;|%3[fF]|%26)"

#: Credentials that are known by their form: JWT, keys of OpenAI, Google, AWS, Azure AI, GitHub, Slack, Hugging Face and
#: others that say what they are.
_FORMS = (
    r"\beyJ[\w-]{10,}\.[\w-]{10,}(?:\.[\w-]*)?|\bsk-[A-Za-z0-9][\w-]{19,}|\bAIza[\w-]{35}|\b(?:AKIA|ASIA)[A-Z0-9]{16}\b"
    r"|\b[A-Za-z0-9]{40,60}JQQJ99[A-Za-z0-9]{16,}|\bgh[oprsu]_[A-Za-z0-9]{30,}|\bgithub_pat_\w{30,}|\bglpat-[\w-]{20,}"
    r"|\bxox[abeoprs]-[\w-]{20,}|\bhf_[A-Za-z0-9]{30,}|\b(?:gsk_|xai-|pplx-)[A-Za-z0-9]{30,}"
)
#: A private key, also one that is cut off; line ends may be written ``\\n``.
_PEM = r"-----BEGIN [A-Z ]{0,30}PRIVATE KEY-----(?:[\w+/=\s]|\\+[nr])+(?:-----END [A-Z ]{0,30}PRIVATE KEY-----)?"
_USER = r"://[^/\s:@\"'<>\\]{1,80}:"
_AWS = r"AWS4-HMAC-SHA256\s+Credential="

# Detection runs over whole columns in RE2, which knows neither look-around nor back-references: it is the looser half.
_FOUND = (
    r"(?i)"
    rf"{_BEFORE}{_PARAMETER}(?:=|%3d)[^&]"
    rf'|"{_NAME}\\*"\s*:'
    rf'|\\*"(?:name|key|header)\\*"\s*:\s*\\*"{_NAME}\\*"'
    rf"|{_WORDS}\\*['\"]?\]?\s*(?:[:=]|%3a)\s*\S{{4}}"
    rf"|name=\\*\"{_NAME}\\*\""
    r"|\b(?:bearer|basic|sharedkey|sharedaccesssignature|apikey)\s+\S{12}"
    r"|\b(?:token|code|secret|sig|signature)=[\w.~+/=%-]{20}"
    rf"|{_USER}[^/\s@]+@|{_AWS}|-----BEGIN [A-Z ]{{0,30}}PRIVATE KEY|{_FORMS}"
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
    rf"({_WORDS}\\*['\"]?\]?\s*(?:[:=]|%3a(?:%20|\+)*)\s*\\*['\"]?"
    r"(?:(?:apikey|bearer|basic|sharedkey|sharedaccesssignature|token)\s+)?)"
    rf"(?!{REDACTED})[\w.~+/=:%-]{{16,}}",
    re.IGNORECASE,
)
_COOKIE = re.compile(r"(\b(?:set-)?cookie\s*:\s*)(?![\"'\[\\])[^\r\n\"\\]{4,}", re.IGNORECASE)
# Words of prose have no digit in them.
_SCHEME = re.compile(
    r"\b(apikey|bearer|basic|sharedkey|sharedaccesssignature)(\s+)(?!REDACTED)(?=\S*[\d=])[\w.~+/=:%&-]{12,}",
    re.IGNORECASE,
)
_TOKEN = re.compile(f"{_FORMS}|{_PEM}")
#: In an address: ``https://user:password@host``.
_OF_USER = re.compile(rf"({_USER})(?!{REDACTED}@)[^/\s@\"'<>\\]+(?=@)")
#: What AWS signs a request with: until the header's end.
_SIGNED = re.compile(rf"{_AWS}[^\r\n\"\\]+", re.IGNORECASE)
#: A form's field alone; words of prose and of programs have no digit beside a letter.
_FIELD = re.compile(
    r"(\b(?:token|code|secret|sig|signature)=)(?=[^\s&]*\d)(?=[^\s&]*[A-Za-z])[\w.~+/=%-]{20,}", re.IGNORECASE
)
#: Of a policy: ``<set-header name="api-key"><value>…``.
_OF_POLICY = re.compile(rf'(name=\\*"{_NAME}\\*"[^<>]*>\s*(?:\\+[nrt]\s*)*<value>)[^<>]+', re.IGNORECASE)


def redact(text: str) -> str:
    """*text* with each credential's value replaced by ``REDACTED``; the surrounding text is unchanged."""
    text = _MEMBER.sub(rf'\1"{REDACTED}"', text)
    text = _ESCAPED.sub(lambda found: f'{found[1]}{found[2]}"{REDACTED}{found[2]}"', text)
    text = _NAMED_VALUE.sub(lambda found: f'{found[1]}{found[2]}"{REDACTED}{found[2]}"', text)
    text = _VALUE_NAMED.sub(lambda found: f'{found[1]}{found[2]}"{REDACTED}{found[2]}"', text)
    text = _IN_URL.sub(rf"\1{REDACTED}", text)
    text = _COOKIE.sub(rf"\1{REDACTED}", text)
    text = _SIGNED.sub(REDACTED, text)
    text = _AS_TEXT.sub(rf"\1{REDACTED}", text)
    for pattern in (_OF_USER, _FIELD, _OF_POLICY):
        text = pattern.sub(rf"\1{REDACTED}", text)
    text = _SCHEME.sub(rf"\1\2{REDACTED}", text)
    return _TOKEN.sub(REDACTED, text)


def redact_columns(rows: pa.Table, *, but: Sequence[str] = ()) -> tuple[pa.Table, list[int]]:
    """*rows* with the credentials in their texts replaced, and the numbers of the rows that changed.

    Columns of *but* (ids) stay as they are.
    """
    import pyarrow as pa
    import pyarrow.compute as pc

    count = len(rows)
    texts = [
        (number, rows.column(number))
        for number, field in enumerate(rows.schema)
        if pa.types.is_string(field.type) and field.name not in but and rows.column(number).null_count < count
    ]
    changed: set[int] = set()
    for columns in _searched_together(texts):
        # RE2 reads the pattern anew for each piece of a column, which takes longer than the search in a short one.
        chunks = [chunk for _, column in columns for chunk in column.chunks]
        whole = columns[0][1] if len(columns) == 1 else pa.concat_arrays(chunks)
        found = pc.indices_nonzero(pc.fill_null(pc.match_substring_regex(whole, _FOUND), False)).to_pylist()
        # Most columns hold one value again and again, or none.
        for nth, places in groupby(found, lambda place: place // count):
            number, column = columns[nth]
            values: list[Any] = column.to_pylist()
            for place in (place % count for place in places):
                clean = redact(values[place])
                if clean != values[place]:
                    values[place] = clean
                    changed.add(place)
            field = rows.schema.field(number)
            rows = rows.set_column(number, field, pa.array(values, field.type))
    return rows, sorted(changed)


def _searched_together(texts: list[tuple[int, pa.ChunkedArray]]) -> Iterator[list[tuple[int, pa.ChunkedArray]]]:
    """The columns in groups of a few megabytes; a longer one is a group of its own."""
    group: list[tuple[int, pa.ChunkedArray]] = []
    size = 0
    for number, column in texts:
        if group and size + column.nbytes > _TOGETHER:
            yield group
            group, size = [], 0
        group.append((number, column))
        size += column.nbytes
    if group:
        yield group
