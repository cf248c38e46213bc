"""Prices: the effective-dated price book, your own prices, and the KQL functions generated from them."""

from __future__ import annotations

from .book import Price, PriceBook, read_book, shipped_book
from .functions import price_functions
from .own import own_functions, own_prices

__all__ = ["Price", "PriceBook", "own_functions", "own_prices", "price_functions", "read_book", "shipped_book"]
