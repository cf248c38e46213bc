"""The sample's invoice, as Cost Management would export it, with remainders that are planted, and their truth.

``OUT/EXPORT/20261101-20261130/RUN/`` are the runs, each with partitions and ``manifest.json``; ``OUT/truth.json`` has
the total, and what each part of the remainder is, computed from what really happened and from the plan alone.
"""

from __future__ import annotations

import csv
import gzip
import io
import json
from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from decimal import Decimal
from pathlib import Path
from typing import Any

from aoai_analytics.sample.invoice_shapes import Charge, columns, row
from aoai_analytics.sample.world import PRICES, REGIONS

#: Model -> its meters of prompt, cached prompt and completion, as the Retail Prices API writes them; and their unit.
_METERS = {
    "gpt-4o-2024-08-06": ("gpt 4o 0806 Inp glbl", "gpt 4o 0806 cached Inp glbl", "gpt 4o 0806 Outp glbl", "1K"),
    "gpt-4o-mini-2024-07-18": (
        *("gpt-4o-mini-0718-Inp-glbl", "gpt-4o-mini-0718-cached-Inp-glbl", "gpt-4o-mini-0718-Outp-glbl"),
        "1K",
    ),
    "gpt-4.1-2025-04-14": ("gpt 4.1 Inp glbl", "gpt 4.1 cached Inp glbl", "gpt 4.1 Outp glbl", "1K"),
    "gpt-4.1-mini-2025-04-14": (
        "gpt 4.1 mini Inp glbl",
        "gpt 4.1 mini cached Inp glbl",
        "gpt 4.1 mini Outp glbl",
        "1K",
    ),
    "gpt-4.1-nano-2025-04-14": (
        "gpt 4.1 nano Inp glbl",
        "gpt 4.1 nano cached Inp glbl",
        "gpt 4.1 nano Outp glbl",
        "1K",
    ),
    "o4-mini-2025-04-16": ("o4-mini 0416 Inp glbl", "o4-mini 0416 cached Inp glbl", "o4-mini 0416 Outp glbl", "1K"),
    "gpt-5-2025-08-07": ("GPT 5 Inpt Glbl 1M", "GPT 5 cchd Inpt Glbl 1M", "GPT 5 outpt Glbl 1M", "1M"),
    "gpt-5-mini-2025-08-07": (
        "GPT 5 Mini Inpt Glbl 1M",
        "GPT 5 Mini cchd Inpt Glbl 1M",
        "GPT 5 Mini outpt Glbl 1M",
        "1M",
    ),
    "text-embedding-3-small": ("text-embedding-3-small-glbl", "", "", "1K"),
    "text-embedding-3-large": ("text-embedding-3-large-glbl", "", "", "1K"),
    "gpt-35-turbo-instruct": ("gpt-35-turbo-instruct-Inp-glbl", "", "gpt-35-turbo-instruct-Outp-glbl", "1K"),
    "gpt-9-preview": ("gpt 9 preview Inp glbl", "gpt 9 preview cached Inp glbl", "gpt 9 preview Outp glbl", "1K"),
}
#: A price that no price book has.
_UNLISTED = {"gpt-9-preview": (4.0, 2.0, 16.0)}
_CATEGORY = "Foundry Models"
_ACCOUNT = next(iter(REGIONS))


@dataclass(frozen=True)
class Plan:
    """What is planted. Tokens are per day; ``discount`` is a share of the list price; money is in ``currency`` per day
    but for the reservation, which is paid for a month on its first day. ``time_zone`` is in hours from UTC."""

    discount: str = "0.08"
    past_model: str = "gpt-4.1-2025-04-14"
    past_tokens: tuple[int, int] = (900_000, 250_000)
    past_days: int = 2
    batch_tokens: tuple[int, int] = (2_000_000, 400_000)
    training_tokens: int = 1_500_000
    hosting_hours: int = 24
    units: int = 50
    units_used: int = 30
    unit_month: str = "260"
    gateway: str = "22.40"
    time_zone: int = 0
    currency: str = "USD"
    rate: str = "1"


