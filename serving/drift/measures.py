"""How far two counts lie apart, and how far chance alone would take them. Pure, on math alone.

PSI is the sum of (q - p) * ln(q / p) over bins. If both samples, of N and M rows, come from one
distribution, PSI / (1/N + 1/M) follows a chi-square law with B - 1 degrees of freedom to first
order (Yurdakul and Naranjo 2020), so the same PSI means little for a hundred rows and much for a
million.
"""

import math
from collections.abc import Sequence
from statistics import NormalDist


def stability_index(reference: Sequence[int], found: Sequence[int]) -> float:
    """PSI of two counts over the same bins, half a row added to each so that none is empty."""
    size = len(reference)
    n, m = sum(reference) + size / 2, sum(found) + size / 2
    shares = [((r + 0.5) / n, (f + 0.5) / m) for r, f in zip(reference, found, strict=True)]
    return sum((q - p) * math.log(q / p) for p, q in shares)


def stability_threshold(bins: int, n: int, m: int, confidence: float) -> float:
    """The PSI that chance alone exceeds with 1 - confidence; infinite without bins or rows."""
    if bins < 2 or n == 0 or m == 0:
        return math.inf
    return chi_square_quantile(confidence, bins - 1) * (1 / n + 1 / m)


def chi_square_quantile(confidence: float, degrees: int) -> float:
    """The value that a chi-square variable stays below with `confidence`, by bisection."""
    low, high = 0.0, degrees + 20 * math.sqrt(2.0 * degrees) + 50.0
    for _ in range(80):
        middle = (low + high) / 2
        if _gamma_share(degrees / 2, middle / 2) < confidence:
            low = middle
        else:
            high = middle
    return (low + high) / 2


def _gamma_share(a: float, x: float) -> float:
    """The regularised lower incomplete gamma function: a series below a + 1, a fraction above."""
    if x <= 0:
        return 0.0
    scale = math.exp(-x + a * math.log(x) - math.lgamma(a))
    if x < a + 1:
        term = total = 1.0 / a
        count = a
        while abs(term) > abs(total) * 1e-15:
            count += 1
            term *= x / count
            total += term
        return total * scale
    # Lentz's continued fraction of the upper share.
    b = x + 1 - a
    c, d = 1e300, 1 / b
    fraction = d
    for i in range(1, 1000):
        step = -i * (i - a)
        b += 2
        d = 1 / (step * d + b)
        c = b + step / c
        change = c * d
        fraction *= change
        if abs(change - 1) < 1e-15:
            break
    return 1 - scale * fraction


def shares_differ(first: int, n: int, second: int, m: int, confidence: float) -> bool:
    """Whether first of n and second of m are different shares, two-sided, beyond `confidence`."""
    if n == 0 or m == 0:
        return False
    pooled = (first + second) / (n + m)
    error = math.sqrt(pooled * (1 - pooled) * (1 / n + 1 / m))
    if error == 0.0:
        return False
    z = abs(first / n - second / m) / error
    return z > NormalDist().inv_cdf(0.5 + confidence / 2)


def each_of(confidence: float, tests: int) -> float:
    """The confidence of one of so many tests, so that all together have the one given."""
    return 1 - (1 - confidence) / max(1, tests)
