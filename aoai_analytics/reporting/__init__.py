"""Reports: what an analysis notebook calls, and the pages made of it."""

from __future__ import annotations

from .session import Report, open_report

__all__ = ["Report", "open_report"]
