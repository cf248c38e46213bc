"""Kusto functions that have no counterpart in DuckDB's SQL, computed in Python.

Each is a row of ``FUNCTIONS``: the argument counts, the KQL type of the result, and a Python function of the arguments
as JSON gives them (a dynamic value is a list, a dict or a scalar). One DuckDB function, ``kusto_function``, calls them
by name. What each answers follows its page at https://learn.microsoft.com/kusto/query/.
"""

from __future__ import annotations

import ipaddress
import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, Any

from . import series

if TYPE_CHECKING:
    import duckdb

UDF = "kusto_function"

#: KQL type of a result -> SQL that reads it from the text that the function gives; {} is the call.
_READ = {
    "dynamic": "CAST({} AS JSON)",
    "string": "coalesce({}, '')",
    "long": "CAST({} AS BIGINT)",
    "int": "CAST({} AS INTEGER)",
    "real": "CAST({} AS DOUBLE)",
    "decimal": "CAST({} AS DECIMAL(38, 0))",
    "bool": "CAST({} AS BOOLEAN)",
    "timespan": "to_microseconds(CAST({} AS BIGINT))",
}
#: A timespan travels as its microseconds.
_MICROSECONDS = "epoch_us({})"


@dataclass(frozen=True)
class Computed:
    """A function computed in Python. ``spans`` are the places of its arguments that are timespans."""

    arities: range
    type: str
    function: Callable[..., Any]
    spans: frozenset[int] = frozenset()

    def sql(self, name: str, arguments: list[str]) -> str:
        """The call as SQL. Raises ValueError where the number of arguments is not one it takes."""
        if len(arguments) not in self.arities:
            low, high = self.arities.start, self.arities.stop - 1
            takes = f"{low}" if low == high else f"{low} to {high}" if high < _ANY else f"{low} or more"
            raise ValueError(f"{name}() takes {takes} arguments, not {len(arguments)}")
        sent = [
            _MICROSECONDS.format(argument) if place in self.spans else argument
            for place, argument in enumerate(arguments)
        ]
        return _READ[self.type].format(f"{UDF}('{name}', CAST(json_array({', '.join(sent)}) AS VARCHAR))")


_ANY = 1000


def call(name: str, arguments: str) -> str | None:
    """The result of a function as text; None for null. *arguments* is a JSON array."""
    result = FUNCTIONS[name].function(*json.loads(arguments))
    if result is None or (isinstance(result, float) and math.isnan(result) and FUNCTIONS[name].type != "real"):
        return None
    if FUNCTIONS[name].type == "dynamic":
        return json.dumps(result, ensure_ascii=False, separators=(",", ":"))
    return json.dumps(result) if isinstance(result, bool) else str(result)


def register(connection: duckdb.DuckDBPyConnection) -> None:
    """Let *connection* call the functions, and read a null within JSON as Kusto does: as null."""
    connection.execute(
        "CREATE TEMP MACRO json_extract(value, path) AS nullif(system.main.json_extract(value, path), 'null'::JSON)"
    )
    handling: Any = "special"
    connection.create_function(UDF, call, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling=handling)


def _text(value: Any) -> str:
    """*value* as ``tostring`` writes it."""
    if value is None:
        return ""
    if isinstance(value, str):
        return value
    return json.dumps(value, ensure_ascii=False, separators=(",", ":"))


def _array(value: Any) -> list[Any] | None:
    return value if isinstance(value, list) else None


def _number(value: Any) -> float | None:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        return None
    try:
        return float(value)
    except ValueError:
        return None


def _same(one: Any, other: Any) -> bool:
    return type(one) is type(other) and bool(one == other)


def _unique(values: list[Any]) -> list[Any]:
    seen: dict[str, Any] = {}
    for value in values:
        seen.setdefault(json.dumps(value, sort_keys=True), value)
    return list(seen.values())


# Text


def _indexof(text: Any, lookup: Any, start: Any = 0, length: Any = -1, occurrence: Any = 1) -> int:
    text, lookup = _text(text), _text(lookup)
    start, length, occurrence = int(start or 0), int(-1 if length is None else length), int(occurrence or 1)
    begin = max(0, len(text) + start) if start < 0 else start
    place: int = begin - 1
    for _ in range(occurrence):
        # As documented by example: the length bounds each search, counted from where that search starts.
        end = len(text) if length < 0 else place + 1 + length
        place = text.find(lookup, place + 1, end)
        if place < 0:
            return -1
    return place


