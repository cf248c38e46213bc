"""One file makes a team's subscription, its budget and its name in reports."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.config import settings
from aoai_analytics.dimensions.mapping import own_dimensions
from aoai_analytics.errors import WrongUse
from aoai_analytics.sandbox.azure.record import setup_table
from aoai_analytics.setup import open_setup
from aoai_analytics.setup.exercises import limits_of
from aoai_analytics.setup.parameters import checked
from aoai_analytics.setup.requirements.gateway import subscriptions_of
from aoai_analytics.setup.teams import with_teams

HEAD = "Key,Value,Team,CostCenter,Product,MonthlyBudget\n"
ROWS = "subscription,sub-checkout,Payments,4711,gold,900\nsubscription,sub-search,Search,4712,bronze,\n"
PARAMETERS = setup_table()["parameters"]


def teams(folder: Path, rows: str) -> Path:
    (folder / "teams.csv").write_text(HEAD + rows, "utf-8")
    return folder / "teams.csv"


def test_a_row_is_a_subscription_of_its_product_and_a_budget(tmp_path: Path) -> None:
    rows = ROWS + "user,jane,Payments,,,\nsubscription,sub-platform,Platform,,unlimited,\n"
    made = with_teams(PARAMETERS, teams(tmp_path, rows))
    assert made["gold"]["subscriptions"] == [*PARAMETERS["gold"]["subscriptions"], "sub-checkout"]
    assert made["bronze"] == {**PARAMETERS["bronze"], "subscriptions": ["sub-try-out", "sub-search"]}
    assert made["unlimitedSubscriptions"] == ["sub-platform"]
    assert made["alerts"]["budgets"] == {"sub-checkout": "900"}
    assert "budgets" not in PARAMETERS["alerts"] and checked(made), "main.json takes them"


@pytest.fixture
def _read_anew() -> Iterator[None]:
    settings.cache_clear()
    yield
    settings.cache_clear()


@pytest.mark.usefixtures("_read_anew")
def test_limits_and_models_of_a_team_are_its_own(tmp_path: Path) -> None:
    head = "Key,Value,Product,TokensPerMinute,TokensPerMonth,Models\n"
    rows = ("sub-a,gold,5000,,chat-mini embed-small", "sub-b,bronze,,900000,", "sub-c,gold,,,")
    (tmp_path / "teams.csv").write_text(head + "".join(f"subscription,{row}\n" for row in rows), "utf-8")
    made = with_teams(PARAMETERS, tmp_path / "teams.csv")
    assert made["teams"] == [
        {"subscription": "sub-a", "product": "gold", "tokensPerMinute": 5000, "models": ["chat-mini", "embed-small"]},
        {"subscription": "sub-b", "product": "bronze", "tokensPerMonth": 900000},
    ]
    assert made["gold"]["subscriptions"] == [*PARAMETERS["gold"]["subscriptions"], "sub-c"]
    assert checked(made) and subscriptions_of(made)["sub-a"] == "team-sub-a"
    assert limits_of(made)["team-sub-a"] == (5000, limits_of(PARAMETERS)["gold"][1])


@pytest.mark.parametrize(
    ("row", "said"),
    [
        ("sub-a,gold,many,,", "TokensPerMinute must be a whole number above 0, not 'many'"),
        ("sub-a,gold,,0,", "TokensPerMonth must be a whole number above 0"),
        ("sub-a,gold,99999999999,,", "TokensPerMinute must be a whole number"),
        ("sub-a,unlimited,5,,", "the product unlimited has no limits"),
        ("sub-a,,5,,", "sub-a has limits, but no Product to start from"),
        ("sub-try-out,bronze,5,,", "sub-try-out is listed without limits of its own before"),
        ("sub-a,gold,5,,\nsubscription,sub-a,gold,6,,", "line 3: sub-a has other limits before"),
    ],
)
def test_wrong_limits_are_said_with_their_place(tmp_path: Path, row: str, said: str) -> None:
    head = "Key,Value,Product,TokensPerMinute,TokensPerMonth,Models\n"
    (tmp_path / "teams.csv").write_text(f"{head}subscription,{row}\n", "utf-8")
    with pytest.raises(WrongUse, match=said):
        with_teams(PARAMETERS, tmp_path / "teams.csv")


def test_a_model_that_no_account_has_is_said(tmp_path: Path) -> None:
    team = {"subscription": "sub-a", "product": "gold", "models": ["chatt"]}
    with pytest.raises(WrongUse, match="sub-a may use chatt, which no account has"):
        checked({**PARAMETERS, "teams": [team]})


@pytest.mark.usefixtures("_read_anew")
def test_the_same_file_names_the_team_in_reports(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    teams(tmp_path, ROWS)
    lines = ["[setup]", 'teams = "teams.csv"', *(f'{k} = "{v}"' for k, v in setup_table().items() if k != "parameters")]
    lines += ["[setup.parameters]", 'name = "aoai-try"', 'publisherEmail = "a@contoso.com"', 'publisherName = "A"']
    lines += ['alerts = { emails = ["a@contoso.com"] }', "[[setup.parameters.openAIAccounts]]", 'name = "aoai-a"']
    lines += [
        'location = "eastus2"',
        'deployments = [{ name = "chat", model = "gpt-5.4-mini", version = "1", sku = "Standard", capacity = 1 }]',
    ]
    lines += ["[dimensions]", 'file = "teams.csv"']
    (tmp_path / "aoai.toml").write_text("\n".join(lines), "utf-8")
    monkeypatch.chdir(tmp_path)
    settings.cache_clear()
    assert open_setup(tmp_path / "aoai.toml").parameters["gold"]["subscriptions"] == ["sub-checkout"]
    assert {(each.value, each.cells[0]) for each in own_dimensions()} == {
        ("sub-checkout", "Payments"),
        ("sub-search", "Search"),
    }


def test_a_table_with_names_of_one_s_own_is_checked_by_its_values() -> None:
    alerts = {**PARAMETERS["alerts"], "budgets": {"(all)": "500"}, "severities": {"throttling": 1}}
    assert checked({**PARAMETERS, "alerts": alerts})["alerts"] == alerts
    with pytest.raises(WrongUse, match=r"alerts\.budgets\.sub-a: must be text"):
        checked({**PARAMETERS, "alerts": {**alerts, "budgets": {"sub-a": 500}}})
    with pytest.raises(WrongUse, match=r"alerts\.severities\.throttling: must be one of 0, 1, 2, 3, 4"):
        checked({**PARAMETERS, "alerts": {**alerts, "severities": {"throttling": 9}}})


@pytest.mark.parametrize(
    ("rows", "said"),
    [
        ("subscription,sub-a,A,,platinum,\n", "line 2: Product must be one of bronze, silver, gold, unlimited"),
        ("subscription,sub-try-out,A,,gold,\n", "sub-try-out is in product bronze already"),
        (
            "subscription,sub-a,A,,gold,\nsubscription,sub-a,A,,silver,\n",
            "line 3: the subscription sub-a is in",
        ),
        ("subscription,sub-a,A,,gold,lots\n", "MonthlyBudget must be a number above 0, not 'lots'"),
        ("subscription,sub-a,A,,gold,-5\n", "MonthlyBudget must be a number above 0"),
        ("subscription,sub-a,A,,gold,NaN\n", "MonthlyBudget must be a number above 0"),
        ("subscription,sub-a,A,,,5\n", "no Product"),
    ],
)
def test_a_wrong_row_is_said_with_its_place(tmp_path: Path, rows: str, said: str) -> None:
    with pytest.raises(WrongUse, match=said):
        with_teams(PARAMETERS, teams(tmp_path, rows))


def test_a_file_that_is_none_is_said(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"cannot read setup\.teams"):
        with_teams(PARAMETERS, tmp_path / "none.csv")
    (tmp_path / "teams.csv").write_text("a,b\n1,2\n", "utf-8")
    with pytest.raises(WrongUse, match="no columns Key and Value"):
        with_teams(PARAMETERS, tmp_path / "teams.csv")
    without = {name: value for name, value in PARAMETERS.items() if name != "alerts"}
    with pytest.raises(WrongUse, match=r"needs setup\.parameters\.alerts"):
        with_teams(without, teams(tmp_path, ROWS))
