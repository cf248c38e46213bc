"""A dashboard's variables for the filters: those with the values of ``aoai.toml``."""

from __future__ import annotations

import json
from typing import Any

from ..format.labels import NONE
from .embedding import ALL, FILTER_LABELS, OWN_FILTERS, own_values


def own_choice(name: str) -> dict[str, Any]:
    """A filter's variable; its values are those that ``aoai.toml`` maps callers to."""
    names = [*own_values(OWN_FILTERS[name]), NONE]
    chosen = {"text": ["All"], "value": ["$__all"]}
    return {
        "type": "custom",
        "name": name,
        "label": FILTER_LABELS[name],
        # Grafana splits at commas.
        "query": ",".join(each.replace(",", "\\,") for each in names),
        "hide": 0,
        "multi": True,
        "includeAll": True,
        "allValue": json.dumps([ALL]),
        "options": [{"text": each, "value": each, "selected": False} for each in names],
        "current": chosen,
    }
