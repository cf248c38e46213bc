"""Keys and values within a text, as the operator ``parse-kv`` reads them.

Source: https://learn.microsoft.com/kusto/query/parse-kv-operator.
"""

from __future__ import annotations

import re
from typing import Any

from ..kql.tree import Node, string_value
from .stages import Stage


def pairs(text: Any, keys: list[str], options: dict[str, str]) -> dict[str, str]:
    """The value of each of *keys* that *text* has. *options* are the operator's."""
    text = text if isinstance(text, str) else ""
    if pattern := options.get("regex"):
        found = [(match[1], match[2]) for match in re.finditer(pattern, text)]
    elif "pair_delimiter" not in options or "kv_delimiter" not in options:
        found = [(key, value) for key in keys if (value := _near(text, key, options)) is not None]
    elif options.get("greedy") == "true":
        found = _greedy(text, keys, options["kv_delimiter"], options["pair_delimiter"])
    else:
        found = _delimited(text, options)
    values: dict[str, str] = {}
    for key, value in found:
        if key.strip() in keys:
            values.setdefault(key.strip(), value.strip())
    return values


def _near(text: str, key: str, options: dict[str, str]) -> str | None:
    """The word, or the quoted text, next to a key: any sign separates them."""
    quote, escape = options.get("quote", ""), re.escape(options.get("escape", ""))
    signs = r"[^\w" + re.escape(quote) + "]*"
    match = re.search(rf"(?<!\w){re.escape(key)}(?!\w){signs}", text)
    if not match:
        return None
    rest = text[match.end() :]
    inner = rf"(?:{escape}.|[^{escape}])*?" if escape else ".*?"
    quoted = quote and re.match(rf"{re.escape(quote[0])}({inner}){re.escape(quote[-1])}", rest, re.DOTALL)
    if quoted:
        return re.sub(rf"{escape}(.)", r"\1", quoted[1]) if escape else str(quoted[1])
    word = re.match(r"\w+", rest)
    return word[0] if word else ""


def _greedy(text: str, keys: list[str], between: str, after: str) -> list[tuple[str, str]]:
    """Values that go on until the next key."""
    named = "|".join(map(re.escape, sorted(keys, key=len, reverse=True)))
    starts = list(re.finditer(rf"(?:^|(?<={re.escape(after)}))\s*({named})\s*{re.escape(between)}", text))
    ends = [start.start() for start in starts[1:]] + [len(text)]
    return [(start[1], text[start.end() : end].removesuffix(after)) for start, end in zip(starts, ends, strict=True)]


def _delimited(text: str, options: dict[str, str]) -> list[tuple[str, str]]:
    pair, between = options["pair_delimiter"], options["kv_delimiter"]
    quote, escape = options.get("quote", ""), options.get("escape", "")
    parts, place, closing = [["", ""]], 0, ""
    side = 0
    while place < len(text):
        rest = text[place:]
        if escape and closing and rest[0] == escape and len(rest) > 1:
            parts[-1][side] += rest[1]
            place += 2
        elif closing:
            closing = "" if rest[0] == closing else closing
            parts[-1][side] += rest[0] if closing else ""
            place += 1
        elif quote and rest[0] == quote[0]:
            closing = quote[-1]
            place += 1
        elif rest.startswith(pair):
            parts.append(["", ""])
            side = 0
            place += len(pair)
        elif side == 0 and rest.startswith(between):
            side = 1
            place += len(between)
        else:
            parts[-1][side] += rest[0]
            place += 1
    return [(key, value) for key, value in parts]


def parse_kv(node: Node, stage: Stage) -> str:
    """The rows of *stage* with a column for each key of the operator *node*."""
    expression, schema, *rest = node.rules
    columns = [(rule.rules[0].name, rule.rules[1].text) for rule in schema.rules]
    options = {
        rule.words[0]: string_value(value) if (value := rule.rules[-1].text)[:1] in "@'\"" else value.lower()
        for given in rest
        for rule in given.rules
    }
    keys = ", ".join(_quoted(name) for name, _ in columns)
    given = ", ".join(part for option in options.items() for part in map(_quoted, option))
    bag = f"parse_pairs(tostring({expression.text}), pack_array({keys}), bag_pack({given}))"
    values = []
    for name, kind in columns:
        convert = "tostring" if kind == "string" else f"to{kind}"
        values.append(f"[{_quoted(name)}] = {convert}(tostring(Pairs__[{_quoted(name)}]))")
    return f"{stage.then(f'| extend Pairs__ = {bag}').name} | extend {', '.join(values)} | project-away Pairs__"


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"
