"""How much of a voxel's variance repeats of one stimulus have in common, by three conventions.

Of a model y[i, j] = m + s[i] + e[i, j] of stimulus i in its repeat j, with signal variance S and
noise variance N, all three estimate rho = S / (S + N), the share of the variance of a single
presentation that a perfect model explains; numerics/ceiling_intervals.py turns rho into the ceiling
of a mean of repeats and puts an interval around it.

ncsnr      One-way analysis of variance: N from the scatter of repeats about the mean of their
           stimulus, R = S / N from the scatter of these means, rho = R / (1 + R); ncsnr is sqrt(R)
           (Allen et al. 2022, Nature Neuroscience 25:116, Methods, "Noise ceiling estimation").
           Where stimuli differ in their number n[i] of repeats, R solves

               sum_i w[i] (mean[i] - m_w)² = (n_stimuli - 1) N,   w[i] = n[i] / (1 + n[i] R)

           with m_w the mean weighted by w (Mandel and Paule 1970, Analytical Chemistry 42:1194;
           with equal numbers it is the textbook estimate (MSB - MSW) / (n MSW)).
split_half r, the mean correlation over all pairs of repeats: the reliability of one
           presentation. Spearman and Brown's formula is then applied from one to k. It holds for
           halves of equal size only; no halves are made here.
explained  S / (S + N) with S the mean covariance of pairs of repeats and S + N the mean variance of
           single presentations: Schoppe et al. 2016, Frontiers in Computational Neuroscience 10:10,
           eq. 1 to 4, where SP = (n Var(mean) - TP) / (n - 1) is that mean covariance. On data
           z-scored per repeat it is voxelwise_tutorials' bias-corrected explainable variance, and
           equals split_half to the digit.

Repeats are numbered by their order. ncsnr knows no order; the other two take the mean of each
repeat out, so that a response that fades from first to later showings is no noise to them.

No estimate is clipped at zero: a voxel without signal must come out below zero as often as above,
or means over voxels would be too high.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

Method = Literal["ncsnr", "split_half", "explainable_variance"]
MIN_STIMULI = 4  # one is left out in turn, and a correlation across two is ±1 whatever they are
N_HALVINGS = 60
ROUNDING = 1e-12  # relative; what is smaller is nothing


@dataclass(frozen=True)
class Reliability:
    """Share of the variance of one presentation that repeats have in common.

    Parameters
    ----------
    rho : array, shape (n_voxels,)
        In (-inf, 1], not clipped; NaN for voxels that are constant.
    influence : array, shape (n_stimuli, n_voxels)
        By how much rho falls when a stimulus is left out.
    n_repeats : array of int, shape (n_stimuli,)
    """

    rho: np.ndarray
    influence: np.ndarray
    n_repeats: np.ndarray

    @property
    def n_harmonic(self) -> float:
        """Return the number of repeats of the mean that has the mean noise: 1 / mean(1 / n)."""
        return float(1 / (1 / self.n_repeats).mean())

    @property
    def ncsnr(self) -> np.ndarray:
        """Return the noise ceiling signal-to-noise ratio, 0 where there is no signal."""
        with np.errstate(divide="ignore"):
            return np.sqrt(np.maximum(self.rho, 0) / (1 - self.rho))


def place_repeats(stimulus: np.ndarray) -> np.ndarray:
    """Return the row of each repeat of each stimulus.

    Parameters
    ----------
    stimulus : array of int, shape (n_presentations,)
        Numbered from 0 without gaps.

    Returns
    -------
    places : array of int, shape (n_repeats, n_stimuli)
        In the order of rows; -1 where a stimulus has fewer repeats.

    Examples
    --------
    >>> place_repeats(np.array([0, 1, 0, 0, 1]))
    array([[ 0,  1],
           [ 2,  4],
           [ 3, -1]])
    """
    sizes = np.bincount(stimulus)
    order = np.argsort(stimulus, kind="stable")
    starts = np.concatenate([[0], np.cumsum(sizes)[:-1]])
    places = np.full((int(sizes.max()), len(sizes)), -1)
    places[np.arange(len(order)) - np.repeat(starts, sizes), stimulus[order]] = order
    return places


def estimate_reliability(data: np.ndarray, stimulus: np.ndarray, method: Method) -> Reliability:
    """Estimate how much of the variance of one presentation repeats have in common.

    Parameters
    ----------
    data : array, shape (n_presentations, n_voxels)
        Finite.
    stimulus : array of int, shape (n_presentations,)
        Numbered from 0 without gaps, each presented twice or more; MIN_STIMULI or more of them.
    method : {"ncsnr", "split_half", "explainable_variance"}

    Examples
    --------
    >>> data = np.array([[1.0], [2], [6], [3], [1], [4], [6], [3]])
    >>> estimate_reliability(data, np.array([0, 1, 2, 3, 0, 1, 2, 3]), "ncsnr").rho.round(3)
    array([0.889])
    """
    data = np.asarray(data, np.float64)
    constant = np.ptp(data, axis=0) == 0
    places = place_repeats(stimulus)
    given = data - data.mean(axis=0)
    estimate = {
        "ncsnr": _analyse_variance,
        "split_half": _correlate_pairs,
        "explainable_variance": _compare_power,
    }[method]
    with np.errstate(divide="ignore", invalid="ignore"):  # voxels without noise, or constant
        rho, influence = estimate(given, places)
    perfect = rho > 1 - ROUNDING
    rho[perfect], influence[:, perfect] = 1.0, 0.0
    rho[constant] = np.nan
    influence[:, constant] = np.nan
    return Reliability(rho, influence, (places >= 0).sum(axis=0))


def solve_ratio(
    means: np.ndarray, n_repeats: np.ndarray, noise: np.ndarray, target: float
) -> np.ndarray:
    """Return the R = S / N at which the weighted scatter of stimulus means is a stated one.

    The scatter sum_i w[i] (mean[i] - m_w)² / ((n_stimuli - 1) N), with weights as in the head of
    this file, falls as R grows. At the true R it follows, for normal signal and noise, F with
    (n_stimuli - 1, n_presentations - n_stimuli) degrees of freedom: target 1 gives the estimate,
    and quantiles of F the exact interval (Wald 1940, Annals of Mathematical Statistics 11:96).

    Parameters
    ----------
    means : array, shape (n_stimuli, n_voxels)
        Over the repeats of each stimulus; about centred.
    n_repeats : array of int, shape (n_stimuli,)
    noise : array, shape (n_voxels,)
        N, the variance between repeats.
    target : float

    Returns
    -------
    ratio : array, shape (n_voxels,)
        Above -1 / n_repeats.max(); infinite where there is no noise.
    """
    sizes, of_size = np.unique(n_repeats, return_inverse=True)
    counts = np.bincount(of_size)
    sums = np.stack([means[of_size == c].sum(axis=0) for c in range(len(sizes))])
    squares = np.stack([(means[of_size == c] ** 2).sum(axis=0) for c in range(len(sizes))])

    def scatter(ratio: np.ndarray) -> np.ndarray:
        weights = sizes[:, None] / (1 + sizes[:, None] * ratio)
        total = (weights * counts[:, None]).sum(axis=0)
        about = (weights * squares).sum(axis=0) - (weights * sums).sum(axis=0) ** 2 / total
        return about / (len(means) - 1)

    # Halved on the scale of log(1 + n R), on which sampling error is about the same everywhere.
    low, high = np.full(len(noise), -30.0), np.full(len(noise), 40.0)
    most = int(sizes[-1])
    for _ in range(N_HALVINGS):
        middle = (low + high) / 2
        above = scatter(np.expm1(middle) / most) > target * noise
        low, high = np.where(above, middle, low), np.where(above, high, middle)
    return np.where(noise > 0, np.expm1((low + high) / 2) / most, np.inf)


def read_scatter(data: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the mean of each stimulus, and the squares about it summed over its repeats.

    Returns
    -------
    means, squares : arrays, shape (n_stimuli, n_voxels)
    """
    n_repeats = (places >= 0).sum(axis=0)[:, None]
    means = np.zeros((places.shape[1], data.shape[1]))
    for row in places:
        means[row >= 0] += data[row[row >= 0]]
    means /= n_repeats
    squares = np.zeros_like(means)
    for row in places:
        squares[row >= 0] += (data[row[row >= 0]] - means[row >= 0]) ** 2
    return means, squares


