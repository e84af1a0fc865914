"""Banded ridge over the folds of an outer cross-validation.

Where all outer folds see the same arrays, sums of squares and products are taken once and shared.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass

import numpy as np

from neurodecode.core.errors import DataError
from neurodecode.numerics.banded_ridge import (
    BandedRidgeFit,
    fit_banded_ridge_cv,
    predict_bands,
)
from neurodecode.numerics.banded_ridge_problem import Bands
from neurodecode.numerics.inner_folds import Roles, check_roles
from neurodecode.numerics.ridge import predict_ridge
from neurodecode.numerics.ridge_folds import label_training_rows, share_inner_parts
from neurodecode.numerics.ridge_grid import RidgeOptions


@dataclass(frozen=True, eq=False)
class OuterBandedFit:
    """What one outer fold gives.

    Parameters
    ----------
    fit : BandedRidgeFit
    predictions : array, shape (n_test_rows, n_targets)
    by_band : array or None, shape (n_test_rows, n_bands, n_targets)
    """

    fit: BandedRidgeFit
    predictions: np.ndarray
    by_band: np.ndarray | None


def fit_banded_folds(
    read: Callable[[int], tuple[np.ndarray, np.ndarray]],
    roles: Roles,
    groups: np.ndarray,
    bands: Bands,
    candidates: np.ndarray,
    alphas: Sequence[float],
    options: RidgeOptions,
    *,
    refine_steps: int,
    n_inner_folds: int,
    seed: int,
    shared: bool,
    by_band: bool = False,
) -> Iterator[OuterBandedFit]:
    """Fit every outer fold on its training rows and predict its test rows.

    Band weights and alphas are chosen on a fold's validation rows where it has some, else by
    inner folds of its training rows.

    Parameters
    ----------
    read : callable
        Gives X (n_samples, n_features) and Y (n_samples, n_targets) as a fold sees them.
    roles : sequence of (train, validation, test), arrays of ascending int
    groups : array, shape (n_samples,)
        Rows of one group share an inner fold.
    shared : bool
        All folds read the same arrays.
    by_band : bool
        Predict with each band alone, too.
    """
    check_roles(roles, "banded ridge")
    chosen_inside = any(not len(part[1]) for part in roles)
    folds = label_training_rows(roles, groups, n_inner_folds if chosen_inside else None, seed)
    data = read(0) if shared else None
    parts = share_inner_parts(data, roles, folds, options) if data else None
    for k, (_, validation, test) in enumerate(roles):
        X, Y = data or read(k)
        try:
            fit = fit_banded_ridge_cv(
                X, Y, bands, folds[k], candidates, alphas, options, refine_steps=refine_steps,
                validation=validation if len(validation) else None,
                parts=parts[k] if parts else None,
            )  # fmt: skip
        except DataError as error:
            raise DataError(f"fold {k}: {error}") from error
        predicted = predict_ridge(X[test], fit.weights, fit.intercept)
        alone = None
        if by_band:
            alone = predict_bands(X[test], fit.weights, fit.intercept, fit.x_mean, bands)
        yield OuterBandedFit(fit, predicted, alone)
