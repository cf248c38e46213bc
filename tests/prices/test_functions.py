"""The KQL functions of the prices are generated from the price book: one definition, held together here."""

from __future__ import annotations

from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from aoai_analytics.prices import price_functions, shipped_book
from aoai_analytics.prices.functions import Placed
from aoai_analytics.prices.models import shipped_models
from tests.conftest import REPO
from tests.kql.cases import engine_over


@pytest.mark.parametrize("name", ["AoaiPrices", "AoaiDeploymentScopes", "AoaiModels"])
def test_the_function_s_file_is_what_the_price_book_gives(name: str) -> None:
    text = (REPO / "kql/functions" / f"{name}.kql").read_text("utf-8")
    assert text == price_functions(shipped_book())[name], "run: aoai prices functions -o kql/functions"


def test_the_models_rows_are_the_model_book_s(tmp_path: Path) -> None:
    frame = engine_over([], tmp_path / "lake").query("AoaiModels").frame
    rows = {
        (*row[:3], row[3].date(), row[4], None if pd.isna(row[5]) else row[5].date(), *row[6:])
        for row in frame.itertuples(index=False, name=None)
    }
    assert rows == {
        (m.name, m.version, m.stage, m.retires, m.not_before, m.standard_retires, m.replacement, m.size)
        for m in shipped_models()
    }


def test_the_function_s_rows_are_the_price_book_s(tmp_path: Path) -> None:
    frame = engine_over([], tmp_path / "lake").query("AoaiPrices").frame
    rows = {
        (*row[:5], Decimal(str(row[5])), row[6].date(), *row[7:]) for row in frame.itertuples(index=False, name=None)
    }
    expected = [
        (*(p.model, p.version, p.scope, " ".join(p.regions), p.direction), *(p.per_million, p.start, p.tier, p.above))
        for p in shipped_book()
    ]
    assert rows == set(expected) and len(frame) == len(expected)


def test_no_name_leaves_its_quotes(tmp_path: Path) -> None:
    name = 'a"b\\c\n] | take 0 //'
    text = price_functions(shipped_book(), {name: Placed("data-zone", "eastus")})["AoaiDeploymentScopes"]
    frame = engine_over([], tmp_path / "lake").query(text).frame
    assert frame.values.tolist() == [[name, "data-zone", "eastus"]]
