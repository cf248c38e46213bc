"""What a query was translated to is kept for the next process, with the lake and the user, and holds no one's words."""

from __future__ import annotations

import os
import shutil
import threading
import time
import zlib
from collections import OrderedDict
from collections.abc import Callable
from pathlib import Path

import pyarrow as pa
import pytest

from aoai_analytics.engines import translation
from aoai_analytics.engines.kql import flow, functions, remembered
from aoai_analytics.engines.local import LocalEngine
from aoai_analytics.lake import translations as kept
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.translations import translations
from aoai_analytics.lake.upkeep import optimize
from aoai_analytics.library.queries import library
from aoai_analytics.prompts.asking import ask
from aoai_analytics.sample import write_sample
from aoai_analytics.schema.tables import REQUESTS
from tests.lakes import lake_of

OF_USER = kept.of_user
KQL = "AoaiRequests | where User != 'Ada Lovelace of Marylebone' | summarize N = count() by Outcome"


@pytest.fixture
def lake(tmp_path: Path) -> Lake:
    made = Lake.create(tmp_path / "lake")
    row = dict.fromkeys(REQUESTS.columns) | {"TimeGenerated": None, "Outcome": "success", "User": "u"}
    made.append(REQUESTS.name, pa.Table.from_pylist([row | {"date": "2026-11-01"}], REQUESTS.arrow_schema()))
    return made


