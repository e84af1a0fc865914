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
from neurodecode.numerics.inner_folds import assign_inner_folds
from neurodecode.numerics.ridge import choose_form, predict_ridge
from neurodecode.numerics.ridge_grid import RidgeOptions
from neurodecode.numerics.ridge_problem import share_parts


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
    roles: Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]],
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
    train = [part[0] for part in roles]
    for k, (rows, _, test) in enumerate(roles):
        if len(rows) < 2 or not len(test):
            raise DataError(
                f"banded ridge: fold {k} has {len(rows)} training and {len(test)} test rows. "
                "Allowed: two training rows and one test row at least. Change the split "
                "(evaluation.split)."
            )
    if any(not len(part[1]) for part in roles):
        folds = assign_inner_folds(groups, train, n_inner_folds, seed)
    else:
        folds = np.full((len(roles), len(groups)), -1)
        for labels, rows in zip(folds, train, strict=True):
            labels[rows] = 0
    data = read(0) if shared else None
    parts = None
    if data is not None and not any(len(part[1]) for part in roles):
        smallest = min(len(rows) for rows in train)
        if choose_form(data[0].shape[1], smallest, options.solver) == "primal":
            parts = share_parts(*data, folds, options.block_rows)
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
