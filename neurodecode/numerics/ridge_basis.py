"""One eigendecomposition per training set, and all alphas and targets scored in its basis.

Features are centred (and scaled) by the training set's own mean and deviation, S = V diag(λ) Vᵀ is
their Gram matrix, and ridge weights in the basis V are

    b_α = (λ + α)⁻¹ q,      q = Vᵀ Xᵀ y.

Held-out rows enter by their moments in the same basis, G = Vᵀ X_hᵀ X_h V and c = Vᵀ X_hᵀ y_h, both
about the held-out mean, and the two sets' difference in means, δ. Then

    ||y_h - ŷ_h||² = y_hᵀy_h - 2 bᵀc + bᵀ G b + n_h (δ_y - bᵀδ_x)²,
    r = bᵀc / sqrt(bᵀ G b  y_hᵀy_h),

so no predictions are formed. bᵀGb is computed with a triangle of G, bᵀ(2 tril(G) - diag(G))b,
which halves the product, and for a few alphas only (ridge_skeleton.py). With more features than
rows, the same basis comes from the kernel matrix K = X Xᵀ = U diag(λ) Uᵀ: V = Xᵀ U λ^(-1/2), and
rows are represented by their coordinates along V, K U λ^(-1/2). Hastie, Tibshirani and Friedman
2009, sections 3.4.1 and 18.3.5.

Everything is divided by λ_max and by the targets' norm first, so that float32 serves for scoring
whatever the units. What rounding may have done to each score is estimated along with it, so that
scores too close to call can be taken again in float64 (ridge_search.py):

- the sums in float32 are off by some eps of what they sum;
- an error e of q, spread evenly over components as rounding spreads it, moves a score by
  2 eᵀ(λ + α)⁻¹(c - Gb) / y_hᵀy_h, whose standard deviation is at most
  2 sd(e) max_i sqrt(G_ii) / (λ_i + α) ||y_h - ŷ_h|| / y_hᵀy_h: large for small alphas on small λ.
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
from neurodecode.numerics.ridge_skeleton import TOLERANCE, AlphaGrid, make_grid

Scoring = Literal["r2", "correlation"]
SCORED_TARGETS = 256  # targets at a time: their coordinates stay in the processor's cache
STRIP = 128  # columns of a triangle multiplied at a time
ROTATION_ERROR = 1e-5  # of a score, that rotating in float32 may cost
SUM_ERROR = 2.0  # of sums, in eps of what they sum
DEVIATIONS = 6.0  # of rounding errors that a bound covers


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
    # NumPy's, as all products here: a second BLAS library would have threads of its own.
    values, vectors = np.linalg.eigh(squares)
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
    dtype : float32 or float64
        Of the products that score.
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
    return score_and_bound(held_out, train, test, alphas, scoring)[0]


def score_and_bound(
    held_out: HeldOut,
    train: TargetMoments,
    test: TargetMoments,
    alphas: np.ndarray,
    scoring: Scoring,
    plan: ScorePlan | None = None,
) -> tuple[np.ndarray, np.ndarray]:
    """Score every alpha for every target, and bound the rounding errors of the scores.

    Parameters
    ----------
    plan : ScorePlan or None
        Of these alphas, where made before; without it, products are taken to be exact.

    Returns
    -------
    scores : array of float64, shape (n_alphas, n_targets)
        As of score_alphas.
    bounds : array of float64, shape (n_alphas, n_targets)
        Six standard deviations of the error, errors being taken as independent. What is common to
        all alphas of a target, and so cannot change their order, is left out.
    """
    plan = plan or plan_scores(held_out, alphas, 0.0)
    dtype = held_out.triangle.dtype
    factors = plan.grid.factors.astype(dtype)
    shifted = factors * held_out.offset
    scores = np.empty((len(alphas), len(train.mean)))
    bounds = np.empty_like(scores)
    for block in iterate_blocks(len(train.mean), SCORED_TARGETS):
        spread = find_spread(train.squares[block])
        pair = train.products[block], test.products[block]
        q, c = _rotate(*pair, spread, plan.rotation, held_out.unit, dtype)
        sums = ScoreSums(
            (factors @ (q * c).T).astype(np.float64),
            _multiply_all(held_out.triangle, q, factors, plan.grid),
            (shifted @ q.T).astype(np.float64),
            np.linalg.norm(q, axis=1),
        )
        means = (test.mean - train.mean)[block]
        scores[:, block], bounds[:, block] = finish_scores(
            plan, held_out, sums, spread, means, test.squares[block], test.mean[block], scoring
        )
    return scores, bounds


@dataclass(frozen=True, eq=False)
class ScorePlan:
    """How the alphas of one split are scored.

    Parameters
    ----------
    grid : AlphaGrid
    rotation : array or None, shape (n_features, n_components)
        Of the type to rotate in.
    reach : array of float64, shape (n_alphas,)
        max_i sqrt(G_ii) / (λ_i + α): by how much errors of q are multiplied.
    given, lost : float
        Error of q by the products as they are given, in units of the targets' spread; and by
        rotating them, in units of their norm.
    """

    grid: AlphaGrid
    rotation: np.ndarray | None
    reach: np.ndarray
    given: float
    lost: float


@dataclass(frozen=True, eq=False)
class ScoreSums:
    """What is summed over the components for every alpha and target, with grid.factors.

    Parameters
    ----------
    cross, square, shift : array of float64, shape (n_alphas, n_targets)
        bᵀc, bᵀGb and bᵀδ_x.
    lengths : array, shape (n_targets,)
        Norm of q.
    """

    cross: np.ndarray
    square: np.ndarray
    shift: np.ndarray
    lengths: np.ndarray


def plan_scores(
    held_out: HeldOut, alphas: np.ndarray, rounding: float, double: bool = True
) -> ScorePlan:
    """Return how alphas are to be scored.

    Parameters
    ----------
    rounding : float
        Error of the products as they are given, in units of the norms of their columns.
    double : bool
        Whether there is float64 to rotate in. Rotating in float32 loses the small components of
        large products, which small alphas need.
    """
    dtype, values = held_out.triangle.dtype, held_out.values
    grid = make_grid(values, alphas / held_out.unit, dtype)
    reach = np.sqrt(np.maximum(np.diag(held_out.triangle), 0))
    reach = (grid.factors * reach).max(axis=1, initial=0.0) * grid.size
    given = rounding * float(np.sqrt(values.mean())) if len(values) else 0.0
    rotation, lost = held_out.rotation, float(np.finfo(dtype).eps) / 2
    if rotation is None:
        return ScorePlan(grid, None, reach, given, 0.0)
    if double and 2 * DEVIATIONS * lost * reach.max(initial=0.0) > ROTATION_ERROR:
        return ScorePlan(grid, rotation, reach, given, 0.0)
    return ScorePlan(grid, rotation.astype(dtype, copy=False), reach, given, lost)


def find_spread(squares: np.ndarray) -> np.ndarray:
    """Return targets' norms over the training rows, 1 where they are zero."""
    return np.sqrt(np.where(squares > 0, squares, 1.0))


