"""Kusto's functions over series: arrays of numbers, in which null is a gap.

``FUNCTIONS`` holds for each its argument counts, the KQL type of its result, and the function. A function that Kusto
documents as giving several columns is here under its ``_dynamic`` name and as ``TUPLES``, the columns by name.
Sources: the pages of each at https://learn.microsoft.com/kusto/query/.
"""

from __future__ import annotations

import math
import operator
import statistics
from collections.abc import Callable
from typing import Any

Series = list[Any]
_Row = tuple[int, int, str, Callable[..., Any]]

_TUKEY_LOW, _TUKEY_HIGH = 0.1, 0.9


def _numbers(values: Any) -> list[float | None] | None:
    if not isinstance(values, list):
        return None
    return [float(v) if isinstance(v, int | float) and not isinstance(v, bool) else None for v in values]


def _known(values: Any) -> list[float]:
    return [value for value in _numbers(values) or [] if value is not None]


def _tidy(value: float | None) -> Any:
    """Whole numbers without a fraction, as JSON shows them; what is not finite is null."""
    if value is None or not math.isfinite(value):
        return None
    return int(value) if float(value).is_integer() and abs(value) < 2**53 else value


def _elementwise(function: Callable[..., Any], *, result: Callable[[Any], Any] = _tidy) -> Callable[..., Any]:
    """*function* of the elements of one or two series, as long as the longer one; null where an element is missing.

    A number in place of a series stands for each of its elements.
    """

    def applied(*series: Any) -> Any:
        length = max((len(values) for values in series if isinstance(values, list)), default=0)
        rows = [values if isinstance(values, list) else [values] * length for values in series]
        columns = [(_numbers(row) or []) + [None] * (length - len(row)) for row in rows]
        out = []
        for elements in zip(*columns, strict=True):
            try:
                out.append(None if None in elements else result(function(*elements)))
            except (ValueError, ZeroDivisionError, OverflowError):
                out.append(None)
        return out

    return applied


def _fill_const(values: Any, constant: Any, missing: Any = None) -> Any:
    if not isinstance(values, list):
        return None
    return [constant if value is None or value == missing else value for value in values]


def _fill_forward(values: Any, missing: Any = None) -> Any:
    if not isinstance(values, list):
        return None
    filled: Series = []
    for value in values:
        gap = value is None or (missing is not None and value == missing)
        filled.append(filled[-1] if gap and filled else value)
    return filled


def _fill_backward(values: Any, missing: Any = None) -> Any:
    return _fill_forward(values[::-1], missing)[::-1] if isinstance(values, list) else None


def _fill_linear(values: Any, missing: Any = None, fill_edges: Any = True, constant: Any = 0) -> Any:
    numbers = _numbers(values)
    if numbers is None:
        return None
    numbers = [None if missing is not None and number == missing else number for number in numbers]
    known = [place for place, number in enumerate(numbers) if number is not None]
    if not known:
        return [constant] * len(numbers)
    whole = all(isinstance(value, int) for value in values if value is not None)
    filled: Series = []
    for place, number in enumerate(numbers):
        before = max((k for k in known if k <= place), default=None)
        after = min((k for k in known if k >= place), default=None)
        if number is not None:
            filled.append(number)
        elif before is None or after is None:
            edge = numbers[after if before is None else before]  # type: ignore[index]
            filled.append(edge if fill_edges else None)
        else:
            low, high = float(numbers[before] or 0), float(numbers[after] or 0)
            between = low + (high - low) * (place - before) / (after - before)
            filled.append(math.trunc(between) if whole else between)
    return [_tidy(number) for number in filled]


def _stats(values: Any, ignore_nonfinite: Any = True) -> dict[str, Any] | None:
    numbers = _known(values)
    if not numbers:
        return None
    mean = math.fsum(numbers) / len(numbers)
    variance = math.fsum((n - mean) ** 2 for n in numbers) / (len(numbers) - 1) if len(numbers) > 1 else 0.0
    low, high = min(numbers), max(numbers)
    whole = _numbers(values) or []
    return {
        "min": _tidy(low),
        "min_idx": whole.index(low),
        "max": _tidy(high),
        "max_idx": whole.index(high),
        "avg": _tidy(mean),
        "stdev": _tidy(math.sqrt(variance)),
        "variance": _tidy(variance),
    }


