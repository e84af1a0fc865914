"""One eigendecomposition per training set, and all alphas and targets scored in its basis.

Features are centred (and scaled) by the training set's own mean and deviation, S = V diag(λ) Vᵀ is
their Gram matrix, and ridge weights in the basis V are

    b_α = (λ + α)⁻¹ q,      q = Vᵀ Xᵀ y.

Held-out rows enter by their moments in the same basis, G = Vᵀ X_hᵀ X_h V and c = Vᵀ X_hᵀ y_h, both
about the held-out mean, and the two sets' difference in means, δ. Then

    ||y_h - ŷ_h||² = y_hᵀy_h - 2 bᵀc + bᵀ G b + n_h (δ_y - bᵀδ_x)²,
    r = bᵀc / sqrt(bᵀ G b  y_hᵀy_h),

so no predictions are formed. bᵀGb is computed with a triangle of G, bᵀ(2 striu(G) + diag(G))b,
which halves the one product that each alpha needs. With more features than rows, the same basis
comes from the kernel matrix K = X Xᵀ = U diag(λ) Uᵀ: V = Xᵀ U λ^(-1/2), and rows are represented
by their coordinates along V, K U λ^(-1/2). Hastie, Tibshirani and Friedman 2009, sections
3.4.1 and 18.3.5.

Everything is divided by λ_max and by the targets' norm first, so that float32 serves for scoring
whatever the units.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

import numpy as np

from neurodecode.numerics.moments import (
    FeatureMoments,
    TargetMoments,
    compute_scale,
    find_constant,
    iterate_blocks,
)

Scoring = Literal["r2", "correlation"]
SCORED_TARGETS = 256  # targets at a time: their coordinates stay in the processor's cache


@dataclass(frozen=True, eq=False)
class HeldOut:
    """Held-out features of one split, in the basis of its training set.

    Parameters
    ----------
    values : array of float64, shape (n_components,)
        λ / unit.
    unit : float
        λ_max.
    offset : array, shape (n_components,)
        δ_x / sqrt(unit).
    triangle : array, shape (n_components, n_components), Fortran order
        2 striu(G) + diag(G), over unit.
    n : int
        Held-out rows.
    rotation : array of float64 or None, shape (n_features, n_components)
        V / sqrt(unit); None where the targets' products come in coordinates already.
    """

    values: np.ndarray
    unit: float
    offset: np.ndarray
    triangle: np.ndarray
    n: int
    rotation: np.ndarray | None


def decompose(squares: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenvalues (ascending, none negative) and eigenvectors of a Gram matrix."""
    from scipy.linalg import eigh

    values, vectors = eigh(squares, driver="evd", check_finite=False)
    return np.maximum(values, 0.0), vectors


def make_basis(train: FeatureMoments, standardize: bool) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenbasis of a training set from its Gram matrix.

    Returns
    -------
    values : array of float64, shape (n_features,)
        λ, ascending.
    vectors : array of float64, shape (n_features, n_features)
        V, divided by the features' deviations where these are standardised: turns centred raw
        features into coordinates, and weights of coordinates into weights of raw features.
    """
    if not standardize:
        return decompose(train.squares)
    scale = compute_scale(np.diag(train.squares) / train.n, train.mean, train.n)
    values, vectors = decompose(train.squares / scale / scale[:, None])
    return values, vectors / scale[:, None]


def make_kernel_basis(kernel: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Return the eigenbasis of training rows from their centred kernel matrix.

    Returns
    -------
    values : array of float64, shape (n_components,)
        λ, without those that are zero but for rounding.
    dual : array of float64, shape (n_samples, n_components)
        U λ^(-1/2): coordinates of any row are its kernel with the training rows times this.
    """
    values, vectors = decompose(kernel)
    kept = values > values[-1] * len(values) * np.finfo(np.float64).eps
    return values[kept], vectors[:, kept] / np.sqrt(values[kept])


def hold_out(
    values: np.ndarray,
    squares: np.ndarray,
    offset: np.ndarray,
    n: int,
    dtype: np.dtype,
    vectors: np.ndarray | None = None,
) -> HeldOut:
    """Return held-out features, scaled for scoring.

    Parameters
    ----------
    values : array, shape (n_components,)
    squares : array, shape (n_components, n_components)
        G, about the held-out mean.
    offset : array, shape (n_components,)
        Held-out mean minus training mean.
    vectors : array or None, shape (n_features, n_components)
    """
    unit = float(values[-1]) if len(values) and values[-1] > 0 else 1.0
    triangle = 2 * np.triu(squares, 1)
    np.fill_diagonal(triangle, np.diag(squares))
    rotation = None if vectors is None else vectors / np.sqrt(unit)
    return HeldOut(
        values / unit,
        unit,
        (offset / np.sqrt(unit)).astype(dtype),
        np.asfortranarray(triangle / unit, dtype),
        n,
        rotation,
    )


def score_alphas(
    held_out: HeldOut,
    train: TargetMoments,
    test: TargetMoments,
    alphas: np.ndarray,
    scoring: Scoring,
) -> np.ndarray:
    """Score every alpha for every target.

    Parameters
    ----------
    train, test : TargetMoments
        ``products`` with the raw features, or with coordinates where ``held_out`` has no rotation.
    alphas : array of float64, shape (n_alphas,)

    Returns
    -------
    scores : array of float64, shape (n_alphas, n_targets)
        R² (at most 1) or correlation (0 for constant predictions); NaN where the target is
        constant over the held-out rows.
    """
    from scipy.linalg.blas import dtrmm, strmm

    dtype = held_out.triangle.dtype
    multiply = strmm if dtype == np.float32 else dtrmm
    shrink = (1 / (held_out.values + alphas[:, None] / held_out.unit)).astype(dtype)
    undefined = find_constant(test.squares / held_out.n, test.mean, held_out.n)
    scores = np.empty((len(alphas), len(train.mean)))
    for block in iterate_blocks(len(train.mean), SCORED_TARGETS):
        spread = np.sqrt(np.where(train.squares[block] > 0, train.squares[block], 1.0))
        q, c = (_rotate(held_out, part.products[block], spread) for part in (train, test))
        total = test.squares[block] / spread**2
        total[undefined[block]] = np.nan
        cross = (shrink @ (q * c).T).astype(np.float64)
        square = np.empty_like(cross)
        for a, factors in enumerate(shrink):
            weights = q * factors
            image = multiply(1.0, held_out.triangle, weights.T, overwrite_b=True).T
            image *= q
            square[a] = image @ factors
        if scoring == "correlation":
            length = np.sqrt(np.maximum(square, 0) * total)
            scores[:, block] = cross / np.where(length == 0, 1.0, length)
            continue
        offset = (test.mean - train.mean)[block] / spread
        offset = offset - ((shrink * held_out.offset) @ q.T).astype(np.float64)
        scores[:, block] = 1 - (total - 2 * cross + square + held_out.n * offset**2) / total
    return scores


def _rotate(held_out: HeldOut, products: np.ndarray, spread: np.ndarray) -> np.ndarray:
    """Return products in the basis, rotated in float64.

    Rounding before the rotation would reach the smallest components with the size of the largest,
    and small alphas would multiply it; rounding after it stays in proportion.
    """
    scaled = products / spread[:, None]
    if held_out.rotation is None:
        return (scaled / np.sqrt(held_out.unit)).astype(held_out.triangle.dtype)
    return (scaled @ held_out.rotation).astype(held_out.triangle.dtype)
