"""A user's own tables: added from a file, joined with the logs, refused where they would hide a lake's."""

from __future__ import annotations

from pathlib import Path

import pytest

from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.errors import LakeError, QueryError, WrongUse
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.own import add_table, own_tables

PRICES = (
    "TimeGenerated,Model,Input,Active\n2026-11-01T00:00:00Z,gpt-4o,0.25,true\n2026-11-02T00:00:00Z,gpt-4o,0.5,true\n"
)


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    return Lake.create(tmp_path / "lake")


def given(folder: Path, name: str, text: str) -> Path:
    (folder / name).write_text(text, encoding="utf-8")
    return folder / name


def test_a_table_has_the_types_of_its_values_and_can_be_joined_at_once(lake: Lake, tmp_path: Path) -> None:
    engine = LocalEngine.open(lake.path)
    rows, table = add_table(lake, "PRICING_CL", given(tmp_path, "prices.csv", PRICES))
    assert rows == 2
    assert table.columns == {"TimeGenerated": "datetime", "Model": "string", "Input": "real", "Active": "bool"}
    kql = """datatable(Deployment: string, Tokens: long)["gpt-4o", 4, "o3", 5]
| join kind=leftouter (PRICING_CL | summarize arg_max(TimeGenerated, *) by Model) on $left.Deployment == $right.Model
| project Deployment, Cost = Tokens * Input | sort by Deployment asc"""
    frame = engine.query(kql).frame
    assert frame.Cost.fillna(-1).tolist() == [2.0, -1]


def test_a_row_without_a_time_gets_one_and_a_second_file_replaces_the_first(lake: Lake, tmp_path: Path) -> None:
    engine = LocalEngine.open(lake.path)
    for quota in (5, 7):
        add_table(lake, "QUOTA_CL", given(tmp_path, "quota.csv", f"Team,Quota\nsearch,{quota}\n"))
        frame = engine.query("QUOTA_CL | where isnotnull(TimeGenerated) | project Team, Quota").frame
        assert frame.values.tolist() == [["search", quota]]
    assert list(own_tables(lake)) == ["QUOTA_CL"]


def test_a_table_of_json_lines_can_be_added(lake: Lake, tmp_path: Path) -> None:
    add_table(
        lake, "TEAMS_CL", given(tmp_path, "teams.jsonl", '{"Team": "a", "Size": 3}\n{"Team": "b", "Size": null}\n')
    )
    frame = LocalEngine.open(lake.path).query("TEAMS_CL | summarize sum(Size), count()").frame
    assert frame.values.tolist() == [[3, 2]]


@pytest.mark.parametrize("name", ["AoaiRequests", "ApiManagementGatewayLogs", "AoaiMine", "a-b", "../x", ""])
def test_a_name_that_is_taken_or_not_a_name_is_refused(name: str, lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(WrongUse):
        add_table(lake, name, given(tmp_path, "prices.csv", PRICES))
    assert own_tables(lake) == {}


def test_a_file_that_cannot_be_read_is_one_clear_line(lake: Lake, tmp_path: Path) -> None:
    with pytest.raises(LakeError, match=r"cannot read .*missing\.csv"):
        add_table(lake, "X_CL", tmp_path / "missing.csv")
    with pytest.raises(WrongUse, match="not a CSV, JSON or Parquet file"):
        add_table(lake, "X_CL", given(tmp_path, "x.xlsx", "x"))
    with pytest.raises(QueryError, match="there is no table 'X_CL'"):
        LocalEngine.open(lake.path).query("X_CL | count")
