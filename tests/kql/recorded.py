"""What the second engine answered, so that only what is new is asked: it takes minutes of a core for all.

``recorded.json`` holds prints of answers under a digest of all that they follow from: the query's text, the content of
the tables that it names, and the engine's own files. What is not in it is asked now; so is what the local engine now
answers otherwise, so that a failing test shows both engines' rows, and one of 32 of the rest. Without the engine what
is recorded is used. ``python -m tests.kql.recorded`` records what is new and forgets what no test asks.
"""

from __future__ import annotations

import functools
import hashlib
import json
import math
import re
import sys
from base64 import urlsafe_b64encode
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tests.kql.second import SECOND, Answer, comparable, is_here
from tests.recorder import ASKED_AGAIN, Recorder

RECORDER = Recorder(Path(__file__).with_suffix(".json"), "engine", "SECOND_RECORDED_INTO")
#: The variable under which a run reads no ``../shared/cases``, as where there are none.
WITHOUT_CASES = "SECOND_WITHOUT_CASES"
#: Characters of the print of one row.
PRINT = 8
#: What may read a table that it does not name.
_ANY_TABLE = re.compile(r"\b(union|search|find)\b")


def key(text: str, contents: Mapping[str, str]) -> str:
    """A digest of what the answer to *text* follows from; *contents* are the tables' own by name, see ``content``."""
    of_any = _ANY_TABLE.search(text) is not None
    words = set(re.findall(r"\w+", text))
    read = sorted((name, found) for name, found in contents.items() if of_any or name in words)
    return hashlib.sha256(json.dumps([text, read]).encode()).hexdigest()[:24]


def content(table: Answer) -> str:
    """A digest of a table's columns and rows, in whatever order."""
    rows = sorted(json.dumps(_steady(row), sort_keys=True) for row in table.rows)
    return hashlib.sha256(json.dumps([table.columns, rows]).encode()).hexdigest()


def prints(answer: Answer) -> str:
    """A print of the columns, then one of each row, in an order of their own; numbers to eight digits."""
    return _print(list(answer.columns.items())) + "".join(sorted(_print(_steady(comparable(r))) for r in answer.rows))


def one_print(rows: list[list[Any]]) -> str:
    """A print of all rows in their order; numbers as ``comparable`` has them."""
    return _print(comparable(rows))


def _print(value: Any) -> str:
    digest = hashlib.sha256(json.dumps(value, sort_keys=True).encode()).digest()
    return urlsafe_b64encode(digest).decode()[:PRINT]


def _steady(value: Any) -> Any:
    """Numbers so that the order in which they were added up does not show.

    A number that ends in a 5 would be rounded up or down by it: no multiple of pi ends so.
    """
    if isinstance(value, list):
        return [_steady(item) for item in value]
    if isinstance(value, dict):
        return {name: _steady(item) for name, item in value.items()}
    if isinstance(value, float):
        return f"{value * math.pi:.8g}" if abs(value) > 1e-12 else "0"
    return value


def difference(answer: Answer, known: str) -> str:
    """What tells *answer* from the recorded prints *known*, to be read; empty where they are the same."""
    if (found := prints(answer)) == known:
        return ""
    if found[:PRINT] != known[:PRINT]:
        return f"the second engine has other columns or types than {answer.columns}"
    recorded_rows = Counter(known[at : at + PRINT] for at in range(PRINT, len(known), PRINT))
    others = []
    for row in answer.rows:
        if recorded_rows[mark := _print(_steady(comparable(row)))]:
            recorded_rows[mark] -= 1
        else:
            others.append(json.dumps(row, ensure_ascii=False))
    counted = f"{len(others)} of {len(answer.rows)} rows are not in the second engine's recorded answer"
    return "\n".join([f"{counted}, and {recorded_rows.total()} of that are missing:", *others[:5]])


@functools.cache
def recorded() -> Mapping[str, str]:
    """Key -> prints; nothing where the engine that is here is another than the one that was recorded."""
    return RECORDER.answers(digest() if is_here() else "")


@functools.cache
def digest() -> str:
    """The engine's own digest: its program and the folder with its parts."""
    parts = [path for path in sorted(SECOND.with_name(f"{SECOND.name}-src").rglob("*")) if path.is_file()]
    digests = [hashlib.sha256(path.read_bytes()).hexdigest() for path in (SECOND, *parts)]
    return hashlib.sha256("".join(digests).encode()).hexdigest()


def is_to_ask(key: str, expected: str) -> bool:
    """Whether the engine is here and is to be asked: what is new, what is expected otherwise, and one of 32."""
    return is_here() and (recorded().get(key) != expected or key.startswith(ASKED_AGAIN))


def main() -> int:
    """Runs the tests that ask the second engine, and records what it answered; returns pytest's exit code."""
    two_engines, conformance = "tests/kql/test_two_engines.py", "tests/kql/test_conformance.py"
    # What is documented needs no table.
    return RECORDER.record(digest(), ([two_engines, conformance], {}), ([two_engines], {WITHOUT_CASES: "1"}))


if __name__ == "__main__":
    sys.exit(main())