def _strrep(value: Any, times: Any, delimiter: Any = "") -> str:
    return _text(delimiter).join([_text(value)] * max(0, int(times or 0)))


def _translate(search: str, replacement: str, source: str) -> str:
    """Each character of *search* in *source* replaced; the last of a shorter *replacement* serves the rest."""
    if not replacement:
        return "".join(character for character in source if character not in search)
    padded = replacement + replacement[-1] * (len(search) - len(replacement))
    return source.translate({ord(old): new for old, new in reversed(list(zip(search, padded, strict=False)))})


def _split_item(source: Any, delimiter: Any, index: Any) -> list[str]:
    parts = _text(source).split(_text(delimiter)) if delimiter else [_text(source)]
    return [parts[int(index)]] if index is not None and 0 <= int(index) < len(parts) else []


def _codepoints(*values: Any) -> str:
    flat = [code for value in values for code in (value if isinstance(value, list) else [value])]
    return "".join(chr(int(code)) for code in flat)


def _format_bytes(size: Any, precision: Any = 0, units: Any = "") -> str:
    names = ["Bytes", "KB", "MB", "GB", "TB", "PB", "EB"]
    size, power = float(size or 0), 0
    if units:
        power = next((place for place, name in enumerate(names) if name.lower() == str(units).lower()), 0)
    else:
        while abs(size) / 1024**power >= 1024 and power < len(names) - 1:
            power += 1
    rounded = round(size / 1024**power, int(precision or 0))
    return (
        f"{rounded:.{int(precision or 0)}f}".rstrip("0").rstrip(".") + f" {names[power]}"
        if precision
        else (f"{rounded:.0f} {names[power]}")
    )


def _format_timespan(microseconds: int | None, pattern: str) -> str:
    """A timespan by its format: d h m s f F, and separators."""
    if microseconds is None:
        return ""
    ticks = abs(microseconds) * 10
    seconds, fraction = divmod(ticks, 10_000_000)
    parts = {"d": seconds // 86400, "h": seconds // 3600 % 24, "H": seconds // 3600 % 24, "m": seconds // 60 % 60}
    parts["s"] = seconds % 60
    text, place = "", 0
    while place < len(pattern):
        letter = pattern[place]
        run = len(pattern[place:]) - len(pattern[place:].lstrip(letter))
        if letter in parts:
            text += f"{parts[letter]:0{run}}"
        elif letter in "fF":
            digits = f"{fraction:07}"[:run]
            text += digits if letter == "f" else digits.rstrip("0")
        else:
            text += letter * run
        place += run
    return text


def _url_encode(text: Any) -> str:
    import re
    from urllib.parse import quote_plus

    encoded = quote_plus(_text(text), safe="-_.!*()")
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)


def _parse_urlquery(text: Any) -> dict[str, Any]:
    from urllib.parse import parse_qsl

    return {"Query Parameters": dict(parse_qsl(_text(text).removeprefix("?"), keep_blank_values=True))}


def _parse_path(text: Any) -> dict[str, str] | None:
    import re

    path = _text(text)
    scheme = re.match(r"([A-Za-z][\w+.-]+)://", path)
    plain = path[scheme.end() :] if scheme else path
    parts = re.split(r"[\\/]", plain)
    name = parts[-1]
    stream = name.partition(":")[2] if not re.fullmatch(r"[A-Za-z]:", name) else ""
    name = name.partition(":")[0] if stream else name
    directory = re.split(r"[\\/]", plain.rstrip("/\\"))[:-1]
    return {
        "Scheme": scheme[1] if scheme else "",
        "RootPath": match[0] if (match := re.match(r"[A-Za-z]:|/", plain)) else "",
        "DirectoryPath": plain[: len(plain) - len(parts[-1]) - 1] if len(parts) > 1 else "",
        "DirectoryName": directory[-1] if directory else "",
        "Filename": name,
        "Extension": name.rpartition(".")[2] if "." in name else "",
        "AlternateDataStreamName": stream,
    }


def _parse_csv(text: Any) -> list[str]:
    import csv

    return next(csv.reader([_text(text)]), [""])


