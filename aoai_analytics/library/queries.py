"""Query files: header, parameters, text; found by name, with the nearest names where one is wrong."""

from __future__ import annotations

import difflib
import re
from collections.abc import Iterable, Iterator, Mapping
from dataclasses import dataclass
from functools import cache, cached_property
from pathlib import Path
from typing import Any

from ..config import own_budgets, shipped
from ..engines.kql.functions import in_order
from ..engines.kql.parameters import Parameter, bind, declared, literal
from ..engines.kql.remembered import beside
from ..errors import UnknownName, WrongUse
from ..format.periods import zone

#: The folder that defines tables as functions; all other folders hold questions.
FUNCTIONS = "functions"
#: The order of subjects in reports, workbook, dashboards and lists of queries. Others follow by name.
SUBJECTS = (
    *("overview", "tokens", "models", "users", "user", "teams", "prompts", "reliability"),
    *("cost", "invoice", "health", "trust", "mcp", "alerts"),
)
_BELOW_ZERO = re.compile(r"(int\(|real\(|time\()?-")
_HEADER = re.compile(r"^//[ \t]*(?P<key>[a-z][a-z-]*)[ \t]*:[ \t]*(?P<value>.*?)[ \t]*$")


@dataclass(frozen=True)
class Query:
    """One file of the library.

    ``name`` is ``section/stem``; ``chart`` the chart's description as the header gives it (``bar x=A y=B``)
    or ''; ``units`` names the unit of a column (``{"TotalTokens": "tokens"}``); ``header`` holds every key.
    """

    name: str
    section: str
    title: str
    question: str
    chart: str
    units: Mapping[str, str]
    header: Mapping[str, str]
    text: str

    @cached_property
    def parameters(self) -> Mapping[str, Parameter]:
        """What the query's leading ``let`` lines declare, by name."""
        # Read when asked for: reading those of the whole library takes a third of a second.
        with beside(self.text):
            return declared(self.text)

    @property
    def leaves_out(self) -> str:
        """The sentence of the header's line ``// leaves-out:``; '' without one."""
        what = self.header.get("leaves-out", "")
        return f"Leaves out {what.removesuffix('.')}." if what else ""

    def bind(self, **values: Any) -> str:
        """The query's text with parameters set. Raises UnknownName or WrongUse; see ``engines.kql.parameters.bind``.

        No parameter of the library takes a number or a time below 0, nor a ``step`` of 0.
        """
        try:
            known = self.parameters if values else {}
            bound = bind(self.text, values)
            for name, value in values.items():
                written = literal(value, known[name].type, name)
                if _BELOW_ZERO.match(written):
                    raise WrongUse(f"parameter '{name}' takes a {known[name].type} of 0 or more")
                if name == "step" and not re.search("[1-9]", written):
                    raise WrongUse("parameter 'step' takes a timespan of more than 0")
            if "timeZone" in values:
                zone(values["timeZone"])
            return bound
        except UnknownName as error:
            raise UnknownName(f"{self.name}: {error}") from error
        except WrongUse as error:
            raise WrongUse(f"{self.name}: {error}") from error

    def given(self, values: Mapping[str, str], time_zone: str) -> dict[str, str]:
        """*values*, and where they lack them the reader's time zone and budgets, if the query declares them."""
        own = {"timeZone": "" if time_zone == "UTC" else time_zone, "budgets": own_budgets()}
        return {name: value for name, value in own.items() if value and name in self.parameters} | dict(values)


class Library:
    """The queries under one folder."""

    def __init__(self, folder: Path):
        self.folder = folder
        self._queries = {query.name: query for query in _read(folder)}

    def __iter__(self) -> Iterator[Query]:
        return iter(query for query in self._queries.values() if query.section != FUNCTIONS)

    def __len__(self) -> int:
        return sum(1 for _ in self)

    @property
    def sections(self) -> list[str]:
        """The sections that hold a query, in the order of subjects."""
        return sorted({query.section for query in self}, key=place_of)

    def section(self, name: str) -> list[Query]:
        """The queries of a section. Raises UnknownName."""
        if name not in self.sections:
            raise UnknownName(_nearest("section", name, self.sections))
        return [query for query in self if query.section == name]

    def get(self, name: str, others: Iterable[str] = ()) -> Query:
        """The query of that name, e.g. ``tokens/by-subscription``.

        Raises UnknownName with the nearest names, of *others* too, which the caller takes besides queries.
        """
        query = self._queries.get(name.removesuffix(".kql"))
        if query is None or query.section == FUNCTIONS:
            raise UnknownName(_nearest("query", name, [*others, *(query.name for query in self)]))
        return query

    def functions(self) -> dict[str, Query]:
        """The semantic layer: function name -> its definition, in an order in which each needs only earlier ones."""
        found = {query.name.split("/")[1]: query for query in self._queries.values() if query.section == FUNCTIONS}
        return {name: found[name] for name in in_order({name: query.text for name, query in found.items()})}


@cache
def library() -> Library:
    """The library that comes with the package."""
    return Library(shipped("kql"))


def place_of(subject: str) -> tuple[int, str]:
    """What to sort subjects by."""
    return (SUBJECTS.index(subject) if subject in SUBJECTS else len(SUBJECTS), subject)


def own_query(text: str) -> Query:
    """A query of one's own, not of the library; its header lines are optional. Raises WrongUse for a malformed one."""
    header = {"title": "A question of your own", "question": ""} | _header(text)
    return _query("own", "own", text, header, "the query")


def _read(folder: Path) -> Iterator[Query]:
    for path in sorted(folder.glob("*/*.kql"), key=lambda path: (place_of(path.parent.name), path.stem)):
        text = path.read_text(encoding="utf-8")
        header = _header(text)
        for key in ("title", "question"):
            if not header.get(key):
                raise WrongUse(f"{path}: the header lacks a line '// {key}: …'")
        yield _query(f"{path.parent.name}/{path.stem}", path.parent.name, text, header, str(path))


def _query(name: str, section: str, text: str, header: Mapping[str, str], where: str) -> Query:
    return Query(
        name=name,
        section=section,
        title=header["title"],
        question=header["question"],
        chart=header.get("chart", ""),
        units=_pairs(header.get("unit", ""), where),
        header=header,
        text=text,
    )


def _header(text: str) -> dict[str, str]:
    header = {}
    for line in text.splitlines():
        match = _HEADER.match(line)
        if match:
            header[match["key"]] = match["value"]
        elif line.strip() and not line.startswith("//"):
            break
    return header


def _pairs(text: str, where: str) -> dict[str, str]:
    pairs = {}
    for word in filter(None, (part.strip() for part in text.split(","))):
        column, separator, unit = word.partition("=")
        if not separator or not column.isidentifier():
            raise WrongUse(f"{where}: '// unit:' takes COLUMN=unit, COLUMN=unit, …, not '{word}'")
        pairs[column] = unit.strip()
    return pairs


def _nearest(kind: str, name: str, known: list[str]) -> str:
    near = difflib.get_close_matches(name, known, n=3, cutoff=0.5)
    if not near:
        near = [other for other in known if name.split("/")[-1] in other][:3]
    hint = f"did you mean {' or '.join(near)}?" if near else "'aoai queries' lists them"
    return f"there is no {kind} '{name}'; {hint}"
