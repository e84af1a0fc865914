"""How long two time series remember, and so how many independent samples a run holds.

The correlation of two independent stationary series has the variance tau / n, where
tau = sum over lags k of rx(k) ry(k) (Bartlett 1935; Afyouni, Smith and Nichols 2019): a run of n
scans counts as n / tau samples. A null that moves blocks of L scans keeps lag k only within a
block, a share 1 - k / L of it; the variance that it loses is reach / L with
reach = sum of |k| rx(k) ry(k) / tau (the bias of the block bootstrap: Kunsch 1989).

Turning phases makes predictions normal. Where neither they nor the responses are, because of
spikes in both, the tails of a correlation are heavier than those of its null: by an excess
kurtosis of about (Kx - 3)(Ky - 3) / n, with the kurtosis K of each (where one of them is normal,
the correlation is as if both were).

Drifts that were taken out of both sides are put back into what is permuted, where the responses
have nothing to meet them: the null is then too narrow by their share of the power.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.numerics.drift import compute_cosines, make_polynomials

MOST_DRIFTS = 12
GONE = 1e-6


@dataclass(frozen=True)
class Memory:
    """What decides which null holds.

    Parameters
    ----------
    tau : float
        Scans per independent sample, 1 or more.
    reach : float
        Mean lag of what the series have in common, in scans, 0 or more.
    length : float
        Mean length of the stretches of time, in scans.
    spikes : float
        Excess kurtosis that spikes in both give their correlation, 0 or more.
    n_drifts : int
        Slow drifts (polynomials or cosines, slowest first) that were taken out of both.
    """

    tau: float
    reach: float
    length: float
    spikes: float = 0.0
    n_drifts: int = 0

    @property
    def n_independent(self) -> float:
        """Independent samples of a stretch."""
        return self.length / self.tau


def estimate_autocorrelation(values: np.ndarray) -> np.ndarray:
    """Autocorrelation of each column at lags 0 to n - 1, the sum over n of each (biased).

    Parameters
    ----------
    values : array, shape (n_rows, n_columns)
        Taken about their mean.

    Returns
    -------
    autocorrelation : array, shape (n_rows, n_columns)
        1 at lag 0; 0 for constant columns.
    """
    n = len(values)
    centred = values - values.mean(axis=0)
    power = np.abs(np.fft.rfft(centred, 2 * n, axis=0)) ** 2
    covariance = np.fft.irfft(power, 2 * n, axis=0)[:n]
    variance = covariance[0]
    constant = variance <= 1e-20 * n * (values**2).max(axis=0)
    return covariance / np.where(constant, np.inf, variance)


def measure_memory(
    predicted: np.ndarray,
    measured: np.ndarray,
    segments: Sequence[np.ndarray],
    quantile: float = 0.9,
) -> Memory:
    """Measure how long predictions and responses remember together.

    The product of the two autocorrelations is averaged over segments for each voxel, and summed
    up to the first lag at which it is no longer positive (Geyer 1992).

    Parameters
    ----------
    predicted, measured : arrays, shape (n_rows, n_voxels)
    segments : sequence of arrays of int
        Rows of each stretch of time, in their order.
    quantile : float
        Of tau and of reach over voxels: voxels differ, and the slow ones decide. Spikes are
        averaged over voxels.
    """
    lengths = np.array([len(rows) for rows in segments])
    longest = int(lengths.max())
    total, weight = np.zeros((longest, predicted.shape[1])), np.zeros(longest)
    excess = np.zeros((2, predicted.shape[1]))
    for rows in segments:
        product = estimate_autocorrelation(predicted[rows]) * estimate_autocorrelation(
            measured[rows]
        )
        total[: len(rows)] += len(rows) * product
        weight[: len(rows)] += len(rows)
        excess += [len(rows) * (_measure_kurtosis(v[rows]) - 3) for v in (predicted, measured)]
    product = total / weight[:, None]
    varying = product[0] > 0
    if not varying.any():
        return Memory(1.0, 0.0, float(lengths.mean()))
    product = product[:, varying] / product[0, varying]
    product = np.where(np.cumsum(product <= 0, axis=0) == 0, product, 0.0)
    tau = 2 * product.sum(axis=0) - 1
    reach = 2 * (np.arange(longest)[:, None] * product).sum(axis=0) / tau
    return Memory(
        float(np.quantile(tau, quantile)),
        float(np.quantile(reach, quantile)),
        float(lengths.mean()),
        float(np.maximum(np.prod(excess / lengths.sum(), axis=0), 0).mean() / lengths.sum()),
        count_drifts(predicted, measured, segments),
    )


def count_drifts(
    predicted: np.ndarray, measured: np.ndarray, segments: Sequence[np.ndarray]
) -> int:
    """Count the slow drifts that neither predictions nor responses hold in any segment.

    Legendre polynomials from degree 1, or half cosines (DCT-II), the slowest first. What was
    removed by regression leaves less than a millionth of the energy.
    """
    most = min(MOST_DRIFTS, min(len(rows) for rows in segments) // 4)
    energy, total = np.zeros((2, 2, most)), np.zeros(2)  # of bases and sides
    for rows in segments:
        for basis, drifts in enumerate(_make_drifts(len(rows), most)):
            for side, values in enumerate((predicted[rows], measured[rows])):
                centred = values - values.mean(axis=0)
                energy[basis, side] += ((drifts.T @ centred) ** 2).sum(axis=1)
                total[side] += (centred**2).sum() / 2
    absent = (energy <= GONE * total[None, :, None]).all(axis=1)
    return int(np.cumprod(absent, axis=1).sum(axis=1).max(initial=0))


def _make_drifts(n_rows: int, most: int) -> tuple[np.ndarray, np.ndarray]:
    """Return polynomials and cosines of unit length, the slowest first, (n_rows, most) each."""
    polynomials = np.linalg.qr(make_polynomials(n_rows, most))[0][:, 1:]
    cosines = compute_cosines(np.arange(n_rows), n_rows, np.arange(1, most + 1))
    return polynomials, np.sqrt(2 / n_rows) * cosines


def _measure_kurtosis(values: np.ndarray) -> np.ndarray:
    """Fourth moment over the squared second of each column; 3 (normal) where it is constant."""
    centred = values - values.mean(axis=0)
    second, fourth = (centred**2).mean(axis=0), (centred**4).mean(axis=0)
    varying = np.ptp(values, axis=0) > 0
    return np.where(varying, fourth / np.where(varying, second, 1) ** 2, 3)


def find_segments(parts: np.ndarray, runs: np.ndarray, places: np.ndarray) -> list[np.ndarray]:
    """Return the stretches of rows that follow each other in time, within one part and one run.

    Parameters
    ----------
    parts, runs : arrays of int, shape (n_rows,)
    places : array of int, shape (n_rows,)
        Number of the scan in its run; a scan that is absent leaves a gap.

    Returns
    -------
    segments : list of arrays of int
        Rows in the order of time.

    Examples
    --------
    >>> part, run = np.zeros(6, int), np.array([0, 0, 0, 1, 1, 1])
    >>> [rows.tolist() for rows in find_segments(part, run, np.array([1, 0, 2, 0, 1, 5]))]
    [[1, 0, 2], [3, 4], [5]]
    """
    order = np.lexsort((places, runs, parts))
    same = (np.diff(parts[order]) == 0) & (np.diff(runs[order]) == 0)
    breaks = np.flatnonzero(~(same & (np.diff(places[order]) == 1))) + 1
    return np.split(order, breaks)
