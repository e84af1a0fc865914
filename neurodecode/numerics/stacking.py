"""Stacked regression: one ridge per feature space, combined by convex weights for each target.

    s = argmin || y - Σ_b s_b ŷ_b ||²,      s_b ≥ 0,  Σ_b s_b = 1

with ŷ_b predicted for training rows by fits to the other inner folds (Wolpert 1992; Breiman 1996,
Machine Learning 24, 49, for the constraint; Lin, Naselaris, Kay and Wehbe 2024, PNAS 121, for
voxelwise models). As the weights sum to one, the objective is sᵀ P s with P the products of the
models' residuals, a small matrix for each target.

Few bands are solved by their faces: on each face of the simplex the minimum is
P_A⁻¹ 1 / (1ᵀ P_A⁻¹ 1), and the best of those that lie inside their face is the solution. All
targets are solved together, face by face. With many bands there are too many faces, and projected
gradients with momentum are run until the optimality conditions hold (Beck and Teboulle 2009,
"FISTA"; the projection is that of Duchi et al. 2008, figure 1).
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.banded_ridge_problem import Bands
from neurodecode.numerics.ridge import (
    DEFAULT_ALPHAS,
    RidgeOptions,
    fit_ridge,
    fit_ridge_cv,
    predict_nested,
)

MOST_FACED = 8  # bands: 255 faces
TOLERANCE = 1e-9  # of the optimality gap, relative to the residuals' mean square
N_ITERATIONS = 20_000
TARGETS = 2048
DEFAULTS = RidgeOptions()


@dataclass(frozen=True, eq=False)
class StackedFit:
    """A fitted stack.

    Parameters
    ----------
    weights : array, shape (n_features, n_targets)
        Of the whole: each band's own weights times its share.
    intercept : array of float64, shape (n_targets,)
    shares : array of float64, shape (n_bands, n_targets)
        Zero or more; they sum to one.
    band_intercepts : array of float64, shape (n_bands, n_targets)
        Of each band's model by itself.
    best_alphas : array of float64, shape (n_bands, n_targets)
    warnings : tuple of str
    """

    weights: np.ndarray
    intercept: np.ndarray
    shares: np.ndarray
    band_intercepts: np.ndarray
    best_alphas: np.ndarray
    warnings: tuple[str, ...]


def fit_stacked_cv(
    X: np.ndarray,
    Y: np.ndarray,
    bands: Bands,
    folds: np.ndarray,
    alphas: Sequence[float] | np.ndarray = DEFAULT_ALPHAS,
    options: RidgeOptions = DEFAULTS,
    *,
    validation: np.ndarray | None = None,
) -> StackedFit:
    """Fit a ridge for each band, and the shares they have in each target's predictions.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
        Bands side by side.
    Y : array, shape (n_samples, n_targets)
    bands : sequence of (first column, one after the last)
    folds : array of int, shape (n_samples,)
        Inner fold of each training row, 0 to n - 1; -1 for rows that take no part. Shares are
        fitted to predictions of each inner fold by the others.
    alphas : sequence of float
        Positive; a single one is used as it is.
    validation : array of int or None
        Rows to choose alphas on, in place of the inner folds.

    Raises
    ------
    DataError
        Values that cannot be fitted; the message says which.
    """
    rows = np.flatnonzero(folds >= 0)
    if len(np.unique(folds[rows])) < 2:
        raise DataError(
            f"stacking: {len(np.unique(folds[rows]))} inner folds. Allowed: two or more. Give more "
            "folds or rows."
        )
    grid = np.unique(np.asarray(alphas, np.float64))
    fits, residuals = [], []
    warnings: dict[str, None] = {}
    for number, (first, last) in enumerate(bands):
        own = X[:, first:last]
        if len(grid) == 1:
            fit = fit_ridge(own, Y, float(grid[0]), options, rows)
        else:
            labels = folds if validation is None else np.where(folds >= 0, 0, -1)
            fit = fit_ridge_cv(own, Y, labels, grid, options, validation=validation)
        warnings |= {f"band {number}: {text}": None for text in fit.warnings}
        fits.append(fit)
        residuals.append(Y[rows] - predict_nested(own, Y, folds, fit.best_alphas, options))
    shares = np.empty((len(fits), Y.shape[1]))
    for start in range(0, Y.shape[1], TARGETS):
        block = slice(start, start + TARGETS)
        left = np.stack([r[:, block] for r in residuals]).astype(np.float64)
        shares[:, block] = solve_shares(np.einsum("arv,brv->vab", left, left)).T
    weights = np.concatenate([f.weights * s for f, s in zip(fits, shares, strict=True)])
    intercepts = np.stack([f.intercept for f in fits])
    return StackedFit(
        weights.astype(fits[0].weights.dtype, copy=False), (intercepts * shares).sum(axis=0),
        shares, intercepts, np.stack([f.best_alphas for f in fits]), tuple(warnings),
    )  # fmt: skip


def predict_stacked_bands(X: np.ndarray, fit: StackedFit, bands: Bands) -> np.ndarray:
    """Return what each band contributes, (n_samples, n_bands, n_targets); they sum to the whole."""
    own = [
        np.asarray(X[:, first:last], np.float64) @ fit.weights[first:last].astype(np.float64)
        + intercept * share
        for (first, last), intercept, share in zip(
            bands, fit.band_intercepts, fit.shares, strict=True
        )
    ]
    return np.stack(own, axis=1).astype(fit.weights.dtype)


def solve_shares(products: np.ndarray) -> np.ndarray:
    """Minimise sᵀ P s over the simplex, for all targets together.

    Parameters
    ----------
    products : array, shape (n_targets, n_bands, n_bands)
        P, positive semi-definite.

    Returns
    -------
    shares : array, shape (n_targets, n_bands)

    Examples
    --------
    >>> solve_shares(np.array([[[1.0, 0.0], [0.0, 3.0]], [[1.0, 2.0], [2.0, 9.0]]]))
    array([[0.75, 0.25],
           [1.  , 0.  ]])
    """
    n_bands = products.shape[1]
    size = np.trace(products, axis1=1, axis2=2) / n_bands
    scaled = products / np.where(size > 0, size, 1.0)[:, None, None]
    # bands that predict alike leave the shares open: a trace of the identity shares them out
    scaled = scaled + 1e-10 * np.eye(n_bands)
    return _solve_faces(scaled) if n_bands <= MOST_FACED else _solve_projected(scaled)


def _solve_faces(P: np.ndarray) -> np.ndarray:
    n_targets, n_bands = P.shape[:2]
    best, shares = np.full(n_targets, np.inf), np.zeros((n_targets, n_bands))
    for face in range(1, 2**n_bands):
        inside = np.flatnonzero([face >> b & 1 for b in range(n_bands)])
        right = np.ones((n_targets, len(inside), 1))
        solved = np.linalg.solve(P[:, inside[:, None], inside], right)[:, :, 0]
        total = solved.sum(axis=1)
        value = 1 / np.where(total > 0, total, np.nan)
        better = (solved >= 0).all(axis=1) & (value < best)
        best[better] = value[better]
        shares[better] = 0.0
        shares[np.ix_(better, inside)] = solved[better] * value[better, None]
    return shares


def _solve_projected(P: np.ndarray) -> np.ndarray:
    n_targets, n_bands = P.shape[:2]
    step = 1 / np.linalg.eigvalsh(P)[:, -1:]
    shares = np.full((n_targets, n_bands), 1 / n_bands)
    ahead, momentum = shares.copy(), 1.0
    for _ in range(N_ITERATIONS):
        slope = np.einsum("vab,vb->va", P, ahead)
        new = project_to_simplex(ahead - step * slope)
        # momentum that leads uphill is dropped (O'Donoghue and Candès 2015)
        uphill = np.einsum("va,va->v", ahead - new, new - shares) > 0
        following = (1 + np.sqrt(1 + 4 * momentum**2)) / 2
        pushed = new + (momentum - 1) / following * (new - shares)
        ahead = np.where(uphill[:, None], new, pushed)
        shares, momentum = new, following
        slope = np.einsum("vab,vb->va", P, shares)
        gap = np.einsum("va,va->v", slope, shares) - slope.min(axis=1)  # Frank and Wolfe's bound
        if (gap < TOLERANCE).all():
            break
    return shares


def project_to_simplex(points: np.ndarray) -> np.ndarray:
    """Return the nearest points whose coordinates are zero or more and sum to one.

    Parameters
    ----------
    points : array, shape (n_points, n_dims)

    Examples
    --------
    >>> project_to_simplex(np.array([[0.6, 0.6], [2.0, 0.0]]))
    array([[0.5, 0.5],
           [1. , 0. ]])
    """
    ordered = -np.sort(-points, axis=1)
    excess = (np.cumsum(ordered, axis=1) - 1) / np.arange(1, points.shape[1] + 1)
    n_kept = (ordered > excess).sum(axis=1)
    level = np.take_along_axis(excess, n_kept[:, None] - 1, axis=1)
    return np.maximum(points - level, 0.0)
