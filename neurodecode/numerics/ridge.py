"""Voxelwise ridge regression with cross-validated alphas (Hoerl and Kennard 1970).

    B_α = (XᵀX + αI)⁻¹ XᵀY,      X and Y centred on the training rows

Alphas are in units of the sum of squares of the features, as in scikit-learn and himalaya. All
alphas and all targets are scored in one eigenbasis per training set (ridge_basis.py) on Gram
matrices summed over parts (moments.py), or on the kernel matrix where features outnumber samples
(ridge_problem.py). A score is averaged over the inner folds in which the target varies.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any, Literal

import numpy as np

from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.numerics.moments import choose_block_rows, iterate_blocks
from neurodecode.numerics.ridge_grid import (
    DEFAULT_ALPHAS,
    EXACT_TARGETS,
    READ_TARGETS,
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
    Parts,
    PrimalProblem,
    Problem,
    collect_parts,
)

DEFAULTS = RidgeOptions()
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
        Mean over inner folds; NaN where never defined. Empty for given alphas.
    warnings : tuple of str
    """

    weights: np.ndarray
    intercept: np.ndarray
    best_alphas: np.ndarray
    alphas: np.ndarray
    scores: np.ndarray
    warnings: tuple[str, ...]


def fit_ridge(
    X: np.ndarray,
    Y: np.ndarray,
    alphas: float | np.ndarray,
    options: RidgeOptions = DEFAULTS,
    rows: np.ndarray | None = None,
) -> RidgeFit:
    """Fit ridge with given alphas.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    Y : array, shape (n_samples, n_targets)
    alphas : float, or array of shape (n_targets,)
        Positive.
    rows : array of int or None
        Rows to fit; None takes all.

    Raises
    ------
    DataError
        Values that are not finite, or targets that are constant.

    Examples
    --------
    >>> X, Y = np.array([[0.0], [1.0], [2.0]]), np.array([[1.0], [3.0], [5.0]])
    >>> fit = fit_ridge(X, Y, 2.0)
    >>> fit.weights, fit.intercept
    (array([[1.]]), array([2.]))
    """
    rows = np.arange(len(X)) if rows is None else rows
    _check_features(X, rows, rows, options)
    warnings = _check_targets(Y, rows, rows, options)
    given = np.broadcast_to(np.asarray(alphas, np.float64), (Y.shape[1],))
    _check_alphas(given)
    problem = _make_problem(X, Y, [rows], [], [0], options)
    weights, intercept = _make_weights(X, Y, options)
    for columns in iterate_targets(X, Y, options):
        _solve(problem, columns, given, weights, intercept, options)
    scores = np.zeros((0, Y.shape[1]))
    return RidgeFit(weights, intercept, given.copy(), np.unique(given), scores, warnings)


def fit_ridge_cv(
    X: np.ndarray,
    Y: np.ndarray,
    folds: np.ndarray,
    alphas: Sequence[float] | np.ndarray = DEFAULT_ALPHAS,
    options: RidgeOptions = DEFAULTS,
    *,
    validation: np.ndarray | None = None,
    parts: Parts | None = None,
) -> RidgeFit:
    """Choose alphas on held-out rows, then fit all training rows.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    Y : array, shape (n_samples, n_targets)
    folds : array of int, shape (n_samples,)
        Inner fold of each training row, 0 to n - 1; -1 for rows that take no part.
    alphas : sequence of float
        Positive.
    validation : array of int or None
        Rows to choose alphas on, in place of the inner folds. They are not fitted.
    parts : Parts or None
        Moments of the inner folds, where computed before (ridge_problem.share_parts).

    Returns
    -------
    fit : RidgeFit

    Raises
    ------
    DataError
        Values that are not finite, constant targets, or fewer than two inner folds.
    """
    return prepare_ridge_cv(X, folds, options, validation=validation).fit(Y, alphas, parts)


