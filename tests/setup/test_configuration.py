"""A wrong setting is named with its place and the way on, before anything is asked of Azure."""

from __future__ import annotations

import tomllib
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from aoai_analytics.cli import main
from aoai_analytics.errors import WrongUse
from aoai_analytics.sandbox.azure.record import setup_table
from aoai_analytics.setup import open_setup
from aoai_analytics.setup.configuration import Configuration, read_configuration
from aoai_analytics.setup.parameters import Standing, checked, for_step, left_for_later
from tests.conftest import REPO
from tests.setup.recording import CONFIG


@pytest.mark.parametrize(
    ("old", "new", "words"),
    [
        ("setup", "prices", r"aoai.toml has no \[setup\] table; 'aoai setup example' prints one"),
        ("subscription =", "subscription", "aoai.toml is not valid TOML"),
        ("[setup]", "[setpu]", r"aoai.toml: unknown table \[setpu\]; did you mean \[setup\]\?$"),
        ("[setup]", "[cost]\n[setup]", r"aoai.toml: unknown table \[cost\]; use lake, source, .*, setup$"),
        ('subscription = "0', 'subscription = "x', r"setup.subscription must be a subscription's ID, such as 0{8}-"),
        ("subscription =", "subscripton =", r"\[setup\] has no 'subscripton'; did you mean 'subscription'\?$"),
        ("resource_group =", "colour =", r"\[setup\] has no 'colour'; see 'aoai setup example'$"),
        ('resource_group = "rg-aoai-try"', "", r"\[setup\] lacks 'resource_group': add a resource group's name"),
        ('"rg-aoai-try"', '"rg aoai"', "setup.resource_group"),
        ('location = "eastus2"\n\n', 'location = "eastus2"\nlogs_endpoint = "http://contoso.com"\n\n', "https://HOST"),
        ("gatewayTier", "gatewayTeir", r"setup.parameters.gatewayTeir: no such setting; did you mean gatewayTier\?"),
        ('"StandardV2"', '"Consumption"', r"setup.parameters.gatewayTier: must be one of .*BasicV2"),
        ('name = "aoai-try"', 'name = "an-installation"', r"setup.parameters.name: must be at least 3 .*at most 12"),
        ("capacity = 60", 'capacity = "60"', r"openAIAccounts\[1\].deployments\[0\].capacity: must be a whole number"),
        ("capacity = 60", "capacity = true", r"deployments\[0\].capacity: must be a whole number"),
        ("capacity = 60", "capacity = 0", r"deployments\[0\].capacity: must be at least 1"),
        ("capacity = 60", "capcity = 60", r"deployments\[0\].capcity: no such setting; did you mean capacity\?"),
        (", capacity = 60", "", r"deployments\[0\].capacity: missing: Thousands of tokens/min"),
        ("priority = 2", "priority = 200", r"openAIAccounts\[1\].priority: must be at least 0 and at most 100"),
        ('publisherEmail = "platform-team@contoso.com"', "", r"parameters.publisherEmail: missing: Email address for"),
    ],
)
def test_a_wrong_setting_is_named_with_its_place(tmp_path: Path, old: str, new: str, words: str) -> None:
    text = CONFIG.read_text("utf-8")
    assert old in text
    path = tmp_path / "aoai.toml"
    path.write_text(text.replace(old, new, -1 if old == "setup" else 1), "utf-8")
    with pytest.raises(WrongUse, match=words):
        open_setup(path)


def test_a_misspelt_table_of_parameters_is_named(tmp_path: Path) -> None:
    path = tmp_path / "aoai.toml"
    path.write_text(CONFIG.read_text("utf-8").replace("setup.parameters", "setup.parametres"), "utf-8")
    with pytest.raises(WrongUse, match=r"\[setup\] has no 'parametres'; did you mean 'parameters'\?$"):
        read_configuration(path)


