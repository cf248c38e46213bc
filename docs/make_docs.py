"""Writes the pages that are made from the program itself: docs/queries.md and docs/cli.md. `make docs` runs it."""

from __future__ import annotations

import contextlib
import io
import os
from pathlib import Path

from aoai_analytics.cli import main
from aoai_analytics.library import library
from aoai_analytics.library.catalogue import markdown

DOCS = Path(__file__).parent
_CLI_TOP = """# The command line

Data goes to standard output, words about it to standard error. The exit code is 0 when done, 1 when something failed
and 2 for wrong use; an error is one line, `--debug` shows where it came from. Settings come from flags, then from
`AOAI_*` variables, then from `aoai.toml`: `source`, `lake`, `reports`, `time_zone`, `credential`,
`keep`, `deliver`, `link`, `deliver_prompts`.

Made from the commands' own help by `make docs`; a test keeps it current.
"""
# Command line -> a line one may copy.
EXAMPLES = {
    "sample": "aoai sample sample --requests 20000",
    "ingest": "aoai ingest sample/logs --lake sample/lake",
    "queries": "aoai queries tokens",
    "query": "aoai query tokens/by-subscription --source sample/lake --param topN=5",
    "report": "aoai report --source sample/lake --period 2026-11 --time-zone Europe/Berlin",
    "doctor": "aoai doctor --source sample/lake",
    "prices list": "aoai prices list",
    "schedule list": "aoai schedule list",
    "schedule show": "aoai schedule show crontab --every monthly --at 06:00",
    "export functions": "aoai export functions --target kusto -o cluster.kql",
    "export alerts": "aoai export alerts -o alert-rules.bicep",
    "export summary-rules": "aoai export summary-rules -o summary-rules.json",
    "export query-pack": "aoai export query-pack -o query-pack.json",
    "export workbook": "aoai export workbook --preview --source sample/lake -o workbook.html",
    "export grafana": "aoai export grafana -o gateway.json",
    "export all": "aoai export all -o setup_scripts",
    "setup status": "aoai setup status --config aoai.toml",
}


def pages() -> dict[Path, str]:
    """Each page's path and its text as it should be."""
    return {DOCS / "queries.md": markdown(library()), DOCS / "cli.md": _cli()}


def _cli() -> str:
    parts = [_CLI_TOP, f"\n```\n{_help([])}```\n"]
    for command in _commands([]):
        inner = _commands([command])
        for words in [[command], *([command, name] for name in inner)]:
            parts.append(f"\n## aoai {' '.join(words)}\n\n")
            example = EXAMPLES.get(" ".join(words))
            if example:
                parts.append(f"```\n{example}\n```\n\n")
            parts.append(f"```\n{_help(words)}```\n")
    return "".join(parts)


def _help(words: list[str]) -> str:
    out = io.StringIO()
    os.environ["COLUMNS"] = "110"
    with contextlib.redirect_stdout(out):
        main([*words, "--help"])
    return "".join(line.rstrip() + "\n" for line in out.getvalue().splitlines())


def _commands(words: list[str]) -> list[str]:
    """The names under ``Commands:`` in a command's help."""
    _, _, listed = _help(words).partition("\nCommands:\n")
    return [line.split()[0] for line in listed.splitlines() if line.startswith("  ") and line[2] != " "]


if __name__ == "__main__":
    for path, text in pages().items():
        path.write_text(text, encoding="utf-8")
        print(path.relative_to(DOCS.parent))
