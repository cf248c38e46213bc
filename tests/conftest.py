"""What tests of several rooms share: the root, real-shaped logs with their truth, lakes, and optional programs."""

from __future__ import annotations

import contextlib
import gc
import hashlib
import os
import pickle
import shutil
import tarfile
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import duckdb_kql
import pytest
from hypothesis import settings

from aoai_analytics.engines.dialect.adapter import dynamic_columns
from aoai_analytics.engines.kql import tree
from tests.lakes import Once, once, sample_lake, shared_lake

__all__ = ["once", "sample_lake", "shared_lake"]

REPO = Path(__file__).resolve().parents[1]
TRAFFIC = REPO.parent / "shared/data/traffic.tar.gz"
CHROMIUM_NAMES = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")

# Tests run side by side on two cores: how long one example takes says nothing. The same examples each time, so that
# a change is judged by what it changes; `make faults` looks for new ones.
settings.register_profile("the-same", settings.get_profile("default"), deadline=None, derandomize=True)
settings.register_profile("new", settings.get_profile("default"), deadline=None)
# Python looks for garbage after every 700 new objects by default: a tenth of the suite's time.
gc.set_threshold(50_000, 20, 20)
settings.load_profile("new" if "FAULTS_MINUTES" in os.environ else "the-same")


#: Files that take longest, in seconds of a core: they begin first, so that no worker is left alone with one at the end.
LONGEST = (
    "notebooks/test_sources.py",
    "kql/test_two_engines.py",
    "export/test_workbook.py",
    "policies/test_scenarios.py",
    "doctor/test_diagnosis.py",
    "lake/test_recompute.py",
    "contract/test_every_engine_agrees.py",
    "kql/test_answers.py",
    "kql/test_everywhere.py",
    "setup/test_sandbox.py",
    "export/test_grafana.py",
    "lake/test_upkeep.py",
    "contract/test_faults.py",
)


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """The longest files first; the Makefile keeps xdist from reordering them."""
    ranks = {REPO / "tests" / name: rank for rank, name in enumerate(LONGEST)}
    items.sort(key=lambda item: ranks.get(item.path, len(ranks)))


@pytest.fixture(autouse=True)
def _no_settings_of_the_user(monkeypatch: pytest.MonkeyPatch) -> None:
    for name in [name for name in os.environ if name.upper().startswith("AOAI_")]:
        monkeypatch.delenv(name)


@pytest.fixture(scope="session", autouse=True)
def _translated_once(tmp_path_factory: pytest.TempPathFactory, worker_id: str) -> Iterator[None]:
    """The SQL and the tree of a query, once read, are kept in files for all files of tests and workers.

    Reading a long query takes a second of a core, and the same ones are asked all over. Their SQL depends on the text
    and the tables' columns alone; who changes ``engines/dialect.py`` changes nothing within a session.
    """
    base = tmp_path_factory.getbasetemp()
    folder = (base if worker_id == "master" else base.parent) / "sql"
    folder.mkdir(exist_ok=True)
    translate = duckdb_kql.to_sql

    def kept(file: Path, content: bytes) -> None:
        half = file.with_name(f"{file.name}.{worker_id}.{threading.get_ident()}")
        half.write_bytes(content)
        half.replace(file)

    def once_translated(kql: str, schema: Any = None, **options: Any) -> Any:
        if options != {"allow_write": False}:
            return translate(kql, schema, **options)
        asked = (kql, sorted(schema.items()), options, sorted(dynamic_columns.get()))
        key = hashlib.sha256(repr(asked).encode()).hexdigest()
        file = folder / key
        if file.exists():
            return file.read_bytes().decode()  # as text, a carriage return would become a line feed
        sql = str(translate(kql, schema=schema, **options))
        kept(file, sql.encode())
        return sql

    parse = tree.parsed

    def once_parsed(kql: str) -> tree.Node:
        file = folder / f"tree-{hashlib.sha256(kql.encode(errors='surrogatepass')).hexdigest()}"
        if file.exists():
            root: tree.Node = pickle.loads(file.read_bytes())
            return root
        root = parse(kql)
        with contextlib.suppress(RecursionError):  # nested too deeply for pickle
            kept(file, pickle.dumps(root))
        return root

    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("XDG_CACHE_HOME", str(folder))  # commands in processes of their own remember there
        patch.setattr(duckdb_kql, "to_sql", once_translated)
        patch.setattr(tree, "parsed", once_parsed)
        yield


@pytest.fixture(scope="session")
def repo() -> Path:
    """The repository's root."""
    return REPO


@pytest.fixture(scope="session")
def shared_data(once: Once) -> Path:
    """A folder with ``logs/`` (a gateway's, as diagnostic settings store them) and ``truth.csv``; only read it.

    Skips where the archive is not beside the repository.
    """
    if not TRAFFIC.exists():
        pytest.skip("needs the traffic archive, ../shared/data/traffic.tar.gz")

    def unpack(folder: Path) -> None:
        with tarfile.open(TRAFFIC) as archive:
            archive.extractall(folder, filter="data")

    return next(once("shared-data", unpack).rglob("truth.csv")).parent


@pytest.fixture(scope="session")
def chromium() -> str:
    """The path of a Chromium, for a browser test; skips where there is none."""
    for name in CHROMIUM_NAMES:
        if path := shutil.which(name):
            return path
    pytest.skip("needs chromium")
