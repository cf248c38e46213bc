"""The price book: what a model's tokens cost from a day on, read from CSV and checked.

Columns of the CSV: ``Model``, ``Version`` ('' for all versions), ``Scope`` (``global``, ``data-zone``, ``regional``),
``Regions`` (Azure region names separated by spaces, '' for all), ``Direction`` (``prompt``, ``cached-prompt``,
``cache-write``, ``cache-write-1h``, ``completion``), ``Unit`` (``1K tokens`` or ``1M tokens``), ``Currency`` (USD),
``Price``, ``From`` (the first day, UTC), ``Source`` (where the price stands), and, which may be left out, ``Tier``
(``default``, ``priority``, ``flex``, ``batch``) and ``Above`` (the prompt tokens above which the price holds, 0 for
any prompt). A price holds until a later row of the same model, version, scope, regions, tier, length and direction.
"""

from __future__ import annotations

import csv
import io
from collections import defaultdict
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from datetime import date
from decimal import Decimal, InvalidOperation
from functools import cache
from pathlib import Path

from ..errors import WrongUse

COLUMNS = ("Model", "Version", "Scope", "Regions", "Direction", "Unit", "Currency", "Price", "From", "Source")
#: Columns that a book may leave out, with what they then are.
OPTIONAL = {"Tier": "default", "Above": "0"}
SCOPES = ("global", "data-zone", "regional")
DIRECTIONS = ("prompt", "cached-prompt", "cache-write", "cache-write-1h", "completion")
#: Service tiers of an answer; the first is that of one that names none.
TIERS = ("default", "priority", "flex", "batch")
#: What a price in the unit is multiplied with to be that of a million tokens.
UNITS = {"1K tokens": Decimal(1000), "1M tokens": Decimal(1)}
#: One sum has one currency. Microsoft's prices are in USD, its others for reference (Retail Prices API overview).
CURRENCY = "USD"


@dataclass(frozen=True)
class Price:
    """A row of the price book.

    ``per_million`` is USD for a million tokens, ``start`` the first day it holds, ``above`` the prompt tokens above
    which it does.
    """

    model: str
    version: str
    scope: str
    regions: tuple[str, ...]
    direction: str
    per_million: Decimal
    start: date
    source: str
    tier: str = TIERS[0]
    above: int = 0

    @property
    def group(self) -> tuple[str, str, int, tuple[str, ...], int, int, date]:
        """What the directions' prices of one kind of request share."""
        scope, tier = SCOPES.index(self.scope), TIERS.index(self.tier)
        return (self.model, self.version, scope, self.regions, tier, self.above, self.start)

    @property
    def key(self) -> tuple[object, ...]:
        """The row's place in the book."""
        return (*self.group, DIRECTIONS.index(self.direction))


class PriceBook:
    """Price rows in order. Raises WrongUse where two of them contradict each other."""

    def __init__(self, prices: Iterable[Price]):
        self.prices = tuple(sorted(prices, key=lambda price: price.key))
        _refuse_contradictions(self.prices)

    def __iter__(self) -> Iterator[Price]:
        return iter(self.prices)

    def __len__(self) -> int:
        return len(self.prices)

    @property
    def models(self) -> list[str]:
        """The models that have a price, in order."""
        return sorted({price.model for price in self.prices})

    def with_own(self, own: Iterable[Price]) -> PriceBook:
        """This book with *own* rows, which replace every row of the same model and scope."""
        rows = tuple(own)
        replaced = {(price.model, price.scope) for price in rows}
        return PriceBook([*(p for p in self.prices if (p.model, p.scope) not in replaced), *rows])

    def csv(self) -> str:
        """The book as ``read_book`` reads it, prices for a million tokens."""
        out = io.StringIO()
        writer = csv.writer(out, lineterminator="\n")
        writer.writerow((*COLUMNS, *OPTIONAL))
        for p in self.prices:
            regions, amount = " ".join(p.regions), plain(p.per_million)
            writer.writerow(
                [
                    *(p.model, p.version, p.scope, regions, p.direction, "1M tokens", CURRENCY, amount),
                    *(p.start, p.source, p.tier, p.above),
                ]
            )
        return out.getvalue()


def covered(book: PriceBook, model: str, scope: str, tier: str) -> list[str]:
    """The directions that *model* has a price for in *scope* and *tier*, 'long' last if long prompts have their own."""
    found = [price for price in book if (price.model, price.scope, price.tier) == (model, scope, tier)]
    directions = [direction for direction in DIRECTIONS if any(price.direction == direction for price in found)]
    return [*directions, *(["long"] if any(price.above for price in found) else [])]


@cache
def shipped_book() -> PriceBook:
    """The list prices that come with the package."""
    return read_book(Path(__file__).with_name("price-book.csv"))


def read_book(path: Path) -> PriceBook:
    """Reads a price book from a CSV file. Raises WrongUse with the line number if it is not valid."""
    return PriceBook(read_prices(path))


