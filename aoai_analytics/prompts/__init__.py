"""What KQL cannot tell of prompts: their topics, languages and personal data; and who may see their text."""

from __future__ import annotations

from .asking import Asked, ask
from .steps import STEPS, Step, step_of

__all__ = ["STEPS", "Asked", "Step", "ask", "step_of"]
