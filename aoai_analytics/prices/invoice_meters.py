"""Maps a meter of an invoice to what it charges for, and says by which words, or why it cannot.

Token meters are read as those of the Retail Prices API (``meters``): an invoice has the same names. The others are told
by a word of their name, category or description, in the order of ``_KINDS``.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import Decimal

from .meters import Matched, Unmatched, read_meter

#: What a charge is, and the words that say so, where it is not tokens of requests.
_KINDS = (
    ("gateway", r"api management"),
    ("provisioned", r"provisioned"),
    (
        "fine-tuning",
        r"\b(?:ft|rft|fine[- ]?tun\w*|training|trng|hosting|hstng|grader)\b",
    ),
    ("images", r"\b(?:img|images?|dall-?e|sora)\b"),
    ("realtime", r"\b(?:rt|realtime\w*)\b"),
    ("audio", r"\b(?:aud(?:io)?|whisper|tts|transcribe|tcrb|speech)\b"),
    ("router", r"\brouters?\b"),
    ("tools", r"\b(?:code[- ]?interpreter|file[- ]?search|agents?|web[- ]?search|bing|assistants?)\b"),
)
_SCOPES = (
    ("global", r"\b(?:global|glbl|gl)\b"),
    ("data-zone", r"\b(?:data ?zone|dz|dzone)\b"),
    ("regional", r"\b(?:regional|regnl|rgnl|regn)\b"),
)
#: Services whose charges concern models or the gateway, by category, service, product or description.
_OURS = re.compile(r"(?i)openai|foundry|cognitive services|api management|anthropic|claude|provisioned managed")
_OUR_RESOURCE = re.compile(r"(?i)/providers/microsoft\.(?:cognitiveservices/accounts|apimanagement/service)/")
#: A unit of measure: ``1K``, ``1M``, ``1 Hour``, ``1000 Tokens``, ``1K/Month``.
_UNIT = re.compile(r"(?i)\s*(\d[\d,.]*)?\s*([KMB])?\b\s*(.*)")
_BLOCKS = {"": Decimal(1), "K": Decimal(1000), "M": Decimal(1_000_000), "B": Decimal(1_000_000_000)}


@dataclass(frozen=True)
class InvoiceMeter:
    """What a meter charges for.

    ``kind`` is ``tokens`` (with model, direction, tier, scope and ``above``, as in the price book), ``provisioned``,
    ``fine-tuning``, ``gateway`` …, or ``unmatched``; ``block`` is how many tokens, or hours, a priced unit is; ``why``
    explains the match.
    """

    kind: str
    why: str
    block: Decimal = Decimal(1)
    model: str = ""
    version: str = ""
    direction: str = ""
    tier: str = ""
    scope: str = ""
    above: int = 0


def is_ours(resource: str, *texts: str) -> bool:
    """Whether a charge concerns models or the gateway: its *resource* id, or category, service, product … say so."""
    return bool(_OUR_RESOURCE.search(resource)) or any(_OURS.search(text) for text in texts)


def block_of(unit: str) -> Decimal:
    """How many units of use a priced unit is: 1,000 for ``1K`` or ``1000 Tokens``, 1 for ``1 Hour``."""
    found = _UNIT.fullmatch(unit)
    if not found:
        return Decimal(1)
    number = Decimal((found[1] or "1").replace(",", "").rstrip(".") or 1)
    return number * _BLOCKS[(found[2] or "").upper()]


def invoice_meter(meter: str, unit: str, category: str = "", subcategory: str = "", said: str = "") -> InvoiceMeter:
    """What the meter named *meter*, priced by *unit*, charges for; *said* is the charge's product or description."""
    block = block_of(unit)
    product = next((text for text in (subcategory, category, said) if text.startswith("Azure OpenAI")), subcategory)
    if category.lower() == "api management":
        return InvoiceMeter("gateway", "category API Management", block)
    read = read_meter(meter, product, _plain_unit(block)) if meter else Unmatched("no meter name")
    if isinstance(read, Matched):
        what = ", ".join(filter(None, (read.model, read.version, read.direction, read.tier, read.scope)))
        what += f", above {read.above:,} prompt tokens" if read.above else ""
        return InvoiceMeter(
            *("tokens", f"'{meter}' per {unit}: {what}", block, read.model, read.version, read.direction),
            *(read.tier, read.scope, read.above),
        )
    for source, text in (("meter", meter), ("category", f"{category} {subcategory}"), ("description", said)):
        for kind, words in _KINDS:
            if found := re.search(words, text.replace("_", " "), re.IGNORECASE):
                scope = next((name for name, pattern in _SCOPES if re.search(pattern, text, re.IGNORECASE)), "")
                return InvoiceMeter(kind, f"'{found[0]}' in the {source}", block, scope=scope)
    return InvoiceMeter("unmatched", read.reason, block)


def _plain_unit(block: Decimal) -> str:
    """A block as the Retail Prices API writes its unit."""
    return {Decimal(1000): "1K", Decimal(1_000_000): "1M"}.get(block, f"{block}")
