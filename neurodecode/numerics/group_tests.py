"""Tests across subjects: t, sign flips, the maximum over voxels, and how many subjects show it.

One sample     is the mean above 0? Under the null each subject's value is as likely to have the
               other sign, so that flips of signs are its permutations (Nichols and Holmes 2002,
               for one sample; exact where all 2^n flips are made). The statistic is Student's t.
Paired         the same on differences.
Prevalence     what share of the population shows the effect, from how many of n subjects are
               significant on their own at level alpha (Ince et al. 2021, eLife 10:e62461). With a
               uniform prior and a sensitivity of 1, theta = alpha + (1 - alpha) gamma is
               Beta(k + 1, n - k + 1), truncated to [alpha, 1].

A flip changes neither the squares nor their sum, so that the t of all flips of all voxels come
from one matrix product of signs and values.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Alternative = Literal["greater", "two_sided"]
BLOCK_BYTES = 1 << 25


@dataclass(frozen=True)
class GroupTest:
    """What sign flips say about each voxel.

    Parameters
    ----------
    mean, t, p, p_max : arrays, shape (n_voxels,)
        NaN where a subject has no value, or all have the same.
    floor : float
        The smallest p that these flips can give.
    exact : bool
        Whether all flips were made.
    """

    mean: np.ndarray
    t: np.ndarray
    p: np.ndarray
    p_max: np.ndarray
    floor: float
    exact: bool


def make_sign_flips(n_subjects: int, n_permutations: int, seed: int) -> tuple[np.ndarray, bool]:
    """Return sign flips, the first of which changes nothing, and whether they are all there are.

    All are made where there are no more of them than twice ``n_permutations``; else they are drawn.

    Returns
    -------
    signs : array of +1 and -1, shape (n_flips, n_subjects)
    exact : bool

    Examples
    --------
    >>> make_sign_flips(2, 10, 0)[0].tolist()
    [[1.0, 1.0], [-1.0, 1.0], [1.0, -1.0], [-1.0, -1.0]]
    """
    if n_subjects <= np.log2(2 * n_permutations):
        number = np.arange(2**n_subjects)[:, None]
        return 1.0 - 2.0 * ((number >> np.arange(n_subjects)) & 1), True
    drawn = np.random.default_rng(seed).choice([-1.0, 1.0], size=(n_permutations + 1, n_subjects))
    drawn[0] = 1
    return drawn, False


def compute_group_test(
    values: np.ndarray,
    *,
    alternative: Alternative = "greater",
    n_permutations: int = 5000,
    seed: int = 0,
) -> GroupTest:
    """Test whether the mean over subjects is above 0 (or other than 0), for each voxel.

    Parameters
    ----------
    values : array, shape (n_subjects, n_voxels)
        Of each subject; r in Fisher's z.
    alternative : {"greater", "two_sided"}
    n_permutations : int
        Flips that are drawn, unless all can be made.
    """
    values = np.asarray(values, np.float64)
    signs, exact = make_sign_flips(len(values), n_permutations, seed)
    n_voxels = values.shape[1]
    known = np.isfinite(values).all(axis=0) & (np.ptp(values, axis=0) > 0)
    t, p, p_max = np.full((3, n_voxels), np.nan)
    maxima = np.full(len(signs), -np.inf)
    size = max(1, BLOCK_BYTES // (8 * len(signs)))
    columns = np.flatnonzero(known)
    for start in range(0, len(columns), size):
        some = columns[start : start + size]
        reached = _flip_t(values[:, some], signs)
        t[some] = reached[0]
        if alternative == "two_sided":
            reached = np.abs(reached)
        # Equal values that differ by rounding count as equal; the first flip is the data.
        slack = 1e-9 * np.maximum(1.0, np.abs(reached[0]))
        p[some] = (reached >= reached[0] - slack).mean(axis=0)
        np.maximum(maxima, reached.max(axis=1), out=maxima)
    observed = np.abs(t[known]) if alternative == "two_sided" else t[known]
    ordered = np.sort(maxima)
    slack = 1e-9 * np.maximum(1.0, np.abs(observed))
    p_max[known] = 1 - np.searchsorted(ordered, observed - slack, side="left") / len(ordered)
    both = 2 if alternative == "two_sided" and exact else 1
    mean = np.where(np.isfinite(values).all(axis=0), values.sum(axis=0), np.nan) / len(values)
    return GroupTest(mean, t, p, p_max, both / len(signs), exact)


def _flip_t(values: np.ndarray, signs: np.ndarray) -> np.ndarray:
    """Return Student's t of every flip, shape (n_flips, n_voxels)."""
    n = len(values)
    mean = (signs @ values) / n
    variance = ((values**2).sum(axis=0) - n * mean**2) / (n - 1)
    scale = (values**2).mean(axis=0)
    return mean / np.sqrt(np.maximum(variance, 1e-24 * scale) / n)


def compute_t_p(values: np.ndarray, alternative: Alternative = "greater") -> np.ndarray:
    """P of Student's t over subjects, which takes the values to be normal."""
    from scipy.stats import ttest_1samp

    known = np.isfinite(values).all(axis=0) & (np.ptp(values, axis=0) > 0)
    p = np.full(values.shape[1], np.nan)
    if known.any():
        side = alternative.replace("_", "-")
        p[known] = ttest_1samp(values[:, known], 0, alternative=side).pvalue
    return p


def estimate_prevalence(
    n_significant: np.ndarray, n_subjects: int, alpha: float = 0.05, level: float = 0.95
) -> tuple[np.ndarray, np.ndarray]:
    """Estimate the share of the population that shows an effect.

    Parameters
    ----------
    n_significant : array of int
        Subjects with p < alpha, each tested on their own.
    n_subjects : int
    alpha : float
    level : float
        Posterior probability that the prevalence is above the bound.

    Returns
    -------
    most_likely, bound : arrays
        Maximum of the posterior, and its lower bound.

    Examples
    --------
    >>> most_likely, bound = estimate_prevalence(np.array([0, 5]), 5)
    >>> most_likely.tolist(), bound.round(2).tolist()
    ([0.0, 1.0], [0.01, 0.59])
    """
    from scipy.stats import beta

    k = np.asarray(n_significant)
    most_likely = np.clip((k / n_subjects - alpha) / (1 - alpha), 0, 1)
    posterior = beta(k + 1, n_subjects - k + 1)
    below = posterior.cdf(alpha)
    theta = posterior.ppf(below + (1 - level) * (1 - below))
    return most_likely, np.clip((theta - alpha) / (1 - alpha), 0, 1)
