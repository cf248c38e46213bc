"""The library as a page of documentation and as a list, made from the files themselves."""

from __future__ import annotations

from collections.abc import Collection

from .queries import FUNCTIONS, Library, Query

_TOP = """# The queries

Made from the headers of `kql/**/*.kql` by `make docs`; a test keeps it current. Run one with
`aoai query NAME`, set a parameter with `--param name=value`, or paste the file into the Log Analytics portal.
"""


def markdown(library: Library) -> str:
    """The catalogue: a section's queries in a table, each with its question and parameters; last the semantic layer."""
    parts = [_TOP]
    for section in library.sections:
        parts.append(f"\n## {section}\n\n| query | question | parameters |\n|---|---|---|\n")
        parts += [_row(query) for query in library.section(section)]
    parts.append(f"\n## {FUNCTIONS}\n\nThe semantic layer that every query starts from.\n\n")
    parts.append("| function | question |\n|---|---|\n")
    for name, query in library.functions().items():
        parts.append(f"| [`{name}`](../kql/{FUNCTIONS}/{name}.kql) | {_cell(query.question)} |\n")
    return "".join(parts)


def overview(queries: Collection[Query]) -> str:
    """A line for each of *queries*: its name and question."""
    width = max(len(query.name) for query in queries)
    return "\n".join(f"{query.name:<{width}}  {query.question}" for query in queries)


def _row(query: Query) -> str:
    parameters = "; ".join(
        f"`{p.name}` = `{_cell(p.default)}` {_cell(p.about)}".rstrip() for p in query.parameters.values()
    )
    return f"| [`{query.name}`](../kql/{query.name}.kql) | {_cell(query.question)} | {parameters} |\n"


def _cell(text: str) -> str:
    return text.replace("|", "\\|")
