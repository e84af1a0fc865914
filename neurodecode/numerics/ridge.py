"""Voxelwise ridge regression with cross-validated alphas (Hoerl and Kennard 1970).

    B_α = (XᵀX + αI)⁻¹ XᵀY,      X and Y centred on the training rows

Alphas are in units of the sum of squares of the features, as in scikit-learn and himalaya. All
alphas and all targets are scored in one eigenbasis per training set (ridge_basis.py) on Gram
matrices summed over parts (moments.py), or on the kernel matrix where features outnumber samples
(ridge_kernel.py). A score is averaged over the inner folds in which the target varies.

Features and targets in float32 are multiplied in float32. An estimate of what rounding does to
each score goes along, and targets whose best alpha might lose more than 5e-7 of score, or that
have a score off by more than 2e-5, are taken again in float64; so are weights that might be off by
more than 2e-5 of their norm.
"""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.moments import choose_block_rows, iterate_blocks
from neurodecode.numerics.ridge_checks import (
    check_alphas,
    check_features,
    check_targets,
    word_constant,
)
from neurodecode.numerics.ridge_grid import DEFAULT_ALPHAS, RidgeOptions, iterate_targets
from neurodecode.numerics.ridge_prepared import (
    PreparedRidge,
    RidgeFit,
    choose_form,
    choose_weights_dtype,
    make_problem,
    make_weights,
    place,
    solve_targets,
)
from neurodecode.numerics.ridge_problem import Parts

__all__ = [
    "DEFAULT_ALPHAS",
    "PreparedRidge",
    "RidgeFit",
    "RidgeOptions",
    "choose_form",
    "fit_ridge",
    "fit_ridge_cv",
    "predict_nested",
    "predict_ridge",
    "prepare_ridge_cv",
]

DEFAULTS = RidgeOptions()


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
    check_features(X, rows, rows, options)
    warnings = word_constant(check_targets(Y, rows, rows, options), Y.shape[1])
    given = np.broadcast_to(np.asarray(alphas, np.float64), (Y.shape[1],))
    check_alphas(given)
    problem = place(make_problem(X, Y, [rows], [], [0], options), X, options)
    weights, intercept = make_weights(X, Y, options)
    for columns in iterate_targets(X, Y, options):
        solve_targets(problem, columns, given, weights, intercept, options)
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
    check_features(X, train, np.concatenate(rows), options)
    return PreparedRidge(X, train, rows, splits, refit, options)


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
    out = np.empty((len(rows), Y.shape[1]), choose_weights_dtype(X, options))
    for fold in np.unique(folds[rows]):
        test, train = np.flatnonzero(folds == fold), rows[folds[rows] != fold]
        fit = fit_ridge(X, Y, alphas, options, train)
        out[place[test]] = predict_ridge(X[test], fit.weights, fit.intercept)
    return out
