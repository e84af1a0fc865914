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
from typing import Literal

import numpy as np

from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.numerics.moments import choose_block_rows, iterate_blocks
from neurodecode.numerics.ridge_grid import (
    DEFAULT_ALPHAS,
    RidgeOptions,
    Solver,
    choose_alphas,
    extend_grid,
    iterate_targets,
    score_grid,
    warn_edges,
)
from neurodecode.numerics.ridge_problem import (
    KernelProblem,
    Parts,
    PrimalProblem,
    Problem,
    collect_parts,
)

DEFAULTS = RidgeOptions()


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
    warnings = _check(X, Y, rows, rows, options)
    given = np.broadcast_to(np.asarray(alphas, np.float64), (Y.shape[1],))
    _check_alphas(given)
    problem = _make_problem(X, Y, [rows], [], [0], options)
    weights, intercept = _solve(problem, X, Y, given, options)
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
    alphas = np.unique(np.asarray(alphas, np.float64))
    _check_alphas(alphas)
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
    warnings = _check(X, Y, train, np.concatenate(rows), options)
    problem = _make_problem(X, Y, rows, splits, refit, options, parts)

    scores, importance = score_grid(problem, len(splits), X, Y, alphas, options)
    alphas, scores = extend_grid(problem, len(splits), X, Y, alphas, scores, importance, options)
    best = choose_alphas(alphas, scores, importance, options)
    weights, intercept = _solve(problem, X, Y, best, options)
    warnings = (*warnings, *warn_edges(alphas, scores, importance, options))
    return RidgeFit(weights, intercept, best, alphas, scores, warnings)


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
) -> Problem:
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


def _solve(
    problem: Problem, X: np.ndarray, Y: np.ndarray, alphas: np.ndarray, options: RidgeOptions
) -> tuple[np.ndarray, np.ndarray]:
    weights = np.empty((X.shape[1], Y.shape[1]), _choose_weights_dtype(X, options))
    intercept = np.zeros(Y.shape[1])
    for columns in iterate_targets(X, Y, options):
        block, mean = problem.solve(columns, alphas[columns])
        weights[:, columns] = block
        if options.fit_intercept:
            # From the weights as kept: a large mean would multiply what rounding took from them.
            rounded = weights[:, columns].astype(np.float64)
            intercept[columns] = mean - problem.x_mean @ rounded
    return weights, intercept


def _check_alphas(alphas: np.ndarray) -> None:
    if not (len(alphas) and np.isfinite(alphas).all() and (alphas > 0).all()):
        raise DataError(
            f"ridge: alphas are {np.asarray(alphas)[:5].tolist()}. Allowed: positive numbers."
        )


def _check(
    X: np.ndarray, Y: np.ndarray, train: np.ndarray, used: np.ndarray, options: RidgeOptions
) -> tuple[str, ...]:
    if options.standardize and not options.fit_intercept:
        raise DataError(
            "ridge: standardize=True centres the features and so needs fit_intercept=True. Set "
            "fit_intercept, or scale the features beforehand."
        )
    if len(train) < 2:
        raise DataError(f"ridge: {len(train)} training rows. Allowed: two or more.")
    for values, what in ((X, "features"), (Y, "targets")):
        for block in iterate_blocks(len(used), choose_block_rows(values.shape[1])):
            check_finite(np.asarray(values[used[block]]), what=what, where="ridge")
    constant = np.flatnonzero(
        np.concatenate(
            [
                (Y[train, columns] == Y[train[0], columns]).all(axis=0)
                for columns in iterate_blocks(Y.shape[1], 4096)
            ]
        )
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
