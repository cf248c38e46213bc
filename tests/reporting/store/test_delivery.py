"""Reports reach a folder or a container whole, once, and with an index of all that is there."""

from __future__ import annotations

import json
import re
import threading
from collections.abc import Iterator, Mapping
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from aoai_analytics.errors import AoaiError, ReportError, WrongUse
from aoai_analytics.reporting.store import collection, website
from aoai_analytics.reporting.store.delivery import deliver, delivered
from aoai_analytics.reporting.store.website import Website
from tests.azurite import TokenCredential, azurite

NOW = datetime(2026, 11, 24, tzinfo=UTC)
PAGES = ("tokens.html", "index.html", "report.js", "tokens.csv")


def manifest(key: str, **more: Any) -> dict[str, Any]:
    start = datetime.fromisoformat(f"{key}-01T00:00:00+00:00")
    end = (start + timedelta(days=32)).replace(day=1)
    return {
        "source": "lake", "key": key, "start": start.isoformat(), "end": end.isoformat(), "time_zone": "UTC",
        "period": key, "show_prompts": False, "made": (end + timedelta(hours=6)).isoformat(), "failed": False,
        "headline": {
            "Requests": 1000, "Tokens": 5_000_000, "EstimatedTokens": 0, "UnknownRequests": 0, "FirstRequest": None,
            "LastRequest": None, "Cost": 12.5, "UncostedRequests": 0, "SuccessRate": 99.0,
        },
        "pages": [],
    } | more  # fmt: skip


def write(out: Path, key: str, text: str = "first", files: tuple[str, ...] = PAGES, **more: Any) -> Path:
    """A report in a collection, put there as a run does."""
    made = manifest(key, **more) | {"files": sorted([*files, "manifest.json"])}
    contents = {name: f"{key} {name} {text}".encode() for name in files}
    return collection.save_report(
        out, key, contents | {"manifest.json": json.dumps(made).encode()}, source=made["source"]
    )


@pytest.fixture(scope="module")
def storage(tmp_path_factory: pytest.TempPathFactory) -> Iterator[tuple[str, Path]]:
    with azurite(tmp_path_factory.mktemp("azurite")) as running:
        yield running


