"""Notebooks run on a small lake of sample traffic."""

from __future__ import annotations

from tests.reports.sample_report import sample_lake

__all__ = ["sample_lake"]
