"""Ridge on features made ready once, block of targets by block of targets."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neurodecode.numerics.moments import iterate_blocks
from neurodecode.numerics.ridge_checks import check_alphas, check_targets, word_constant
from neurodecode.numerics.ridge_grid import (
    DEFAULT_ALPHAS,
    EXACT_TARGETS,
    RidgeOptions,
    Solver,
    choose_alphas,
    iterate_targets,
    join_grids,
    refuse_undefined,
    search_alphas,
    search_common_alpha,
    warn_edges,
)
from neurodecode.numerics.ridge_kernel import KernelProblem
from neurodecode.numerics.ridge_problem import (
    READ_TARGETS,
    Parts,
    PrimalProblem,
    Problem,
    collect_parts,
)

WEIGHTS_ERROR = 2e-5  # of the norm of a target's weights, beyond which they are taken in float64


@dataclass(frozen=True, eq=False)
class RidgeFit:
    """A fitted ridge regression.

    Parameters
    ----------
    weights : array, shape (n_features, n_targets)
        For raw features; of the features' floating type.
    intercept : array of float64, shape (n_targets,)
    best_alphas : array of float64, shape (n_targets,)
    alphas : array of float64, shape (n_alphas,)
        The grid, with what it was extended by, ascending.
    scores : array of float64, shape (n_alphas, n_targets)
        Mean over inner folds; NaN where never defined, and for alphas by which the grid was
        extended for other targets. Empty for given alphas.
    warnings : tuple of str
    """

    weights: np.ndarray
    intercept: np.ndarray
    best_alphas: np.ndarray
    alphas: np.ndarray
    scores: np.ndarray
    warnings: tuple[str, ...]


class PreparedRidge:
    """Features made ready for fits to any number of blocks of targets (prepare_ridge_cv).

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    train : array of int
        Rows to fit.
    rows : sequence of array of int
        Rows of each part.
    splits : sequence of (training parts, held-out part)
    refit : sequence of int
        Parts that the final weights are fitted on.
    options : RidgeOptions
    """

    def __init__(
        self,
        X: np.ndarray,
        train: np.ndarray,
        rows: Sequence[np.ndarray],
        splits: Sequence[tuple[tuple[int, ...], int]],
        refit: Sequence[int],
        options: RidgeOptions,
    ) -> None:
        self.X, self.train, self.rows = X, train, rows
        self.splits, self.refit, self.options = splits, refit, options
        self._problem: PrimalProblem | KernelProblem | None = None

    def fit(
        self,
        Y: np.ndarray,
        alphas: Sequence[float] | np.ndarray = DEFAULT_ALPHAS,
        parts: Parts | None = None,
    ) -> RidgeFit:
        """Choose an alpha for each target on held-out rows, then fit all training rows.

        Parameters
        ----------
        Y : array, shape (n_samples, n_targets)
        alphas : sequence of float
            Positive.
        parts : Parts or None
            Moments of the inner folds, where computed before (ridge_problem.share_parts).

        Raises
        ------
        DataError
            Values that are not finite, or constant targets.
        """
        X, options = self.X, self.options
        alphas = np.unique(np.asarray(alphas, np.float64))
        check_alphas(alphas)
        n_constant = check_targets(Y, self.train, np.concatenate(self.rows), options)
        warnings = word_constant(n_constant, Y.shape[1])
        problem = place(self._attach(Y, parts), X, options)
        blocks = iterate_targets(X, Y, options)
        weights, intercept = make_weights(X, Y, options)
        best = np.empty(Y.shape[1])
        if options.alpha_per_target:
            grids = []
            for columns in blocks:
                grids.append(search_alphas(problem, columns, alphas, options))
                best[columns] = choose_alphas(grids[-1], alphas[-1], options)
                solve_targets(problem, columns, best, weights, intercept, options)
            grid = join_grids(grids)
            refuse_undefined(grid.scores, options)
        else:
            grid = search_common_alpha(problem, blocks, alphas, options)
            refuse_undefined(grid.scores, options)
            best[:] = choose_alphas(grid, alphas[-1], options)
            for columns in blocks:
                solve_targets(problem, columns, best, weights, intercept, options)
        warnings = (*warnings, *warn_edges(grid, options))
        return RidgeFit(weights, intercept, best, grid.alphas, grid.scores, warnings)

    def _attach(self, Y: np.ndarray, parts: Parts | None) -> PrimalProblem | KernelProblem:
        if self._problem is None:
            problem = make_problem(
                self.X, Y, self.rows, self.splits, self.refit, self.options, parts
            )
            # What is kept for the next block holds no targets, nor sums of them.
            if isinstance(problem, KernelProblem):
                self._problem = problem.with_targets(Y[:, :0])
            else:
                self._problem = problem.with_parts(Parts(problem.parts.features, lambda _: []))
            return problem
        if isinstance(self._problem, KernelProblem):
            return self._problem.with_targets(Y)
        features = self._problem.parts.features
        parts = parts or collect_parts(self.X, Y, self.rows, self.options.block_rows, features)
        return self._problem.with_parts(parts)


def make_problem(
    X: np.ndarray,
    Y: np.ndarray,
    rows: Sequence[np.ndarray],
    splits: Sequence[tuple[tuple[int, ...], int]],
    refit: Sequence[int],
    options: RidgeOptions,
    parts: Parts | None = None,
) -> PrimalProblem | KernelProblem:
    """Return the problem in the form that the options mean.

    Parameters
    ----------
    rows : sequence of array of int
        Of each part.
    splits : sequence of (training parts, held-out part)
    refit : sequence of int
        Parts that the final weights are fitted on.
    parts : Parts or None
        Where computed before.
    """
    how = {"standardize": options.standardize, "fit_intercept": options.fit_intercept}
    dtype = _choose_dtype(X)
    if choose_form(X.shape[1], sum(len(rows[p]) for p in refit), options.solver) == "kernel":
        return KernelProblem(X, Y, rows, splits, refit, dtype=dtype, **how)
    parts = parts or collect_parts(X, Y, rows, options.block_rows)
    return PrimalProblem(parts, splits, refit, dtype=dtype, **how)


def place(problem: PrimalProblem | KernelProblem, X: np.ndarray, options: RidgeOptions) -> Problem:
    """Return the problem as the backend of the options works on it."""
    if options.backend == "numpy":
        return problem
    from neurodecode.core.device import choose_device
    from neurodecode.numerics.ridge_torch import TorchProblem

    return TorchProblem(problem, choose_device(options.device), _choose_dtype(X))


def choose_form(n_features: int, n_rows: int, solver: Solver) -> Literal["primal", "kernel"]:
    """Return the form that a solver setting means for data of this shape."""
    if solver == "auto":
        return "kernel" if n_features > n_rows else "primal"
    return solver


def _choose_dtype(X: np.ndarray) -> np.dtype:
    return np.dtype(np.float32 if X.dtype in (np.float16, np.float32) else np.float64)


def choose_weights_dtype(X: np.ndarray, options: RidgeOptions) -> np.dtype:
    """Return the type in which weights are kept."""
    return np.dtype(np.float32) if options.weights == "float32" else _choose_dtype(X)


def make_weights(
    X: np.ndarray, Y: np.ndarray, options: RidgeOptions
) -> tuple[np.ndarray, np.ndarray]:
    """Return room for weights (n_features, n_targets) and intercepts (n_targets,)."""
    weights = np.empty((X.shape[1], Y.shape[1]), choose_weights_dtype(X, options))
    return weights, np.zeros(Y.shape[1])


def solve_targets(
    problem: Problem,
    columns: slice,
    alphas: np.ndarray,
    weights: np.ndarray,
    intercept: np.ndarray,
    options: RidgeOptions,
) -> None:
    """Fill in the weights and intercepts of some targets; again in float64 where it matters."""
    loaded = problem.load(columns)
    errors = np.zeros(columns.stop - columns.start)

    def solve(part: Any, places: np.ndarray, exact: bool) -> np.ndarray:
        block, mean, error = problem.solve(part, alphas[places], exact)
        weights[:, places] = block
        if options.fit_intercept:
            # From the weights as kept: a large mean would multiply what rounding took from them.
            rounded = weights[:, places].astype(np.float64)
            intercept[places] = mean - problem.x_mean @ rounded
        return error

    for part in iterate_blocks(len(errors), READ_TARGETS):
        places = np.arange(columns.start, columns.stop)[part]
        errors[part] = solve(problem.take(loaded, part), places, exact=False)
    inexact = np.flatnonzero(errors > WEIGHTS_ERROR)
    for part in iterate_blocks(len(inexact), EXACT_TARGETS):
        places = inexact[part]
        solve(problem.load_exact(columns, places), columns.start + places, exact=True)
