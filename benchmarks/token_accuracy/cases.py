"""What is counted: logs with their truth, read into two lakes."""

from __future__ import annotations

import tarfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from random import Random
from typing import TYPE_CHECKING

from aoai_analytics.lake.blobs import Content, find_blobs
from aoai_analytics.lake.delta import Lake
from aoai_analytics.lake.pieces import JsonReader
from aoai_analytics.lake.records import SHAPES, Misfit, OtherCategory, table_of, to_arrow, to_row

from .mixes import MIXES, Mix
from .traffic import write_logs

if TYPE_CHECKING:
    import pandas as pd

#: Requests of an odd mix: enough for a caller to have some, few enough to run them all.
ODD_REQUESTS = 3000
#: Real-shaped logs that may lie beside the checkout.
SHARED = Path(__file__).resolve().parents[2].parent / "shared/data/traffic.tar.gz"
#: What the truth is compared by: a column of the truth, or made of one.
GROUPS = ("User", "SubscriptionId", "ModelName", "Day")


@dataclass(frozen=True)
class Case:
    """Logs to count. ``bound``: the errors must be small. Else the traffic is strange: the stated errors must hold.
    ``odd`` is one of ``mixes.MIXES``, whose calibration counts over all of them together, not for each.

    ``plain`` names the case that an honest one's stated error must exceed. ``logs`` and ``truth`` are None for a
    sample still to be made, of ``mix`` and ``seed``.
    """

    name: str
    bound: bool
    logs: Path | None = None
    truth: Path | None = None
    mix: str = ""
    odd: Mix | None = None
    seed: int = 0
    plain: str = ""


@dataclass(frozen=True)
class Counted:
    """A case ready to count: ``delivered`` holds every record as often as it came, ``lake`` is ours, computed."""

    truth: pd.DataFrame
    delivered: Lake
    lake: Lake


def cases(seeds: Sequence[int], shared: Path | None) -> list[Case]:
    """The samples of each seed, and the logs beside the checkout where they are."""
    found = []
    for seed in seeds:
        plain = f"default, seed {seed}"
        found.append(Case(plain, True, mix="default", seed=seed))
        found.append(Case(f"languages, seed {seed}", False, mix="languages", seed=seed, plain=plain))
        found.append(Case(f"unseen-model, seed {seed}", False, mix="unseen-model", seed=seed, plain=plain))
    found.append(Case(f"complete, seed {seeds[0]}", True, mix="complete", seed=seeds[0]))
    if shared is not None and shared.exists():
        found.insert(0, Case("shared data", True, logs=shared))
    found += [Case(f"{mix.name}, seed {seed}", False, odd=mix, seed=seed) for mix in MIXES for seed in seeds]
    return found


def prepare(case: Case, folder: Path, requests: int) -> Counted:
    """Make or unpack the case's logs under *folder*, and read them. Raises AoaiError."""
    from aoai_analytics.lake.ingest import ingest
    from aoai_analytics.lake.recompute import recompute

    logs, truth = _logs(case, folder, requests)
    delivered = Lake.create(folder / "delivered")
    _read_all(logs, delivered)
    lake = Lake.create(folder / "lake")
    ingest([logs], lake)
    recompute(lake)
    return Counted(read_truth(truth), delivered, lake)


#: The codes of refusals: some are charged for their prompt (Azure OpenAI's pricing: content filter, time-out).
REFUSED = ("400", "408")


def read_truth(path: Path) -> pd.DataFrame:
    """``CorrelationId``, ``Tokens`` and the columns GROUPS of a truth file, one row per request.

    Where a file gives a request's code, refusals that may be charged and have no tokens there are left out, all alike:
    a sample's truth counts answers only. To leave out those of the filter alone would make an estimate wrong for the
    others, which look the same in the logs.
    """
    import pandas as pd

    wanted = ["CorrelationId", "TimeGenerated", "User", "SubscriptionId", "ModelName", "Surface"]
    wanted += ["PromptTokens", "CompletionTokens"]
    kept = {*wanted, "ResponseCode"}
    text = dict.fromkeys((*wanted[:6], "ResponseCode"), "str")
    truth = pd.read_csv(path, usecols=lambda name: name in kept, dtype=text, keep_default_na=False)
    truth["Tokens"] = truth["PromptTokens"].astype("int64") + truth["CompletionTokens"].astype("int64")
    truth["Day"] = truth["TimeGenerated"].str[:10]
    if "ResponseCode" in truth:
        truth = truth[~(truth.pop("ResponseCode").isin(REFUSED) & (truth["Tokens"] == 0))]
    return truth.reset_index(drop=True)


def _logs(case: Case, folder: Path, requests: int) -> tuple[Path, Path]:
    from aoai_analytics.sample import write_sample

    if case.odd:
        out = folder / "odd"
        draws = Random(f"{case.seed}/{case.odd.name}")
        write_logs(
            out, case.odd.callers(draws), case.odd.loss, min(requests, ODD_REQUESTS), f"{case.odd.name}-{case.seed}"
        )
        return out / "logs", out / "truth.csv"
    if case.mix:
        out = folder / "sample"
        write_sample(out, requests=requests, seed=case.seed, mix=case.mix)  # type: ignore[arg-type]
        return out / "logs", out / "truth.csv"
    assert case.logs is not None
    if case.truth is not None:
        return case.logs, case.truth
    with tarfile.open(case.logs) as archive:
        archive.extractall(folder / "archive", filter="data")
    truth = next((folder / "archive").rglob("truth.csv"))
    return truth.parent / "logs", truth


def _read_all(logs: Path, lake: Lake) -> None:
    """Put every record of *logs* into *lake* as often as it was delivered, which an ingest would not."""
    rows: dict[str, list[tuple]] = {name: [] for name in SHAPES}
    for record, hint in _records(logs):
        try:
            table = table_of(record, hint)
            rows[table.name].append(to_row(record, SHAPES[table.name]))
        except (Misfit, OtherCategory):
            continue
    for name, found in rows.items():
        if found:
            lake.append(name, to_arrow(SHAPES[name], found))


def _records(logs: Path) -> Iterator[tuple]:
    for blob in find_blobs([logs]):
        with Content(blob) as content:
            for piece in JsonReader(content, 0):
                for record in piece.records:
                    if isinstance(record, dict):
                        yield record, blob.hint
