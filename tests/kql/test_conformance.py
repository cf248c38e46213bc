"""KQL's documented behaviour (``conformance/``) on the local engine and on a second engine."""

from __future__ import annotations

import json
import math
import shutil
import subprocess
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import QueryError
from aoai_analytics.lake.delta import Lake
from tests.conftest import REPO
from tests.kql.conformance import Documented, documented, gaps

SECOND = REPO.parent / "shared/tools/kql-second"
CASES = list(documented())
PAGES = sorted({(case.place.partition(":")[0], case.page) for case in CASES})
LOCAL_GAPS, SECOND_GAPS = gaps("local"), gaps("second")


@pytest.fixture(scope="module")
def engine(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LocalEngine]:
    lake = Lake.create(tmp_path_factory.mktemp("conformance") / "lake")
    engine = LocalEngine(lake, str(lake.path))
    yield engine
    engine.close()


def timespan(value: Any) -> str:
    """``[-][d.]hh:mm:ss[.fffffff]``."""
    microseconds = value.days * 86_400_000_000 + value.nanoseconds // 1000
    sign, microseconds = "-" if microseconds < 0 else "", abs(microseconds)
    seconds, fraction = divmod(microseconds, 1_000_000)
    days, seconds = divmod(seconds, 86400)
    clock = f"{seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    return sign + (f"{days}." if days else "") + clock + (f".{fraction:06}0" if fraction else "")


def shown(value: Any, kind: str) -> Any:
    """A cell of the local engine as the cases write it."""
    if value is None:
        return "" if kind == "string" else None
    if kind == "dynamic":
        return json.loads(value) if isinstance(value, str) else value
    if kind == "datetime":
        return f"{value:%Y-%m-%dT%H:%M:%S.%f}0Z"
    if kind == "timespan":
        return timespan(value)
    if isinstance(value, float) and not math.isfinite(value):
        return "NaN" if math.isnan(value) else "Infinity" if value > 0 else "-Infinity"
    return value


def comparable(value: Any) -> Any:
    """Numbers to twelve digits; moments to the microsecond, since DuckDB keeps no more."""
    if isinstance(value, list):
        return [comparable(item) for item in value]
    if isinstance(value, dict):
        return {key: comparable(item) for key, item in value.items()}
    if isinstance(value, int | float) and not isinstance(value, bool):
        return float(f"{value:.12g}")
    return value[:26] if isinstance(value, str) and len(value) == 28 and value.endswith("Z") else value


def local_rows(engine: LocalEngine, case: Documented) -> list[list[Any]]:
    table, types = engine.arrow(case.query, {})
    return [
        [shown(value, kind) for value, kind in zip(row.values(), types.values(), strict=True)]
        for row in table.to_pylist()
    ]


def test_there_are_enough_cases_and_each_names_its_page() -> None:
    assert len(CASES) >= 700
    assert len({case.query for case in CASES}) == len(CASES)
    assert all(case.page.replace("-", "").isalnum() for case in CASES)


@pytest.mark.parametrize(("file", "page"), PAGES)
def test_the_local_engine_answers_what_is_documented(file: str, page: str, engine: LocalEngine) -> None:
    wrong = []
    for case in CASES:
        if not case.place.startswith(f"{file}:") or case.page != page or case.query in LOCAL_GAPS:
            continue
        rows = local_rows(engine, case)
        if comparable(rows) != comparable(case.rows):
            wrong.append(f"{case}: {case.query}\n  documented {case.rows}\n  answered   {rows}")
    assert not wrong, "\n".join(wrong)


def test_what_the_local_engine_does_not_answer_is_still_so(engine: LocalEngine) -> None:
    """A gap that has closed leaves the list."""
    closed = []
    for case in CASES:
        if case.query in LOCAL_GAPS:
            try:
                if comparable(local_rows(engine, case)) == comparable(case.rows):
                    closed.append(case.query)
            except QueryError:
                continue
    assert closed == []
    assert LOCAL_GAPS.keys() | SECOND_GAPS.keys() <= {case.query for case in CASES}


def test_the_second_engine_answers_what_is_documented(tmp_path: Path) -> None:
    if not SECOND.exists() or shutil.which("node") is None:
        pytest.skip("needs ../shared/tools/kql-second and node")
    (tmp_path / "queries").mkdir()
    for number, case in enumerate(CASES):
        (tmp_path / f"queries/{number:04}.kql").write_text(case.query, encoding="utf-8")
    command = [SECOND, "--batch", tmp_path / "queries", "-o", tmp_path / "answers"]
    subprocess.run(command, capture_output=True, text=True, check=False)
    different = set()
    for number, case in enumerate(CASES):
        answer = tmp_path / f"answers/{number:04}.json"
        rows = json.loads(answer.read_text("utf-8"))["rows"] if answer.exists() else None
        if rows is None or comparable(rows) != comparable(case.rows):
            different.add(case.query)
    assert different == SECOND_GAPS.keys()