def prepare_ridge_cv(
    X: np.ndarray,
    folds: np.ndarray,
    options: RidgeOptions = DEFAULTS,
    *,
    validation: np.ndarray | None = None,
) -> PreparedRidge:
    """Do what a cross-validated fit needs of the features, once for many blocks of targets.

    The parameters are those of ``fit_ridge_cv``.

    Returns
    -------
    prepared : PreparedRidge
        Its ``fit(Y, alphas)`` gives what ``fit_ridge_cv(X, Y, folds, alphas)`` does.

    Raises
    ------
    DataError
        Features that are not finite, or fewer than two inner folds.

    Examples
    --------
    >>> X = np.array([[0.0], [1.0], [2.0], [4.0]])
    >>> prepared = prepare_ridge_cv(X, np.array([0, 1, 0, 1]))
    >>> [prepared.fit(Y, [0.1, 1.0]).best_alphas for Y in (X + 1, 1 - 2 * X)]
    [array([0.1]), array([0.1])]
    """
    train = np.flatnonzero(folds >= 0)
    if validation is not None:
        rows, refit = [train, validation], [0]
        splits: list[tuple[tuple[int, ...], int]] = [((0,), 1)]
    else:
        labels = np.unique(folds[train])
        if len(labels) < 2:
            raise DataError(
                f"ridge: {len(labels)} inner folds. Allowed: two or more. Give more folds or rows."
            )
        rows = [np.flatnonzero(folds == label) for label in labels]
        refit = list(range(len(rows)))
        splits = [(tuple(p for p in refit if p != held), held) for held in refit]
    _check_features(X, train, np.concatenate(rows), options)
    return PreparedRidge(X, train, rows, splits, refit, options)


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
        _check_alphas(alphas)
        warnings = _check_targets(Y, self.train, np.concatenate(self.rows), options)
        problem = self._attach(Y, parts)
        blocks = iterate_targets(X, Y, options)
        weights, intercept = _make_weights(X, Y, options)
        best = np.empty(Y.shape[1])
        if options.alpha_per_target:
            grids = []
            for columns in blocks:
                grids.append(search_alphas(problem, columns, alphas, options))
                best[columns] = choose_alphas(grids[-1], alphas[-1], options)
                _solve(problem, columns, best, weights, intercept, options)
            grid = join_grids(grids)
            refuse_undefined(grid.scores, options)
        else:
            grid = search_common_alpha(problem, blocks, alphas, options)
            refuse_undefined(grid.scores, options)
            best[:] = choose_alphas(grid, alphas[-1], options)
            for columns in blocks:
                _solve(problem, columns, best, weights, intercept, options)
        warnings = (*warnings, *warn_edges(grid, options))
        return RidgeFit(weights, intercept, best, grid.alphas, grid.scores, warnings)

    def _attach(self, Y: np.ndarray, parts: Parts | None) -> Problem:
        if self._problem is None:
            self._problem = _make_problem(
                self.X, Y, self.rows, self.splits, self.refit, self.options, parts
            )
            return self._problem
        if isinstance(self._problem, KernelProblem):
            return self._problem.with_targets(Y)
        features = self._problem.parts.features
        parts = parts or collect_parts(self.X, Y, self.rows, self.options.block_rows, features)
        return self._problem.with_parts(parts)


def predict_ridge(X: np.ndarray, weights: np.ndarray, intercept: np.ndarray) -> np.ndarray:
    """Predict targets, summing in float64 so that a large mean of the features costs no digits.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    weights : array, shape (n_features, n_targets)
    intercept : array, shape (n_targets,)

    Returns
    -------
    predictions : array, shape (n_samples, n_targets)
        Of the weights' type.
    """
    weights = np.asarray(weights)
    out = np.empty((len(X), weights.shape[1]), weights.dtype)
    size = max(256, choose_block_rows(weights.shape[0]))
    for columns in iterate_blocks(weights.shape[1], size):
        block = np.asarray(weights[:, columns], np.float64)
        for rows in iterate_blocks(len(X), size):
            out[rows, columns] = np.asarray(X[rows], np.float64) @ block + intercept[columns]
    return out


def predict_nested(
    X: np.ndarray,
    Y: np.ndarray,
    folds: np.ndarray,
    alphas: float | np.ndarray,
    options: RidgeOptions = DEFAULTS,
) -> np.ndarray:
    """Predict each training row by a fit to the other inner folds.

    The alphas are those chosen once on the whole training part, by the same inner folds. Each
    row's own target therefore took part in the choice of one number per target: the predictions
    are slightly optimistic, which reaches the training data of a second level and no test row.

    Parameters
    ----------
    folds : array of int, shape (n_samples,)
        Inner fold of each training row; -1 for rows that take no part.
    alphas : float, or array of shape (n_targets,)

    Returns
    -------
    predictions : array, shape (n_training_rows, n_targets)
        For the rows with ``folds >= 0``, in their order.
    """
    rows = np.flatnonzero(folds >= 0)
    place = np.full(len(folds), -1)
    place[rows] = np.arange(len(rows))
    out = np.empty((len(rows), Y.shape[1]), _choose_weights_dtype(X, options))
    for fold in np.unique(folds[rows]):
        test, train = np.flatnonzero(folds == fold), rows[folds[rows] != fold]
        fit = fit_ridge(X, Y, alphas, options, train)
        out[place[test]] = predict_ridge(X[test], fit.weights, fit.intercept)
    return out


