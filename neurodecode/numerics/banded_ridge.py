"""Banded ridge regression: a weight per feature space (band) and target.

    w = argmin ||y - Σ_b X_b w_b||² + Σ_b ||w_b||² / δ_b,      δ_b = γ_b / α

with γ from a list of candidates (band_weights.py) and α from a grid, both chosen per target by
cross-validation (Nunez-Elizalde, Huth and Gallant 2019, NeuroImage 197, 482; Dupré la Tour et
al. 2022, NeuroImage 264, 119728). ``deltas`` are log δ, as in himalaya. The best candidate may
then be refined by gradient (banded_ridge_refine.py). How candidates share their sums is said in
banded_ridge_problem.py, how they are scored in banded_ridge_search.py.
"""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.band_weights import check_band_weights
from neurodecode.numerics.banded_ridge_checks import (
    check_bands,
    check_defined,
    check_values,
    list_splits,
    warn_edges,
)
from neurodecode.numerics.banded_ridge_problem import (
    BandedProblem,
    Bands,
    KernelBands,
    PrimalBands,
)
from neurodecode.numerics.banded_ridge_refine import refine_deltas
from neurodecode.numerics.banded_ridge_search import Search, search_candidates
from neurodecode.numerics.moments import compute_mean, iterate_blocks
from neurodecode.numerics.ridge import choose_form
from neurodecode.numerics.ridge_basis import decompose
from neurodecode.numerics.ridge_grid import DEFAULT_ALPHAS, RidgeOptions, iterate_targets
from neurodecode.numerics.ridge_problem import Parts, Splits, collect_parts

DEFAULTS = RidgeOptions()
WHERE = "banded ridge"
MOST_REFINED = 20_000  # features, standardised in kernel form: 3 GB of products


@dataclass(frozen=True, eq=False)
class BandedRidgeFit:
    """A fitted banded ridge regression.

    Parameters
    ----------
    weights : array, shape (n_features, n_targets)
        For raw features; of the features' floating type.
    intercept : array of float64, shape (n_targets,)
    deltas : array of float64, shape (n_bands, n_targets)
        log(γ / α); -inf where a band has no weight.
    scores : array of float64, shape (n_targets,)
        Mean over inner folds at the deltas; NaN where never defined.
    x_mean : array of float64, shape (n_features,)
        Of the features over the rows fitted; zero without intercept. What bands' predictions are
        taken about.
    warnings : tuple of str
    """

    weights: np.ndarray
    intercept: np.ndarray
    deltas: np.ndarray
    scores: np.ndarray
    x_mean: np.ndarray
    warnings: tuple[str, ...]

    @property
    def best_alphas(self) -> np.ndarray:
        """1 / Σ_b δ_b: the alpha of weights that sum to one, shape (n_targets,)."""
        return np.asarray(1 / np.exp(self.deltas).sum(axis=0))

    @property
    def band_weights(self) -> np.ndarray:
        """Weights that sum to one over bands, shape (n_bands, n_targets)."""
        return np.asarray(np.exp(self.deltas) * self.best_alphas)


