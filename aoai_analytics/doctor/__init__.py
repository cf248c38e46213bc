"""Is logging complete, and what can these logs not tell? Findings, each with what it hides and what mends it."""

from __future__ import annotations

from .diagnosis import diagnose
from .findings import Finding, Hidden
from .limits import LIMITS

__all__ = ["LIMITS", "Finding", "Hidden", "diagnose"]
