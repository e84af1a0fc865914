"""Slow drift of a run: its basis, and what is left of a signal without it. Fast cosines, too.

Polynomials are Legendre's, on the run's own span; cosines are those of the discrete cosine
transform below a frequency, as in SPM and nilearn (Friston et al. 2000, NeuroImage 12, 466-477):
for a run of n scans and a cut-off of c seconds, orders 1 to floor(2 n t_r / c). Both are removed by
projection, which is least squares on the run alone. Where scans are missing, the others keep their
places in time.
"""

from __future__ import annotations

import numpy as np

from neurodecode.core.errors import DataError


def make_polynomials(scans: int | np.ndarray, degree: int) -> np.ndarray:
    """Return Legendre polynomials of degree 0 to ``degree`` over a run.

    Parameters
    ----------
    scans : int or array, shape (n_scans,)
        How many; or the number of each, ascending from 0, where some are missing.
    degree : int

    Returns
    -------
    basis : array, shape (n_scans, degree + 1)

    Examples
    --------
    >>> make_polynomials(3, 1).tolist()
    [[1.0, -1.0], [1.0, 0.0], [1.0, 1.0]]
    """
    numbers = _number(scans)
    place = 2 * numbers / numbers[-1] - 1 if len(numbers) > 1 else np.zeros(len(numbers))
    return np.polynomial.legendre.legvander(place, degree)


def make_cosines(scans: int | np.ndarray, t_r: float, cutoff_s: float) -> np.ndarray:
    """Return a constant and all cosines whose period is at least a cut-off.

    Parameters
    ----------
    scans : int or array, shape (n_scans,)
        As in ``make_polynomials``.
    t_r : float
        Seconds.
    cutoff_s : float
        Shortest period that counts as drift, seconds; SPM takes 128. Infinite for the constant
        alone.

    Returns
    -------
    basis : array, shape (n_scans, n_orders + 1)
        Cosines with sum of squares 1 over a run without gaps; the constant, which comes first,
        is 1.

    Examples
    --------
    >>> make_cosines(100, 2.0, 128.0).shape
    (100, 4)
    """
    # a run that holds a whole number of half periods must not lose one to rounding
    numbers = _number(scans)
    span = numbers[-1] + 1  # of the run, in scans
    n_orders = min(len(numbers) - 1, int(np.floor(2 * span * t_r / cutoff_s + 1e-9)))
    cosines = compute_cosines(numbers, span, np.arange(1, n_orders + 1))
    return np.concatenate([np.ones((len(numbers), 1)), np.sqrt(2 / span) * cosines], axis=1)


def make_fast_cosines(n_scans: int, t_r: float, low_pass_hz: float) -> np.ndarray:
    """Return the cosines of a run that are faster than a frequency.

    Parameters
    ----------
    n_scans : int
    t_r : float
        Seconds.
    low_pass_hz : float
        Slower ones are not returned; order k has k / (2 n_scans t_r) hertz.

    Returns
    -------
    basis : array, shape (n_scans, n_fast)
        Orthonormal.

    Examples
    --------
    >>> make_fast_cosines(100, 2.0, 0.2).shape
    (100, 19)
    """
    first = int(np.floor(2 * n_scans * t_r * low_pass_hz + 1e-9)) + 1
    orders = np.arange(first, n_scans)
    return np.sqrt(2 / n_scans) * compute_cosines(np.arange(n_scans), n_scans, orders)


def compute_cosines(numbers: np.ndarray, span: float, orders: np.ndarray) -> np.ndarray:
    """Return cosines of amplitude 1 (DCT-II), shape (n_scans, n_orders).

    Parameters
    ----------
    numbers : array, shape (n_scans,)
        Of each scan, from 0.
    span : float
        Of the run, in scans.
    orders : array of int, shape (n_orders,)
        Half periods per run.
    """
    return np.cos(np.pi * (numbers[:, None] + 0.5) * orders / span)


def _number(scans: int | np.ndarray) -> np.ndarray:
    return scans if isinstance(scans, np.ndarray) else np.arange(scans)


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