def _make_problem(
    X: np.ndarray,
    Y: np.ndarray,
    rows: Sequence[np.ndarray],
    splits: Sequence[tuple[tuple[int, ...], int]],
    refit: Sequence[int],
    options: RidgeOptions,
    parts: Parts | None = None,
) -> PrimalProblem | KernelProblem:
    how = {"standardize": options.standardize, "fit_intercept": options.fit_intercept}
    dtype = _choose_dtype(X)
    if choose_form(X.shape[1], sum(len(rows[p]) for p in refit), options.solver) == "kernel":
        return KernelProblem(X, Y, rows, splits, refit, dtype=dtype, **how)
    parts = parts or collect_parts(X, Y, rows, options.block_rows)
    return PrimalProblem(parts, splits, refit, dtype=dtype, **how)


def choose_form(n_features: int, n_rows: int, solver: Solver) -> Literal["primal", "kernel"]:
    """Return the form that a solver setting means for data of this shape."""
    if solver == "auto":
        return "kernel" if n_features > n_rows else "primal"
    return solver


def _choose_dtype(X: np.ndarray) -> np.dtype:
    return np.dtype(np.float32 if X.dtype in (np.float16, np.float32) else np.float64)


def _choose_weights_dtype(X: np.ndarray, options: RidgeOptions) -> np.dtype:
    return np.dtype(np.float32) if options.weights == "float32" else _choose_dtype(X)


def _make_weights(
    X: np.ndarray, Y: np.ndarray, options: RidgeOptions
) -> tuple[np.ndarray, np.ndarray]:
    weights = np.empty((X.shape[1], Y.shape[1]), _choose_weights_dtype(X, options))
    return weights, np.zeros(Y.shape[1])


def _solve(
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

    def solve(part: Any, places: np.ndarray) -> np.ndarray:
        block, mean, error = problem.solve(part, alphas[places])
        weights[:, places] = block
        if options.fit_intercept:
            # From the weights as kept: a large mean would multiply what rounding took from them.
            rounded = weights[:, places].astype(np.float64)
            intercept[places] = mean - problem.x_mean @ rounded
        return error

    for part in iterate_blocks(len(errors), READ_TARGETS):
        places = np.arange(columns.start, columns.stop)[part]
        errors[part] = solve(problem.take(loaded, part), places)
    inexact = np.flatnonzero(errors > WEIGHTS_ERROR)
    for part in iterate_blocks(len(inexact), EXACT_TARGETS):
        places = inexact[part]
        solve(problem.load_exact(columns, places), columns.start + places)


def _check_alphas(alphas: np.ndarray) -> None:
    if not (len(alphas) and np.isfinite(alphas).all() and (alphas > 0).all()):
        raise DataError(
            f"ridge: alphas are {np.asarray(alphas)[:5].tolist()}. Allowed: positive numbers."
        )


def _check_features(
    X: np.ndarray, train: np.ndarray, used: np.ndarray, options: RidgeOptions
) -> None:
    if options.standardize and not options.fit_intercept:
        raise DataError(
            "ridge: standardize=True centres the features and so needs fit_intercept=True. Set "
            "fit_intercept, or scale the features beforehand."
        )
    if len(train) < 2:
        raise DataError(f"ridge: {len(train)} training rows. Allowed: two or more.")
    _check_finite(X, used, "features")


def _check_finite(values: np.ndarray, used: np.ndarray, what: str) -> None:
    everything = len(used) == len(values)
    for block in iterate_blocks(len(used), choose_block_rows(values.shape[1])):
        part = values[block] if everything else values[used[block]]
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(part.sum())  # a sum is quicker than a look at each value
        if not finite:
            check_finite(np.asarray(part), what=what, where="ridge")


def _check_targets(
    Y: np.ndarray, train: np.ndarray, used: np.ndarray, options: RidgeOptions
) -> tuple[str, ...]:
    _check_finite(Y, used, "targets")
    constant = np.flatnonzero((Y[train[:64]] == Y[train[0]]).all(axis=0))
    if len(constant):
        constant = np.concatenate(
            [
                constant[columns][
                    (Y[:, constant[columns]][train] == Y[train[0], constant[columns]]).all(axis=0)
                ]
                for columns in iterate_blocks(len(constant), 4096)
            ]
        )
    if not len(constant):
        return ()
    count = f"{len(constant)} of {Y.shape[1]} targets"
    if options.constant_targets == "refuse":
        raise DataError(
            f"ridge: {count} are constant over the {len(train)} training rows (first: "
            f"{constant[:5].tolist()}). Allowed: targets that vary. Drop them first "
            "(preprocessing.select_voxels with by: variance and threshold: 1e-12, say), or set "
            "constant_targets='predict'."
        )
    return (f"ridge: {count} are constant over training rows and predicted as that constant.",)
