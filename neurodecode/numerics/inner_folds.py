"""Inner folds: which training rows are held out together while hyperparameters are chosen."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

from neurodecode.core.errors import DataError

Roles = Sequence[tuple[np.ndarray, np.ndarray, np.ndarray]]  # rows that train, validate and test


def check_roles(roles: Roles, where: str) -> None:
    """Raise DataError for an outer fold that cannot be fitted, or has nothing to predict."""
    for k, (rows, _, test) in enumerate(roles):
        if len(rows) < 2 or not len(test):
            raise DataError(
                f"{where}: fold {k} has {len(rows)} training and {len(test)} test rows. Allowed: "
                "two training rows and one test row at least. Change the split "
                "(evaluation.split)."
            )


def assign_folds(groups: np.ndarray, n_folds: int, seed: int) -> np.ndarray:
    """Deal groups of rows to folds of about equal size.

    Groups are shuffled, then the largest are dealt first, each to the fold that is shortest.

    Parameters
    ----------
    groups : array, shape (n_samples,)
        Rows of one group share a fold.
    n_folds : int
        Fewer are made where there are fewer groups.
    seed : int

    Returns
    -------
    folds : array of int, shape (n_samples,)

    Raises
    ------
    DataError
        There is one group only.

    Examples
    --------
    >>> assign_folds(np.array(["a", "a", "b", "c"]), 2, seed=0).tolist()
    [0, 0, 1, 1]
    """
    _, index, sizes = np.unique(groups, return_inverse=True, return_counts=True)
    if len(sizes) < 2 or n_folds < 2:
        raise DataError(
            f"inner folds: {len(sizes)} independent groups of training rows and n_folds={n_folds}. "
            "Allowed: two or more of each. Split by a finer unit, give the split a validation "
            "part, or name a single alpha."
        )
    shuffled = np.random.default_rng(seed).permutation(len(sizes))
    order = shuffled[np.argsort(-sizes[shuffled], kind="stable")]
    length = np.zeros(min(n_folds, len(sizes)), np.int64)
    fold_of_group = np.zeros(len(sizes), np.int64)
    for group in order:
        shortest = int(np.argmin(length))
        fold_of_group[group] = shortest
        length[shortest] += sizes[group]
    return fold_of_group[index]


def assign_inner_folds(
    groups: np.ndarray, train: Sequence[np.ndarray], n_folds: int, seed: int
) -> np.ndarray:
    """Return the inner folds of several outer folds, dealt alike where that is balanced.

    Rows keep one inner fold throughout, so that outer folds can share their sums; an outer fold
    left with fewer inner folds than its own groups allow is dealt anew.

    Parameters
    ----------
    groups : array, shape (n_samples,)
    train : sequence of array of int
        Training rows of each outer fold.

    Returns
    -------
    folds : array of int, shape (n_outer_folds, n_samples)
        -1 for rows that do not train.
    """
    used = np.unique(np.concatenate(list(train)))
    common = np.full(len(groups), -1)
    common[used] = assign_folds(groups[used], n_folds, seed)
    folds = np.full((len(train), len(groups)), -1)
    for row, rows in zip(folds, train, strict=True):
        possible = min(n_folds, len(np.unique(groups[rows])))
        labels = common[rows]
        if possible < 2 or len(np.unique(labels)) < possible:
            labels = assign_folds(groups[rows], n_folds, seed)
        # numbered without a gap, where the rows held out were one inner fold of all
        row[rows] = np.unique(labels, return_inverse=True)[1]
    return folds
