"""Principal components of the rows of a matrix (Pearson 1901; Hotelling 1933).

With X centred on its mean and S = XᵀX / (n - 1), components are the eigenvectors of S, largest
variance first. They are found from S, summed block by block, where rows outnumber columns, and else
from the singular value decomposition of X. Each component's loading of largest magnitude is
positive, as in scikit-learn from 1.5 on, so that signs do not depend on the library.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.moments import choose_block_rows, compute_feature_moments, iterate_blocks


@dataclass(frozen=True, eq=False)
class Components:
    """A fitted PCA.

    Parameters
    ----------
    mean : array of float64, shape (n_columns,)
    components : array of float64, shape (n_components, n_columns)
        Of unit length.
    variance : array of float64, shape (n_components,)
        Of the rows fitted along each component (divided by n - 1), descending.
    share : array of float64, shape (n_components,)
        Of the total variance.
    """

    mean: np.ndarray
    components: np.ndarray
    variance: np.ndarray
    share: np.ndarray

    def project(self, X: np.ndarray, *, whiten: bool = False) -> np.ndarray:
        """Return the rows' coordinates, float64 of shape (n_rows, n_components).

        Parameters
        ----------
        whiten : bool
            Divide each by its deviation over the rows fitted.
        """
        out = np.empty((len(X), len(self.components)))
        for block in iterate_blocks(len(X), choose_block_rows(X.shape[1])):
            out[block] = (np.asarray(X[block], np.float64) - self.mean) @ self.components.T
        return out / np.sqrt(self.variance) if whiten else out


def fit_pca(X: np.ndarray, n_components: int | float) -> Components:
    """Fit principal components.

    Parameters
    ----------
    X : array, shape (n_rows, n_columns)
        Finite.
    n_components : int, or float in (0, 1]
        So many, or as many as together hold this share of the variance.

    Raises
    ------
    DataError
        Fewer than two rows, or more components than the rows span.

    Examples
    --------
    >>> fit = fit_pca(np.array([[0.0, 0.0], [2.0, 0.0], [4.0, 0.1]]), 1)
    >>> fit.components.round(2).tolist(), fit.variance.round(2).tolist()
    ([[1.0, 0.02]], [4.0])
    """
    n, n_columns = X.shape
    if n < 2:
        raise DataError(f"pca: {n} rows to fit. Allowed: two or more.")
    if n > n_columns:
        moments = compute_feature_moments(X, np.arange(n))
        mean = moments.mean
        squares, vectors = np.linalg.eigh(moments.squares)
        squares, vectors = np.maximum(squares[::-1], 0), vectors.T[::-1]
        noise = np.finfo(np.float64).eps * n_columns * squares[0]
    else:
        mean = np.asarray(X, np.float64).mean(axis=0)
        _, lengths, vectors = np.linalg.svd(np.asarray(X, np.float64) - mean, full_matrices=False)
        squares = lengths**2
        noise = (np.finfo(np.float64).eps * n_columns * lengths[0]) ** 2
    # Rows that repeat exactly differ from their mean by rounding alone.
    noise = max(noise, n * n_columns * (np.finfo(np.float64).eps * np.abs(mean).max()) ** 2)
    rank = int((squares > noise).sum())
    share = squares / squares.sum() if rank else np.zeros_like(squares)
    wanted = n_components
    if isinstance(n_components, float):
        wanted = int(np.searchsorted(np.cumsum(share[:rank]), n_components - 1e-12) + 1)
        wanted = min(wanted, rank)
    if not 1 <= wanted <= rank:
        raise DataError(
            f"pca: n_components is {n_components}, but the {n} rows of {n_columns} columns span "
            f"{rank} dimensions. Allowed: 1 to {rank}. Lower n_components, or fit on more rows."
        )
    kept = vectors[: int(wanted)]
    largest = kept[np.arange(len(kept)), np.abs(kept).argmax(axis=1)]
    kept = kept * np.where(largest < 0, -1.0, 1.0)[:, None]
    return Components(mean, kept, squares[: len(kept)] / (n - 1), share[: len(kept)])
