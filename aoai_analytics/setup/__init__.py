"""The guided setup: from a subscription to a gateway whose logs arrive, through Azure Resource Manager."""

from __future__ import annotations

from .guide import Guide, open_setup

__all__ = ["Guide", "open_setup"]
