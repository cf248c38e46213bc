"""Kusto functions that have no counterpart in DuckDB's SQL, computed in Python.

Each is a row of ``FUNCTIONS``: the argument counts, the KQL type of the result, and a Python function of the arguments
as JSON gives them (a dynamic value is a list, a dict or a scalar). One DuckDB function, ``kusto_function``, calls them
by name. What each answers follows its page at https://learn.microsoft.com/kusto/query/.
"""

from __future__ import annotations

import json
import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from . import addresses, coding, geography, probability, series
from .bags import (
    array_iff,
    array_rotate,
    array_shift,
    array_split,
    bag_remove_keys,
    bag_set_key,
    bag_union,
    bag_zip,
    combined_sets,
    extract_json,
    jaccard,
    range_of,
    repeated,
    schema_of,
    sorted_arrays,
    treepath,
    within,
    without,
)
from .pairs import pairs
from .values import as_text, unique

if TYPE_CHECKING:
    import duckdb

UDF = "kusto_function"

#: KQL type of a result -> SQL that reads it from the text that the function gives; {} is the call.
_READ = {
    "dynamic": "CAST({} AS JSON)",
    "string": "coalesce({}, '')",
    "guid": "CAST({} AS UUID)",
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
    """A function computed in Python. ``spans`` are the places of its arguments that are timespans.

    One that is ``typed`` is given the DuckDB type of its first argument before them.
    """

    arities: range
    type: str
    function: Callable[..., Any]
    spans: frozenset[int] = frozenset()
    typed: bool = False

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
        sent = [f"typeof({sent[0]})", *sent] if self.typed else sent
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
    """Let *connection* call the functions."""
    handling: Any = "special"
    connection.create_function(UDF, call, ["VARCHAR", "VARCHAR"], "VARCHAR", null_handling=handling)


# Text


def _indexof(text: Any, lookup: Any, start: Any = 0, length: Any = -1, occurrence: Any = 1) -> int:
    text, lookup = as_text(text), as_text(lookup)
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


def _indexof_regex(text: Any, pattern: Any, start: Any = 0, length: Any = -1, occurrence: Any = 1) -> int | None:
    import re

    text, start, length, occurrence = as_text(text), int(start or 0), int(length), int(occurrence)
    if start < 0 or length < -1 or occurrence < 0:
        return None
    end = len(text) if length < 0 else min(len(text), start + length)
    found = [match.start() for match in re.finditer(as_text(pattern), text[:end]) if match.start() >= start]
    return found[occurrence - 1] if 0 < occurrence <= len(found) else -1


def _has_any_index(text: Any, values: Any) -> int:
    import re

    for place, value in enumerate(values if isinstance(values, list) else []):
        if re.search(rf"(?<![^\W_]){re.escape(as_text(value))}(?![^\W_])", as_text(text), re.IGNORECASE):
            return place
    return -1


def _canonical(value: Any) -> str:
    """JSON with the keys in order; a text at the top as it is."""
    return (
        value
        if isinstance(value, str)
        else json.dumps(value, ensure_ascii=False, separators=(",", ":"), sort_keys=True)
    )


def _strrep(value: Any, times: Any, delimiter: Any = "") -> str:
    return as_text(delimiter).join([as_text(value)] * max(0, int(times or 0)))


def _translate(search: str, replacement: str, source: str) -> str:
    """Each character of *search* in *source* replaced; the last of a shorter *replacement* serves the rest."""
    if not replacement:
        return "".join(character for character in source if character not in search)
    padded = replacement + replacement[-1] * (len(search) - len(replacement))
    return source.translate({ord(old): new for old, new in reversed(list(zip(search, padded, strict=False)))})


def _replace_strings(text: Any, lookups: Any, replacements: Any) -> str:
    """The text with each lookup replaced, one after another."""
    new = replacements if isinstance(replacements, list) else [replacements] * len(lookups)
    for lookup, replacement in zip(lookups, new, strict=True):
        text = as_text(text).replace(as_text(lookup), as_text(replacement))
    return as_text(text)


def _split_item(source: Any, delimiter: Any, index: Any) -> list[str]:
    parts = as_text(source).split(as_text(delimiter)) if delimiter else [as_text(source)]
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

    encoded = quote_plus(as_text(text), safe="-_.!*()")
    return re.sub(r"%[0-9A-F]{2}", lambda match: match[0].lower(), encoded)


def _parse_urlquery(text: Any) -> dict[str, Any]:
    from urllib.parse import parse_qsl

    return {"Query Parameters": dict(parse_qsl(as_text(text).removeprefix("?"), keep_blank_values=True))}


def _parse_path(text: Any) -> dict[str, str] | None:
    import re

    path = as_text(text)
    scheme = re.match(r"([A-Za-z][\w+.-]+)://", path)
    plain = path[scheme.end() :] if scheme else path
    parts = re.split(r"[\\/]", plain)
    name = parts[-1]
    stream = name.partition(":")[2] if not re.fullmatch(r"[A-Za-z]:", name) else ""
    name = name.partition(":")[0] if stream else name
    directory = re.split(r"[\\/]", plain.rstrip("/\\"))[:-1]
    return {
        "Scheme": scheme[1] if scheme else "",
        "RootPath": match[0] if (match := re.match(r"[A-Za-z]:", plain)) else "",
        "DirectoryPath": plain[: len(plain) - len(parts[-1]) - 1] if len(parts) > 1 else "",
        "DirectoryName": directory[-1] if directory else "",
        "Filename": name,
        "Extension": name.rpartition(".")[2] if "." in name else "",
        "AlternateDataStreamName": stream,
    }


def _parse_csv(text: Any) -> list[str]:
    import csv

    return next(csv.reader([as_text(text)]), [""])


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
    parts = as_text(text).split(".")
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
    "indexof_regex": _f(2, 5, "long", _indexof_regex),
    "has_any_index": _f(2, 2, "long", _has_any_index),
    "dynamic_to_json": _f(1, 1, "string", _canonical),
    "buildschema_of": _f(1, 1, "dynamic", schema_of),
    "strrep": _f(2, 3, "string", _strrep),
    "translate": _f(3, 3, "string", _translate),
    "split": _f(3, 3, "dynamic", _split_item),
    "isascii": _f(1, 1, "bool", lambda text: as_text(text).isascii()),
    "isutf8": _f(1, 1, "bool", lambda text: isinstance(text, str)),
    "unicode_codepoints_from_string": _f(1, 1, "dynamic", lambda text: [ord(character) for character in as_text(text)]),
    "unicode_codepoints_to_string": _f(1, _ANY, "string", _codepoints),
    "to_utf8": _f(1, 1, "dynamic", lambda text: [ord(character) for character in as_text(text)]),
    "make_string": _f(1, _ANY, "string", _codepoints),
    "format_bytes": _f(1, 3, "string", _format_bytes),
    "format_timespan": _f(2, 2, "string", _format_timespan, 0),
    "url_encode": _f(1, 1, "string", _url_encode),
    "url_encode_component": _f(1, 1, "string", lambda text: _url_encode(text).replace("+", "%20")),
    "parse_urlquery": _f(1, 1, "dynamic", _parse_urlquery),
    "parse_path": _f(1, 1, "dynamic", _parse_path),
    "parse_pairs": _f(3, 3, "dynamic", pairs),
    "parse_csv": _f(1, 1, "dynamic", _parse_csv),
    "parse_xml": _f(1, 1, "dynamic", _parse_xml),
    "parse_version": _f(1, 1, "decimal", _parse_version),
    "session_starts": _f(4, 4, "dynamic", _session_starts),
    "replace_strings": _f(3, 3, "string", _replace_strings),
    "extract_json": _f(2, 2, "string", extract_json),
    "extractjson": _f(2, 2, "string", extract_json),
    "treepath": _f(1, 1, "dynamic", treepath),
    "bag_without_empty": _f(
        1, 1, "dynamic", lambda bag: {key: value for key, value in bag.items() if value not in (None, "")}
    ),
    "bag_has_key": _f(2, 2, "bool", lambda bag, key: key in bag if isinstance(bag, dict) else None),
    "bag_remove_keys": _f(2, 2, "dynamic", bag_remove_keys),
    "bag_union": _f(1, _ANY, "dynamic", bag_union),
    "bag_set_key": _f(3, 3, "dynamic", bag_set_key),
    "bag_zip": _f(2, 2, "dynamic", bag_zip),
    "array_split": _f(2, 2, "dynamic", array_split),
    "array_rotate_left": _f(2, 2, "dynamic", array_rotate),
    "array_rotate_right": _f(2, 2, "dynamic", lambda array, count: array_rotate(array, -count)),
    "array_sort_asc": _f(1, _ANY, "dynamic", sorted_arrays(descending=False)),
    "array_sort_desc": _f(1, _ANY, "dynamic", sorted_arrays(descending=True)),
    "array_shift_left": _f(2, 3, "dynamic", array_shift),
    "array_shift_right": _f(2, 3, "dynamic", lambda array, count, fill=None: array_shift(array, -count, fill)),
    "array_iff": _f(3, 3, "dynamic", array_iff),
    "array_iif": _f(3, 3, "dynamic", array_iff),
    "repeat": _f(2, 2, "dynamic", repeated),
    "range": _f(2, 3, "dynamic", range_of),
    "set_union": _f(2, _ANY, "dynamic", combined_sets(lambda one, other: unique(one + other))),
    "set_intersect": _f(2, _ANY, "dynamic", combined_sets(within)),
    "set_difference": _f(2, _ANY, "dynamic", combined_sets(without)),
    "set_equals": _f(2, 2, "bool", lambda one, other: not without(one, other) and not without(other, one)),
    "jaccard_index": _f(2, 2, "real", jaccard),
    "tohex": _f(1, 2, "string", _tohex),
    "bitset_count_ones": _f(1, 1, "long", lambda value: None if value is None else (int(value) % 2**64).bit_count()),
    "loggamma": _f(1, 1, "real", _loggamma),
    "convert_length": _f(3, 3, "real", _convert(_METRES)),
    "convert_mass": _f(3, 3, "real", _convert(_GRAMS)),
    "convert_volume": _f(3, 3, "real", _convert(_CUBIC_METRES)),
    "convert_energy": _f(3, 3, "real", _convert(_JOULES)),
    "convert_temperature": _f(3, 3, "real", _temperature),
    "hash": Computed(range(1, 3), "long", coding.hashed, typed=True),
    "hash_xxhash64": Computed(range(1, 3), "long", coding.hashed, typed=True),
    **{
        name: _f(low, high, type_, function)
        for module in (addresses, coding, geography, probability, series)
        for name, (low, high, type_, function) in module.FUNCTIONS.items()
    },
}