def _parse_xml(text: Any) -> Any:
    """The document as a property bag; null where it is not XML. Attributes begin with @, mixed text is #text."""
    from xml.etree.ElementTree import Element, ParseError, XMLParser, fromstring

    def bag(element: Element) -> Any:
        found: dict[str, Any] = {f"@{name}": value for name, value in element.attrib.items()}
        for child in element:
            known = found.get(child.tag)
            value = bag(child)
            found[child.tag] = (
                value if known is None else [*known, value] if isinstance(known, list) else [known, value]
            )
        text = (element.text or "").strip()
        return (found | {"#text": text} if text else found) if found else text or None

    # A document that declares entities could grow without bound.
    if not isinstance(text, str) or "<!DOCTYPE" in text or "<!ENTITY" in text:
        return None
    try:
        root = fromstring(text, XMLParser())
    except ParseError:
        return None
    return {root.tag: bag(root)}


def _parse_version(text: Any) -> int | None:
    """A version of up to four numbers as one number that sorts as it does."""
    parts = _text(text).split(".")
    if not 1 <= len(parts) <= 4 or not all(part.isdigit() for part in parts):
        return None
    numbers = [int(part) for part in parts] + [0] * (4 - len(parts))
    return int(sum(number * 10 ** (8 * (3 - place)) for place, number in enumerate(numbers)))


# Sessions


def _session_starts(times: list[int], longest: int, gap: int, restarts: list[Any]) -> list[int]:
    """The start of each time's session: one ends after *gap* without a row, or *longest* after its first row."""
    starts: list[int] = []
    for place, time in enumerate(times):
        begins = not starts or time - starts[-1] > longest or time - times[place - 1] > gap
        begins = begins or (place < len(restarts) and bool(restarts[place]))
        starts.append(time if begins else starts[-1])
    return starts


# JSON


def _extract_json(path: str, source: Any) -> str:
    """What a JSON path of keys and indexes leads to, as text; '' where it leads nowhere."""
    import re

    value: Any = source
    if isinstance(source, str):
        try:
            value = json.loads(source)
        except ValueError:
            return ""
    for key, quoted, index in re.findall(r"\.([\w$-]+)|\[['\"]([^'\"]+)['\"]\]|\[(-?\d+)\]", path.removeprefix("$")):
        if index and isinstance(value, list) and -len(value) <= int(index) < len(value):
            value = value[int(index)]
        elif (key or quoted) and isinstance(value, dict):
            value = value.get(key or quoted)
        else:
            return ""
    return _text(value)


def _treepath(value: Any) -> list[str]:
    def walk(inner: Any, path: str) -> list[str]:
        if isinstance(inner, dict):
            return [
                found for key, item in inner.items() for found in [f"{path}['{key}']", *walk(item, f"{path}['{key}']")]
            ]
        if isinstance(inner, list):
            below = [found for item in inner for found in walk(item, f"{path}[0]")]
            return _unique([f"{path}[0]", *below]) if inner else []
        return []

    return walk(value, "")


def _bag_remove_keys(bag: Any, keys: Any) -> Any:
    if not isinstance(bag, dict) or not isinstance(keys, list):
        return None
    kept = {name: value for name, value in bag.items() if name not in keys}
    for key in keys:
        # A path removes a key of an inner bag.
        if isinstance(key, str) and key.startswith("$."):
            *way, last = key.removeprefix("$.").split(".")
            inner: Any = kept
            for step in way:
                inner = inner.get(step) if isinstance(inner, dict) else None
            if isinstance(inner, dict):
                inner.pop(last, None)
    return kept


def _bag_union(*bags: Any) -> dict[str, Any]:
    """The keys of all bags; of one that several have, the first value."""
    union: dict[str, Any] = {}
    for bag in bags:
        for key, value in bag.items() if isinstance(bag, dict) else ():
            union.setdefault(key, value)
    return union


def _bag_set_key(bag: Any, key: Any, value: Any) -> Any:
    return {**bag, _text(key): value} if isinstance(bag, dict) else None


def _bag_zip(keys: Any, values: Any) -> Any:
    if not isinstance(keys, list) or not isinstance(values, list):
        return None
    padded = values + [None] * (len(keys) - len(values))
    return {key: value for key, value in zip(keys, padded, strict=False) if isinstance(key, str)}


# Arrays and sets


def _array_split(array: Any, at: Any) -> Any:
    if _array(array) is None:
        return None
    places = [int(place) for place in (at if isinstance(at, list) else [at])]
    ends = [min(len(array), place if place >= 0 else max(0, len(array) + place)) for place in places]
    cuts = [0, *ends, len(array)]
    return [array[begin:end] for begin, end in pairwise(cuts)]


