"""[dimensions] in aoai.toml: inline, in CSV files and Delta tables; refused in one line where malformed."""

from __future__ import annotations

from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pyarrow as pa
import pytest
from deltalake import write_deltalake

from aoai_analytics.config import settings
from aoai_analytics.dimensions import own_dimensions
from aoai_analytics.errors import WrongUse

HEADER = "Key,Value,Team,CostCenter,Environment,Application,Name,From,To\n"


@pytest.fixture(autouse=True)
def here(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A working folder of its own, with settings read anew."""
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def write(text: str) -> None:
    Path("aoai.toml").write_text(text, "utf-8")


def test_without_settings_nothing_is_mapped() -> None:
    assert own_dimensions() == ()


def test_inline_tables_files_and_delta_tables_say_the_same(here: Path) -> None:
    write('[dimensions.header.X-Team]\n"Blue" = [{team = "B", cost-center = 7, to = 2026-11-15}]')
    (inline,) = own_dimensions()
    Path("teams.csv").write_text(HEADER + "header:x-team,BLUE, B ,7,,,,,2026-11-15\n\n", "utf-8")
    write('[dimensions]\nfile = "teams.csv"')
    settings.cache_clear()
    assert own_dimensions() == (inline,)
    row = {"key": "header:x-team", "value": "blue", "team": "B", "costcenter": "7", "to": datetime(2026, 11, 15)}
    write_deltalake(str(here / "lake/Teams"), pa.Table.from_pylist([row]))
    write('[dimensions]\ntable = "Teams"')
    settings.cache_clear()
    assert own_dimensions() == (inline,)
    assert inline.cells == ("B", "7", "", "", "")
    assert (inline.value, inline.end) == ("blue", datetime(2026, 11, 15, tzinfo=UTC))


@pytest.mark.parametrize(
    ("toml", "message"),
    [
        ("[dimensions.team]\na = {team = 'x'}", "unknown key 'team' in [dimensions]; use file, table, header, trace,"),
        ("[dimensions.user]\na = 'x'", "must be a table with team, cost-center, environment, application, name, from"),
        ("[dimensions.user]\na = {tema = 'x'}", "unknown key 'tema'; use team,"),
        ("[dimensions.user]\na = {from = 2026-01-01}", "give at least one of Team, CostCenter,"),
        ("[dimensions.user]\n'' = {team = 'x'}", "the value is empty"),
        ("[dimensions.user]\na = {team = 'x', from = 2026-02-01, to = 2026-02-01}", "From must be before To"),
        ("[dimensions.user]\na = {team = 'x', from = 'soon'}", "From must be a date such as 2026-11-01, not 'soon'"),
        ("[dimensions.user]\na = {team = 'x'}\nA = {team = 'y'}", "overlaps with"),
        (
            "[dimensions.user]\na = [{team = 'x', to = 2026-02-02}, {team = 'y', from = 2026-02-01}]",
            "at any time, a value must have one meaning",
        ),
        ("[dimensions]\nfile = 'gone.csv'", "cannot read the dimensions in gone.csv"),
        ("[dimensions]\ntable = 'Gone'", "table 'Gone' is not a Delta table"),
        ("[dimensions]\nfile = 'bad.csv'", "bad.csv has no column Value; it needs Key, Value, Team"),
        ("[dimensions]\nfile = 'odd.csv'", "odd.csv, line 3: the key must be one of header:NAME, trace:NAME, user,"),
    ],
)
def test_what_is_malformed_is_refused_with_its_place(toml: str, message: str) -> None:
    Path("bad.csv").write_text("Key,Team\nuser,x\n", "utf-8")
    Path("odd.csv").write_text(HEADER + "user,a,x,,,,,,\nheader,b,x,,,,,,\n", "utf-8")
    write(toml)
    with pytest.raises(WrongUse) as raised:
        own_dimensions()
    assert message in str(raised.value) and "\n" not in str(raised.value)


def test_a_period_may_follow_another_at_once() -> None:
    write("[dimensions.user]\na = [{team = 'x', to = 2026-02-01}, {team = 'y', from = 2026-02-01}]")
    assert [row.cells[0] for row in own_dimensions()] == ["x", "y"]


def test_more_rows_than_fit_in_a_query_are_refused() -> None:
    lines = [f"user,user{number},Team" for number in range(10_001)]
    Path("teams.csv").write_text("\n".join(["Key,Value,Team", *lines]), "utf-8")
    write('[dimensions]\nfile = "teams.csv"')
    with pytest.raises(WrongUse, match="has 10,001 rows; at most 10,000 fit in a query"):
        own_dimensions()
