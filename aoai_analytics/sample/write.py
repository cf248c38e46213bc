"""Writes a folder of sample gateway logs hour by hour, so that memory use does not depend on the sample's size."""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Callable, Iterable
from dataclasses import asdict, dataclass
from datetime import UTC, date, datetime, time, timedelta
from pathlib import Path
from random import Random

from aoai_analytics.errors import WrongUse
from aoai_analytics.sample import planted, truth
from aoai_analytics.sample.emit import Emitter
from aoai_analytics.sample.flaws import FLAWS, MIXES, Mix, windows
from aoai_analytics.sample.folder import replaced
from aoai_analytics.sample.invoice import write_invoice
from aoai_analytics.sample.mcp import McpCalls
from aoai_analytics.sample.records import blob_folder
from aoai_analytics.sample.shape import intensity, spread
from aoai_analytics.sample.world import teams_of, users_of

#: The last day of a sample without a given start: fixed, so that the same call gives the same bytes.
LAST_DAY = date(2026, 11, 15)
_OTHER_APIS = 0.05


@dataclass(frozen=True)
class SampleSummary:
    """What was written. ``requests`` counts requests to language-model APIs; ``bytes`` and ``files`` are of the logs.

    ``unknown_token_share`` is the share of all tokens, from 0 to 1, that is in no record.
    """

    requests: int
    gateway_rows: int
    llm_rows: int
    files: int
    bytes: int
    tokens: int
    unknown_token_share: float
    start: date
    end: date


def write_sample(
    out: Path,
    *,
    requests: int = 50_000,
    days: int = 14,
    seed: int = 1,
    start: date | None = None,
    mix: Mix = "default",
    mcp_calls: int = 0,
    invoice: bool = False,
    progress: Callable[[int, int], None] | None = None,
) -> SampleSummary:
    """Write gateway logs in the layout of diagnostic settings, and what really happened, to a folder.

    ``out/logs`` has the blobs of both containers, ``out/truth.csv`` one row per request to a
    language-model API (see ``truth.COLUMNS``), ``out/planted.json`` the flaws and peculiarities of the logs.
    The same arguments give the same bytes; without ``start``, the days end on ``LAST_DAY``.

    ``mix``: ``default`` has all the flaws of real gateway logs; ``complete`` has nothing missing,
    cut or duplicated (and unlimited bodies); in ``languages`` each team writes one kind of text;
    in ``unseen-model`` one model's tokens are never logged. ``mcp_calls`` adds so many calls of MCP servers, with
    their log; ``invoice`` adds ``out/invoice``, two runs of a cost export with planted remainders (see
    ``invoice.Plan``) and their truth. ``progress`` is called with the finished and the total requests.

    Raises ``WrongUse`` for invalid arguments, ``AoaiError`` if ``out`` contains other files.
    """
    for name, value in {"requests": requests, "days": days}.items():
        if value < 1:
            raise WrongUse(f"{name} is {value}; a sample needs at least 1")
    if mcp_calls < 0:
        raise WrongUse(f"mcp_calls is {mcp_calls}; give 0 or more")
    if mix not in MIXES:
        raise WrongUse(f"unknown mix {mix!r}; use one of {', '.join(MIXES)}")
    first_day = start or LAST_DAY - timedelta(days=days - 1)
    with replaced(Path(out)) as (folder, about):
        told = progress or (lambda done, total: None)
        summary = _write(folder, requests, days, seed, first_day, mix, mcp_calls, told)
        if invoice:
            write_invoice(folder / "truth.csv", folder / "invoice")
        about |= {"mix": mix, "seed": seed, "days": days, **asdict(summary)}
        about |= {"start": summary.start.isoformat(), "end": summary.end.isoformat()}
    return summary


def _write(
    folder: Path,
    requests: int,
    days: int,
    seed: int,
    first_day: date,
    mix: str,
    mcp_calls: int,
    progress: Callable[[int, int], None],
) -> SampleSummary:
    flaws, teams = FLAWS[mix], teams_of(mix)
    first = datetime.combine(first_day, time(), UTC)
    incidents = windows(first, days) if flaws.incidents else None
    counts, unlogged = spread(teams, first, days, requests, incidents, Random(f"{seed}/spread"))
    emitter = Emitter(Random(), users_of(teams), flaws, incidents)
    mcp, hours = McpCalls(seed, teams, emitter.users), days * 24
    totals: Counter[str] = Counter()
    done = 0
    with (folder / "truth.csv").open("w", encoding="utf-8", newline="") as file:
        rows = truth.writer(file)
        for number in range(hours):
            hour = first + timedelta(hours=number)
            # Each hour has its own random stream: adding an hour changes no other.
            emitter.rng.seed(f"{seed}/{mix}/{number}")
            for moment, t in _moments(emitter.rng, hour, [counts.get((number, t), 0) for t in range(len(teams))]):
                emitter.request(moment, teams[t], intensity(teams[t], hour))
                if emitter.rng.random() < _OTHER_APIS:
                    emitter.other_api(moment, teams[t])
            calls = mcp_calls * (number + 1) // hours - mcp_calls * number // hours
            for container, of, line in mcp.of_hour(number, hour, calls):
                emitter.out.lines[container, of].append(line)
            done += len(emitter.out.truth)
            rows.writerows(emitter.out.truth)
            emitter.out.truth.clear()
            _flush(folder / "logs", emitter, hour, totals)
            progress(done, requests)
    _flush(folder / "logs", emitter, None, totals)
    told = emitter.out.counts
    report = planted.findings(told, flaws, incidents, unlogged)
    text = json.dumps({"mix": mix, "findings": report}, indent=2, ensure_ascii=False) + "\n"
    (folder / "planted.json").write_text(text, encoding="utf-8")
    return SampleSummary(
        requests=done, gateway_rows=totals["insights-logs-gatewaylogs"],
        llm_rows=totals["insights-logs-gatewayllmlogs"], files=totals["files"], bytes=totals["bytes"],
        tokens=told["tokens"], unknown_token_share=round(told["tokens-nowhere"] / max(told["tokens"], 1), 4),
        start=first_day, end=first_day + timedelta(days=days - 1),
    )  # fmt: skip


def _moments(rng: Random, hour: datetime, per_team: list[int]) -> Iterable[tuple[datetime, int]]:
    """The hour's requests in time order: time and team."""
    drawn = [(rng.randrange(3_600_000_000), team) for team, count in enumerate(per_team) for _ in range(count)]
    return [(hour + timedelta(microseconds=at), team) for at, team in sorted(drawn)]


def _flush(logs: Path, emitter: Emitter, hour: datetime | None, totals: Counter[str]) -> None:
    """Write the blobs that get no more rows: those up to ``hour``, or all."""
    lines = emitter.out.lines
    for container, of in sorted(key for key in lines if hour is None or key[1] <= hour):
        rows = lines.pop((container, of))
        blob = logs / blob_folder(container, of) / "PT1H.json"
        blob.parent.mkdir(parents=True)
        text = b"\n".join(rows) + b"\n"
        blob.write_bytes(text)
        totals.update({container: len(rows), "files": 1, "bytes": len(text)})
