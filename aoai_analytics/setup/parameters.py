"""The parameters of an installation, checked against the types in ``main.json``, and each step's share of them.

Azure Resource Manager checks the same, but only one error at a time and after a sign-in; here a misspelt setting
is reported with its place before any request.
"""

from __future__ import annotations

import difflib
import json
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from ..config import settings
from ..errors import WrongUse
from .names import name_faults
from .template import saved_functions, whole

_PYTHON_TYPES: dict[str, type] = {
    "string": str,
    "int": int,
    "bool": bool,
    "array": list,
    "object": dict,
}
_SAID = {"string": "text", "int": "a whole number", "bool": "true or false", "array": "a list", "object": "a table"}


@dataclass(frozen=True)
class Standing:
    """What exists in Azure and an option needs or must not undo."""

    network: bool = False
    vault: bool = False
    cache: bool = False


def checked(parameters: Mapping[str, Any], exports: Path | None = None) -> dict[str, Any]:
    """*parameters* with the KQL functions added, and the other files in the folder *exports* for your own prices.

    Raises WrongUse with every value that main.json would reject, or for your own prices that would be ignored.
    """
    template = whole()
    faults = list(_faults(template["parameters"], parameters, "setup.parameters", template["definitions"]))
    faults = faults or list(name_faults(parameters))
    if faults:
        raise WrongUse("; ".join(faults))
    return {**_own(exports), **parameters}


def _own(exports: Path | None) -> dict[str, Any]:
    """The functions and the rule for hourly totals: the shipped ones, or those in *exports*."""
    if exports is None:
        if settings().prices:
            raise WrongUse(
                "aoai.toml has your own prices, but the shipped functions do not: run 'aoai export functions "
                "--target log-analytics -o exports/functions.json' and 'aoai export summary-rules -o "
                'exports/summary-rules.json\', and set exports = "exports" under [setup]'
            )
        return {"functions": saved_functions()}
    functions = _read(exports / "functions.json")
    try:
        # ARM reads a text that begins with '[' as an expression, so the file doubles it.
        listed = [{**each, "query": _plain(each["query"])} for each in functions["variables"]["functions"]]
    except (KeyError, TypeError) as error:
        raise WrongUse(
            f"{exports / 'functions.json'}was not written by 'aoai export functions'; run it again"
        ) from error
    return {"functions": listed, "rollup": _read(exports / "summary-rules.json")}


def _read(path: Path) -> Any:
    try:
        return json.loads(path.read_text("utf-8"))
    except (OSError, UnicodeDecodeError, json.JSONDecodeError) as error:
        raise WrongUse(f"cannot read {path}: create it with 'aoai export', or remove setup.exports") from error


def _plain(text: str) -> str:
    return text[1:] if text.startswith("[[") else text


def for_step(parameters: Mapping[str, Any], *, final: bool, readers: bool, standing: Standing) -> dict[str, Any]:
    """The parameters for deploying a step.

    Options that need the result of a later step are omitted until it exists, and never undone once they are active:
    the private network closes everything, so it is part of the *final* step; the cache and the public entrance read
    secrets that must first be put into the vault. *readers* says whether a workspace to read exists yet.
    """
    given = dict(parameters)
    if not readers:
        given.pop("readers", None)
    private = final or standing.network
    if not private:
        given.pop("privateNetwork", None)
        given.pop("subnets", None)
    if not (private and standing.vault):
        given.pop("applicationGateway", None)
    if not (standing.cache or (final and standing.vault)):
        given.pop("semanticCache", None)
    return given


def left_for_later(parameters: Mapping[str, Any], used: Mapping[str, Any]) -> list[str]:
    """Requested options that are not active yet, by name."""
    options = ("privateNetwork", "applicationGateway", "semanticCache")
    return [name for name in options if parameters.get(name) and name not in used]


def _faults(
    declared: Mapping[str, Any], given: Mapping[str, Any], where: str, types: Mapping[str, Any]
) -> Iterator[str]:
    for name in given:
        if name not in declared:
            near = difflib.get_close_matches(name, declared, n=1)
            yield f"{where}.{name}: no such setting" + (f"; did you mean {near[0]}?" if near else "")
    for name, schema in declared.items():
        schema = _resolved(schema, types)
        if name in given:
            yield from _value_faults(given[name], schema, f"{where}.{name}", types)
        elif "defaultValue" not in schema and not schema.get("nullable"):
            yield f"{where}.{name}: missing: {schema.get('metadata', {}).get('description', 'it is required')}"


def _value_faults(value: Any, schema: Mapping[str, Any], where: str, types: Mapping[str, Any]) -> Iterator[str]:
    schema = _resolved(schema, types)
    if value is None and schema.get("nullable"):
        return
    kind = schema["type"]
    # Not isinstance: in Python, True is an int.
    if type(value) not in (_PYTHON_TYPES[kind],):
        yield f"{where}: must be {_SAID[kind]}"
        return
    allowed = schema.get("allowedValues")
    if allowed and value not in allowed:
        yield f"{where}: must be one of {', '.join(map(str, allowed))}"
    bounds = ("minValue", "maxValue") if kind == "int" else ("minLength", "maxLength")
    size = value if kind == "int" else len(value) if kind in ("string", "array") else 0
    low, high = (schema.get(bound) for bound in bounds)
    if (low is not None and size < low) or (high is not None and size > high):
        unit = {"string": " characters", "array": " entries"}.get(kind, "")
        words = (("at least", low), ("at most", high))
        yield f"{where}: must be " + " and ".join(f"{word} {limit}{unit}" for word, limit in words if limit is not None)
    if kind == "array" and "items" in schema:
        for place, item in enumerate(value):
            yield from _value_faults(item, schema["items"], f"{where}[{place}]", types)
    if kind == "object" and "properties" in schema:
        declared, others = schema["properties"], schema.get("additionalProperties")
        # A table whose keys are names of one's own, such as budgets by subscription.
        free = isinstance(others, dict)
        for name, item in value.items():
            if name not in declared and isinstance(others, dict):
                yield from _value_faults(item, others, f"{where}.{name}", types)
        given = {name: item for name, item in value.items() if name in declared or not free}
        yield from _faults(declared, given, where, types)


def _resolved(schema: Mapping[str, Any], types: Mapping[str, Any]) -> dict[str, Any]:
    """*schema* with its referenced type resolved."""
    reference = schema.get("$ref")
    if reference is None:
        return dict(schema)
    return {**_resolved(types[reference.removeprefix("#/definitions/")], types), **schema}
