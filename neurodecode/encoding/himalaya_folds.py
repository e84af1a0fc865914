"""Folds of encoders whose solver is himalaya's. No stage."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from neurodecode.core.artifacts import Model, Predictions
from neurodecode.core.device import choose_device
from neurodecode.core.errors import DataError
from neurodecode.core.progress import track
from neurodecode.core.stage import Stage
from neurodecode.encoding.fold_inputs import FoldInputs
from neurodecode.numerics.himalaya_solvers import HimalayaFit, Pairs, check_himalaya
from neurodecode.numerics.inner_folds import assign_inner_folds
from neurodecode.numerics.ridge import predict_ridge

Fit = Callable[[np.ndarray, np.ndarray, Pairs], HimalayaFit]


def choose_backend(stage: Stage) -> str:
    """Return the kind of device to solve on; raise UserError where himalaya is not installed."""
    check_himalaya(stage.stage)
    return str(choose_device(stage.execution.device).type)


def fit_himalaya_folds(
    stage: Stage, given: FoldInputs, fit: Fit, n_inner_folds: int, seed: int
) -> tuple[Predictions, Model]:
    """Fit every fold on its training rows and predict its test rows.

    Parameters
    ----------
    fit : callable
        Gives a fit for training rows of features and responses, and pairs of inner folds.
    """
    chosen_apart = [f.number for f in given.folds if len(f.validation)]
    if chosen_apart:
        raise DataError(
            f"{stage.stage}: the split has validation rows (first in fold {chosen_apart[0]}), and "
            "himalaya fits all rows that it chooses on. Allowed: splits without them. Use "
            "encoding.banded_ridge, or split without a validation part."
        )
    folds = assign_inner_folds(
        given.groups, [train for train, _, _ in given.roles], n_inner_folds, seed
    )
    predicted: list[np.ndarray] = []
    arrays: list[dict[str, np.ndarray]] = []
    told: list[str] = []
    for fold, labels, (train, _, test) in zip(
        track(given.folds, stage.stage), folds, given.roles, strict=True
    ):
        X, Y = given.read(fold.number)
        inside = labels[train]
        pairs = [
            (np.flatnonzero(inside != k), np.flatnonzero(inside == k)) for k in np.unique(inside)
        ]
        _check(X[train], Y[train], f"{stage.stage}: fold {fold.number}")
        found = fit(X[train], Y[train], pairs)
        predicted.append(predict_ridge(X[test], found.weights, found.intercept))
        arrays.append({"weights": found.weights, "intercept": found.intercept, **found.chosen})
        told += [f"fold {fold.number}: {text}" for text in found.warnings]
    settings: dict[str, Any] = {**stage.settings(), "warnings": told}
    return given.give_predictions(predicted), given.give_model(stage.stage, settings, arrays)


def _check(X: np.ndarray, Y: np.ndarray, where: str) -> None:
    from neurodecode.core.checks import check_finite, check_varying

    check_finite(X, what="features", where=where)
    check_finite(Y, what="responses", where=where)
    check_varying(Y, what="responses", where=where)
