"""What the cells of an analysis notebook call."""

from __future__ import annotations

from .report import Report, open_report

__all__ = ["Report", "open_report"]
