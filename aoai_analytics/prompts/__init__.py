"""Prompt analyses beyond KQL: topics, languages and personal data; and the control of who may see the text."""

from __future__ import annotations

from .asking import Asked, ask
from .steps import STEPS, Step, step_of

__all__ = ["STEPS", "Asked", "Step", "ask", "step_of"]
