"""Sums of squares and products of rows, by part, from which any training set is put together.

A *part* is a set of rows that stay together (an inner fold). Each is centred on its own mean in
float64, so that a large mean costs no digits, and parts are united with the update of Chan, Golub
and LeVeque (1983, "Algorithms for computing the sample variance", eq. 2.1, in matrix form):

    S = S_a + S_b + n_a n_b / (n_a + n_b) (m_a - m_b)(m_a - m_b)ᵀ

A training set is the sum of its parts rather than total - fold: the same work to within a few
additions, but a held-out row cannot reach the training sums, not even through rounding.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

BLOCK_BYTES = 64 * 2**20
SINGLE_ROWS = 2048  # a product of so many rows in float32 is off by 1 to 3e-8 of the columns' norms
SHIFT_ROWS = 32


@dataclass(frozen=True, eq=False)
class FeatureMoments:
    """Of the features of some rows.

    Parameters
    ----------
    n : int
    mean : array of float64, shape (n_features,)
    squares : array of float64, shape (n_features, n_features)
        Centred Gram matrix, Σ (x - mean)(x - mean)ᵀ.
    """

    n: int
    mean: np.ndarray
    squares: np.ndarray


@dataclass(frozen=True, eq=False)
class TargetMoments:
    """Of the targets of some rows, and of their products with the features.

    Parameters
    ----------
    mean : array of float64, shape (n_targets,)
    squares : array of float64, shape (n_targets,)
        Σ (y - mean)².
    products : array of float64, shape (n_targets, n_features)
        Σ (y - mean)(x - mean)ᵀ; targets lead, so that a block of them is contiguous.
    """

    mean: np.ndarray
    squares: np.ndarray
    products: np.ndarray

    def take(self, columns: slice | np.ndarray) -> TargetMoments:
        """Return the moments of some of the targets."""
        return TargetMoments(self.mean[columns], self.squares[columns], self.products[columns])


def iterate_blocks(n: int, size: int) -> list[slice]:
    """Return slices that cover ``range(n)``, each ``size`` long or less."""
    return [slice(start, min(start + size, n)) for start in range(0, n, size)]


def choose_block_rows(n_columns: int) -> int:
    """Return how many float64 rows fit the working memory of one block."""
    return max(16, BLOCK_BYTES // (8 * max(1, n_columns)))


def compute_mean(X: np.ndarray, rows: np.ndarray, block_rows: int | None = None) -> np.ndarray:
    """Return the mean of some rows, taken in float64 around the first of them.

    Parameters
    ----------
    X : array, shape (n_samples, n_columns)
    rows : array of int

    Returns
    -------
    mean : array of float64, shape (n_columns,)
    """
    shift = np.asarray(X[rows[0]], np.float64)
    total = np.zeros(X.shape[1])
    for block in iterate_blocks(len(rows), block_rows or choose_block_rows(X.shape[1])):
        total += (X[rows[block]] - shift).sum(axis=0)
    return shift + total / len(rows)


def compute_feature_moments(
    X: np.ndarray, rows: np.ndarray, block_rows: int | None = None
) -> FeatureMoments:
    """Return the moments of the features of some rows, block by block.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    rows : array of int
    block_rows : int or None
        Rows held in float64 at once; None bounds them by memory.
    """
    mean = compute_mean(X, rows, block_rows)
    squares = np.zeros((X.shape[1], X.shape[1]))
    for block in iterate_blocks(len(rows), block_rows or choose_block_rows(X.shape[1])):
        centred = X[rows[block]] - mean
        squares += centred.T @ centred
    return FeatureMoments(len(rows), mean, squares)


def compute_target_moments(
    X: np.ndarray,
    Y: np.ndarray,
    rows: np.ndarray,
    columns: slice,
    x_mean: np.ndarray,
    block_rows: int | None = None,
    dtype: np.dtype | type = np.float64,
) -> TargetMoments:
    """Return the moments of some targets over some rows.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    Y : array, shape (n_samples, n_targets)
    rows : array of int
    columns : slice
        Of the targets.
    x_mean : array of float64, shape (n_features,)
        Mean of the features over these rows.
    dtype : float64 or float32
        Type in which blocks of rows are multiplied; they are added up in float64 always. In
        float32, for features and targets of that type, products are off by 1 to 3e-8 of the
        columns' norms, and squares by up to 2e-7 of themselves.
    """
    targets = Y[:, columns]
    if dtype == np.float32:
        return _compute_in_single(X, targets, rows, x_mean, block_rows)
    mean = compute_mean(targets, rows, block_rows)
    products = np.zeros((targets.shape[1], X.shape[1]))
    squares = np.zeros(targets.shape[1])
    size = block_rows or choose_block_rows(X.shape[1] + targets.shape[1])
    for block in iterate_blocks(len(rows), size):
        centred = targets[rows[block]] - mean
        squares += np.einsum("ij,ij->j", centred, centred)
        products += centred.T @ (X[rows[block]] - x_mean)
    return TargetMoments(mean, squares, products)


def find_shift(targets: np.ndarray, rows: np.ndarray) -> np.ndarray:
    """Return the mean of the first rows in float32: what to take off before multiplying in it."""
    return targets[rows[:SHIFT_ROWS]].mean(axis=0, dtype=np.float64).astype(np.float32)


def undo_shift(
    shift: np.ndarray, sums: np.ndarray, squares: np.ndarray, n: int
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return means and centred squares, and whose squares float32 could not hold.

    Parameters
    ----------
    shift, sums, squares : array, shape (n_targets,)
        What was taken off, and the sums of the rest and of its squares over n rows.
    """
    excess = sums**2 / n
    squares = squares - excess
    # Beyond these, squares leave the range of float32, or the shift was no help.
    far = ~((squares > n * 1e-28) & (squares < n * 1e28) & (excess < 16 * squares))
    return shift + sums / n, squares, far


