"""p-values beyond what permutations can count, from a generalised Pareto fit of the null's tail.

With m permutations no p lies below 1 / (m + 1), and Benjamini-Hochberg over 200,000 voxels cannot
be passed unless a few per cent of them sit there. Knijnenburg et al. 2009 (Bioinformatics 25:i161)
therefore fit a generalised Pareto distribution to what exceeds a high quantile u of the null:
p = share above u times (1 + xi (observed - u) / sigma)^(-1 / xi). As there, the fit is used where
fewer than ten permutations reach the observed score, at most 250 of them lie above u, u is raised
until the fit is good (Anderson-Darling; Choulakian and Stephens 2001), and p is counted where
none is.

Parameters are from probability-weighted moments (Hosking and Wallis 1987), in closed form and so
for all voxels at once; Winkler et al. 2016 (NeuroImage 141:502) use moments likewise.

Where we depart: correlations are bounded, so that the fitted shape xi is mostly negative and
tells where the null ends. Its error then decides about everything beyond: at 200,000 voxels some
chance maximum lies behind the end of its own null, with p = 0. The tail is extrapolated with a
shape of at least 0 (an exponential of the same mean excess), which is conservative for bounded
and normal nulls; the fit is judged with the free shape.
"""

from __future__ import annotations

import numpy as np

from neurodecode.numerics.statistics import count_p

MOST_ABOVE, FEWEST_ABOVE = 250, 30
START_SHARE = 0.1
SHRINK = (1.0, 0.75, 0.5)
ENOUGH_HITS = 10  # permutations that reach the observed score: counting will do
# 95 % points of Anderson-Darling's A² for fits by these moments, by shape xi; simulated, 100
# values above u, 20,000 fits each; far below 0, values beyond the fitted end are common.
SHAPES = np.array([-0.5, -0.4, -0.3, -0.2, -0.1, 0.0, 0.1, 0.2, 0.3, 0.4])
CRITICAL = np.array([3.07, 2.21, 1.35, 1.01, 0.88, 0.83, 0.84, 0.85, 0.88, 0.93])


def can_fit_tail(n_permutations: int) -> bool:
    """Tell whether enough permutations lie in the tail for a fit."""
    return int(START_SHARE * n_permutations) >= FEWEST_ABOVE


def compute_tail_p(null: np.ndarray, observed: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return one-sided p-values, by the fitted tail where counting says too little.

    Parameters
    ----------
    null : array, shape (n_permutations, n_voxels)
    observed : array, shape (n_voxels,)

    Returns
    -------
    p : array, shape (n_voxels,)
        In (0, 1]; NaN where the score is.
    fitted : array of bool, shape (n_voxels,)
        Where p is from the fit.
    """
    n = len(null)
    p = count_p(null, observed)
    hits = p * (1 + n) - 1
    fitted = np.zeros(len(p), bool)
    left = np.flatnonzero(np.isfinite(observed) & (hits < ENOUGH_HITS - 0.5))
    if not can_fit_tail(n) or not len(left):
        return p, fitted
    most = min(MOST_ABOVE, int(START_SHARE * n))
    top = np.sort(np.partition(null[:, left], n - most - 1, axis=0)[n - most - 1 :], axis=0)
    for shrink in SHRINK:
        above = int(shrink * most)
        if above < FEWEST_ABOVE or not len(left):
            break
        edge = (top[-above] + top[-above - 1]) / 2
        good, tail = _extrapolate(top[-above:] - edge, observed[left] - edge)
        p[left[good]] = above / n * tail[good]
        fitted[left[good]] = True
        left, top = left[~good], top[:, ~good]
    return np.maximum(p, np.finfo(float).tiny), fitted


def fit_pareto(excess: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Fit a generalised Pareto distribution to each column by probability-weighted moments.

    Parameters
    ----------
    excess : array, shape (n, n_columns)
        Ascending, 0 or more.

    Returns
    -------
    shape, scale : arrays, shape (n_columns,)
        xi and sigma; Hosking and Wallis 1987, eq. 12, with k = -xi.
    """
    n = len(excess)
    mean = excess.mean(axis=0)
    rank = (np.arange(1, n + 1) - 0.35) / n
    weighted = ((1 - rank) @ excess) / n
    gap = mean - 2 * weighted
    with np.errstate(divide="ignore", invalid="ignore"):
        return 2 - mean / gap, 2 * mean * weighted / gap


def measure_misfit(excess: np.ndarray, shape: np.ndarray, scale: np.ndarray) -> np.ndarray:
    """Anderson-Darling's A² of each column against its generalised Pareto distribution."""
    n = len(excess)
    with np.errstate(divide="ignore", invalid="ignore"):
        small = np.abs(shape) < 1e-9
        xi = np.where(small, 1.0, shape)
        inside = np.maximum(1 + xi * excess / scale, 0)
        log_above = np.where(small, -excess / scale, -np.log(inside) / xi)
        log_above = np.clip(log_above, np.log(1e-12), -1e-12)
        odd = (2 * np.arange(1, n + 1) - 1)[:, None] / n
        return -n - (odd * (np.log(-np.expm1(log_above)) + log_above[::-1])).sum(axis=0)


def _extrapolate(excess: np.ndarray, distance: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return where the fit is good, and the share of the tail that lies above a distance."""
    shape, scale = fit_pareto(excess)
    critical = np.interp(shape, SHAPES, CRITICAL)
    misfit = measure_misfit(excess, shape, scale)
    known = np.isfinite(shape) & (np.abs(shape) <= 0.5) & (scale > 0)
    good = known & np.isfinite(misfit) & (misfit < critical)
    xi = np.clip(np.where(good, shape, 0.0), 0.0, 0.5)
    sigma = excess.mean(axis=0) * (1 - xi)  # keeps the mean excess
    ratio = np.maximum(distance, 0) / np.where(sigma > 0, sigma, np.inf)
    heavy = xi > 1e-9
    tail = np.where(
        heavy, (1 + xi * ratio) ** (-1 / np.where(heavy, xi, 1.0)), np.exp(-ratio)
    )  # fmt: skip
    return good, tail