def _array_rotate(array: Any, count: Any) -> Any:
    """Rotated left by *count*; right where it is negative."""
    if not _array(array):
        return array if isinstance(array, list) else None
    by = int(count) % len(array)
    return array[by:] + array[:by]


def _array_shift(array: Any, count: Any, fill: Any = None) -> Any:
    """Shifted left by *count*; right where it is negative."""
    if _array(array) is None:
        return None
    by = min(abs(int(count)), len(array))
    return array[by:] + [fill] * by if int(count) >= 0 else [fill] * by + array[: len(array) - by]


def _array_iff(conditions: Any, yes: Any, no: Any) -> Any:
    if _array(conditions) is None:
        return None

    def at(value: Any, place: int) -> Any:
        return (value[place] if place < len(value) else None) if isinstance(value, list) else value

    return [
        at(yes if condition else no, place) if condition is not None else None
        for place, condition in enumerate(conditions)
    ]


def _repeat(value: Any, count: Any) -> Any:
    return None if count is None or int(count) < 0 else [value] * int(count)


def _range(start: Any, stop: Any, step: Any = 1) -> Any:
    if start is None or stop is None or not step:
        return None
    count = min(1_048_576, max(0, math.floor((stop - start) / step + 1e-9) + 1))
    return [start + place * step for place in range(count)]


def _set(combine: Callable[[list[Any], list[Any]], list[Any]]) -> Callable[..., Any]:
    def combined(first: Any, *others: Any) -> Any:
        if _array(first) is None or any(_array(other) is None for other in others):
            return None
        result = _unique(first)
        for other in others:
            result = combine(result, _unique(other))
        return result

    return combined


def _without(one: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in one if not any(_same(value, item) for item in other)]


def _within(one: list[Any], other: list[Any]) -> list[Any]:
    return [value for value in one if any(_same(value, item) for item in other)]


def _jaccard(one: Any, other: Any) -> float | None:
    if _array(one) is None or _array(other) is None:
        return None
    union = _unique(one + other)
    return len(_within(_unique(one), other)) / len(union) if union else None


# Addresses


def _network(text: Any, prefix: Any = 32) -> ipaddress.IPv4Network | None:
    """An IPv4 address, with or without a prefix length, as a network; the shorter of the two prefixes counts."""
    address, _, own = _text(text).partition("/")
    try:
        length = min(int(own) if own else 32, 32 if prefix is None else int(prefix))
        return ipaddress.IPv4Network((address, length), strict=False)
    except ValueError:
        return None


def _compared(one: Any, other: Any, prefix: Any = 32) -> int | None:
    left, right = _network(one, prefix), _network(other, prefix)
    if left is None or right is None:
        return None
    length = min(left.prefixlen, right.prefixlen)
    first, second = (int(net.network_address) >> (32 - length) for net in (left, right))
    return (first > second) - (first < second)


def _is_match(one: Any, other: Any, prefix: Any = 32) -> bool | None:
    compared = _compared(one, other, prefix)
    return None if compared is None else compared == 0


def _is_in_range(address: Any, *ranges: Any) -> bool | None:
    found = _network(address)
    flat = [item for value in ranges for item in (value if isinstance(value, list) else [value])]
    networks = [network for item in flat if (network := _network(item)) is not None]
    if found is None or not networks:
        return None
    return any(found.network_address in network for network in networks)


def _is_private(address: Any) -> bool | None:
    found = _network(address)
    if found is None:
        return None
    private = ("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16")
    return any(found.subnet_of(ipaddress.IPv4Network(network)) for network in private)


def _format_ipv4(address: Any, prefix: Any = 32, *, mask: bool = False) -> str:
    if isinstance(address, int) and not isinstance(address, bool):
        address = str(ipaddress.IPv4Address(address % 2**32))
    found = _network(address, prefix)
    if found is None:
        return ""
    return f"{found.network_address}/{found.prefixlen}" if mask else str(found.network_address)


def _suffix(address: Any) -> int | None:
    found = _network(address)
    return None if found is None else found.prefixlen


def _mask(address: Any, prefix: Any) -> int | None:
    found = _network(address, prefix)
    return None if found is None else int(found.network_address)


