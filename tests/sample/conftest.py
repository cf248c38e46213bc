"""Two samples that several modules look at."""

from __future__ import annotations

import pytest

from aoai_analytics.sample import write_sample
from tests.sample.reading import Sample, read


@pytest.fixture(scope="session")
def sample(tmp_path_factory) -> Sample:
    folder = tmp_path_factory.mktemp("sample")
    return read(folder, write_sample(folder, requests=6000))


@pytest.fixture(scope="session")
def complete(tmp_path_factory) -> Sample:
    folder = tmp_path_factory.mktemp("complete")
    return read(folder, write_sample(folder, requests=1000, days=3, mix="complete"))
