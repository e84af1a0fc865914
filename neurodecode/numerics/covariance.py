"""Covariance with shrinkage, and whitening by it.

Ledoit and Wolf 2004, "A well-conditioned estimator for large-dimensional covariance matrices",
Journal of Multivariate Analysis 88(2): S* = (1 - b) S + b m I with m the mean variance and b the
share of shrinkage that minimises the expected squared error (their lemma 3.2 to 3.4).
"""

from __future__ import annotations

import numpy as np

from neurodecode.core.errors import DataError


def shrink_covariance(centred: np.ndarray) -> tuple[np.ndarray, float]:
    """Return the Ledoit-Wolf covariance of rows that are centred already.

    Parameters
    ----------
    centred : array, shape (n_rows, n_columns)

    Returns
    -------
    covariance : array of float64, shape (n_columns, n_columns)
        Divided by the number of rows.
    shrinkage : float
        In [0, 1].

    Examples
    --------
    >>> covariance, shrinkage = shrink_covariance(np.array([[1.0, 0.0], [-1.0, 0.0]]))
    >>> covariance.tolist(), shrinkage
    ([[1.0, 0.0], [0.0, 0.0]], 0.0)
    """
    X = np.asarray(centred, np.float64)
    n, p = X.shape
    empirical = X.T @ X / n
    mean_variance = float(np.trace(empirical)) / p
    # lemma 3.2: d² = ||S - m I||², b² = the mean over rows of ||x xᵀ - S||² / n, norms per column
    squares = float((empirical**2).sum())
    distance = (squares - p * mean_variance**2) / p
    spread = (float(((X**2).sum(axis=1) ** 2).sum()) / n - squares) / (n * p)
    spread = min(max(spread, 0.0), distance)
    shrinkage = spread / distance if distance > 0 else 0.0
    shrunk = (1 - shrinkage) * empirical
    shrunk.flat[:: p + 1] += shrinkage * mean_variance
    return shrunk, shrinkage


def compute_whitening(covariance: np.ndarray, where: str = "") -> np.ndarray:
    """Return the inverse square root of a covariance, symmetric, shape (n_columns, n_columns).

    Raises
    ------
    DataError
        The covariance is singular.

    Examples
    --------
    >>> compute_whitening(np.diag([4.0, 1.0])).round(6).tolist()
    [[0.5, 0.0], [0.0, 1.0]]
    """
    values, vectors = np.linalg.eigh(covariance)
    floor = np.finfo(np.float64).eps * len(values) * max(float(values[-1]), 0.0)
    n_flat = int((values <= floor).sum())
    if n_flat:
        raise DataError(
            f"{where or 'whitening'}: the noise has no variance in {n_flat} of {len(values)} "
            "directions. Allowed: columns that vary on their own. Drop constant or duplicated "
            "columns first (preprocessing.select_voxels)."
        )
    return (vectors / np.sqrt(values)) @ vectors.T
