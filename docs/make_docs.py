"""Generate docs/queries.md, docs/cli.md and docs/kql.md from the program and its tests. `make docs` runs it."""

from __future__ import annotations

import contextlib
import importlib.util
import io
import os
import sys
from collections import Counter
from pathlib import Path
from typing import Any

from aoai_analytics.cli import main
from aoai_analytics.library import library
from aoai_analytics.library.catalogue import markdown

DOCS = Path(__file__).parent
_CLI_TOP = """# The command line

Data goes to standard output, messages to standard error. Exit codes: 0 done, 1 failed, 2 usage error. An error is one
line; `--debug` adds the traceback. Settings come from flags first, then `AOAI_*` variables, then `aoai.toml`: `source`,
`lake`, `reports`, `time_zone`, `credential`, `keep`, `deliver`, `link`, `deliver_prompts`, `query_memory`,
`query_seconds`, `terms_shared_by`, `[budgets]`.

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
    "notebooks copy": "aoai notebooks copy my-notebooks",
}


def pages() -> dict[Path, str]:
    """Each page's path and current text."""
    rooms = _module("rooms", DOCS / "rooms.py").rooms_page(DOCS.parent / "aoai_analytics")
    made = {"queries.md": markdown(library()), "cli.md": _cli(), "kql.md": _kql(), "rooms.md": rooms}
    return {DOCS / name: text for name, text in made.items()}


def _module(name: str, path: Path) -> Any:
    """The module in a file that no package holds."""
    spec = importlib.util.spec_from_file_location(name, path)
    assert spec and spec.loader
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def _kql() -> str:
    folder = DOCS.parent / "tests/kql/conformance"
    spec = importlib.util.spec_from_file_location("conformance", folder / "__init__.py")
    assert spec and spec.loader
    conformance = importlib.util.module_from_spec(spec)
    sys.modules[spec.name] = conformance
    spec.loader.exec_module(conformance)
    cases = list(conformance.documented())
    local, second = conformance.gaps("local"), conformance.gaps("second")
    parts = [(folder / "top.md").read_text("utf-8")]
    if local:
        parts.append(_KQL_GAPS)
    reason = ""
    for query, why in local.items():
        reason = reason if why == "as above" else why
        cell = query.replace("|", "\\|")
        parts.append(f"| `{cell}` | {reason} |\n")
    pages = sorted({case.page for case in cases})
    total, right, other = Counter[str](), Counter[str](), Counter[str]()
    for case in cases:
        total[case.page] += 1
        right[case.page] += case.query not in local
        other[case.page] += case.query not in second
    parts.append(
        f"\n## Cases by page\n\n{len(cases)} cases from {len(pages)} pages: {right.total()} answered as documented on "
        f"the local engine, {other.total()} on the second one.\n\n"
        "| page | cases | local | second |\n|---|---|---|---|\n"
    )
    parts += [f"| {page} | {total[page]} | {right[page]} | {other[page]} |\n" for page in pages]
    return "".join(parts)


_KQL_GAPS = """
## Known differences

These documented cases are not answered as documented here. Each has a test that fails once it is.

| query | reason |
|---|---|
"""


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