def _compute_in_single(
    X: np.ndarray,
    targets: np.ndarray,
    rows: np.ndarray,
    x_mean: np.ndarray,
    block_rows: int | None,
) -> TargetMoments:
    """Multiply in float32, block by block, after a shift that takes large means away.

    The shift need not be the mean: the features are centred, so that it drops out of the
    products, and the squares are corrected for it.
    """
    n, width = len(rows), targets.shape[1]
    shift = find_shift(targets, rows)
    products, squares, sums = np.zeros((width, X.shape[1])), np.zeros(width), np.zeros(width)
    product = np.empty(products.shape, np.float32)
    for block in iterate_blocks(n, block_rows or SINGLE_ROWS):
        centred = targets[rows[block]]
        centred -= shift
        features = (X[rows[block]] - x_mean).astype(np.float32)
        products += np.matmul(centred.T, features, out=product)
        for part in iterate_blocks(len(centred), SHIFT_ROWS):
            piece = centred[part]
            squares += np.einsum("ij,ij->j", piece, piece)
            sums += piece.sum(axis=0)
    mean, squares, far = undo_shift(shift, sums, squares, n)
    if far.any():
        redone = compute_target_moments(X, targets[:, far], rows, slice(None), x_mean, block_rows)
        mean[far], squares[far], products[far] = redone.mean, redone.squares, redone.products
    return TargetMoments(mean, squares, products)


def merge_features(parts: Sequence[FeatureMoments]) -> FeatureMoments:
    """Return the moments of the features of all parts together."""
    n = sum(part.n for part in parts)
    mean = sum((part.n / n) * part.mean for part in parts)
    squares = parts[0].squares.copy()
    for part in parts[1:]:
        squares += part.squares
    between = np.stack([np.sqrt(part.n) * (part.mean - mean) for part in parts])
    squares += between.T @ between
    return FeatureMoments(n, np.asarray(mean), squares)


def merge_targets(
    features: Sequence[FeatureMoments], targets: Sequence[TargetMoments]
) -> TargetMoments:
    """Return the moments of the targets of all parts together."""
    mean, x_offset, y_offset = merge_means(features, targets)
    products = y_offset.T @ x_offset
    squares = (y_offset**2).sum(axis=0)
    for part in targets:
        products += part.products
        squares += part.squares
    return TargetMoments(mean, squares, products)


def merge_means(
    features: Sequence[FeatureMoments], targets: Sequence[TargetMoments]
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Return what the means of parts contribute to the moments of all parts together.

    Returns
    -------
    mean : array of float64, shape (n_targets,)
    x_offset : array of float64, shape (n_parts, n_features)
        Each part's mean less that of all, times the root of its rows.
    y_offset : array of float64, shape (n_parts, n_targets)
    """
    sizes = np.array([part.n for part in features], np.float64)
    share = sizes / sizes.sum()
    x_mean = sum(w * part.mean for w, part in zip(share, features, strict=True))
    y_mean = np.asarray(sum(w * part.mean for w, part in zip(share, targets, strict=True)))
    root = np.sqrt(sizes)
    x_offset = np.stack([r * (p.mean - x_mean) for r, p in zip(root, features, strict=True)])
    y_offset = np.stack([r * (p.mean - y_mean) for r, p in zip(root, targets, strict=True)])
    return y_mean, x_offset, y_offset


def move_to_zero(features: FeatureMoments) -> FeatureMoments:
    """Return the moments about zero instead of the mean, for fits without an intercept."""
    n, mean = features.n, features.mean
    return FeatureMoments(n, np.zeros_like(mean), features.squares + n * np.outer(mean, mean))


def move_targets_to_zero(features: FeatureMoments, targets: TargetMoments) -> TargetMoments:
    """Return the targets' moments about zero; ``features`` are those about the mean."""
    n, mean = features.n, targets.mean
    return TargetMoments(
        np.zeros_like(mean),
        targets.squares + n * mean**2,
        targets.products + n * np.outer(mean, features.mean),
    )


def compute_scale(variance: np.ndarray, mean: np.ndarray, n: int) -> np.ndarray:
    """Return standard deviations, with 1 for columns that are constant but for rounding.

    Parameters
    ----------
    variance, mean : array of float64, shape (n_columns,)
        Population variance (ddof 0).
    n : int
        Rows they were taken over.
    """
    return np.where(find_constant(variance, mean, n), 1.0, np.sqrt(variance))


def find_constant(variance: np.ndarray, mean: np.ndarray, n: int) -> np.ndarray:
    """Tell which columns do not vary beyond what rounding of their mean explains."""
    eps = np.finfo(np.float64).eps
    return np.asarray(variance <= n * eps * eps * mean**2 * 4)
