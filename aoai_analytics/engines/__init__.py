"""Engines answer KQL: a local lake, a Log Analytics workspace, an Azure Data Explorer database."""

from __future__ import annotations

from .connecting import connect
from .protocol import Engine, QueryResult

__all__ = ["Engine", "QueryResult", "connect"]
