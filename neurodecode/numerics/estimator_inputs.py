"""What the estimators of ridge and its kin do alike: check inputs, and deal rows to inner folds."""

from __future__ import annotations

import itertools
from collections.abc import Sequence
from typing import Any

import numpy as np
from sklearn.base import BaseEstimator
from sklearn.utils.validation import check_consistent_length, validate_data

from neurodecode.numerics.inner_folds import assign_folds


def read_fit_inputs(
    estimator: BaseEstimator, X: Any, y: Any
) -> tuple[np.ndarray, np.ndarray, bool]:
    """Return X, y of shape (n_samples, n_targets), and whether y was one-dimensional.

    Raises
    ------
    ValueError
        What scikit-learn refuses: other than finite numbers, rows that differ in number, fewer
        than two rows.
    """
    X, y = validate_data(
        estimator,
        X,
        y,
        multi_output=True,
        y_numeric=True,
        dtype=[np.float64, np.float32],
        ensure_min_samples=2,
    )
    y = np.asarray(y)
    return X, y.reshape(len(y), -1), y.ndim == 1


def deal_rows(X: np.ndarray, groups: Any, n_folds: int, seed: int) -> np.ndarray:
    """Return the inner fold of each row; None takes each row as a group of its own.

    Raises
    ------
    ValueError
        Groups of other rows.
    """
    groups = np.arange(len(X)) if groups is None else np.asarray(groups)
    check_consistent_length(X, groups)
    return assign_folds(groups, n_folds, seed)


def find_edges(sizes: Sequence[int] | None, n_features: int) -> list[tuple[int, int]]:
    """Return first column and one after the last of each band; None takes all columns as one.

    Examples
    --------
    >>> find_edges((2, 3), 5)
    [(0, 2), (2, 5)]
    """
    sizes = [n_features] if sizes is None else [int(size) for size in sizes]
    return list(itertools.pairwise([0, *itertools.accumulate(sizes)]))