def _line(numbers: list[float]) -> tuple[float, float]:
    """Slope and interception of the least-squares line through the numbers at 0, 1, 2 …"""
    count = len(numbers)
    mean_x, mean_y = (count - 1) / 2, math.fsum(numbers) / count
    spread = math.fsum((x - mean_x) ** 2 for x in range(count))
    slope = math.fsum((x - mean_x) * (y - mean_y) for x, y in enumerate(numbers)) / spread if spread else 0.0
    return slope, mean_y - slope * mean_x


def _fit_line(values: Any) -> dict[str, Any] | None:
    numbers = _known(_fill_linear(values)) if isinstance(values, list) else []
    if len(numbers) < 2:
        return None
    slope, start = _line(numbers)
    fitted = [start + slope * x for x in range(len(numbers))]
    mean = math.fsum(numbers) / len(numbers)
    total = math.fsum((n - mean) ** 2 for n in numbers)
    rest = math.fsum((n - f) ** 2 for n, f in zip(numbers, fitted, strict=True))
    freedom = len(numbers) - 1
    return {
        "rsquare": _tidy(1 - rest / total if total else 1.0),
        "slope": _tidy(slope),
        "variance": _tidy(total / freedom),
        "rvariance": _tidy(rest / freedom),
        "interception": _tidy(start),
        "line_fit": [_tidy(number) for number in fitted],
    }


def _fir(values: Any, weights: Any, normalize: Any = True, center: Any = False) -> Any:
    numbers, factors = _numbers(values), _known(weights)
    if numbers is None or not factors:
        return None
    if normalize is None or normalize:
        total = math.fsum(factors)
        factors = [factor / total for factor in factors] if total else factors
    shift = len(factors) // 2 if center else 0
    out: Series = []
    for place in range(len(numbers)):
        inside = [(factor, place + shift - k) for k, factor in enumerate(factors)]
        out.append(math.fsum(f * (numbers[at] or 0) for f, at in inside if 0 <= at < len(numbers)))
    return [_tidy(number) for number in out]


def _iir(values: Any, numerators: Any, denominators: Any) -> Any:
    numbers, a, b = _numbers(values), _known(numerators), _known(denominators)
    if numbers is None or not a or not b or not b[0]:
        return None
    out: list[float] = []
    for place in range(len(numbers)):
        given = math.fsum(f * (numbers[place - k] or 0) for k, f in enumerate(a) if place >= k)
        before = math.fsum(f * out[place - k] for k, f in enumerate(b) if k and place >= k)
        out.append((given - before) / b[0])
    return [_tidy(number) for number in out]


def _pairs(one: Any, other: Any) -> list[tuple[float, float]]:
    pairs = zip(_numbers(one) or [], _numbers(other) or [], strict=False)
    return [(x, y) for x, y in pairs if x is not None and y is not None]


def _dot(one: Any, other: Any) -> float | None:
    return math.fsum(x * y for x, y in _pairs(one, other)) if _numbers(one) and _numbers(other) else None


def _pearson(one: Any, other: Any) -> float | None:
    pairs = _pairs(one, other)
    if len(pairs) < 2:
        return None
    mean_x, mean_y = (math.fsum(side) / len(pairs) for side in zip(*pairs, strict=True))
    both = math.fsum((x - mean_x) * (y - mean_y) for x, y in pairs)
    spread = math.fsum((x - mean_x) ** 2 for x, _ in pairs) * math.fsum((y - mean_y) ** 2 for _, y in pairs)
    return round(both / math.sqrt(spread), 15) if spread else None


def _magnitude(values: Any) -> float | None:
    return math.sqrt(math.fsum(n * n for n in _known(values))) if _numbers(values) is not None else None


def _cosine(one: Any, other: Any) -> float | None:
    size = (_magnitude(one) or 0) * (_magnitude(other) or 0)
    dot = _dot(one, other)
    return None if dot is None or not size else dot / size


def _quantile(numbers: list[float], share: float) -> float:
    """Linear interpolation between the order statistics."""
    ordered = sorted(numbers)
    place = share * (len(ordered) - 1)
    low = math.floor(place)
    high = min(low + 1, len(ordered) - 1)
    return ordered[low] + (ordered[high] - ordered[low]) * (place - low)


