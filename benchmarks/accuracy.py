"""How near each way to count tokens comes to the truth; ends with 1 where our own misses its bounds.

    accuracy.py                         samples of several seeds and mixes, and ../shared/data where it is
    accuracy.py LOGS_DIR TRUTH.csv      one's own logs, with a truth of the same columns as a sample's

Odd traffic (``token_accuracy/mixes.py``) is held to what it states: users and totals of all mixes together.

Ordinary traffic must be within the bounds of ``token_accuracy/checks.py``. Traffic whose text differs in kind
between teams, and traffic of a model that was never seen with known tokens, may be further off but must say so:
the true error has to lie within the stated one, and that has to be visibly wider where it is further off.
"""

from __future__ import annotations

import argparse
import sys
import tempfile
import time
from pathlib import Path

from token_accuracy.azure import calibrated
from token_accuracy.cases import SHARED, Case, cases, prepare
from token_accuracy.checks import misses, rms, total_shares, uncalibrated, user_shares
from token_accuracy.measures import Measured, measure
from token_accuracy.methods import METHODS, OURS, count
from token_accuracy.tables import calibration, line, table

from aoai_analytics.errors import AoaiError


def main(arguments: list[str] | None = None) -> int:
    """Run the cases one after another, printing each; the exit code."""
    options = _options(arguments)
    todo = (
        [Case(str(options.logs), True, logs=options.logs, truth=options.truth)]
        if options.logs
        else [
            case for case in cases(options.seeds, SHARED) if not options.only or case.name.split(",")[0] in options.only
        ]
    )
    ours: dict[str, Measured] = {}
    by_azure: dict[float, list[Measured]] = {share: [] for share in options.past}
    failures = []
    print("Of the true tokens: found and error in all, and by group the errors' median/p90/max, in percent.")
    for case in todo:
        began = time.perf_counter()
        try:
            with tempfile.TemporaryDirectory(prefix="accuracy-") as folder:
                counted = prepare(case, Path(folder), options.requests)
                measured = {method.name: measure(counted.truth, count(method, counted)) for method in METHODS}
                requests = len(counted.truth)
                past = (
                    calibrated(counted, Path(folder) / "odd/truth.csv", Path(folder), options.past) if case.odd else {}
                )
        except AoaiError as error:
            print(f"accuracy: {case.name}: {error}", file=sys.stderr)
            return error.exit_code
        own = ours[case.name] = measured[OURS.name]
        found = [] if case.odd else misses(own, bound=case.bound, plain=ours.get(case.plain))
        failures += [f"{case.name}: {what}" for what in found]
        kind = case.odd.about if case.odd else "must be near" if case.bound else "must be honest"
        print(f"\n{case.name}: {requests:,} requests, {own.true_tokens:,} tokens, {kind}")
        print(table(measured))
        print(calibration(own))
        for share, with_metrics in past.items():
            by_azure[share].append(with_metrics)
            print(f"with Azure's count, {share:.0%} past the gateway: {line(with_metrics)}")
        if not case.odd:
            print("holds" if not found else "DOES NOT HOLD: " + "; ".join(found), flush=True)
        print(f"{case.name}: {time.perf_counter() - began:.0f} s", file=sys.stderr)
    odd = [ours[case.name] for case in todo if case.odd]
    if odd:
        print(f"\nOver {len(odd)} odd mixes, within 1, 2 and 3 stated errors:")
        for what, shares in (("users", user_shares(odd)), ("totals", total_shares(odd))):
            print(f"  {what}: " + ", ".join(f"{100 * share:.1f}%" for share in shares))
        print(f"  the totals' errors are {rms(odd):.2f} of the stated ones (root of the mean square)")
        failures += [f"odd mixes: {found}" for found in uncalibrated(odd)]
        for share, with_metrics in by_azure.items():
            if with_metrics:
                held = ", ".join(f"{100 * share:.1f}%" for share in user_shares(with_metrics))
                print(f"  users with Azure's count, {share:.0%} past the gateway: {held}")
    print(f"\n{len(todo)} cases, " + ("all hold" if not failures else f"{len(failures)} checks fail:"))
    for failure in failures:
        print(f"  {failure}")
    return 1 if failures else 0


def _options(arguments: list[str] | None) -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("logs", nargs="?", type=Path, help="a folder of gateway logs")
    parser.add_argument("truth", nargs="?", type=Path, help="its truth, a CSV file")
    parser.add_argument("--seeds", nargs="+", type=int, default=[1, 2, 3], help="of the samples (default: 1 2 3)")
    parser.add_argument("--only", nargs="+", default=[], help="the mixes to run, by name (default: all)")
    parser.add_argument(
        "--past", nargs="*", type=float, default=[], metavar="SHARE",
        help="also count odd mixes with Azure's metrics, of which these shares went past the gateway, e.g. 0 0.05",
    )  # fmt: skip
    parser.add_argument("--requests", type=int, default=20_000, help="in each sample (default: 20000)")
    options = parser.parse_args(arguments)
    if options.logs and not options.truth:
        parser.error("give the truth too: accuracy.py LOGS_DIR TRUTH.csv")
    for path in filter(None, (options.logs, options.truth)):
        if not path.exists():
            parser.error(f"{path}: no such file or folder")
    return options


if __name__ == "__main__":
    sys.exit(main())
