"""Is logging complete? Findings, each with its impact and its fix."""

from __future__ import annotations

from .diagnosis import diagnose
from .findings import Finding, Hidden
from .limits import LIMITS

__all__ = ["LIMITS", "Finding", "Hidden", "diagnose"]
