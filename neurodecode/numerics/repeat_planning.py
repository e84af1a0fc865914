"""How many repeats a target ceiling takes, and how many stimuli it takes to know the ceiling.

From rho, the reliability of one presentation (ncsnr² / (ncsnr² + 1)), a ceiling c of r² for the
mean of k repeats needs

    k = c (1 - rho) / (rho (1 - c)) = c / ((1 - c) ncsnr²),

Spearman and Brown's formula solved for k. How sure the ceiling of one voxel will be follows from
the logarithm of the ratio of mean squares (numerics/ceiling_intervals.py), whose variance is about
2 / (n - 1) + 2 / (n (k - 1)) for n stimuli of normal signal in normal noise.
"""

from __future__ import annotations

import numpy as np


def plan_repeats(reliability: np.ndarray, ceiling: float) -> np.ndarray:
    """Return how many repeats must be averaged for a ceiling of r², as a real number.

    Parameters
    ----------
    reliability : array, any shape
        Of one presentation.
    ceiling : float
        In (0, 1).

    Returns
    -------
    n_repeats : array, as reliability
        Infinite where there is no signal, 0 where there is no noise.

    Examples
    --------
    >>> plan_repeats(np.array([0.5, 0.1, 0.0]), 0.5).tolist()
    [1.0, 9.0, inf]
    """
    rho = np.asarray(reliability, np.float64)
    with np.errstate(divide="ignore"):
        needed = ceiling * (1 - rho) / (np.maximum(rho, 0) * (1 - ceiling))
    return np.where(np.isnan(rho), np.nan, needed)


def predict_interval(
    reliability: float, n_stimuli: int, n_repeats: int, level: float = 0.95
) -> tuple[float, float]:
    """Return where the interval of one voxel's ceiling of r² for the mean of all repeats will lie.

    Parameters
    ----------
    reliability : float
        Of one presentation, in [0, 1).
    n_stimuli, n_repeats : int
        To be measured; two or more of each.
    level : float

    Returns
    -------
    low, high : float
        Of a voxel whose estimate comes out right.

    Examples
    --------
    >>> low, high = predict_interval(0.2, 100, 4)
    >>> round(low, 2), round(high, 2)
    (0.31, 0.64)
    """
    from scipy.stats import t

    free = (n_stimuli - 1, n_stimuli * (n_repeats - 1))
    ratio = np.log((1 + (n_repeats - 1) * reliability) / (1 - reliability))
    reach = t.ppf((1 + level) / 2, free[0]) * np.sqrt(2 / free[0] + 2 / free[1])
    # of the mean of all repeats, the ratio of mean squares is 1 / (1 - ceiling)
    return float(-np.expm1(-(ratio - reach))), float(-np.expm1(-(ratio + reach)))