def _outliers(values: Any, kind: Any = "ctukey", ignore: Any = None, low: Any = None, high: Any = None) -> Any:
    """Tukey's test: how far each value lies outside the fences, in ranges between the two percentiles."""
    numbers = _numbers(values)
    known = _known(values)
    if numbers is None or len(known) < 3:
        return None if numbers is None else [0.0] * len(numbers)
    shares = (0.25, 0.75) if str(kind or "ctukey") == "tukey" else (_TUKEY_LOW, _TUKEY_HIGH)
    if low is not None and high is not None and str(kind or "ctukey") == "ctukey":
        shares = float(low) / 100, float(high) / 100
    first, third = (_quantile(known, share) for share in shares)
    width = third - first
    # The fences of an unspoiled normal distribution lie as far out whichever percentiles are used.
    scores: Series = []
    for number in numbers:
        outside = 0.0 if number is None else max(number - third, 0) - max(first - number, 0)
        scores.append(_tidy(outside / width if width else 0.0 if not outside else math.copysign(1e6, outside)))
    return scores


def _season(numbers: list[float]) -> int:
    """The period with the strongest autocorrelation of the detrended series; 0 where none is significant."""
    count = len(numbers)
    slope, start = _line(numbers)
    rest = [n - start - slope * x for x, n in enumerate(numbers)]
    power = math.fsum(r * r for r in rest)
    if count < 8 or not power:
        return 0
    best, period = 0.0, 0
    correlations = [
        0.0,
        *(
            math.fsum(rest[x] * rest[x - lag] for x in range(lag, count)) / power * count / (count - lag)
            for lag in range(1, count // 2 + 1)
        ),
    ]
    for lag in range(2, len(correlations) - 1):
        peak = correlations[lag - 1] < correlations[lag] >= correlations[lag + 1]
        if peak and correlations[lag] > best + 0.05:
            best, period = correlations[lag], lag
    return period if best > 2 / math.sqrt(count) and best > 0.3 else 0


def _seasonal(values: Any, period: Any = -1) -> Any:
    """The median of each place of the period, all along the series; zeros where it has no season."""
    numbers = _known(_fill_linear(values)) if isinstance(values, list) else []
    season = _season(numbers) if period == -1 else int(period or 0)
    if season <= 0:
        return [0.0] * len(numbers)
    return [statistics.median(numbers[place % season :: season]) for place in range(len(numbers))]


def _decompose(
    values: Any, seasonality: Any = -1, trend: Any = "avg", test_points: Any = 0, threshold: Any = 0.6
) -> dict[str, Any] | None:
    numbers = _known(_fill_linear(values)) if isinstance(values, list) else []
    if len(numbers) < 4:
        return None
    used = numbers[: len(numbers) - int(test_points or 0)] or numbers
    period = int(seasonality if seasonality is not None else -1)
    period = _season(used) if period < 0 else period if len(used) >= 2 * period else 0
    slope, start = _line(used) if str(trend) == "linefit" else (0.0, math.fsum(used) / len(used))
    if str(trend) == "none":
        slope = start = 0.0
    line = [start + slope * x for x in range(len(numbers))]
    seasonal = [0.0] * len(numbers)
    if period > 1:
        by_phase = [[used[x] - line[x] for x in range(phase, len(used), period)] for phase in range(period)]
        means = [math.fsum(phase) / len(phase) for phase in by_phase]
        seasonal = [means[x % period] for x in range(len(numbers))]
    baseline = [t + s for t, s in zip(line, seasonal, strict=True)]
    residual = [n - b for n, b in zip(numbers, baseline, strict=True)]
    parts = {"baseline": baseline, "seasonal": seasonal, "trend": line, "residual": residual}
    return {name: [_tidy(number) for number in part] for name, part in parts.items()}


def _anomalies(
    values: Any, threshold: Any = 1.5, seasonality: Any = -1, trend: Any = "avg", test_points: Any = 0,
    method: Any = "ctukey", seasonality_threshold: Any = 0.6,
) -> dict[str, Any] | None:  # fmt: skip
    found = _decompose(values, seasonality, trend, test_points)
    if found is None:
        return None
    scores = _outliers(found["residual"], method)
    limit = 1.5 if threshold is None else float(threshold)
    flags = [(score > limit) - (score < -limit) if score is not None else 0 for score in scores]
    return {"ad_flag": flags, "ad_score": scores, "baseline": found["baseline"]}


def _forecast(values: Any, points: Any, seasonality: Any = -1, trend: Any = "linefit", threshold: Any = 0.6) -> Any:
    found = _decompose(values, seasonality, trend, points)
    return None if found is None else found["baseline"]


def _periods_validate(values: Any, *periods: Any) -> dict[str, Any] | None:
    numbers = _known(_fill_linear(values)) if isinstance(values, list) else []
    if len(numbers) < 4:
        return None
    mean = math.fsum(numbers) / len(numbers)
    rest = [number - mean for number in numbers]
    power = math.fsum(r * r for r in rest)
    scores = []
    for period in periods:
        lag = int(period)
        shared = math.fsum(rest[x] * rest[x - lag] for x in range(lag, len(rest))) if 0 < lag < len(rest) else 0.0
        scores.append(_tidy(max(0.0, shared / power) if power else 0.0))
    return {"periods": list(periods), "scores": scores}


_ONE_SERIES: dict[str, Callable[[float], float]] = {
    "abs": abs, "ceiling": math.ceil, "floor": math.floor, "exp": math.exp, "log": math.log, "sin": math.sin,
    "cos": math.cos, "tan": math.tan, "asin": math.asin, "acos": math.acos, "atan": math.atan,
    "sign": lambda number: (number > 0) - (number < 0),
}  # fmt: skip
_TWO_SERIES: dict[str, Callable[[float, float], Any]] = {
    "add": operator.add, "subtract": operator.sub, "multiply": operator.mul, "divide": operator.truediv, "pow": pow,
}  # fmt: skip
_COMPARISONS: dict[str, Callable[[float, float], bool]] = {
    "greater": operator.gt, "greater_equals": operator.ge, "less": operator.lt, "less_equals": operator.le,
    "equals": operator.eq, "not_equals": operator.ne,
}  # fmt: skip


def _row(function: Callable[..., dict[str, Any] | None], columns: tuple[str, ...]) -> Callable[..., Any]:
    """*function* as an array of its columns."""

    def row(*given: Any) -> Any:
        found = function(*given)
        return None if found is None else [found[column] for column in columns]

    return row


#: Functions that give several columns: their names, in order. Each is also a function NAME_row of an array of them.
TUPLES: dict[str, tuple[Callable[..., dict[str, Any] | None], tuple[str, ...]]] = {
    "series_stats": (_stats, ("min", "min_idx", "max", "max_idx", "avg", "stdev", "variance")),
    "series_fit_line": (_fit_line, ("rsquare", "slope", "variance", "rvariance", "interception", "line_fit")),
    "series_decompose": (_decompose, ("baseline", "seasonal", "trend", "residual")),
    "series_decompose_anomalies": (_anomalies, ("ad_flag", "ad_score", "baseline")),
    "series_periods_validate": (_periods_validate, ("periods", "scores")),
}

FUNCTIONS: dict[str, _Row] = {
    "series_sum": (1, 1, "real", lambda values: math.fsum(_known(values)) if _numbers(values) is not None else None),
    "series_product": (
        1,
        1,
        "real",
        lambda values: math.prod(_known(values)) if _numbers(values) is not None else None,
    ),
    "series_seasonal": (1, 2, "dynamic", _seasonal),
    "series_fill_const": (2, 3, "dynamic", _fill_const),
    "series_fill_forward": (1, 2, "dynamic", _fill_forward),
    "series_fill_backward": (1, 2, "dynamic", _fill_backward),
    "series_fill_linear": (1, 4, "dynamic", _fill_linear),
    "series_stats_dynamic": (1, 2, "dynamic", _stats),
    "series_fit_line_dynamic": (1, 1, "dynamic", _fit_line),
    "series_fir": (2, 4, "dynamic", _fir),
    "series_iir": (3, 3, "dynamic", _iir),
    "series_pearson_correlation": (2, 2, "real", _pearson),
    "series_dot_product": (2, 2, "real", _dot),
    "series_magnitude": (1, 1, "real", _magnitude),
    "series_cosine_similarity": (2, 4, "real", lambda one, other, *sizes: _cosine(one, other)),
    "series_outliers": (1, 5, "dynamic", _outliers),
    "series_decompose_forecast": (2, 5, "dynamic", _forecast),
    **{f"series_{name}": (1, 1, "dynamic", _elementwise(function)) for name, function in _ONE_SERIES.items()},
    **{f"series_{name}": (2, 2, "dynamic", _elementwise(function)) for name, function in _TWO_SERIES.items()},
    **{f"series_{name}": (2, 2, "dynamic", _elementwise(f, result=bool)) for name, f in _COMPARISONS.items()},
    **{f"{name}_row": (1, 9, "dynamic", _row(function, columns)) for name, (function, columns) in TUPLES.items()},
}