@pytest.mark.parametrize("name", Configuration.model_fields)
@pytest.mark.parametrize("value", ["5", "true", "[]", '""', '"x"', "inf", "2026-11-01", "{}"])
def test_a_wrong_value_is_said_in_our_words(tmp_path: Path, name: str, value: str) -> None:
    description = Configuration.model_fields[name].description
    assert description
    path = tmp_path / "aoai.toml"
    table = setup_table()
    given = {key: f'"{table[key]}"' for key in ("subscription", "resource_group", "location")}
    given |= {"parameters": "{}", name: value}
    path.write_text("[setup]\n" + "".join(f"{key} = {text}\n" for key, text in given.items()), "utf-8")
    try:
        read_configuration(path)
    except WrongUse as error:
        # Of sandbox = true, and of a file of teams that is not there.
        ours = ("brings its own settings", "cannot read setup.teams")
        assert str(error) == f"{path}: setup.{name} must be {description}" or any(words in str(error) for words in ours)


@pytest.mark.parametrize("port", ["true", "0", "99999", '"x"'])
def test_a_sandbox_s_port_is_a_number_of_a_port(tmp_path: Path, port: str) -> None:
    path = tmp_path / "aoai.toml"
    path.write_text(f"[setup]\nsandbox = true\nsandbox_port = {port}\n", "utf-8")
    with pytest.raises(WrongUse, match=r"setup.sandbox_port must be a port's number, such as 8477$"):
        read_configuration(path)


def test_a_missing_file_says_how_to_get_one(tmp_path: Path) -> None:
    with pytest.raises(WrongUse, match=r"aoai.toml: no such file. Fix: aoai setup example"):
        read_configuration(tmp_path / "aoai.toml")


def test_a_credential_that_is_none_is_said(tmp_path: Path) -> None:
    path = tmp_path / "aoai.toml"
    path.write_text(CONFIG.read_text("utf-8").replace("[setup]\n", '[setup]\ncredential = "Password1"\n', 1), "utf-8")
    with pytest.raises(WrongUse, match=r"setup.credential is not an azure-identity class") as raised:
        open_setup(path)
    assert "Password1" not in str(raised.value)


def test_the_example_is_taken_as_it_is(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["setup", "example"]) == 0
    path = tmp_path / "aoai.toml"
    path.write_text(capsys.readouterr().out, "utf-8")
    assert checked(read_configuration(path).parameters)["name"] == "aoai-dev"


def test_the_second_region_of_the_example_is_taken_when_it_is_uncommented() -> None:
    text = (REPO / "notebooks/setup/aoai.example.toml").read_text("utf-8")
    head, mark, rest = text.partition("# [[setup")
    whole = head + "\n".join(line.removeprefix("# ") for line in (mark + rest).splitlines())
    parameters = checked(tomllib.loads(whole)["setup"]["parameters"])
    assert [account["location"] for account in parameters["openAIAccounts"]] == ["eastus2", "westus3"]


_OPTIONS = {
    "privateNetwork": True,
    "applicationGateway": {"hostName": "a"},
    "semanticCache": {"x": "y"},
    "readers": [1],
}


@given(final=st.booleans(), readers=st.booleans(), network=st.booleans(), vault=st.booleans(), cache=st.booleans())
def test_options_never_come_before_what_they_need_nor_go_once_they_are_in_force(
    final: bool, readers: bool, network: bool, vault: bool, cache: bool
) -> None:
    standing = Standing(network=network, vault=vault, cache=cache)
    used = for_step(_OPTIONS, final=final, readers=readers, standing=standing)
    assert ("privateNetwork" in used) == (final or network)
    assert "applicationGateway" not in used or ("privateNetwork" in used and vault)
    assert ("semanticCache" in used) == (cache or (final and vault))
    assert ("readers" in used) == readers
    left = left_for_later(_OPTIONS, used)
    assert set(left) | set(used) >= {"privateNetwork", "applicationGateway", "semanticCache"}
    assert not set(left) & set(used)
