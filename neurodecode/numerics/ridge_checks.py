"""What ridge refuses: alphas, features and targets that cannot be fitted."""

from __future__ import annotations

import numpy as np

from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.numerics.moments import choose_block_rows, iterate_blocks
from neurodecode.numerics.ridge_grid import RidgeOptions


def check_alphas(alphas: np.ndarray) -> None:
    """Refuse alphas that are not positive numbers."""
    if not (len(alphas) and np.isfinite(alphas).all() and (alphas > 0).all()):
        raise DataError(
            f"ridge: alphas are {np.asarray(alphas)[:5].tolist()}. Allowed: positive numbers."
        )


def check_features(
    X: np.ndarray, train: np.ndarray, used: np.ndarray, options: RidgeOptions
) -> None:
    """Refuse features that cannot be fitted.

    Parameters
    ----------
    X : array, shape (n_samples, n_features)
    train, used : array of int
        Rows to fit; and with those that alphas are chosen on.
    """
    if options.standardize and not options.fit_intercept:
        raise DataError(
            "ridge: standardize=True centres the features and so needs fit_intercept=True. Set "
            "fit_intercept, or scale the features beforehand."
        )
    if len(train) < 2:
        raise DataError(f"ridge: {len(train)} training rows. Allowed: two or more.")
    _check_finite(X, used, "features")


def _check_finite(values: np.ndarray, used: np.ndarray, what: str, first: int = 0) -> None:
    everything = len(np.unique(used)) == len(values)
    for block in iterate_blocks(len(used), choose_block_rows(values.shape[1])):
        part = values[block] if everything else values[used[block]]
        with np.errstate(over="ignore", invalid="ignore"):
            finite = np.isfinite(part.sum())  # a sum is quicker than a look at each value
        if not finite:
            names = [str(first + i) for i in range(values.shape[1])] if first else None
            check_finite(np.asarray(part), what=what, where="ridge", columns=names)


def check_targets(
    Y: np.ndarray, train: np.ndarray, used: np.ndarray, options: RidgeOptions, first: int = 0
) -> int:
    """Refuse targets that cannot be fitted, and return how many are constant.

    Parameters
    ----------
    Y : array, shape (n_samples, n_targets)
    train, used : array of int
        Rows to fit; and with those that alphas are chosen on.
    first : int
        Number of the first target among all, for messages.
    """
    _check_finite(Y, used, "targets", first)
    constant = np.flatnonzero((Y[train[:64]] == Y[train[0]]).all(axis=0))
    varies = [
        (Y[:, constant[block]][train] != Y[train[0], constant[block]]).any(axis=0)
        for block in iterate_blocks(len(constant), 4096)
    ]
    if varies:
        constant = constant[~np.concatenate(varies)]
    if len(constant) and options.constant_targets == "refuse":
        raise DataError(
            f"ridge: {len(constant)} of {Y.shape[1]} targets are constant over the {len(train)} "
            f"training rows (first: {(first + constant[:5]).tolist()}). Allowed: targets that "
            "vary. Drop them first (preprocessing.select_voxels with by: variance and threshold: "
            "1e-12, say), or set constant_targets='predict'."
        )
    return len(constant)


def word_constant(n_constant: int, n_targets: int) -> tuple[str, ...]:
    """Return what to say of constant targets that are predicted."""
    if not n_constant:
        return ()
    return (
        f"ridge: {n_constant} of {n_targets} targets are constant over training rows and "
        "predicted as that constant.",
    )
