"""Notebooks run on a small lake of sample traffic, and on lakes that lack something."""

from __future__ import annotations

from tests.notebooks.lakes import lake_without_llm_log, shared_lake, single_lake
from tests.reporting.sample_report import sample_lake

__all__ = ["lake_without_llm_log", "sample_lake", "shared_lake", "single_lake"]
