"""Simulated time: order of presentations, haemodynamics, autocorrelated noise and drift.

HRF     the difference of two gamma densities of numerics/hrf.py, with scales of 1 s. Such a density
        peaks one second before its delay, which is how the peak is set here.
Noise   stationary first-order autoregression: e[t] = rho e[t-1] + sqrt(1 - rho²) w[t].
Drift   the three slowest cosines of a run; see numerics/drift.py.

Every function here deals with one run; what works in time never crosses the edge of a run.
"""

from __future__ import annotations

import numpy as np

from neurodecode.numerics.drift import compute_cosines
from neurodecode.numerics.hrf import Hrf, subtract_areas, subtract_densities

N_COSINES = 3
HRF_LENGTH_S = 40.0


def order_presentations(
    n_images: int,
    n_repeats: int,
    n_runs: int,
    rng: np.random.Generator,
    repeat_within_run: bool = False,
) -> list[np.ndarray]:
    """Return which images each run shows, in order.

    Parameters
    ----------
    n_runs : int
        At most n_images * n_repeats; and at least n_repeats where a run may not repeat an image.
    repeat_within_run : bool
        Whether an image may come twice in one run.

    Returns
    -------
    runs : list of n_runs arrays of int
        None empty; lengths differ by one at most.
    """
    if repeat_within_run:
        shown = rng.permutation(np.repeat(np.arange(n_images), n_repeats))
        return np.array_split(shown, n_runs)
    images = rng.permutation(n_images)
    runs: list[list[int]] = [[] for _ in range(n_runs)]
    n_full = n_images // n_runs * n_runs
    for start in range(0, n_full, n_runs):  # each run gets n_repeats of n_runs images
        shifts = rng.permutation(n_runs)[:n_repeats]
        for place in range(n_runs):
            for shift in shifts:
                runs[(place + shift) % n_runs].append(int(images[start + place]))
    labels = rng.permutation(n_runs)
    for k, image in enumerate(np.repeat(images[n_full:], n_repeats)):
        runs[labels[k % n_runs]].append(int(image))
    return [rng.permutation(np.array(run, np.int64)) for run in runs]


def compute_hrf(
    times_s: np.ndarray,
    *,
    peak_s: float = 5.0,
    undershoot_s: float = 15.0,
    undershoot_ratio: float = 1 / 6,
    duration_s: float = 0.0,
) -> np.ndarray:
    """Return the response to a stimulus at time 0.

    Parameters
    ----------
    times_s : array, any shape
        Zero before 0.
    peak_s, undershoot_s : float
        When the two gamma densities peak; the undershoot later than the peak.
    undershoot_ratio : float
        Area of the undershoot relative to that of the peak.
    duration_s : float
        Of the stimulus; 0 gives the impulse response.

    Returns
    -------
    hrf : array, as times_s
        In units of the impulse response at peak_s; of a lasting stimulus, the mean over it.

    Examples
    --------
    >>> compute_hrf(np.array([-1.0, 0.0, 5.0])).tolist()
    [0.0, 0.0, 1.0]
    """
    hrf = Hrf(peak_s + 1, undershoot_s + 1, ratio=undershoot_ratio)
    times_s = np.asarray(times_s, np.float64)
    peak = subtract_densities(np.array(peak_s), hrf)
    if duration_s == 0:
        return subtract_densities(times_s, hrf) / peak
    area = subtract_areas(times_s, hrf) - subtract_areas(times_s - duration_s, hrf)
    return area / duration_s / peak


def simulate_bold(
    amplitudes: np.ndarray,
    onsets_s: np.ndarray,
    times_s: np.ndarray,
    peaks_s: np.ndarray,
    *,
    undershoot_s: float = 15.0,
    undershoot_ratio: float = 1 / 6,
    duration_s: float = 0.0,
) -> np.ndarray:
    """Return the noise-free BOLD signal of one run.

    Parameters
    ----------
    amplitudes : array, shape (n_trials, n_vertices)
    onsets_s : array, shape (n_trials,)
    times_s : array, shape (n_scans,)
        When scans are taken, on the clock of the onsets.
    peaks_s : array, shape (n_vertices,)
        Few distinct values: each costs one design matrix.

    Returns
    -------
    bold : array of float64, shape (n_scans, n_vertices)
    """
    bold = np.empty((len(times_s), amplitudes.shape[1]))
    lags = times_s[:, None] - onsets_s[None, :]
    for peak in np.unique(peaks_s):
        vertices = np.flatnonzero(peaks_s == peak)
        design = compute_hrf(
            np.where(lags < HRF_LENGTH_S, lags, -1.0),
            peak_s=float(peak),
            undershoot_s=undershoot_s,
            undershoot_ratio=undershoot_ratio,
            duration_s=duration_s,
        )
        bold[:, vertices] = design @ amplitudes[:, vertices]
    return bold


def make_ar1_noise(n: int, n_vertices: int, rho: float, rng: np.random.Generator) -> np.ndarray:
    """Return autocorrelated noise of variance 1 from its stationary distribution.

    Returns
    -------
    noise : array of float32, shape (n, n_vertices)
        Independent over vertices.
    """
    noise = rng.standard_normal((n, n_vertices), dtype=np.float32)
    noise[1:] *= np.float32(np.sqrt(1 - rho**2))
    for t in range(1, n):
        noise[t] += np.float32(rho) * noise[t - 1]
    return noise


def make_drift(n: int, n_vertices: int, rng: np.random.Generator) -> np.ndarray:
    """Return slow drift of mean 0 over the run and expected variance 1, shape (n, n_vertices)."""
    orders = np.arange(1, min(N_COSINES, n - 1) + 1)
    basis = np.sqrt(2) * compute_cosines(np.arange(n), n, orders)
    weights = rng.standard_normal((len(orders), n_vertices)) / np.sqrt(len(orders))
    return (basis @ weights).astype(np.float32)