def fit_banded_ridge_cv(
    X: np.ndarray,
    Y: np.ndarray,
    bands: Bands,
    folds: np.ndarray,
    candidates: np.ndarray,
    alphas: Sequence[float] | np.ndarray = DEFAULT_ALPHAS,
    options: RidgeOptions = DEFAULTS,
    *,
    refine_steps: int = 0,
    validation: np.ndarray | None = None,
    parts: Parts | None = None,
) -> BandedRidgeFit:
    """Choose band weights and alphas on held-out rows, then fit all training rows.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
        Bands side by side.
    Y : array, shape (n_samples, n_targets)
    bands : sequence of (first column, one after the last)
        They follow each other and cover the features.
    folds : array of int, shape (n_samples,)
        Inner fold of each training row, 0 to n - 1; -1 for rows that take no part.
    candidates : array, shape (n_candidates, n_bands)
        See band_weights.make_band_weights.
    alphas : sequence of float
        Positive. In units of the sum of squares of features whose bands are scaled by sqrt(γ).
    options : RidgeOptions
        ``extend_alphas`` lets targets on the edge of the grid go further with their best
        candidate. Alphas are always per target.
    refine_steps : int
        Gradient steps from each target's best candidate; none may lower its score.
    validation : array of int or None
        Rows to choose on, in place of the inner folds. They are not fitted.
    parts : Parts or None
        Moments of the inner folds, where computed before (ridge_problem.share_parts).

    Raises
    ------
    DataError
        Values that are not finite, constant targets, bands that do not cover the features, or
        fewer than two inner folds.

    Examples
    --------
    >>> rng = np.random.default_rng(0)
    >>> X = rng.standard_normal((60, 4))
    >>> fit = fit_banded_ridge_cv(
    ...     X, X[:, :1], [(0, 2), (2, 4)], np.arange(60) % 3, np.eye(2), [0.1, 1.0]
    ... )
    >>> fit.band_weights.T
    array([[1., 0.]])
    """
    alphas = np.unique(np.asarray(alphas, np.float64))
    candidates = check_band_weights(candidates, len(bands))
    check_bands(bands, X.shape[1])
    if not (len(alphas) and np.isfinite(alphas).all() and (alphas > 0).all()):
        raise DataError(
            f"banded ridge: alphas are {alphas[:5].tolist()}. Allowed: positive numbers."
        )
    train = np.flatnonzero(folds >= 0)
    rows, splits, refit = list_splits(folds, train, validation, WHERE)
    warnings = check_values(X, Y, train, np.concatenate(rows), options, WHERE)
    problem = _make_problem(X, Y, rows, splits, refit, bands, options, parts)
    dtype = np.dtype(np.float32 if X.dtype in (np.float16, np.float32) else np.float64)
    search = search_candidates(
        problem, Y.shape[1], candidates, alphas, scoring=options.scoring, dtype=dtype,
        extend_alphas=options.extend_alphas, block_targets=options.block_targets,
    )  # fmt: skip
    check_defined(search, options, WHERE)
    scores, refined = search.scores.copy(), np.zeros(Y.shape[1], bool)
    with np.errstate(divide="ignore"):
        deltas = np.log(candidates[search.candidate].T / search.alphas)
    if refine_steps:
        if isinstance(problem, PrimalBands):
            primal = problem
        else:
            primal = _make_refinable(X, Y, rows, splits, refit, bands, options)
        deltas, scores, refined = refine_deltas(
            primal, search, candidates, deltas, refine_steps, options.scoring
        )
    weights, intercept = _solve(problem, X, Y, search, candidates, deltas, refined, options)
    return BandedRidgeFit(
        weights, intercept, deltas, scores, np.asarray(problem.x_mean),
        (*warnings, *warn_edges(search, refined, WHERE)),
    )  # fmt: skip


def predict_bands(
    X: np.ndarray, weights: np.ndarray, intercept: np.ndarray, x_mean: np.ndarray, bands: Bands
) -> np.ndarray:
    """Predict with each band alone; over bands, predictions sum to those of the whole model.

    A band is taken about its mean over the rows fitted. What is left, the targets' mean, is
    shared out equally, which matters to no variance and no correlation.

    Returns
    -------
    predictions : array, shape (n_samples, n_bands, n_targets)
        Of the weights' type.
    """
    out = np.empty((len(X), len(bands), weights.shape[1]), weights.dtype)
    for columns in iterate_blocks(weights.shape[1], 4096):
        block = np.asarray(weights[:, columns], np.float64)
        mean = (intercept[columns] + x_mean @ block) / len(bands)
        for b, (first, last) in enumerate(bands):
            centred = np.asarray(X[:, first:last], np.float64) - x_mean[first:last]
            out[:, b, columns] = centred @ block[first:last] + mean
    return out


