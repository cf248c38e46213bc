"""Settings, the source and relative paths are found from any folder of a project."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from aoai_analytics.cli import main
from aoai_analytics.config import default_source, found, own_budgets, settings
from aoai_analytics.errors import WrongUse
from aoai_analytics.lake.delta import Lake


@pytest.fixture
def project(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """A project's root; the current folder is two folders below."""
    below = tmp_path / "notebooks" / "analysis"
    below.mkdir(parents=True)
    (tmp_path / "pyproject.toml").touch()
    monkeypatch.chdir(below)
    settings.cache_clear()
    yield tmp_path
    settings.cache_clear()


def test_a_relative_path_is_the_nearest_upwards(project: Path) -> None:
    Lake.create(project / "sample" / "lake")
    assert found("sample/lake") == project / "sample" / "lake"
    (project / "notebooks" / "sample" / "lake").mkdir(parents=True)
    assert found("sample/lake") == project / "notebooks" / "sample" / "lake"
    assert found("other/lake") == Path("other/lake")


def test_nothing_is_looked_for_above_the_project(project: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    (project / "notebooks" / ".git").mkdir()
    (project / "aoai.toml").write_text('time_zone = "Asia/Tokyo"\n')
    Lake.create(project / "lake")
    assert settings().time_zone == "UTC"
    assert default_source() == "lake"


def test_without_a_source_the_only_lake_is_taken_and_an_own_one_before_the_sample(project: Path) -> None:
    assert default_source() == "lake"
    Lake.create(project / "sample" / "lake")
    assert default_source() == str(project / "sample" / "lake")
    Lake.create(project / "ours")
    assert default_source() == str(project / "ours")
    Lake.create(project / "theirs")
    with pytest.raises(WrongUse, match="several lakes: ours, theirs"):
        default_source()
    Lake.create(project / "lake")
    assert default_source() == str(project / "lake")


def test_folders_in_the_file_are_beside_it(project: Path) -> None:
    (project / "aoai.toml").write_text('source = "data/lake"\nreports = "out"\n')
    assert default_source() == str(project / "data" / "lake")
    assert settings().reports == project / "out"


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("[price]\n", "unknown table [price]; did you mean [prices]?"),
        ("sorce = 'x'\n", "unknown setting 'sorce'; did you mean 'source'?"),
        ("[qqq]\n", "unknown table [qqq]; use lake, source,"),
        ("query_memory = 'much'\n", "'query_memory' must be a share or size such as '50%' or '4GB'"),
        ("query_seconds = -1\n", "'query_seconds' must be a number above 0"),
        ("time_zone = 'Mars/X'\n", "unknown time zone 'Mars/X': use an IANA name, e.g. UTC or Europe/Berlin"),
        ("query_seconds = true\n", "'query_seconds' must be a number above 0"),
        ("terms_shared_by = true\n", "'terms_shared_by' must be a whole number of 2 or more"),
        ("terms_shared_by = 1\n", "'terms_shared_by' must be a whole number of 2 or more"),
        ("[budgets]\n'(all)' = 'much'\n", "'budgets.(all)' must be a number above 0"),
        ("[budgets]\nsub-a = 0\n", "'budgets.sub-a' must be a number above 0"),
        ("[budgets]\nsub-a = -5\n", "'budgets.sub-a' must be a number above 0"),
        ("[budgets]\nsub-a = inf\n", "'budgets.sub-a' must be a number above 0"),
        ("[budgets]\nsub-a = true\n", "'budgets.sub-a' must be a number above 0"),
        ("[budgets]\n'a,b' = 5\n", "[budgets] cannot have 'a,b': a name is not empty and has no comma"),
        ('[budgets]\n"a\\nb" = 5\n', "[budgets] cannot have 'a\\nb': a name is not empty and has no comma"),
        ("[budgets]\n'a;b' = 5\n", "[budgets] cannot have 'a;b': a name is not empty and has no comma"),
        ("[budgets]\n' ' = 5\n", "[budgets] cannot have ' ': a name is not empty and has no comma"),
        ("time_zone = 3\n", "'time_zone' must be text in quotes"),
        ("deliver_prompts = 'perhaps'\n", "'deliver_prompts' must be true or false"),
    ],
)
def test_a_wrong_setting_is_named_in_plain_words(project: Path, text: str, message: str) -> None:
    (project / "aoai.toml").write_text(text)
    with pytest.raises(WrongUse) as refused:
        settings()
    assert message in str(refused.value) and "aoai.toml" in str(refused.value)
    assert "\n" not in str(refused.value)


@pytest.mark.parametrize(
    ("variable", "example"),
    [
        ("AOAI_BUDGETS", """'{"(all)": 900, "sub-claims": 120}'"""),
        ("AOAI_ONLY", """'["Team=Claims"]'"""),
        ("AOAI_PRICES", """'{"file": "prices.csv"}'"""),
        ("AOAI_DIMENSIONS", """'{"subscription": {"sub-claims": {"team": "Claims"}}}'"""),
    ],
)
@pytest.mark.parametrize("text", ["", "(all)=900", '{"(all)": 900'])
def test_broken_json_in_a_variable_is_one_clear_line_with_an_example(
    project: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    variable: str,
    example: str,
    text: str,
) -> None:
    monkeypatch.setenv(variable, text)
    assert main(["query", "cost/total"]) == 2
    assert capsys.readouterr().err == f"aoai: {variable} is not valid JSON: write it like {example}\n"
    monkeypatch.setenv(variable, example.strip("'"))
    settings.cache_clear()
    settings()


def test_budgets_are_those_of_the_file(project: Path) -> None:
    assert own_budgets() == ""
    settings.cache_clear()
    (project / "aoai.toml").write_text("[budgets]\n'(all)' = 900\nsub-claims = 120.5\n'a=b' = 1e-5\n")
    assert own_budgets() == "(all)=900.0,sub-claims=120.5,a=b=0.00001"
