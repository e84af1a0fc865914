"""Slow drift of a run: its basis, and what is left of a signal without it.

Polynomials are Legendre's, on the run's own span; cosines are those of the discrete cosine
transform below a frequency, as in SPM and nilearn (Friston et al. 2000, NeuroImage 12, 466-477):
for a run of n scans and a cut-off of c seconds, orders 1 to floor(2 n t_r / c). Both are removed by
projection, which is least squares on the run alone.
"""

from __future__ import annotations

import numpy as np

from neurodecode.core.errors import DataError


def make_polynomials(n_scans: int, degree: int) -> np.ndarray:
    """Return Legendre polynomials of degree 0 to ``degree`` over a run.

    Parameters
    ----------
    n_scans : int
    degree : int

    Returns
    -------
    basis : array, shape (n_scans, degree + 1)

    Examples
    --------
    >>> make_polynomials(3, 1).tolist()
    [[1.0, -1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    place = np.linspace(-1, 1, n_scans) if n_scans > 1 else np.zeros(n_scans)
    return np.polynomial.legendre.legvander(place, degree)


def make_cosines(n_scans: int, t_r: float, cutoff_s: float) -> np.ndarray:
    """Return a constant and all cosines whose period is at least a cut-off.

    Parameters
    ----------
    n_scans : int
    t_r : float
        Seconds.
    cutoff_s : float
        Shortest period that counts as drift, seconds; SPM takes 128.

    Returns
    -------
    basis : array, shape (n_scans, n_orders + 1)
        Cosines with sum of squares 1; the constant, which comes first, is 1.

    Examples
    --------
    >>> make_cosines(100, 2.0, 128.0).shape
    (100, 4)
    """
    # a run that holds a whole number of half periods must not lose one to rounding
    n_orders = min(n_scans - 1, int(np.floor(2 * n_scans * t_r / cutoff_s + 1e-9)))
    place = (np.arange(n_scans) + 0.5) / n_scans
    cosines = np.sqrt(2 / n_scans) * np.cos(np.pi * place[:, None] * np.arange(1, n_orders + 1))
    return np.concatenate([np.ones((n_scans, 1)), cosines], axis=1)


def remove_drift(
    signals: np.ndarray, basis: np.ndarray, keep_mean: bool = False, where: str = "drift"
) -> np.ndarray:
    """Return what is left of signals after least squares on a drift basis.

    Parameters
    ----------
    signals : array, shape (n_scans, ...)
    basis : array, shape (n_scans, n_regressors)
        Among them a constant.
    keep_mean : bool
        Put each signal's mean back.
    where : str
        Names the run, for messages.

    Returns
    -------
    residuals : array of float64, shape (n_scans, ...)

    Raises
    ------
    DataError
        Nothing would be left.
    """
    from scipy.linalg import qr

    n_scans, n_regressors = basis.shape
    if n_scans < n_regressors + 2:
        raise DataError(
            f"{where}: {n_regressors} regressors are to be removed from a run of {n_scans} scans. "
            "Allowed: two scans more than regressors, or more. Lower the degree, or raise cutoff_s."
        )
    orthonormal = qr(np.asarray(basis, np.float64), mode="economic")[0]
    flat = np.asarray(signals, np.float64).reshape(n_scans, -1)
    mean = flat.mean(axis=0)
    centred = flat - mean  # the basis holds a constant; this keeps digits of a large mean
    residuals = centred - orthonormal @ (orthonormal.T @ centred)
    return (residuals + mean if keep_mean else residuals).reshape(np.shape(signals))
