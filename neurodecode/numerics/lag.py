"""At which lag events explain responses: cross-validated r of shifted regressors.

Regressors are boxcars of each condition, convolved with a canonical HRF or not, and read at scan
times minus a shift, for every shift of a grid. Weights are fitted by least squares on all parts
(runs) but one and score the part left out. All is expressed in sums of squares and products of each
part, so that the cost is one matrix product per shift whatever the number of parts.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.simulation_time import compute_hrf
from neurodecode.numerics.statistics import average_fisher_z, bootstrap_counts, read_interval

STEP_S = 0.1  # of the fine grid on which boxcars are convolved
HRF_S = 32.0
N_SIGNS = 64
SHRINK = 1e-3  # of the regressors' mean sum of squares, added so that an absent condition is 0


@dataclass(frozen=True)
class Part:
    """One run, or a stretch of one: regressors at every shift, and what was measured.

    Parameters
    ----------
    X : array, shape (n_shifts, n_scans, n_conditions)
    Y : array, shape (n_scans, n_voxels)
    """

    X: np.ndarray
    Y: np.ndarray


def make_shifted_regressors(
    onsets_s: np.ndarray,
    durations_s: np.ndarray,
    conditions: np.ndarray,
    times_s: np.ndarray,
    shifts_s: np.ndarray,
    *,
    n_conditions: int,
    hrf: bool = True,
    shortest_s: float = 0.0,
) -> np.ndarray:
    """Return the regressors of one run for every shift of its events.

    Parameters
    ----------
    onsets_s, durations_s : arrays, shape (n_events,)
    conditions : array of int, shape (n_events,)
    times_s : array, shape (n_scans,)
    shifts_s : array, shape (n_shifts,)
        Added to the onsets; negative ones move events earlier.
    n_conditions : int
    hrf : bool
        Convolve with SPM's canonical HRF, scaled to a peak of one.
    shortest_s : float
        Shorter events are made that long; 0 keeps instants, which get the area of one second.

    Returns
    -------
    regressors : array, shape (n_shifts, n_scans, n_conditions)
    """
    from scipy.signal import fftconvolve

    reach = HRF_S + np.abs(shifts_s).max(initial=0) + 1
    start = min(times_s.min(), onsets_s.min(initial=np.inf)) - reach
    durations = np.maximum(durations_s, shortest_s)
    end = max(times_s.max(), (onsets_s + durations).max(initial=-np.inf)) + reach
    n = int(np.ceil((end - start) / STEP_S)) + 1
    grid = np.zeros((n, n_conditions))
    first = np.rint((onsets_s - start) / STEP_S).astype(int)
    length = np.maximum(1, np.rint(durations / STEP_S).astype(int))
    for at, steps, instant, condition in zip(
        first, length, durations == 0, conditions, strict=True
    ):
        grid[at : at + steps, condition] += 1 / STEP_S if instant else 1.0
    if hrf:
        kernel = compute_hrf(np.arange(0, HRF_S, STEP_S))[:, None] * STEP_S
        grid = fftconvolve(grid, kernel, axes=0)[:n]
        grid[np.abs(grid) < 1e-9 * np.abs(grid).max(initial=0.0)] = 0  # rounding of the transform
    fine = start + STEP_S * np.arange(n)
    regressors = np.empty((len(shifts_s), len(times_s), n_conditions))
    for number, shift in enumerate(shifts_s):
        for condition in range(n_conditions):
            regressors[number, :, condition] = np.interp(times_s - shift, fine, grid[:, condition])
    return regressors


@dataclass(frozen=True)
class Sums:
    """Sums over the scans of each part, about its own means.

    Parameters
    ----------
    XX : array, shape (n_parts, n_shifts, n_conditions, n_conditions)
    XY : array, shape (n_parts, n_shifts, n_conditions, n_voxels)
    YY : array, shape (n_parts, n_voxels)
    """

    XX: np.ndarray
    XY: np.ndarray
    YY: np.ndarray


def sum_parts(parts: Sequence[Part]) -> Sums:
    """Return the sums that everything else follows from."""
    XX, XY, YY = [], [], []
    for part in parts:
        X = part.X - part.X.mean(axis=1, keepdims=True)
        Y = part.Y - part.Y.mean(axis=0)
        turned = X.transpose(0, 2, 1)
        XX.append(turned @ X)
        XY.append(turned @ Y)
        YY.append((Y**2).sum(axis=0))
    return Sums(np.stack(XX), np.stack(XY), np.stack(YY))


def score_lags(sums: Sums, n_best: int, signs: np.ndarray | None = None) -> np.ndarray:
    """Return how well each part is predicted at each shift, by weights of the other parts.

    Parameters
    ----------
    sums : Sums
        Of two parts or more.
    n_best : int
        r is averaged over this many voxels, those that the other parts explain best at any shift.
    signs : array of +1 and -1, shape (n_parts,), or None
        By which the responses of each part are multiplied.

    Returns
    -------
    r : array, shape (n_parts, n_shifts)
        NaN where a part's regressors do not vary.
    """
    n_parts, n_shifts, n_conditions = sums.XX.shape[:3]
    signs = np.ones(n_parts) if signs is None else signs
    r = np.full((n_parts, n_shifts), np.nan)
    for out in range(n_parts):
        others = np.delete(np.arange(n_parts), out)
        XX, YY = sums.XX[others].sum(axis=0), sums.YY[others].sum(axis=0)
        XY = np.tensordot(signs[others], sums.XY[others], axes=1)
        size = np.trace(XX, axis1=1, axis2=2) / n_conditions
        penalty = SHRINK * np.where(size > 0, size, 1.0)
        weights = np.linalg.inv(XX + penalty[:, None, None] * np.eye(n_conditions)) @ XY
        explained = (weights * XY).sum(axis=1) / np.where(YY > 0, YY, np.inf)
        best = np.argsort(-explained.max(axis=0), kind="stable")[:n_best]
        w = weights[:, :, best]
        variance = (w * (sums.XX[out] @ w)).sum(axis=1)
        bound = np.sqrt(np.maximum(variance, 0) * sums.YY[out, best])
        covariance = signs[out] * (w * sums.XY[out][:, :, best]).sum(axis=1)
        defined = bound > 1e-12 * np.sqrt(sums.YY[out].max())
        values = np.where(defined, covariance / np.where(defined, bound, 1.0), np.nan)
        varied = defined.any(axis=1)
        r[out, varied] = average_fisher_z(values[varied].T)
    return r


@dataclass(frozen=True)
class Lag:
    """Which shift of the events fits, and how surely.

    Parameters
    ----------
    best_s, low_s, high_s : float
        The best shift and its 95 % interval over parts, seconds.
    curve, curve_low, curve_high : arrays, shape (n_shifts,)
        r at every shift, averaged over parts by Fisher's z, with 95 % intervals.
    p_response : float
        That r is above zero at any shift.
    p_gain : float
        That any shift beyond the tolerance is better than none.
    """

    best_s: float
    low_s: float
    high_s: float
    curve: np.ndarray
    curve_low: np.ndarray
    curve_high: np.ndarray
    p_response: float
    p_gain: float


def compare_lags(
    sums: Sums,
    shifts_s: np.ndarray,
    *,
    n_best: int,
    tolerance_s: float,
    n_bootstrap: int,
    seed: int,
) -> Lag:
    """Return the best shift with its interval, and whether it is more than the best of chance.

    Intervals are from a bootstrap over parts that looks for the best shift anew in every draw.
    p-values multiply the responses of parts by random signs, under which no response is common to
    them, and fit and score again; the maximum over shifts is compared, so that the choice among
    shifts is paid for. Signs of the scores themselves would not do: two parts that happen to be
    alike predict each other, so that scores of parts are not independent.

    Parameters
    ----------
    sums : Sums
        Of parts whose regressors vary at every shift, two or more.
    shifts_s : array, shape (n_shifts,)
        Holds 0.
    n_best : int
        See score_lags.
    tolerance_s : float
    """
    rng = np.random.default_rng(seed)
    n = len(sums.XX)
    none = int(np.abs(shifts_s).argmin())
    beyond = np.abs(shifts_s) > tolerance_s + 1e-9

    def measure(signs: np.ndarray | None = None) -> np.ndarray:
        return np.arctanh(np.clip(score_lags(sums, n_best, signs), -1 + 1e-12, 1 - 1e-12))

    z = measure()
    mean = z.mean(axis=0)
    draws = bootstrap_counts(n, n_bootstrap, rng) @ z / n
    low_s, high_s = read_interval(shifts_s[draws.argmax(axis=1)], n)
    ends = np.array([read_interval(column, n) for column in draws.T])
    null = np.array([measure(signs).mean(axis=0) for signs in _draw_signs(n, rng)])
    found = np.concatenate([mean[None], null])
    gains = found[:, beyond] - found[:, [none]] if beyond.any() else np.zeros((len(found), 1))
    return Lag(
        best_s=float(shifts_s[int(mean.argmax())]),
        low_s=low_s,
        high_s=high_s,
        curve=np.tanh(mean),
        curve_low=np.tanh(ends[:, 0]),
        curve_high=np.tanh(ends[:, 1]),
        p_response=_rank(found.max(axis=1)),
        p_gain=_rank(gains.max(axis=1)),
    )


def _draw_signs(n: int, rng: np.random.Generator) -> np.ndarray:
    """Return patterns of signs that differ from all alike: every one, or N_SIGNS drawn.

    Turning all parts at once changes nothing, so the first keeps its sign.
    """
    if 2 ** (n - 1) <= N_SIGNS:
        bits = np.arange(1, 2 ** (n - 1))[:, None] >> np.arange(n - 1) & 1
        return np.concatenate([np.ones((len(bits), 1)), 1.0 - 2.0 * bits], axis=1)
    return rng.choice([-1.0, 1.0], size=(N_SIGNS, n))


def _rank(found: np.ndarray) -> float:
    """Return the share of values that are no smaller than the first, which counts itself."""
    return float(np.mean(found >= found[0] - 1e-12))
