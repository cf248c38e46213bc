"""Sample gateway logs: a generated month of a gateway, as its diagnostic settings would store it, with the truth."""

from __future__ import annotations

from aoai_analytics.sample.flaws import Mix
from aoai_analytics.sample.write import SampleSummary, write_sample

__all__ = ["Mix", "SampleSummary", "write_sample"]
