"""The guided setup through Azure Resource Manager: from a subscription to a gateway with arriving logs."""

from __future__ import annotations

from .guide import Guide, open_setup

__all__ = ["Guide", "open_setup"]
