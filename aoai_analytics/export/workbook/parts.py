"""The common beginning of every workbook query: the choices, the prices, and the semantic layer, each stored once.

The semantic layer is 25 to 60 KB of text; repeated in about a hundred queries, it would exceed the service's limit:
a 1.2 MB workbook was refused with "Request size is too large" (Azure/reliability-workbook issue 95), and
Microsoft's own checks report more than 500 KB as an error (microsoft/Application-Insights-Workbooks,
scripts/src/Rules.ts). So each of its parts is the value of a hidden text parameter, and a query names it in braces.
It is documented that text parameters serve as "internal variables used by other workbook controls", hidden from readers
(the same repository, Documentation/Parameters/Text.md), and that a parameter's value is inserted into a query as text;
Microsoft's published workbooks use hidden parameters for parts of queries (for example Database watcher's filters). No
limit of a text parameter's length is documented. A part is one line, because text fields may change line breaks, and
contains no braces around a name, which would be read as a parameter.

A value that a reader chooses is a name that some caller sent, quotes and braces included. It is passed as base64, as in
Microsoft's Database watcher workbooks (pull request 2850 there), so that it can neither end a string nor be read as a
parameter. A prefix letter distinguishes the empty name from no choice.
"""

from __future__ import annotations

import base64
import re
from collections.abc import Mapping

from ...dimensions import own_functions
from ...engines.kql.functions import definitions
from ...engines.kql.parameters import quote
from ...engines.kql.tree import edited, read, string_value
from ...prices import own_prices, price_functions
from ..embedding import ALL, Embedded, Piece, embed, filters

#: Prefix of the hidden parameters' names.
PREFIX = "Kql"
#: A parameter in a text: ``{Name}`` or ``{Name:format}``. The service's own pattern defines the allowed names.
TOKEN = re.compile(r"\{([_a-zA-Z][_a-zA-Z0-9]*)(?::([^{}\s]+))?\}")
#: Definitions of the tables that a lake stores: they can be left out there.
STORED = (
    "LogsAround",
    "AoaiSurface",
    "AoaiLlmTokens",
    "AoaiAnswers",
    "AoaiRequestsLogged",
    "AoaiTokenEvidence",
    "AoaiPictureTokens",
    "AoaiPromptSizes",
    "AoaiAnswerFits",
    "AoaiPromptFits",
    "AoaiTokenEstimates",
    "AoaiRequests",
    "AoaiMessages",
    "AoaiLlmTexts",
)

RANGE = ("{TimeRange:start}", "{TimeRange:end}")
#: The reader's prices, at the top of a query.
GIVEN_PRICES = (
    'let GivenPrices = "{OwnPrices:escapejson}"; let GivenDiscount = coalesce(todouble("{Discount:escapejson}"), 0.0);'
)

# A line of own prices: model, direction, USD per 1M tokens, and the scope if it is not global.
_LINE = (
    r"^([^,]+?)\s*,\s*(prompt|cached-prompt|cache-write|cache-write-1h|completion)\s*,\s*(\d+(?:\.\d+)?)\s*"
    r"(?:,\s*(global|data-zone|regional)\s*)?$"
)
_OWN_PRICES = rf"""print Line = split(replace_regex(GivenPrices, @"[\r\n]+", ";"), ";")
| mv-expand Line to typeof(string)
| project Line = trim(@"\s+", Line)
| where isnotempty(Line)
| extend Model = extract(@"{_LINE}", 1, Line), Direction = extract(@"{_LINE}", 2, Line)
| extend Given = extract(@"{_LINE}", 4, Line)
| project Line, Model, Direction, Scope = iff(isempty(Given), "global", Given),
    PricePerMillion = todouble(extract(@"{_LINE}", 3, Line))
"""
_PRICES = """let Book = {book};
let Own = AoaiOwnPrices
    | where isnotnull(PricePerMillion)
    | summarize PricePerMillion = max(PricePerMillion) by Model, Scope, Direction
    | extend Tier = "default", Above = long(0);
union
    (Book
    | join kind=leftanti Own on Model, Scope, Direction, Tier, Above
    | extend PricePerMillion = PricePerMillion * (1.0 - GivenDiscount / 100.0), Origin = "price book"),
    (Own
    | project Model, Version = "", Scope, Regions = "", Direction, PricePerMillion,
        From = datetime(2000-01-01), Tier, Above, Origin = "own")
"""