def _analyse_variance(data: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n_repeats = (places >= 0).sum(axis=0)
    means, squares = read_scatter(data, places)
    n_stimuli, n_free = len(means), int((n_repeats - 1).sum())
    noise = squares.sum(axis=0) / n_free
    noise[noise < ROUNDING**2 * (data**2).mean(axis=0)] = 0.0
    ratio = solve_ratio(means, n_repeats, noise, 1.0)
    perfect = np.isinf(ratio)
    ratio[perfect] = 0.0
    weights = n_repeats[:, None] / (1 + n_repeats[:, None] * ratio)
    total = weights.sum(axis=0)
    about = weights * (means - (weights * means).sum(axis=0) / total) ** 2
    # Without one stimulus: one step of Newton's method, on the scale of log(1 + n R) as in
    # solve_ratio; with equal numbers of repeats one step is all it takes.
    own = about / (1 - weights / total)
    left = (n_stimuli - 1) * noise - own
    slope = (weights * about).sum(axis=0) - weights * own
    noise_left = (squares.sum(axis=0) - squares) / (n_free - (n_repeats - 1)[:, None])
    step = np.log(left / (n_stimuli - 2) / noise_left) * left / slope
    k = 1 / (1 / n_repeats).mean()
    without = ((1 + k * ratio) * np.exp(step * k / (1 + k * ratio)) - 1) / k
    rho = np.where(perfect, 1.0, ratio / (1 + ratio))
    return rho, rho - without / (1 + without)


def _correlate_pairs(data: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    total, n_total = np.zeros(data.shape[1]), 0
    change, n_change = np.zeros((places.shape[1], data.shape[1])), np.zeros(places.shape[1])
    for second in range(1, len(places)):
        both = np.flatnonzero(places[second] >= 0)  # those have had all earlier repeats, too
        n = len(both)
        if n < MIN_STIMULI:
            continue
        b = _standardize(data[places[second, both]])
        for first in range(second):
            a = _standardize(data[places[first, both]])
            r = (a * b).mean(axis=0)
            # A pair of repeats counts by its stimuli, as its correlation is that much surer.
            total += (n - 1) * r
            n_total += n - 1
            short_a, short_b = n - 1 - a**2, n - 1 - b**2  # what is left, times (n - 1) / n
            without = ((n - 1) * r - a * b) / np.sqrt(short_a * short_b)
            change[both] += (n - 1) * r - (n - 2) * np.where(np.isfinite(without), without, 0)
            n_change[both] += 1
    rho = total / n_total
    return rho, rho - (total - change) / (n_total - n_change)[:, None]


def _compare_power(data: np.ndarray, places: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    n_repeats = (places >= 0).sum(axis=0)[:, None]
    shape = (places.shape[1], data.shape[1])
    sums, squares, sums_left, squares_left = np.zeros((4, *shape))
    n_shared, n_single = 0.0, 0
    for number, row in enumerate(places):
        there = np.flatnonzero(row >= 0)
        n = len(there)
        if n < 2:
            continue
        centred = data[row[there]] - data[row[there]].mean(axis=0)
        sums[there] += centred
        squares[there] += centred**2
        # A stimulus left out takes its part in its own mean along; the others' means are held.
        sums_left[there] += centred * np.sqrt(n / (n - 1))
        squares_left[there] += centred**2 * (n / (n - 1))
        n_shared += (2 * number * (1 - 1 / n) / (n_repeats[there] - 1)).sum()
        n_single += n - 1
    # Each stimulus counts by its presentations, above as below.
    shared = (sums**2 - squares) / (n_repeats - 1)
    shared_left = shared.sum(axis=0) - (sums_left**2 - squares_left) / (n_repeats - 1)
    power_left = squares.sum(axis=0) - squares_left
    rho = shared.sum(axis=0) / n_shared / (squares.sum(axis=0) / n_single)
    without = shared_left / (n_shared - n_repeats) / (power_left / (n_single - n_repeats))
    return rho, rho - without


def _standardize(values: np.ndarray) -> np.ndarray:
    """Centre columns and scale them to a mean square of 1; constant ones become 0."""
    centred = values - values.mean(axis=0)
    scale = np.sqrt((centred**2).mean(axis=0))
    return centred / np.where(np.ptp(values, axis=0) > 0, scale, np.inf)