def _has_ipv4(source: Any, *addresses: Any, prefix: bool = False) -> bool:
    import re

    flat = [item for value in addresses for item in (value if isinstance(value, list) else [value])]
    end = "" if prefix else r"(?![\w.])"
    text = _text(source)
    if prefix:
        flat = [item for item in flat if re.fullmatch(r"(\d{1,3}\.){1,3}(\d{1,3})?", _text(item))]
    else:
        flat = [item for item in flat if _network(item) is not None]
    return any(re.search(rf"(?<![\w.]){re.escape(_text(item))}{end}", text) for item in flat)


# Numbers


def _tohex(value: Any, width: Any = 0) -> str:
    if value is None:
        return ""
    return f"{int(value) % 2**64:0{int(width or 0)}x}"


def _loggamma(value: Any) -> float | None:
    return None if value is None else math.lgamma(value)


_METRES = {
    "angstrom": 1e-10, "nanometer": 1e-9, "micrometer": 1e-6, "millimeter": 1e-3, "centimeter": 1e-2, "decimeter": 0.1,
    "meter": 1.0, "hectometer": 100.0, "kilometer": 1000.0, "inch": 0.0254, "foot": 0.3048, "yard": 0.9144,
    "mile": 1609.344, "nauticalmile": 1852.0,
}  # fmt: skip
_GRAMS = {
    "microgram": 1e-6, "milligram": 1e-3, "gram": 1.0, "kilogram": 1000.0, "tonne": 1e6, "ounce": 28.349523125,
    "pound": 453.59237, "stone": 6350.29318,
}  # fmt: skip
_CUBIC_METRES = {
    "cubicmeter": 1.0, "liter": 1e-3, "milliliter": 1e-6, "cubiccentimeter": 1e-6, "usgallon": 3.785411784e-3,
    "cubicfoot": 0.028316846592, "cubicinch": 1.6387064e-5,
}  # fmt: skip
_JOULES = {"joule": 1.0, "kilojoule": 1e3, "calorie": 4.184, "kilocalorie": 4184.0, "watthour": 3600.0,
           "kilowatthour": 3.6e6}  # fmt: skip


def _convert(units: dict[str, float]) -> Callable[..., float | None]:
    def convert(value: Any, given: str, wanted: str) -> float | None:
        factors = units.get(str(given).lower()), units.get(str(wanted).lower())
        if value is None or factors[0] is None or factors[1] is None:
            return None
        return float(f"{value * factors[0] / factors[1]:.15g}")

    return convert


def _temperature(value: Any, given: str, wanted: str) -> float | None:
    to_kelvin: dict[str, Callable[[float], float]] = {
        "kelvin": float,
        "degreecelsius": lambda degrees: degrees + 273.15,
        "degreefahrenheit": lambda degrees: (degrees + 459.67) * 5 / 9,
    }
    of_kelvin: dict[str, Callable[[float], float]] = {
        "kelvin": float,
        "degreecelsius": lambda kelvin: kelvin - 273.15,
        "degreefahrenheit": lambda kelvin: kelvin * 9 / 5 - 459.67,
    }
    names = str(given).lower(), str(wanted).lower()
    if value is None or names[0] not in to_kelvin or names[1] not in of_kelvin:
        return None
    return round(of_kelvin[names[1]](to_kelvin[names[0]](value)), 10)


def _f(low: int, high: int, type_: str, function: Callable[..., Any], *spans: int) -> Computed:
    return Computed(range(low, high + 1), type_, function, frozenset(spans))