def finish_scores(
    plan: ScorePlan,
    held_out: HeldOut,
    sums: ScoreSums,
    spread: np.ndarray,
    means: np.ndarray,
    squares: np.ndarray,
    test_mean: np.ndarray,
    scoring: Scoring,
) -> tuple[np.ndarray, np.ndarray]:
    """Return scores and their bounds, shape (n_alphas, n_targets), from what was summed.

    Parameters
    ----------
    spread : array, shape (n_targets,)
        Targets' norms over the training rows.
    means : array, shape (n_targets,)
        Held-out mean minus training mean.
    squares, test_mean : array, shape (n_targets,)
        Of the held-out rows.
    """
    grid, size = plan.grid, plan.grid.size[:, None]
    eps = float(np.finfo(held_out.triangle.dtype).eps)
    total = squares / spread**2
    total[find_constant(squares / held_out.n, test_mean, held_out.n)] = np.nan
    noise = DEVIATIONS * plan.reach[:, None] * np.hypot(plan.given, plan.lost * sums.lengths)
    if scoring == "correlation":
        length = np.sqrt(np.maximum(sums.square, 0) * total)
        length = np.where(length == 0, 1.0, length)
        inexact = np.abs(sums.cross) + sums.square * grid.growth[:, None] ** 2
        inexact = SUM_ERROR * eps * inexact + noise / size * np.sqrt(total)
        return sums.cross / length, inexact / length
    cross, square = sums.cross * size, sums.square * size**2
    offset = means / spread - sums.shift * size
    missed = total - 2 * cross + square + held_out.n * offset**2
    inexact = 2 * np.abs(cross) + square * grid.growth[:, None] ** 2
    inexact = SUM_ERROR * eps * (inexact + held_out.n * offset**2)
    if grid.combine is not None:
        inexact += 2 * TOLERANCE * size * np.sqrt(np.maximum(square, 0) * total)
    inexact += 2 * noise * np.sqrt(np.maximum(missed, 0))
    return 1 - missed / total, inexact / total


def _rotate(
    train: np.ndarray,
    test: np.ndarray,
    spread: np.ndarray,
    rotation: np.ndarray | None,
    unit: float,
    dtype: np.dtype,
) -> tuple[np.ndarray, np.ndarray]:
    """Return products in the basis, over the targets' spread."""
    if rotation is None:
        spread = spread[:, None] * np.sqrt(unit)
        return (train / spread).astype(dtype), (test / spread).astype(dtype)
    scaled = np.empty((2 * len(train), train.shape[1]), rotation.dtype)
    for half, products in ((scaled[: len(train)], train), (scaled[len(train) :], test)):
        np.divide(products, spread[:, None], out=half, casting="same_kind")
    both = (scaled @ rotation).astype(dtype, copy=False)
    return both[: len(train)], both[len(train) :]


def _multiply_all(
    triangle: np.ndarray, q: np.ndarray, factors: np.ndarray, grid: AlphaGrid
) -> np.ndarray:
    """Return bᵀGb of every alpha, shape (n_alphas, n_targets), for b = factors * q."""
    n, (n_targets, width) = len(grid.skeleton), q.shape
    weights = q[:, None] * factors[grid.skeleton]
    flat, lower = weights.reshape(-1, width), triangle.T
    image = np.empty_like(flat)
    for strip in iterate_blocks(width, STRIP):
        rest = slice(strip.start, width)
        np.matmul(flat[:, rest], lower[rest, strip], out=image[:, strip])
    image = image.reshape(n_targets, n, width)
    if grid.combine is None:
        return np.einsum("tap,tap->at", weights, image).astype(np.float64)
    forms = (weights @ image.transpose(0, 2, 1)).astype(np.float64)
    return grid.combine_forms(forms)
