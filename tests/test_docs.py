"""What is written is so: generated pages are current, links lead somewhere, the README's commands exist."""

from __future__ import annotations

import importlib.util
import re
import shlex

import pytest

from aoai_analytics.cli import main
from tests.conftest import REPO

PAGES = [REPO / "README.md", REPO / "CONTRIBUTING.md", REPO / "CHANGELOG.md", *sorted((REPO / "docs").glob("*.md"))]
_SPEC = importlib.util.spec_from_file_location("make_docs", REPO / "docs/make_docs.py")
assert _SPEC and _SPEC.loader
make_docs = importlib.util.module_from_spec(_SPEC)
_SPEC.loader.exec_module(make_docs)


@pytest.fixture(scope="module")
def generated():
    """Path -> the page as it is made now."""
    return make_docs.pages()


@pytest.mark.parametrize("page", ["queries.md", "cli.md", "kql.md", "rooms.md"])
def test_a_generated_page_is_current(page, generated):
    assert (REPO / "docs" / page).read_text("utf-8") == generated[REPO / "docs" / page], "run 'make docs'"


def test_an_example_is_of_a_command_that_there_is(capsys):
    for name, example in make_docs.EXAMPLES.items():
        words = shlex.split(example)
        assert words[1 : 1 + len(name.split())] == name.split()
        assert main([*name.split(), "--help"]) == 0, name
        options = {word for word in words if word.startswith("-")}
        shown = capsys.readouterr().out
        assert all(option in shown for option in options), example


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_links_lead_to_files_that_are_there(page):
    text = re.sub(r"```.*?```", "", page.read_text("utf-8"), flags=re.DOTALL)
    links = [link for link in re.findall(r"\]\(([^)#\s]+)[^)]*\)", text) if "://" not in link and "mailto:" not in link]
    missing = [link for link in links if not (page.parent / link).exists()]
    assert missing == []


def test_the_readme_names_commands_and_targets_that_there_are(capsys):
    text = (REPO / "README.md").read_text("utf-8")
    commands = re.findall(r"^\.venv/bin/aoai (\w+)", text, re.M)
    assert {"queries", "query", "doctor"} <= set(commands)
    for command in set(commands):
        assert main([command, "--help"]) == 0
    capsys.readouterr()
    targets = set(re.findall(r"^make ([a-z-]+)", text, re.M))
    makefile = (REPO / "Makefile").read_text("utf-8")
    assert targets
    assert all(re.search(rf"^{target}:", makefile, re.M) for target in targets)
