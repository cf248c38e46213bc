"""The tokens report of the sample traffic, made once for all of pytest-xdist's workers."""

from __future__ import annotations

from pathlib import Path

import pytest

from tests.lakes import Once


@pytest.fixture(scope="session")
def tokens_report(once: Once, sample_lake: Path) -> Path:
    """The folder of the tokens report of the sample traffic; only read it."""

    def make(folder: Path) -> None:
        from aoai_analytics.reporting.run.report import make_report

        assert not make_report(["tokens"], source=sample_lake, time_zone="Europe/Berlin", out=folder).failed

    return once("tokens-report", make)
