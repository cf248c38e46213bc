"""Functions of probability, in Python. Sources: the page of each at https://learn.microsoft.com/kusto/query/."""

from __future__ import annotations

import math
from typing import Any

from .values import as_number

_NAN = float("nan")


def _incomplete_beta(x: float, a: float, b: float) -> float:
    """The regularized incomplete beta function, by its continued fraction (Numerical Recipes, 6.4)."""
    if x <= 0 or x >= 1:
        return float(x >= 1)
    front = math.exp(math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b) + a * math.log(x) + b * math.log1p(-x))
    if x > (a + 1) / (a + b + 2):
        return 1 - front * _fraction(1 - x, b, a) / b
    return front * _fraction(x, a, b) / a


def _fraction(x: float, a: float, b: float) -> float:
    tiny = 1e-300
    c, d = 1.0, 1 / max(1 - (a + b) * x / (a + 1), tiny)
    total = d
    for m in range(1, 1000):
        for step in (
            m * (b - m) * x / ((a + 2 * m - 1) * (a + 2 * m)),
            -(a + m) * (a + b + m) * x / ((a + 2 * m) * (a + 2 * m + 1)),
        ):
            d = 1 + step * d
            c = 1 + step / c
            d, c = 1 / (d or tiny), c or tiny
            total *= d * c
        if abs(d * c - 1) < 1e-16:
            break
    return total


def _parameters(*values: Any) -> tuple[float, ...] | None:
    numbers = tuple(as_number(value) for value in values)
    return None if any(number is None for number in numbers) else numbers  # type: ignore[return-value]


def _are_shapes(alpha: float, beta: float) -> bool:
    return 0 < alpha <= 10000 and 0 < beta <= 10000


def beta_cdf(value: Any, alpha: Any, beta: Any) -> float | None:
    given = _parameters(value, alpha, beta)
    if given is None:
        return None
    x, a, b = given
    return _incomplete_beta(x, a, b) if 0 <= x <= 1 and _are_shapes(a, b) else _NAN


def beta_pdf(value: Any, alpha: Any, beta: Any) -> float | None:
    given = _parameters(value, alpha, beta)
    if given is None:
        return None
    x, a, b = given
    if not 0 < x < 1 or not _are_shapes(a, b):
        return _NAN
    scale = math.lgamma(a + b) - math.lgamma(a) - math.lgamma(b)
    return math.exp(scale + (a - 1) * math.log(x) + (b - 1) * math.log1p(-x))


def beta_inv(probability: Any, alpha: Any, beta: Any) -> float | None:
    given = _parameters(probability, alpha, beta)
    if given is None:
        return None
    wanted, a, b = given
    if not 0 <= wanted <= 1 or not _are_shapes(a, b):
        return _NAN
    low, high = 0.0, 1.0
    for _ in range(200):
        middle = (low + high) / 2
        low, high = (middle, high) if _incomplete_beta(middle, a, b) < wanted else (low, middle)
    return (low + high) / 2


def welch_test(mean1: Any, variance1: Any, count1: Any, mean2: Any, variance2: Any, count2: Any) -> float | None:
    """How likely two samples of one mean differ as much as these (two-sided)."""
    given = _parameters(mean1, variance1, count1, mean2, variance2, count2)
    if given is None:
        return None
    one, var1, n1, other, var2, n2 = given
    if n1 < 2 or n2 < 2 or var1 + var2 <= 0:
        return _NAN
    spread1, spread2 = var1 / n1, var2 / n2
    t = (one - other) / math.sqrt(spread1 + spread2)
    freedom = (spread1 + spread2) ** 2 / (spread1**2 / (n1 - 1) + spread2**2 / (n2 - 1))
    return _incomplete_beta(freedom / (freedom + t * t), freedom / 2, 0.5)


def _of_one(function: Any) -> Any:
    def computed(value: Any) -> float | None:
        number = as_number(value)
        return None if number is None else float(function(number))

    return computed


#: Function -> fewest and most arguments, the type of the result, and what computes it.
FUNCTIONS: dict[str, tuple[int, int, str, Any]] = {
    "beta_cdf": (3, 3, "real", beta_cdf),
    "beta_inv": (3, 3, "real", beta_inv),
    "beta_pdf": (3, 3, "real", beta_pdf),
    "erf": (1, 1, "real", _of_one(math.erf)),
    "erfc": (1, 1, "real", _of_one(math.erfc)),
    "welch_test": (6, 6, "real", welch_test),
}