@pytest.fixture
def to(storage: tuple[str, Path], request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    """A prefix of its own in the container $web."""
    url, certificate = storage
    monkeypatch.setenv("REQUESTS_CA_BUNDLE", str(certificate))
    monkeypatch.setattr(website, "RETRIES", {"retry_total": 0})
    return f"{url}/$web/{abs(hash(request.node.name))}"


def send(out: Path, to: str, **more: Any) -> Any:
    return deliver(out, to, now=NOW, credential=TokenCredential(), **more)


def there(to: str) -> dict[str, bytes]:
    """What stands at *to*, by path below the prefix."""
    site = Website.open(to, TokenCredential())
    return {
        path.removeprefix(site.prefix): site.container.download_blob(path).readall() for path in sorted(site._listed())
    }


def links(to: str) -> set[str]:
    """The reports that the index of all leads to."""
    return set(re.findall(r'href="([^"/]+)/index\.html"', there(to)["index.html"].decode()))


def test_pages_arrive_with_their_types_and_an_index_of_them(tmp_path: Path, to: str) -> None:
    write(tmp_path, "2026-10")
    done = send(tmp_path, to)
    assert done.sent == ("2026-10",)
    assert there(to).keys() == {"index.html", "2026-10/manifest.json", *(f"2026-10/{name}" for name in PAGES)}
    assert there(to)["2026-10/tokens.html"] == b"2026-10 tokens.html first"
    assert links(to) == {"2026-10"}
    site = Website.open(to, TokenCredential())
    told = {
        Path(path).name: (blob.content_settings.content_type, blob.content_settings.cache_control)
        for path, blob in site._listed().items()
    }
    assert told == {
        "index.html": ("text/html; charset=utf-8", "no-cache"),
        "tokens.html": ("text/html; charset=utf-8", "no-cache"),
        "report.js": ("text/javascript; charset=utf-8", "no-cache"),
        "tokens.csv": ("text/csv; charset=utf-8", "no-cache"),
        "manifest.json": ("application/json", "no-cache"),
    }


def test_what_is_there_already_is_not_written_again(tmp_path: Path, to: str) -> None:
    write(tmp_path, "2026-10")
    send(tmp_path, to)
    before = {path: blob.etag for path, blob in Website.open(to, TokenCredential())._listed().items()}
    again = send(tmp_path, to)
    assert (again.sent, again.unchanged, again.bytes) == ((), ("2026-10",), 0)
    assert {path: blob.etag for path, blob in Website.open(to, TokenCredential())._listed().items()} == before


def test_a_report_made_again_takes_the_place_of_the_old_one(tmp_path: Path, to: str) -> None:
    write(tmp_path, "2026-10", files=(*PAGES, "gone.html"))
    send(tmp_path, to)
    site = Website.open(to, TokenCredential())
    site.container.upload_blob(f"{site.prefix}2026-10/notes.txt", b"somebody's own")
    write(tmp_path, "2026-10", "second", made="2026-11-02T06:00:00+00:00")
    assert send(tmp_path, to).sent == ("2026-10",)
    found = there(to)
    assert {found[f"2026-10/{name}"] for name in PAGES} == {f"2026-10 {name} second".encode() for name in PAGES}
    assert "2026-10/gone.html" not in found
    assert found["2026-10/notes.txt"] == b"somebody's own"


def test_a_fresh_disk_each_time_loses_no_report_from_the_index(tmp_path: Path, to: str) -> None:
    """A job in a container has only what it just made."""
    write(tmp_path / "one", "2026-09")
    send(tmp_path / "one", to)
    known = delivered(to, credential=TokenCredential())
    assert known.keys() == {"2026-09"}
    assert known["2026-09"]["headline"]["Tokens"] == 5_000_000
    headline = manifest("2026-10")["headline"] | {"Tokens": 6_000_000}
    write(tmp_path / "two", "2026-10", headline=headline)
    send(tmp_path / "two", to)
    assert links(to) == {"2026-09", "2026-10"}
    assert "+1" in there(to)["index.html"].decode()


def test_reports_of_two_sources_for_one_period_stand_side_by_side(tmp_path: Path, to: str) -> None:
    write(tmp_path / "one", "2026-10", source="lake")
    write(tmp_path / "two", "2026-10", source="log-analytics://id")
    send(tmp_path / "one", to)
    assert send(tmp_path / "two", to).sent == ("2026-10-2",)
    assert links(to) == {"2026-10", "2026-10-2"}
    assert send(tmp_path / "two", to).unchanged == ("2026-10-2",)


def test_a_newer_report_there_is_not_written_over(tmp_path: Path, to: str) -> None:
    write(tmp_path / "new", "2026-10", "new", made="2026-11-05T06:00:00+00:00")
    write(tmp_path / "old", "2026-10", "old", made="2026-11-01T06:00:00+00:00")
    send(tmp_path / "new", to)
    assert send(tmp_path / "old", to).sent == ()
    assert there(to)["2026-10/tokens.html"].endswith(b"new")


def test_two_deliveries_at_once_do_not_mix(tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(website, "POLL", 0.05)
    versions = {"a": "2026-11-02T06:00:00+00:00", "b": "2026-11-02T06:00:00+00:00"}
    for name, made in versions.items():
        write(tmp_path / name, "2026-10", name * 50, made=made)
        write(tmp_path / name, "2026-08" if name == "a" else "2026-09")
    failed: list[BaseException] = []
    start = threading.Barrier(2)

    def run(name: str) -> None:
        start.wait()
        try:
            send(tmp_path / name, to)
        except BaseException as error:
            failed.append(error)

    threads = [threading.Thread(target=run, args=(name,)) for name in versions]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert failed == []
    assert links(to) == {"2026-08", "2026-09", "2026-10"}
    found = there(to)
    assert len({found[f"2026-10/{name}"][-50:] for name in PAGES}) == 1


class Killed(BaseException):
    """The process ends here."""


class Step:
    """Counts what is written, and ends everything at the *n*-th time."""

    def __init__(self, monkeypatch: pytest.MonkeyPatch, n: int):
        from azure.storage.blob import BlobClient, ContainerClient

        self.n, self.count, self.lock = n, 0, threading.Lock()
        for owner, name in (
            (BlobClient, "stage_block"),
            (BlobClient, "commit_block_list"),
            (BlobClient, "upload_blob"),
            (ContainerClient, "delete_blob"),
        ):
            monkeypatch.setattr(owner, name, self.counted(getattr(owner, name)))

    def counted(self, method: Any) -> Any:
        def call(*arguments: Any, **more: Any) -> Any:
            with self.lock:
                self.count += 1
                if self.count > self.n:
                    raise Killed
            return method(*arguments, **more)

        return call


def whole(found: Mapping[str, bytes], name: str) -> bool:
    """Whether a report that the index leads to has all its files, of one version."""
    listed = json.loads(found[f"{name}/manifest.json"])["files"]
    texts = {found[f"{name}/{file}"].split()[-1] for file in listed if file != "manifest.json"}
    return len(texts) == 1


def test_a_delivery_killed_anywhere_leads_to_no_half_report_and_the_next_one_ends_it(
    tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "2026-09")
    send(tmp_path, to)
    write(tmp_path, "2026-10")
    stopped = 0
    for n in range(100):
        with monkeypatch.context() as patch:
            step = Step(patch, n)
            try:
                send(tmp_path, to)
            except Killed:
                stopped += 1
        found = there(to)
        assert all(whole(found, name) for name in links(to)), n
        assert {"2026-09"} <= links(to)
        if step.count <= n:
            break
    # While the index was looked for, at each of five files sent, and at commits; what is committed is not sent again.
    assert stopped >= 8
    assert links(to) == {"2026-09", "2026-10"}


def test_while_a_report_is_sent_the_one_of_before_stays_whole(
    tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "2026-10")
    send(tmp_path, to)
    write(tmp_path, "2026-10", "second", made="2026-11-02T06:00:00+00:00")
    # One try to make the index, then all that is sent; only then is anything committed.
    with monkeypatch.context() as patch:
        Step(patch, 1 + len(PAGES) + 1)
        with pytest.raises(Killed):
            send(tmp_path, to)
    assert whole(there(to), "2026-10")
    assert there(to)["2026-10/tokens.html"].endswith(b"first")


def test_old_reports_go_also_where_their_removal_was_broken_off(
    tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    for key in ("2026-01", "2026-02", "2026-10"):
        write(tmp_path, key)
    send(tmp_path, to)
    keep = timedelta(days=100)
    with monkeypatch.context() as patch:
        Step(patch, 4)
        with pytest.raises(Killed):
            send(tmp_path, to, keep=keep)
    assert links(to) == {"2026-10"}
    assert "2026-01/manifest.json" in there(to)
    assert send(tmp_path, to, keep=keep).expired == ("2026-01", "2026-02")
    assert {path.partition("/")[0] for path in there(to)} == {"index.html", "2026-10"}
    # They are still on this disk, and are not sent again.
    assert send(tmp_path, to, keep=keep).sent == ()


def test_files_of_others_are_never_written_over(tmp_path: Path, to: str) -> None:
    site = Website.open(to, TokenCredential())
    if not site.container.exists():
        site.container.create_container()
    site.container.upload_blob(f"{site.prefix}index.html", b"a site of somebody else's")
    write(tmp_path, "2026-10")
    with pytest.raises(WrongUse, match=r"has other files .*index\.html.*a separate prefix"):
        send(tmp_path, to)
    assert there(to) == {"index.html": b"a site of somebody else's"}


def test_a_delivery_waits_for_another_and_says_so_when_that_takes_too_long(
    tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    write(tmp_path, "2026-10")
    send(tmp_path, to)
    site = Website.open(to, TokenCredential())
    lease = site.container.get_blob_client(f"{site.prefix}index.html").acquire_lease(60)
    monkeypatch.setattr(website, "POLL", 0.02)
    monkeypatch.setattr(website, "PATIENCE", 0.05)
    with pytest.raises(ReportError, match="another delivery is running"):
        send(tmp_path, to)
    monkeypatch.setattr(website, "PATIENCE", 60)
    threading.Timer(0.2, lease.release).start()
    assert send(tmp_path, to).unchanged == ("2026-10",)


def test_a_delivery_that_lost_its_hold_writes_no_more(tmp_path: Path, to: str, monkeypatch: pytest.MonkeyPatch) -> None:
    write(tmp_path, "2026-10")
    monkeypatch.setattr(website._Lease, "check", website._Lease.check)
    monkeypatch.setattr(website, "LEASE", 60)
    original = website._Lease.__init__

    def long_ago(self: Any, client: Any) -> None:
        original(self, client)
        self._renewed -= 61

    monkeypatch.setattr(website._Lease, "__init__", long_ago)
    with pytest.raises(ReportError, match="took too long and lost its lease"):
        send(tmp_path, to)
    assert set(there(to)) == {"index.html"}


def test_a_hold_is_renewed_as_long_as_the_delivery_takes(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(website, "RENEWAL", 0.001)
    renewed, released = threading.Event(), threading.Event()

    class Client:
        renew = staticmethod(renewed.set)
        release = staticmethod(released.set)

    lease = website._Lease(Client())  # type: ignore[arg-type]
    assert renewed.wait(10)
    lease.end()
    assert released.is_set()
    assert not lease._thread.is_alive()


@pytest.mark.parametrize("kind", ["folder", "container"])
def test_prompts_stay_here_unless_asked_for(tmp_path: Path, kind: str, request: pytest.FixtureRequest) -> None:
    target = str(tmp_path / "share") if kind == "folder" else request.getfixturevalue("to")
    out = tmp_path / "out"
    write(out, "2026-09")
    write(out, "2026-10", show_prompts=True)
    with pytest.raises(ReportError, match=r"2026-10\. Run it again without --show-prompts") as caught:
        send(out, target)
    assert "\n" not in str(caught.value)
    assert delivered(target, credential=TokenCredential()).keys() == {"2026-09"}
    assert send(out, target, prompts=True).sent == ("2026-10",)


def test_a_report_that_is_no_collection_gets_the_folder_of_its_period(tmp_path: Path, to: str) -> None:
    made = manifest("2026-10") | {"key": None, "files": ["index.html", "manifest.json"]}
    out = tmp_path / "out"
    collection.save_report(out, None, {"index.html": b"one", "manifest.json": json.dumps(made).encode()})
    assert send(out, to).sent == ("2026-10-01--2026-11-01",)
    assert links(to) == {"2026-10-01--2026-11-01"}


def test_a_folder_gets_reports_whole_and_an_index(tmp_path: Path) -> None:
    out, share = tmp_path / "out", tmp_path / "share"
    write(out, "2026-01")
    write(out, "2026-09")
    write(out, "2026-10")
    assert send(out, str(share)).sent == ("2026-01", "2026-09", "2026-10")
    again = send(out, str(share))
    assert (again.sent, len(again.unchanged)) == ((), 3)
    (share / "2026-10/report.js").unlink()
    write(out, "2026-09", "second", made="2026-11-02T06:00:00+00:00")
    assert send(out, str(share)).sent == ("2026-09", "2026-10")
    assert (share / "2026-09/tokens.html").read_bytes().endswith(b"second")
    assert send(out, str(share), keep=timedelta(days=100)).expired == ("2026-01",)
    assert sorted(path.name for path in share.iterdir()) == ["2026-09", "2026-10", "index.html"]
    assert delivered(str(share)).keys() == {"2026-09", "2026-10"}


def test_a_half_report_on_this_disk_is_not_delivered(tmp_path: Path) -> None:
    folder = write(tmp_path / "out", "2026-10")
    (folder / "tokens.html").unlink()
    assert send(tmp_path / "out", str(tmp_path / "share")).sent == ()


WRONG = {
    "http://contoso.blob.core.windows.net/$web": "unencrypted",
    "https://contoso.blob.core.windows.net": "deliver to a folder, or to a container",
    "https://contoso.blob.core.windows.net/$web?sv=1&sig=secret": "contains a key or SAS",
    "https://contoso.z6.web.core.windows.net/": "is the public website",
    "ftp://contoso/reports": "deliver to a folder, or to a container",
    "/no/such/share/reports": "no folder '/no/such/share' to deliver to: create or mount it",
}


@pytest.mark.parametrize("target", WRONG)
def test_a_place_that_cannot_be_one_is_said_in_a_line(tmp_path: Path, target: str) -> None:
    write(tmp_path, "2026-10")
    with pytest.raises(WrongUse) as caught:
        send(tmp_path, target)
    assert WRONG[target] in str(caught.value)
    assert "secret" not in str(caught.value)
    assert "\n" not in str(caught.value)


def test_a_storage_that_refuses_or_is_away_is_said_in_a_line(tmp_path: Path, to: str) -> None:
    write(tmp_path, "2026-10")

    class Stranger(TokenCredential):
        def get_token(self, *scopes: str, **more: Any) -> Any:
            token = super().get_token(*scopes, **more)
            return token._replace(token="e30.e30.e30")

    with pytest.raises(AoaiError, match=r"refused|not signed in") as caught:
        deliver(tmp_path, to, credential=Stranger())
    assert "\n" not in str(caught.value)
    parts = urlsplit(to)
    away = to.replace(parts.netloc, "127.0.0.1:9")
    with pytest.raises(ReportError, match="cannot reach the storage account"):
        send(tmp_path, away)


def test_a_real_report_is_delivered_as_it_is(tokens_report: Path, to: str) -> None:
    done = send(tokens_report, to)
    (name,) = done.sent
    found = there(to)
    for file in json.loads((tokens_report / "manifest.json").read_text("utf-8"))["files"]:
        assert found[f"{name}/{file}"] == (tokens_report / file).read_bytes()
    assert links(to) == {name}
    assert send(tokens_report, to).bytes == 0
