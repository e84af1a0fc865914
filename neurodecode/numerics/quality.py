"""How good a run is: motion, jumps of the signal, outliers, signal to noise, repeatability.

framewise displacement   Power et al. 2012, NeuroImage 59, 2142-2154: the sum of absolute changes of
                         six motion parameters, rotations as arcs on a sphere of 50 mm
DVARS                    the same paper: root mean square over voxels of the change between scans;
                         standardised as Nichols 2013 (Notes on creating a standardized version of
                         DVARS): divided by what it would be if scans differed by noise alone,
                         the mean over voxels of sqrt(2 (1 - rho)) sigma, with sigma from the
                         interquartile range and rho the lag-1 autocorrelation
outlier share            AFNI's 3dToutcount: share of voxels further from their median than
                         sqrt(pi / 2) Q⁻¹(0.001 / n_scans) times their median absolute deviation
tSNR                     mean over standard deviation in time
"""

from __future__ import annotations

import numpy as np

from neurodecode.numerics.statistics import correlate_columns


def compute_displacement(motion: np.ndarray, radius_mm: float = 50.0) -> np.ndarray:
    """Return the framewise displacement of each scan.

    Parameters
    ----------
    motion : array, shape (n_scans, 6)
        Translations (mm), then rotations (radians).
    radius_mm : float

    Returns
    -------
    displacement : array, shape (n_scans,)
        Millimetres; 0 for the first scan, which nothing comes before.

    Examples
    --------
    >>> compute_displacement(np.array([[0, 0, 0, 0, 0, 0], [0.1, -0.2, 0, 0.01, 0, 0]])).tolist()
    [0.0, 0.8]
    """
    change = np.abs(np.diff(np.asarray(motion, np.float64), axis=0))
    change[:, 3:] *= radius_mm
    return np.r_[0.0, change.sum(axis=1)]


def compute_dvars(responses: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return DVARS of each scan, as measured and standardised.

    Parameters
    ----------
    responses : array, shape (n_scans, n_voxels)
        Voxels that never change are left out.

    Returns
    -------
    dvars, standardised : arrays, shape (n_scans,)
        In the responses' units, and as a multiple of what noise gives. 0 for the first scan.
    """
    Y = np.asarray(responses, np.float64)
    low, high = np.percentile(Y, [25, 75], axis=0)
    sigma = (high - low) / 1.349
    kept = (sigma > 0) & (np.ptp(Y, axis=0) > 0)
    if not kept.any() or len(Y) < 3:
        return np.zeros(len(Y)), np.zeros(len(Y))
    Y, sigma = Y[:, kept], sigma[kept]
    centred = Y - Y.mean(axis=0)
    rho = (centred[1:] * centred[:-1]).sum(axis=0) / (centred**2).sum(axis=0)
    expected = float((np.sqrt(2 * (1 - rho)) * sigma).mean())
    dvars = np.r_[0.0, np.sqrt((np.diff(Y, axis=0) ** 2).mean(axis=1))]
    return dvars, dvars / expected


def count_outliers(residuals: np.ndarray) -> np.ndarray:
    """Return the share of voxels of each scan that are outliers of their time course.

    Parameters
    ----------
    residuals : array, shape (n_scans, n_voxels)
        Without drift.

    Returns
    -------
    share : array, shape (n_scans,)
    """
    from scipy.stats import norm

    deviation = np.abs(residuals - np.median(residuals, axis=0))
    spread = np.median(deviation, axis=0)
    limit = np.sqrt(np.pi / 2) * norm.isf(0.001 / len(residuals)) * spread
    kept = spread > 0
    if not kept.any():
        return np.zeros(len(residuals))
    return (deviation[:, kept] > limit[kept]).mean(axis=1)


def compute_tsnr(responses: np.ndarray) -> float:
    """Return the median over voxels of mean over standard deviation; NaN without a mean.

    Parameters
    ----------
    responses : array, shape (n_scans, n_voxels)
        With their mean, drift removed.
    """
    mean, deviation = responses.mean(axis=0), responses.std(axis=0)
    usable = (deviation > 0) & (mean > 0)
    if usable.mean() < 0.9:  # centred: about half of the means lie below zero
        return float("nan")
    return float(np.median(mean[usable] / deviation[usable]))


def find_lifeless(responses: np.ndarray) -> np.ndarray:
    """Return which scans are the same in all voxels, or the same as the scan before them.

    Examples
    --------
    >>> find_lifeless(np.array([[1.0, 2.0], [1.0, 2.0], [0.0, 0.0], [3.0, 1.0]])).tolist()
    [False, True, True, False]
    """
    flat = np.ptp(responses, axis=1) == 0 if responses.shape[1] > 1 else responses[:, 0] == 0
    same = np.r_[False, (responses[1:] == responses[:-1]).all(axis=1)]
    return np.asarray(flat | same)


def correlate_repeats(own: np.ndarray, others: np.ndarray) -> float:
    """Return the median over voxels of the correlation of one run's responses with the others'.

    Parameters
    ----------
    own, others : arrays, shape (n_stimuli, n_voxels)
        Mean responses to the stimuli that both have; NaN with fewer than three.
    """
    if len(own) < 3:
        return float("nan")
    r = correlate_columns(own, others)
    return float(np.nanmedian(r)) if np.isfinite(r).any() else float("nan")
