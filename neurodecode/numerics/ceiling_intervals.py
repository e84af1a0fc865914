"""From the reliability of one presentation to ceilings, their intervals, and a test against none.

Ceiling of r² for the mean of k repeats (Spearman 1910, Brown 1910; Allen et al. 2022):

    rho_k = k rho / (1 + (k - 1) rho) = ncsnr² / (ncsnr² + 1 / k)

and of r its square root. Stimuli that are scored with unequal numbers of repeats take the mean of
1 / k for 1 / k (the "norm term" of the Algonauts 2023 challenge).

Intervals are those of the jackknife over stimuli, on the logarithm of the ratio of mean squares
that the estimate amounts to,

    log((1 + (n - 1) rho) / (1 - rho)),

n repeats having been measured, with quantiles of Student's t (Miller 1968, Annals of Mathematical
Statistics 39:567; Arvesen and Schmitz 1970, Biometrics 26:677). On this scale the error is about
the same at every ceiling and close to normal; on that of the ceiling it is neither. The jackknife
knows the kurtosis of signal and noise from the data. The alternative, exact for normal signal and
noise and too narrow for others, is the F distribution of that ratio of mean squares (Shrout and
Fleiss 1979, Psychological Bulletin 86:420) or, with unequal numbers of repeats,
Wald's (numerics/noise_ceilings.py, solve_ratio).

What an interval covers is the ceiling over all stimuli of the kind that was drawn, not that of the
very stimuli shown.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.noise_ceilings import Method, place_repeats, read_scatter, solve_ratio


@dataclass(frozen=True)
class Interval:
    """Bounds at a stated level, and the one-sided p of a ceiling of zero, (n_voxels,) each."""

    low: np.ndarray
    high: np.ndarray
    p: np.ndarray


def step_up(rho: np.ndarray, k: float) -> np.ndarray:
    """Return the reliability of the mean of k presentations from that of one.

    Parameters
    ----------
    rho : array, any shape
        Negative ones become more negative, as unclipped estimates must; NaN where the formula has
        no value (k rho at or below rho - 1: the repeats are opposed).
    k : float
        Positive; below 1 for parts of a presentation.

    Examples
    --------
    >>> step_up(np.array([0.5, -0.1, 1.0]), 2).round(3)
    array([ 0.667, -0.222,  1.   ])
    """
    left = 1 + (k - 1) * np.asarray(rho, np.float64)
    return k * rho / np.where(left > 0, left, np.nan)


def differentiate_step_up(rho: np.ndarray, k: float) -> np.ndarray:
    """Return by how much ``step_up`` grows with rho: k / (1 + (k - 1) rho)²."""
    left = 1 + (k - 1) * np.asarray(rho, np.float64)
    return k / np.where(left > 0, left, np.nan) ** 2


def take_root(ceiling: np.ndarray) -> np.ndarray:
    """Return the ceiling of r from that of r²; below zero, minus the root of its size."""
    return np.sign(ceiling) * np.sqrt(np.abs(ceiling))


def sum_blocks(influence: np.ndarray, blocks: np.ndarray) -> np.ndarray:
    """Return influences summed over what must be left out together.

    Parameters
    ----------
    influence : array, shape (n_stimuli, n_voxels)
    blocks : array of int, shape (n_stimuli,)
        Numbered from 0 without gaps.
    """
    if np.array_equal(blocks, np.arange(len(blocks))):
        return influence
    order = np.argsort(blocks, kind="stable")
    return np.add.reduceat(influence[order], np.searchsorted(blocks[order], np.unique(blocks)))


def jackknife(
    rho: np.ndarray, influence: np.ndarray, n_repeats: float, level: float = 0.95
) -> Interval:
    """Return the jackknife interval of reliabilities.

    Parameters
    ----------
    rho : array, shape (n_voxels,)
    influence : array, shape (n_blocks, n_voxels)
        Of each stimulus, or block of them (see sum_blocks).
    n_repeats : float
        Measured; of a mean of k, n_repeats / k.
    level : float

    Returns
    -------
    interval : Interval
        NaN where rho is NaN or repeats are opposed; without width where rho is 1.
    """
    from scipy.stats import t

    n_blocks = len(influence)
    spread = influence - influence.mean(axis=0)
    variance = (spread**2).sum(axis=0) * (n_blocks - 1) / n_blocks
    upper, lower = 1 + (n_repeats - 1) * rho, 1 - rho
    with np.errstate(divide="ignore", invalid="ignore"):
        usual = (upper > 0) & (lower > 0)
        ratio = np.where(usual, np.log(upper / lower), np.nan)
        error = np.where(usual, n_repeats / (upper * lower) * np.sqrt(variance), np.nan)
        reach = t.ppf((1 + level) / 2, n_blocks - 1) * error
        p = np.where(error > 0, t.sf(ratio / error, n_blocks - 1), np.nan)
    low, high = _read_log_ratio(ratio - reach, n_repeats), _read_log_ratio(ratio + reach, n_repeats)
    perfect = lower == 0
    return Interval(np.where(perfect, 1, low), np.where(perfect, 1, high), np.where(perfect, 0, p))


def compute_normal_interval(
    data: np.ndarray, stimulus: np.ndarray, rho: np.ndarray, method: Method, level: float = 0.95
) -> Interval:
    """Return the interval that is exact for normal signal and normal noise.

    Parameters
    ----------
    data : array, shape (n_presentations, n_voxels)
    stimulus : array of int, shape (n_presentations,)
        As estimate_reliability takes them.
    rho : array, shape (n_voxels,)
        As it returned them.
    method : {"ncsnr", "split_half", "explainable_variance"}
        The last two need equal numbers of repeats. Of split_half it is exact to first order only.
    level : float

    Raises
    ------
    ValueError
        Unequal numbers of repeats with another method than ncsnr.
    """
    from scipy.stats import f

    places = place_repeats(stimulus)
    n_repeats = (places >= 0).sum(axis=0)
    n_stimuli, k = len(n_repeats), int(n_repeats.max())
    tails = [(1 + level) / 2, (1 - level) / 2]
    if method == "ncsnr":
        given = np.asarray(data, np.float64) - data.mean(axis=0)
        means, squares = read_scatter(given, places)
        free = (n_stimuli - 1, int((n_repeats - 1).sum()))
        noise = squares.sum(axis=0) / free[1]
        ratios = [solve_ratio(means, n_repeats, noise, f.ppf(tail, *free)) for tail in tails]
        low, high = (
            np.where(np.isinf(r), 1.0, r / (1 + np.where(np.isinf(r), 0, r))) for r in ratios
        )
        about = (n_repeats[:, None] * (means - n_repeats @ means / n_repeats.sum()) ** 2).sum(
            axis=0
        )
        with np.errstate(divide="ignore", invalid="ignore"):
            p = f.sf(about / free[0] / noise, *free)
    else:
        if (n_repeats < k).any():
            raise ValueError(f"{method}: unequal numbers of repeats have no exact interval")
        free = (n_stimuli - 1, (n_stimuli - 1) * (k - 1))
        with np.errstate(divide="ignore", invalid="ignore"):
            ratio = (1 + (k - 1) * rho) / (1 - rho)
            low, high = (_read_log_ratio(np.log(ratio / f.ppf(tail, *free)), k) for tail in tails)
        p = f.sf(ratio, *free)
    unknown = np.isnan(rho)
    return Interval(*(np.where(unknown, np.nan, values) for values in (low, high, p)))


def _read_log_ratio(log_ratio: np.ndarray, n_repeats: float) -> np.ndarray:
    """Return rho from log((1 + (n - 1) rho) / (1 - rho))."""
    with np.errstate(over="ignore", invalid="ignore"):
        small = np.exp(-log_ratio)  # of the inverse, so that an infinite ratio gives 1
        return np.where(
            np.isneginf(log_ratio), -1 / (n_repeats - 1) if n_repeats > 1 else -np.inf,
            (1 - small) / (1 + (n_repeats - 1) * small),
        )  # fmt: skip
