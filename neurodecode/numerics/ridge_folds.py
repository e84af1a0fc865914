"""Voxelwise ridge over the folds of an outer cross-validation.

Where all outer folds see the same arrays, sums of squares and products are taken once and shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.inner_folds import Roles, assign_inner_folds, check_roles
from neurodecode.numerics.ridge import (
    RidgeFit,
    RidgeOptions,
    choose_form,
    fit_ridge,
    fit_ridge_cv,
    predict_nested,
    predict_ridge,
)
from neurodecode.numerics.ridge_problem import Parts, share_parts


@dataclass(frozen=True, eq=False)
class OuterFit:
    """What one outer fold gives.

    Parameters
    ----------
    fit : RidgeFit
    predictions : array, shape (n_test_rows, n_targets)
    nested : array or None, shape (n_training_rows, n_targets)
        Out-of-fold predictions of the training rows (ridge.predict_nested), in the order of the
        rows.
    """

    fit: RidgeFit
    predictions: np.ndarray
    nested: np.ndarray | None


def fit_outer_folds(
    read: Callable[[int], tuple[np.ndarray, np.ndarray]],
    roles: Roles,
    groups: np.ndarray,
    alphas: Sequence[float],
    options: RidgeOptions,
    *,
    n_inner_folds: int,
    seed: int,
    shared: bool,
    nested: bool = False,
) -> Iterator[OuterFit]:
    """Fit every outer fold on its training rows and predict its test rows.

    Alphas are chosen on a fold's validation rows where it has some, else by inner folds of its
    training rows; a single alpha is used as it is.

    Parameters
    ----------
    read : callable
        Gives X (n_samples, n_features) and Y (n_samples, n_targets) as a fold sees them.
    roles : sequence of (train, validation, test), arrays of ascending int
    groups : array, shape (n_samples,)
        Rows of one group share an inner fold.
    alphas : sequence of float
    n_inner_folds, seed : int
    shared : bool
        All folds read the same arrays.
    nested : bool
        Predict training rows, too.

    Yields
    ------
    OuterFit
        One per outer fold, in order.
    """
    check_roles(roles, "ridge")
    chosen_inside = len(set(alphas)) > 1 and any(not len(part[1]) for part in roles)
    n_dealt = n_inner_folds if chosen_inside or nested else None
    folds = label_training_rows(roles, groups, n_dealt, seed)
    data = read(0) if shared else None
    parts = share_inner_parts(data, roles, folds, options) if data and chosen_inside else None
    for k, (rows, validation, test) in enumerate(roles):
        X, Y = data or read(k)
        try:
            if len(set(alphas)) == 1:
                fit = fit_ridge(X, Y, float(alphas[0]), options, rows)
            else:
                fit = fit_ridge_cv(
                    X,
                    Y,
                    folds[k],
                    alphas,
                    options,
                    validation=validation if len(validation) else None,
                    parts=parts[k] if parts else None,
                )
            predictions = predict_ridge(X[test], fit.weights, fit.intercept)
            inside = predict_nested(X, Y, folds[k], fit.best_alphas, options) if nested else None
        except DataError as error:
            raise DataError(f"fold {k}: {error}") from error
        yield OuterFit(fit, predictions, inside)


def label_training_rows(
    roles: Roles, groups: np.ndarray, n_inner_folds: int | None, seed: int
) -> np.ndarray:
    """Return the inner fold of each row in each outer fold, (n_outer_folds, n_samples).

    -1 for rows that do not train; one inner fold of all training rows where n_inner_folds is None.
    """
    train = [part[0] for part in roles]
    if n_inner_folds is not None:
        return assign_inner_folds(groups, train, n_inner_folds, seed)
    folds = np.full((len(roles), len(groups)), -1)
    for labels, rows in zip(folds, train, strict=True):
        labels[rows] = 0
    return folds


def share_inner_parts(
    data: tuple[np.ndarray, np.ndarray], roles: Roles, folds: np.ndarray, options: RidgeOptions
) -> list[Parts] | None:
    """Return the moments of the inner folds of each outer fold, computed once for all.

    None where alphas of any fold are chosen on validation rows, where the kernel form is taken, or
    where they would not fit in memory.
    """
    if any(len(part[1]) for part in roles):
        return None
    smallest = min(len(part[0]) for part in roles)
    if choose_form(data[0].shape[1], smallest, options.solver) != "primal":
        return None
    return share_parts(*data, folds, options.block_rows)