def functions() -> Mapping[str, str]:
    """The semantic layer in the workbook: prices and dimensions are from ``aoai.toml``; the reader can change prices.

    Needs the lets ``GivenPrices`` (lines) and ``GivenDiscount`` (%). Raises WrongUse for malformed own prices.
    """
    own = own_prices()
    prices = price_functions(own.book, own.deployments)
    book = "\n".join(line for line in prices["AoaiPrices"].splitlines() if not line.startswith("//"))
    changed = {**own_functions(), **prices, "AoaiPrices": _PRICES.replace("{book}", book)}
    texts = {name: changed.get(name, text) for name, text in definitions().items()}
    return {"AoaiOwnPrices": _OWN_PRICES, **texts}


class Parts:
    """The hidden parameters, in the order queries need them: ``taken`` is name -> one line of KQL."""

    def __init__(self) -> None:
        self.functions = functions()
        self.taken: dict[str, str] = {f"{PREFIX}Choices": choices()}
        self._names: dict[tuple[str, str], str] = {}

    def embedded(self, kql: str, values: Mapping[str, str] | None = None, *, filtered: bool = True) -> str:
        """The text of a query step for *kql*: braces mark parameters for range, choices, *values* and parts."""
        chosen = {name: f"Picked{name}" for name in filters()} if filtered else {}
        query = embed(kql, start=RANGE[0], end=RANGE[1], chosen=chosen, values=values, functions=self.functions)
        # The choices are the same in every query: the part KqlChoices defines those lets.
        given = [line for line in query.given.splitlines() if not line.startswith("let Chosen")]
        # Literals come first, where readers and the local engine look for parameters.
        computed = [line for line in given if line.removeprefix("let ").partition(" = ")[0] in (values or {})]
        head = [*(line for line in given if line not in computed), *computed]
        if filtered:
            head += [given_choices(), f"{{{PREFIX}Choices}}"]
        if any(piece.name.startswith("AoaiPrices") for piece in query.pieces):
            head.append(GIVEN_PRICES)
        return "\n".join([*head, *self._tokens(query), _without_tokens(query.question)])

    def _tokens(self, query: Embedded) -> list[str]:
        return [f"{{{self._parameter(piece)}}}" for piece in query.pieces]

    def _parameter(self, piece: Piece) -> str:
        key = (piece.name, piece.text)
        if key not in self._names:
            base = PREFIX + piece.name
            same = sum(name == base or name.startswith(f"{base}_v") for name in self.taken)
            self._names[key] = f"{base}_v{same + 1}" if same else base
            self.taken[self._names[key]] = one_line(piece.text)
        return self._names[key]


def _without_tokens(kql: str) -> str:
    r"""*kql* without strings that look like a parameter, such as the regular expression ``\p{Hangul}``: the service
    would wait for such a parameter. The brace is replaced by its character code, which Kusto decodes in a string."""
    if not TOKEN.search(kql):
        return kql
    literals = [node for node in read(kql).find("StringLiteralExpression") if TOKEN.search(node.text)]
    written = {node: quote(string_value(node.text)).replace("{", "\\u007b") for node in literals}
    return edited(kql, [(node.start, node.end, text) for node, text in written.items()])


def one_line(kql: str) -> str:
    """*kql*, which has no comments, on one line. No string literal of the semantic layer holds a line break."""
    return " ".join(line.strip() for line in kql.splitlines() if line.strip())


def given_choices() -> str:
    """The reader's choices as the service writes them (``'bVEE=','bVVU='``, or ``*``), at the top of a query."""
    return f'let GivenChoices = "{"|".join(f"{{{name}}}" for name in filters())}";'


def choices() -> str:
    """The lets ``ChosenApis`` and so on: the choices as an array of names; no choice means all."""
    lets = []
    name_of = "base64_decode_tostring(substring(Given, 1))"
    for place, name in enumerate(filters()):
        lets.append(
            f'let Chosen{name} = toscalar(print Given = split(tostring(split(GivenChoices, "|")[{place}]), ",")'
            """ | mv-expand Given to typeof(string) | extend Given = trim(@"[ ']+", Given)"""
            f' | summarize make_list(iff(Given in ("", "{ALL}"), "{ALL}", {name_of})));'
        )
    return " ".join(lets)


def coded(name: str) -> str:
    """KQL: the encoded value of the name in the column *name*."""
    return f'strcat("b", base64_encode_tostring({name}))'


def encoded(name: str) -> str:
    """The encoded value of *name*."""
    return "b" + base64.b64encode(name.encode()).decode()


def decoded(parameter: str) -> str:
    """KQL: the name encoded in the value of *parameter*."""
    return f'base64_decode_tostring(substring("{{{parameter}}}", 1))'


def left_out(name: str) -> bool:
    """Whether the hidden parameter *name* only defines tables that a lake stores."""
    piece = name.removeprefix(PREFIX).split("_v")[0]
    return piece in STORED or piece.startswith("LogsAround")