def _make_problem(
    X: np.ndarray,
    Y: np.ndarray,
    rows: Sequence[np.ndarray],
    splits: Splits,
    refit: Sequence[int],
    bands: Bands,
    options: RidgeOptions,
    parts: Parts | None,
) -> BandedProblem:
    how = {"standardize": options.standardize, "fit_intercept": options.fit_intercept}
    if choose_form(X.shape[1], sum(len(rows[p]) for p in refit), options.solver) == "kernel":
        return KernelBands(X, Y, rows, splits, refit, bands, **how)
    parts = parts or collect_parts(X, Y, rows, options.block_rows)
    return PrimalBands(parts, splits, refit, bands, **how)


def _make_refinable(
    X: np.ndarray,
    Y: np.ndarray,
    rows: Sequence[np.ndarray],
    splits: Splits,
    refit: Sequence[int],
    bands: Bands,
    options: RidgeOptions,
) -> PrimalBands:
    """Return the primal form of a problem in kernel form, for the gradient.

    Each band is turned into coordinates along its own rows, of which there are no more than rows:
    the same inner products in fewer columns. Scaling by training set needs the columns themselves.
    """
    how = {"standardize": options.standardize, "fit_intercept": options.fit_intercept}
    used = np.concatenate(list(rows))
    if options.standardize and X.shape[1] > MOST_REFINED:
        raise DataError(
            f"{WHERE}: refine_steps with standardize needs the products of all {X.shape[1]} "
            f"features with each other. Allowed: {MOST_REFINED} features or fewer. Scale the "
            "features beforehand and leave standardize out, or set refine_steps: 0."
        )
    if options.standardize or X.shape[1] <= len(bands) * len(used):
        parts = collect_parts(X, Y, rows, options.block_rows)
        return PrimalBands(parts, splits, refit, bands, **how)
    columns, edges = [], [0]
    shift = compute_mean(X, used) if options.fit_intercept else np.zeros(X.shape[1])
    for first, last in bands:
        band = np.asarray(X[used, first:last], np.float64) - shift[first:last]
        if last - first > len(used):
            values, vectors = decompose(band @ band.T)
            band = vectors * np.sqrt(values)
        columns.append(band)
        edges.append(edges[-1] + band.shape[1])
    turned = np.zeros((len(X), edges[-1]))
    turned[used] = np.concatenate(columns, axis=1)
    parts = collect_parts(turned, Y, rows, options.block_rows)
    return PrimalBands(parts, splits, refit, list(itertools.pairwise(edges)), **how)


def _solve(
    problem: BandedProblem,
    X: np.ndarray,
    Y: np.ndarray,
    search: Search,
    candidates: np.ndarray,
    deltas: np.ndarray,
    refined: np.ndarray,
    options: RidgeOptions,
) -> tuple[np.ndarray, np.ndarray]:
    """Return weights and intercept of the refit on all training rows."""
    kept = np.float64 if X.dtype == np.float64 and options.weights != "float32" else np.float32
    weights, means = np.empty((X.shape[1], Y.shape[1]), kept), np.empty(Y.shape[1])
    alike = np.where(refined, -1, search.candidate)
    for columns in iterate_targets(X, Y, options):
        moments = problem.read_refit(columns)
        means[columns] = moments.mean
        first = columns.start
        for m in np.unique(alike[columns]):
            inside = np.flatnonzero(alike[columns] == m)
            if m < 0:
                for target in inside:
                    own = np.exp(deltas[:, first + target])
                    weights[:, first + target] = problem.solve_alone(moments.products[target], own)
                continue
            basis = problem.prepare(candidates[m])
            solved = basis.solve(moments.products[inside], search.alphas[first + inside])
            weights[:, first + inside] = solved
    intercept = np.zeros(Y.shape[1])
    if options.fit_intercept:
        for columns in iterate_targets(X, Y, options):
            # From the weights as kept: a large mean would multiply what rounding took from them.
            rounded = weights[:, columns].astype(np.float64)
            intercept[columns] = means[columns] - problem.x_mean @ rounded
    return weights, intercept