FUNCTIONS: dict[str, Computed] = {
    "indexof": _f(2, 5, "long", _indexof),
    "strrep": _f(2, 3, "string", _strrep),
    "translate": _f(3, 3, "string", _translate),
    "split": _f(3, 3, "dynamic", _split_item),
    "isascii": _f(1, 1, "bool", lambda text: _text(text).isascii()),
    "isutf8": _f(1, 1, "bool", lambda text: isinstance(text, str)),
    "unicode_codepoints_from_string": _f(1, 1, "dynamic", lambda text: [ord(character) for character in _text(text)]),
    "unicode_codepoints_to_string": _f(1, _ANY, "string", _codepoints),
    "to_utf8": _f(1, 1, "dynamic", lambda text: [ord(character) for character in _text(text)]),
    "make_string": _f(1, _ANY, "string", _codepoints),
    "format_bytes": _f(1, 3, "string", _format_bytes),
    "format_timespan": _f(2, 2, "string", _format_timespan, 0),
    "url_encode": _f(1, 1, "string", _url_encode),
    "url_encode_component": _f(1, 1, "string", lambda text: _url_encode(text).replace("+", "%20")),
    "parse_urlquery": _f(1, 1, "dynamic", _parse_urlquery),
    "parse_path": _f(1, 1, "dynamic", _parse_path),
    "parse_csv": _f(1, 1, "dynamic", _parse_csv),
    "parse_xml": _f(1, 1, "dynamic", _parse_xml),
    "parse_version": _f(1, 1, "decimal", _parse_version),
    "session_starts": _f(4, 4, "dynamic", _session_starts),
    "extract_json": _f(2, 2, "string", _extract_json),
    "extractjson": _f(2, 2, "string", _extract_json),
    "treepath": _f(1, 1, "dynamic", _treepath),
    "bag_has_key": _f(2, 2, "bool", lambda bag, key: key in bag if isinstance(bag, dict) else None),
    "bag_remove_keys": _f(2, 2, "dynamic", _bag_remove_keys),
    "bag_union": _f(1, _ANY, "dynamic", _bag_union),
    "bag_set_key": _f(3, 3, "dynamic", _bag_set_key),
    "bag_zip": _f(2, 2, "dynamic", _bag_zip),
    "array_split": _f(2, 2, "dynamic", _array_split),
    "array_rotate_left": _f(2, 2, "dynamic", _array_rotate),
    "array_rotate_right": _f(2, 2, "dynamic", lambda array, count: _array_rotate(array, -count)),
    "array_shift_left": _f(2, 3, "dynamic", _array_shift),
    "array_shift_right": _f(2, 3, "dynamic", lambda array, count, fill=None: _array_shift(array, -count, fill)),
    "array_iff": _f(3, 3, "dynamic", _array_iff),
    "array_iif": _f(3, 3, "dynamic", _array_iff),
    "repeat": _f(2, 2, "dynamic", _repeat),
    "range": _f(2, 3, "dynamic", _range),
    "set_union": _f(2, _ANY, "dynamic", _set(lambda one, other: _unique(one + other))),
    "set_intersect": _f(2, _ANY, "dynamic", _set(_within)),
    "set_difference": _f(2, _ANY, "dynamic", _set(_without)),
    "set_equals": _f(2, 2, "bool", lambda one, other: not _without(one, other) and not _without(other, one)),
    "jaccard_index": _f(2, 2, "real", _jaccard),
    "parse_ipv4_mask": _f(2, 2, "long", _mask),
    "ipv4_is_in_range": _f(2, 2, "bool", _is_in_range),
    "ipv4_is_in_any_range": _f(2, _ANY, "bool", _is_in_range),
    "ipv4_is_private": _f(1, 1, "bool", _is_private),
    "ipv4_is_match": _f(2, 3, "bool", _is_match),
    "ipv4_compare": _f(2, 3, "long", _compared),
    "ipv4_netmask_suffix": _f(1, 1, "long", _suffix),
    "format_ipv4": _f(1, 2, "string", _format_ipv4),
    "format_ipv4_mask": _f(1, 2, "string", lambda address, prefix=32: _format_ipv4(address, prefix, mask=True)),
    "has_ipv4": _f(2, 2, "bool", _has_ipv4),
    "has_any_ipv4": _f(2, _ANY, "bool", _has_ipv4),
    "has_ipv4_prefix": _f(2, 2, "bool", lambda source, start: _has_ipv4(source, start, prefix=True)),
    "has_any_ipv4_prefix": _f(2, _ANY, "bool", lambda source, *starts: _has_ipv4(source, *starts, prefix=True)),
    "tohex": _f(1, 2, "string", _tohex),
    "bitset_count_ones": _f(1, 1, "long", lambda value: None if value is None else (int(value) % 2**64).bit_count()),
    "loggamma": _f(1, 1, "real", _loggamma),
    "convert_length": _f(3, 3, "real", _convert(_METRES)),
    "convert_mass": _f(3, 3, "real", _convert(_GRAMS)),
    "convert_volume": _f(3, 3, "real", _convert(_CUBIC_METRES)),
    "convert_energy": _f(3, 3, "real", _convert(_JOULES)),
    "convert_temperature": _f(3, 3, "real", _temperature),
    **{name: _f(low, high, type_, function) for name, (low, high, type_, function) in series.FUNCTIONS.items()},
}
