"""Own prices and deployments' scopes in aoai.toml: in force on the engine, refused in one line where malformed."""

from __future__ import annotations

from collections.abc import Iterator
from decimal import Decimal
from pathlib import Path

import pandas as pd
import pytest

from aoai_analytics.cli import main
from aoai_analytics.config import settings
from aoai_analytics.engines import connect
from aoai_analytics.errors import WrongUse
from aoai_analytics.prices import own_functions, own_prices, shipped_book
from aoai_analytics.prices.functions import Placed
from aoai_analytics.reporting import open_report
from tests.kql.cases import engine_over

REQUESTS = [
    {"TimeGenerated": "2026-11-02 08:00", "PromptTokens": "1000000", "CachedTokens": "0", "CompletionTokens": "0"},
    {"TimeGenerated": "2026-11-02 08:10", "PromptTokens": "1000000", "CachedTokens": "0", "CompletionTokens": "0"}
    | {"ModelName": "gpt-9-preview", "ModelVersion": ""},
]


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder of its own, with settings read anew."""
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def write(text: str) -> None:
    Path("aoai.toml").write_text(text, "utf-8")


def test_without_settings_the_shipped_prices_hold() -> None:
    assert own_prices().book.prices == shipped_book().prices
    assert own_prices().deployments == {}


def test_own_prices_and_scopes_are_read_from_the_settings() -> None:
    Path("mine.csv").write_text(
        "Model,Version,Scope,Regions,Direction,Unit,Currency,Price,From,Source\n"
        "gpt-9-preview,,global,,prompt,1K tokens,USD,0.003,2026-01-01,contract 17\n"
    )
    write("""
        [prices]
        file = "mine.csv"
        [prices.models."gpt-4o"]
        version = "2024-08-06"
        prompt = 2.25
        completion = "9"
        from = 2026-11-01
        [prices.deployments]
        "chat-prod" = "data-zone"
        "aoai-1/reason" = "regional SwedenCentral"
        "aoai-2/gpt" = "provisioned"
    """)
    own = own_prices()
    rows = {(p.model, p.version, p.direction): p for p in own.book if p.scope == "global"}
    assert rows["gpt-9-preview", "", "prompt"].per_million == 3
    assert rows["gpt-4o", "2024-08-06", "prompt"].per_million == Decimal("2.25")
    assert rows["gpt-4o", "2024-08-06", "completion"].per_million == 9
    assert str(rows["gpt-4o", "2024-08-06", "prompt"].start) == "2026-11-01"
    assert ("gpt-4o", "2024-08-06", "cached-prompt") not in rows
    assert own.deployments == {
        "chat-prod": Placed("data-zone"),
        "aoai-1/reason": Placed("regional", "swedencentral"),
        "aoai-2/gpt": Placed("provisioned"),
    }


def test_own_prices_are_in_every_query_of_cost(here: Path) -> None:
    engine_over(REQUESTS, here / "lake").close()
    kql = "AoaiCosts | sort by TimeGenerated asc | project Cost"

    def cost() -> pd.Series:
        return connect(here / "lake", functions=own_functions()).query(kql).frame["Cost"]

    shipped = cost()
    assert shipped[0] == 2.5 and shipped.isna()[1]
    model = '[prices.models."gpt-9-preview"]\nprompt = 4\ncompletion = 8\n'
    write(f'{model}[prices.deployments]\nchat-prod = "data-zone"\n')
    settings.cache_clear()
    own = cost()
    assert own[0] == 2.75 and own.isna()[1], "the own price is a global one, the deployment's a data zone's"
    write(model)
    settings.cache_clear()
    assert cost().tolist() == [2.5, 4.0]


def test_the_command_and_a_report_use_own_prices(here: Path, capsys: pytest.CaptureFixture[str]) -> None:
    engine_over(REQUESTS, here / "lake").close()
    write('[prices.models."gpt-9-preview"]\nprompt = 4\ncompletion = 8\n')
    assert main(["query", "--kql", "AoaiCosts | summarize Cost = sum(Cost)", "--format", "csv"]) == 0
    assert capsys.readouterr().out.split() == ["Cost", "6.5"]
    report = open_report()
    assert report.engine.query("AoaiCosts | summarize Cost = sum(Cost)").frame["Cost"].tolist() == [6.5]
    capsys.readouterr()
    assert main(["prices", "list", "--model", "gpt-9-preview"]) == 0
    assert capsys.readouterr().out.splitlines()[1].split() == [
        *("gpt-9-preview", "global", "default", "prompt", "4", "2000-01-01")
    ]


@pytest.mark.parametrize(
    ("text", "why"),
    [
        ("[prices]\nfiel = 'x.csv'", "unknown key 'fiel' in [prices]; use file, models, deployments"),
        ("[prices]\nfile = 3", "file must be the name of a CSV file"),
        ("[prices]\nfile = 'gone.csv'", "cannot read the price book gone.csv"),
        ("[prices]\nmodels = 3", "[prices.models] must be a table"),
        (
            "[prices.models]\ngpt-4o = 3",
            "needs at least one of prompt, cached-prompt, cache-write,",
        ),
        ("[prices.models.gpt-4o]\nscope = 'global'", "needs at least one of prompt"),
        ("[prices.models.gpt-4o]\nprompt = 1\ncolour = 'red'", "unknown key 'colour'"),
        ("[prices.models.gpt-4o]\nprompt = 'dear'", "Price must be a number"),
        ("[prices.deployments]\nchat = 'moon'", "must be one of global, data-zone"),
        ("[prices.deployments]\nchat = 'regional'", "'regional REGION'"),
        ("[prices.deployments]\nchat = 7", "must be one of global"),
    ],
)
def test_settings_that_are_wrong_are_refused_in_one_line(text: str, why: str) -> None:
    write(text)
    with pytest.raises(WrongUse) as error:
        own_functions()
    assert why in str(error.value) and "\n" not in str(error.value)