def read_prices(path: Path) -> list[Price]:
    """Reads the rows of a price book's CSV file, in order. Raises WrongUse with the line number if one is not valid."""
    try:
        text = path.read_text(encoding="utf-8-sig")
    except OSError as error:
        raise WrongUse(f"cannot read the price book {path}: {error.strerror}") from error
    except UnicodeDecodeError as error:
        raise WrongUse(f"the price book {path} is not valid UTF-8: save it as 'CSV UTF-8'") from error
    reader = csv.DictReader(io.StringIO(text, newline=""), restkey="", restval="")
    missing = [column for column in COLUMNS if column not in (reader.fieldnames or ())]
    if missing:
        needed = ",".join(COLUMNS)
        raise WrongUse(f"the price book {path} has no column {', '.join(missing)}: its first line must be {needed}")
    rows = []
    try:
        for row in reader:
            if any(value.strip() for value in row.values() if isinstance(value, str)):
                rows.append(price_of(row, f"{path}, line {reader.line_num}"))
    except csv.Error as error:
        raise WrongUse(f"{path}, line {reader.line_num}: {error}") from error
    return rows


def price_of(row: dict[str, str], where: str) -> Price:
    """A row of text as a price for a million tokens. Raises WrongUse with *where*."""
    cell = {column: row[column].strip() for column in COLUMNS}
    cell |= {column: (row.get(column) or "").strip() or usual for column, usual in OPTIONAL.items()}
    for column in ("Model", "Source"):
        if not cell[column]:
            raise WrongUse(f"{where}: {column} is empty")
    choices = (("Scope", SCOPES), ("Direction", DIRECTIONS), ("Unit", tuple(UNITS)), ("Tier", TIERS))
    for column, known in choices:
        if cell[column] not in known:
            raise WrongUse(f"{where}: {column} must be one of {', '.join(known)}, not '{cell[column]}'")
    if cell["Currency"] != CURRENCY:
        raise WrongUse(f"{where}: Currency must be {CURRENCY}, not '{cell['Currency']}': convert the price")
    try:
        amount = Decimal(cell["Price"])
    except InvalidOperation as error:
        raise WrongUse(f"{where}: Price must be a number such as 2.50, not '{cell['Price']}'") from error
    if not amount.is_finite() or amount < 0:
        raise WrongUse(f"{where}: Price must be 0 or more, not '{cell['Price']}'")
    try:
        start = date.fromisoformat(cell["From"])
    except ValueError as error:
        raise WrongUse(f"{where}: From must be a date such as 2026-11-01, not '{cell['From']}'") from error
    regions = tuple(sorted(set(cell["Regions"].lower().split())))
    if cell["Scope"] == "global" and regions:
        raise WrongUse(f"{where}: a global price cannot have Regions")
    per_million = amount * UNITS[cell["Unit"]]
    if not cell["Above"].isdecimal():
        raise WrongUse(f"{where}: Above must be a number of prompt tokens such as 272000, not '{cell['Above']}'")
    return Price(
        *(cell["Model"], cell["Version"], cell["Scope"], regions, cell["Direction"], per_million, start),
        *(cell["Source"], cell["Tier"], int(cell["Above"])),
    )


def plain(amount: Decimal) -> str:
    """A price without exponent or idle zeros: ``0.075``, ``10``."""
    text = f"{amount:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _refuse_contradictions(prices: tuple[Price, ...]) -> None:
    """Each request finds one price: no two rows may hold for it from the same day on."""
    seen: dict[tuple[object, ...], Price] = {}
    versions: defaultdict[tuple[str, str], set[bool]] = defaultdict(set)
    everywhere: defaultdict[tuple[str, str, str], set[bool]] = defaultdict(set)
    for price in prices:
        for region in price.regions or ("",):
            kind = (price.scope, region, price.tier, price.above, price.direction)
            key = (price.model, price.version, *kind, price.start)
            if key in seen:
                raise WrongUse(f"two prices for {_named(price)} start on {price.start}: remove one of them")
            seen[key] = price
        versions[price.model, price.scope].add(bool(price.version))
        everywhere[price.model, price.version, price.scope].add(bool(price.regions))
    for (model, scope), found in versions.items():
        if len(found) > 1:
            raise WrongUse(f"some prices of {model} ({scope}) have a Version, some do not: use for all or none")
    for (model, version, scope), found in everywhere.items():
        if len(found) > 1:
            raise WrongUse(f"some prices of {model} {version}({scope}) have Regions, some do not: use for all or none")


def _named(price: Price) -> str:
    where = f" in {' '.join(price.regions)}" if price.regions else ""
    kind = price.scope + (f", {price.tier}" if price.tier != TIERS[0] else "")
    kind += f", above {price.above:,} tokens" if price.above else ""
    return f"{' '.join(filter(None, (price.model, price.version)))}, {price.direction}, {kind}{where}"
