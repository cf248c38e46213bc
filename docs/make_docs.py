"""Generate docs/queries.md and docs/cli.md from the program. `make docs` runs it."""

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

Data goes to standard output, messages to standard error. Exit codes: 0 done, 1 failed, 2 usage error. An error is one
line; `--debug` adds the traceback. Settings come from flags first, then `AOAI_*` variables, then `aoai.toml`: `source`,
`lake`, `reports`, `time_zone`, `credential`, `keep`, `deliver`, `link`, `deliver_prompts`.

`make docs` generates this page from the commands' help; a test keeps it current.
"""
# Command -> an example to copy.
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
    """Each page's path and current text."""
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