def write_invoice(
    truth: Path,
    out: Path,
    plan: Plan | None = None,
    *,
    dataset: str = "FocusCost",
    version: str = "1.0",
    form: str = "csv",
) -> dict[str, Any]:
    """Write two runs of an export for the requests of *truth* (a sample's truth.csv), and the truth, which it gives.

    *version* is ``1.0`` or ``1.2-preview`` of FocusCost, ``EA`` or ``MCA`` of ActualCost and AmortizedCost; *form* is
    ``csv``, ``csv.gz`` or ``parquet``. The second run, some days later, restates what the first has.
    """
    plan = plan or Plan()
    charges = _charges(truth, plan)
    days = sorted({charge.day for charge in charges})
    early = [_less(charge) for charge in charges if charge.day <= days[len(days) // 2]]
    name = f"{dataset.lower()}-{version}"
    for run, of_run, submitted in (("run-1", early, days[len(days) // 2]), ("run-2", charges, days[-1])):
        rows = [r for c in of_run if (r := row(c, dataset, version, plan.currency, Decimal(plan.rate)))]
        first = days[0].replace(day=1)
        last = (first + timedelta(days=32)).replace(day=1) - timedelta(days=1)
        folder = out / name / f"{first:%Y%m%d}-{last:%Y%m%d}" / run
        _write_partitions(folder, rows, columns(version), form)
        _write_manifest(folder, name, dataset, version, (days[0], submitted))
    told = _truth(charges, plan, truth)
    (out / "truth.json").write_text(json.dumps(told, indent=2) + "\n", encoding="utf-8")
    return told


def _use(truth: Path, offset: int) -> Counter[tuple[date, str, str, int]]:
    """Tokens by day, account, model and direction (0 prompt, 1 cached prompt, 2 completion) of what really happened."""
    use: Counter[tuple[date, str, str, int]] = Counter()
    with truth.open(encoding="utf-8", newline="") as file:
        for line in csv.DictReader(file):
            if line["ModelName"] not in _METERS or not line["BackendHost"]:
                continue
            day = (datetime.fromisoformat(line["TimeGenerated"]) + timedelta(hours=offset)).date()
            prompt, cached = int(line["PromptTokens"] or 0), int(line["CachedTokens"] or 0)
            tokens = (prompt - cached, cached, int(line["CompletionTokens"] or 0))
            for direction, count in enumerate(tokens):
                if count:
                    use[day, line["BackendHost"], line["ModelName"], direction] += count
    return use


def _price(model: str, direction: int) -> Decimal:
    """USD per token, at list price."""
    return Decimal(str((PRICES | _UNLISTED)[model][direction])) / 1_000_000


def _charges(truth: Path, plan: Plan) -> list[Charge]:
    use = _use(truth, plan.time_zone)
    days = sorted({day for day, *_ in use})
    for day in days[1 : 1 + plan.past_days]:
        for direction, tokens in zip((0, 2), plan.past_tokens, strict=True):
            use[day, _ACCOUNT, plan.past_model, direction] += tokens
    charges = []
    for (day, account, model, direction), tokens in sorted(use.items()):
        meter, unit = _METERS[model][direction], _METERS[model][3]
        if meter:
            listed = tokens * _price(model, direction)
            charges.append(_charge(plan, day, account, f"{meter} Tokens", unit, Decimal(tokens), listed))
    for day in days:
        for meter, tokens, price in _batch(plan):
            charges.append(_charge(plan, day, _ACCOUNT, meter, "1K", Decimal(tokens), tokens * price))
        for meter, unit, quantity, listed in _fine_tuning(plan):
            charges.append(_charge(plan, day, _ACCOUNT, meter, unit, quantity, listed))
        charges += _provisioned(plan, day, first=day == days[0])
        gateway = Decimal(plan.gateway)
        service, meter = "API Management", "Standard v2 Unit"
        charges.append(Charge(day, "apim-contoso", meter, service, "1 Hour", Decimal(24), gateway, gateway, gateway))
    return charges


def _charge(plan: Plan, day: date, account: str, meter: str, unit: str, quantity: Decimal, listed: Decimal) -> Charge:
    paid = listed * (1 - Decimal(plan.discount))
    return Charge(day, account, meter, _CATEGORY, unit, quantity, listed, paid, paid, region=REGIONS[account])


def _batch(plan: Plan) -> list[tuple[str, int, Decimal]]:
    """Batch jobs at half the price of gpt-4o."""
    half = [_price("gpt-4o-2024-08-06", direction) / 2 for direction in (0, 2)]
    names = ("gpt 4o 0806 Batch Inp glbl Tokens", "gpt 4o 0806 Batch Outp glbl Tokens")
    return list(zip(names, plan.batch_tokens, half, strict=True))


def _fine_tuning(plan: Plan) -> list[tuple[str, str, Decimal, Decimal]]:
    training, hours = Decimal(plan.training_tokens), Decimal(plan.hosting_hours)
    return [
        ("gpt 4.1 mini ft trng glbl Tokens", "1K", training, training * Decimal("0.000005")),
        ("gpt 4.1 mini ft hstng glbl Unit", "1 Hour", hours, hours * Decimal("1.70")),
    ]


def _provisioned(plan: Plan, day: date, *, first: bool) -> Iterable[Charge]:
    """A reservation of units for 30 days, of which some are deployed, the others unused."""
    meter, month = "Provisioned Managed Global Unit", Decimal(plan.unit_month)
    hour = month / 720
    if first:
        paid = plan.units * month
        yield Charge(day, "", meter, _CATEGORY, "1", Decimal(plan.units), paid, paid, Decimal(0), kind="Purchase")
    for count, account, status in ((plan.units_used, _ACCOUNT, "Used"), (plan.units - plan.units_used, "", "Unused")):
        hours = Decimal(24 * count)
        yield Charge(
            *(day, account, meter, _CATEGORY, "1 Hour", hours, hours, Decimal(0), hours * hour),
            status=status,
            region=REGIONS.get(account, ""),
        )


def _less(charge: Charge) -> Charge:
    """A charge as an early run has it: late usage is missing."""
    share = Decimal("0.75")
    return Charge(
        *(charge.day, charge.account, charge.meter, charge.category, charge.unit, charge.quantity * share),
        *(charge.listed * share, charge.billed * share, charge.effective * share, charge.kind, charge.status),
        charge.region,
    )


def _truth(charges: list[Charge], plan: Plan, truth: Path) -> dict[str, Any]:
    """The total in the billing currency, and each part of it."""
    days = sorted({charge.day for charge in charges})
    rate = Decimal(plan.rate)
    use = _use(truth, 0)
    known = {key: tokens for key, tokens in use.items() if key[2] not in _UNLISTED and _METERS[key[2]][key[3]]}
    past = sum(t * _price(plan.past_model, d) for d, t in zip((0, 2), plan.past_tokens, strict=True))
    discounted = [c for c in charges if c.category == _CATEGORY and c.meter != "Provisioned Managed Global Unit"]
    effective = {status: sum(c.effective for c in charges if c.status == status) for status in ("Used", "Unused")}
    paid = sum(c.billed for c in charges if c.kind == "Purchase")
    parts = {
        "ours": sum(tokens * _price(model, direction) for (_, _, model, direction), tokens in known.items()),
        "unmatched": sum(c.listed for c in charges if c.meter.startswith("gpt 9")),
        "past the gateway": past * min(plan.past_days, len(days) - 1),
        "batch": len(days) * sum(tokens * price for _, tokens, price in _batch(plan)),
        "fine-tuning": len(days) * sum(listed for *_, listed in _fine_tuning(plan)),
        "provisioned": effective["Used"],
        "provisioned, unused": effective["Unused"],
        "paid in advance": paid - effective["Used"] - effective["Unused"],
        "gateway": len(days) * Decimal(plan.gateway),
        "discount": sum(c.billed - c.listed for c in discounted),
    }
    return {
        "currency": plan.currency,
        "total": f"{sum(c.billed for c in charges) * rate:f}",
        "parts": {name: f"{amount * rate:f}" for name, amount in parts.items()},
        "offset hours": plan.time_zone,
    }


def _write_partitions(folder: Path, rows: list[dict[str, str]], names: list[str], form: str) -> None:
    folder.mkdir(parents=True, exist_ok=True)
    half = (len(rows) + 1) // 2
    for number, part in enumerate((rows[:half], rows[half:])):
        name = f"part_{number}_0001.{'snappy.' if form == 'parquet' else ''}{form}"
        (folder / name).write_bytes(_encoded(part, names, form))


def _write_manifest(folder: Path, export: str, dataset: str, version: str, days: tuple[date, date]) -> None:
    """The manifest of a run for *days*, first and last, submitted on the day after."""
    scope = "/providers/Microsoft.Billing/billingAccounts/8611537/providers/Microsoft.CostManagement/exports"
    parts = sorted(folder.glob("part_*"))
    manifest = {
        "manifestVersion": "2024-04-01",
        "byteCount": sum(part.stat().st_size for part in parts),
        "blobCount": len(parts),
        "exportConfig": {
            "exportName": export,
            "resourceId": f"{scope}/{export}",
            "dataVersion": version,
            "type": dataset,
            "timeFrame": "MonthToDate",
            "granularity": "Daily",
        },
        "runInfo": {
            "executionType": "Scheduled",
            "submittedTime": f"{days[1] + timedelta(days=1)}T04:05:06.5234447Z",
            "runId": folder.name,
            "startDate": f"{days[0]}T00:00:00",
            "endDate": f"{days[1]}T00:00:00Z",
        },
        "blobs": [
            {"blobName": f"exports/{folder.name}/{part.name}", "byteCount": part.stat().st_size} for part in parts
        ],
    }
    (folder / "manifest.json").write_text(json.dumps(manifest, indent=2) + "\n", encoding="utf-8")


def _encoded(rows: list[dict[str, str]], names: list[str], form: str) -> bytes:
    if form == "parquet":
        import pyarrow as pa
        import pyarrow.parquet as pq

        out = io.BytesIO()
        table = pa.table({name: [line[name] or None for line in rows] for name in names})
        pq.write_table(table, out, compression="snappy")
        return out.getvalue()
    text = io.StringIO()
    writer = csv.DictWriter(text, names, lineterminator="\r\n")
    writer.writeheader()
    writer.writerows(rows)
    data = b"\xef\xbb\xbf" + text.getvalue().encode()
    return gzip.compress(data, mtime=0) if form == "csv.gz" else data