@pytest.fixture(autouse=True)
def users(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Callable[[str], Path]:
    """Gives the cache of a user of that name, who asks from now on."""

    def user(name: str) -> Path:
        folder = tmp_path / "home" / name / "translations"
        monkeypatch.setattr(kept, "of_user", lambda: folder)
        return folder

    user("first")
    return user


@pytest.fixture
def anew(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """As in a new process: nothing is remembered."""

    def forget() -> None:
        monkeypatch.setattr(remembered, "_known", OrderedDict())
        for function in (translation.translate, functions.names_in, functions.own_lets, flow.answered):
            function.forget()  # type: ignore[attr-defined]

    forget()
    return forget


def answer(lake: Lake, kql: str = KQL, own: dict[str, str] | None = None) -> list[dict[object, object]]:
    engine = LocalEngine(lake, "x", own)
    try:
        return engine.query(kql).frame.to_dict("records")
    finally:
        engine.close()


def files(lake: Lake) -> list[Path]:
    return sorted((translations(lake)).glob("*"))


@pytest.fixture
def no_reader(monkeypatch: pytest.MonkeyPatch) -> Callable[[], None]:
    """From now on, a query that must be read or translated fails."""

    def fail(*_: object, **__: object) -> None:
        raise AssertionError("translated again")

    def forbid() -> None:
        monkeypatch.setattr("duckdb_kql.to_sql", fail)
        monkeypatch.setattr("aoai_analytics.engines.kql.tree.parsed", fail)

    return forbid


def test_the_next_process_translates_nothing(
    lake: Lake, anew: Callable[[], None], no_reader: Callable[[], None], users: Callable[[str], Path]
) -> None:
    """Another user's neither, who reads the lake."""
    first = answer(lake)
    anew()
    users("second")
    flow.read.cache_clear()
    no_reader()
    assert answer(lake) == first == [{"Outcome": "success", "N": 1}]


def test_what_hides_texts_afterwards_reads_nothing_again(
    lake: Lake, anew: Callable[[], None], no_reader: Callable[[], None]
) -> None:
    query = library().get("tokens/by-day")
    shown = []
    for _ in range(2):
        engine = LocalEngine(lake, "x")
        shown.append(ask(engine, query.text, query=query).result.frame.to_csv())
        engine.close()
        anew()
        flow.read.cache_clear()
        no_reader()
    assert shown[0] == shown[1]


def test_the_next_lake_of_a_user_translates_nothing(
    lake: Lake,
    anew: Callable[[], None],
    no_reader: Callable[[], None],
    users: Callable[[str], Path],
    tmp_path: Path,
) -> None:
    first = answer(lake)
    shutil.copytree(lake.path, tmp_path / "next")
    shutil.rmtree(tmp_path / "next/_aoai/translations")
    (file,) = users("first").glob("*")
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    assert b"Ada" not in file.read_bytes()
    anew()
    flow.read.cache_clear()
    no_reader()
    assert answer(Lake(tmp_path / "next")) == first
    assert files(Lake(tmp_path / "next"))  # for others who read that lake


def test_the_first_ingest_of_the_next_lake_reads_no_function(
    tmp_path: Path, anew: Callable[[], None], no_reader: Callable[[], None]
) -> None:
    write_sample(tmp_path / "sample", requests=20, days=1)
    lake_of(tmp_path / "one", tmp_path / "sample/logs")
    anew()
    flow.read.cache_clear()
    no_reader()
    lake_of(tmp_path / "two", tmp_path / "sample/logs")


def test_the_files_are_the_owner_s_and_say_nothing_of_the_query(lake: Lake, anew: Callable[[], None]) -> None:
    answer(lake)
    (file,) = files(lake)
    assert file.stat().st_mode & 0o777 == 0o600 and file.parent.stat().st_mode & 0o777 == 0o700
    content = file.read_bytes()
    assert b"Ada" not in content and b"Outcome" not in content and "Ada" not in file.name
    with pytest.raises(zlib.error):
        zlib.decompress(content[48:])
    assert remembered._read(file, KQL) and not remembered._read(file, KQL + " ")


@pytest.mark.parametrize(
    "damage",
    [
        lambda content: b"",
        lambda content: content[:20],
        lambda content: content[:-1],
        lambda content: content[:60] + bytes([content[60] ^ 1]) + content[61:],
        lambda content: os.urandom(len(content)),
    ],
)
def test_a_damaged_file_is_none_and_is_written_anew(
    lake: Lake, anew: Callable[[], None], damage: Callable[[bytes], bytes]
) -> None:
    first = answer(lake)
    (file,) = files(lake)
    file.write_bytes(damage(file.read_bytes()))
    anew()
    assert answer(lake) == first
    assert files(lake) == [file] and remembered._read(file, KQL)


def test_a_lake_that_cannot_be_written_is_read(
    lake: Lake, anew: Callable[[], None], users: Callable[[str], Path]
) -> None:
    (translations(lake)).touch()  # no folder can be made
    (users("first").parent.parent).touch()
    assert answer(lake) == [{"Outcome": "success", "N": 1}]


def test_a_user_without_a_home_has_no_cache(
    lake: Lake, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, anew: Callable[[], None]
) -> None:
    """A container's may have a number and no name."""

    def nobody(number: int) -> None:
        raise KeyError(number)

    anew()
    monkeypatch.setattr(kept, "of_user", OF_USER)
    monkeypatch.setattr(pytest.importorskip("pwd"), "getpwuid", nobody)
    for name in ("HOME", "XDG_CACHE_HOME"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.chdir(tmp_path)
    assert kept.of_user() is None
    assert answer(lake) == [{"Outcome": "success", "N": 1}]
    assert {path.name for path in tmp_path.iterdir()} == {"lake"}


def test_other_functions_and_other_versions_share_nothing(
    lake: Lake, anew: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    kql = "AoaiHourly | count"
    answer(lake, kql)
    anew()
    assert answer(lake, kql, {"AoaiHourly": "AoaiRequests | take 0"}) == [{"Count": 0}]
    monkeypatch.setattr(remembered, "versions", lambda: "another")
    answer(lake, kql)
    assert len(files(lake)) == 2


def test_a_table_of_one_s_own_with_other_columns_is_seen(lake: Lake, anew: Callable[[], None], tmp_path: Path) -> None:
    from aoai_analytics.lake.own import add_table

    for text, expected in (("A\nx\n", {"A"}), ("A,B\nx,y\n", {"A", "B"})):
        (tmp_path / "mine.csv").write_text(text)
        add_table(lake, "Mine", tmp_path / "mine.csv")
        anew()
        assert [set(row) - {"TimeGenerated"} for row in answer(lake, "Mine")] == [expected]


def test_writers_at_the_same_time_leave_one_whole_file(tmp_path: Path) -> None:
    folder = tmp_path / "cache"

    def write(number: int) -> None:
        for turn in range(20):
            with remembered.beside(KQL, folder):
                remembered.recalled(("test", number, turn), lambda: "x" * 1000)

    threads = [threading.Thread(target=write, args=(number,)) for number in range(6)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    (file,) = folder.glob("*")
    assert remembered._read(file, KQL)


def test_a_file_holds_nothing_of_a_query_that_runs_meanwhile(tmp_path: Path) -> None:
    """Who knows one query's text can read its file, and must read no other's words there."""
    meanwhile = threading.Barrier(2, timeout=10)

    def ask(word: str) -> None:
        with remembered.beside(word, tmp_path):
            meanwhile.wait()
            remembered.recalled(("test", word), lambda: word)
            meanwhile.wait()

    threads = [threading.Thread(target=ask, args=(word,)) for word in ("Alpha", "Beta")]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    kept_of = {word: [remembered._read(file, word) for file in tmp_path.glob("*")] for word in ("Alpha", "Beta")}
    for word, found in kept_of.items():
        assert sorted(text for file in found for text in file.values()) == [f'"{word}"']


def test_the_folder_is_bounded_and_optimize_removes_what_is_old(
    lake: Lake, anew: Callable[[], None], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(kept, "MOST_FILES", 5)
    folder = translations(lake)
    for number in range(12):
        with remembered.beside(f"{KQL} {number}", folder):
            remembered.recalled(("test", number), lambda: "x")
    assert len(files(lake)) <= 6
    old = files(lake)[0]
    os.utime(old, (0, time.time() - 40 * 86_400))
    optimize(lake)
    assert old not in files(lake) and files(lake)
