"""What banded and kernel ridge ask of their inputs, and say of their search."""

from __future__ import annotations

import numpy as np

from neurodecode.core.checks import check_finite
from neurodecode.core.errors import DataError
from neurodecode.numerics.banded_ridge_problem import Bands
from neurodecode.numerics.banded_ridge_search import Search
from neurodecode.numerics.moments import choose_block_rows, iterate_blocks
from neurodecode.numerics.ridge_grid import RidgeOptions
from neurodecode.numerics.ridge_problem import Splits


def check_bands(bands: Bands, n_features: int) -> None:
    """Raise DataError unless bands follow each other and cover the features."""
    edges = [0, *(last for _, last in bands)]
    follow = [first for first, _ in bands] == edges[:-1]
    if not (follow and edges[-1] == n_features and all(b > a for a, b in bands)):
        raise DataError(
            f"bands: they are columns {[tuple(b) for b in bands][:6]} of {n_features} "
            "features. Allowed: bands of one column or more that follow each other and cover all "
            "features. Reorder the columns, or select some bands (features.concatenate)."
        )


def list_splits(
    folds: np.ndarray, train: np.ndarray, validation: np.ndarray | None, where: str
) -> tuple[list[np.ndarray], Splits, list[int]]:
    """Return the rows of each part, the splits into parts, and the parts of the refit."""
    if validation is not None:
        return [train, validation], [((0,), 1)], [0]
    labels = np.unique(folds[train])
    if len(labels) < 2:
        raise DataError(
            f"{where}: {len(labels)} inner folds. Allowed: two or more. Give more folds or rows."
        )
    refit = list(range(len(labels)))
    splits = [(tuple(p for p in refit if p != held), held) for held in refit]
    return [np.flatnonzero(folds == label) for label in labels], splits, refit


def check_values(
    X: np.ndarray,
    Y: np.ndarray,
    train: np.ndarray,
    used: np.ndarray,
    options: RidgeOptions,
    where: str,
) -> tuple[str, ...]:
    """Return warnings; raise DataError for values that cannot be fitted."""
    if options.standardize and not options.fit_intercept:
        raise DataError(
            f"{where}: standardize=True centres the features and so needs "
            "fit_intercept=True. Set fit_intercept, or scale the features beforehand."
        )
    for values, what in ((X, "features"), (Y, "targets")):
        for block in iterate_blocks(len(used), choose_block_rows(values.shape[1])):
            check_finite(np.asarray(values[used[block]]), what=what, where=where)
    constant = np.concatenate(
        [
            np.flatnonzero((Y[train, c] == Y[train[0], c]).all(axis=0)) + c.start
            for c in iterate_blocks(Y.shape[1], 4096)
        ]
    )
    if not len(constant):
        return ()
    count = f"{len(constant)} of {Y.shape[1]} targets"
    if options.constant_targets == "refuse":
        raise DataError(
            f"{where}: {count} are constant over the {len(train)} training rows (first: "
            f"{constant[:5].tolist()}). Allowed: targets that vary. Drop them first "
            "(preprocessing.select_voxels with by: variance and threshold: 1e-12, say), or set "
            "constant_targets='predict'."
        )
    return (f"{where}: {count} are constant over training rows, and predicted so.",)


def check_defined(search: Search, options: RidgeOptions, where: str) -> None:
    """Raise DataError for targets that no held-out rows tell anything of."""
    undefined = np.flatnonzero(np.isnan(search.scores))
    if len(undefined) and options.constant_targets == "refuse":
        raise DataError(
            f"{where}: {len(undefined)} of {len(search.scores)} targets never vary within "
            f"held-out rows (first: {undefined[:5].tolist()}), so that nothing can be chosen for "
            "them. Allowed: targets that vary in at least one inner fold. Use fewer inner folds, "
            "drop those targets, or set constant_targets='predict'."
        )


def warn_edges(search: Search, refined: np.ndarray, where: str) -> tuple[str, ...]:
    """Return a sentence for each edge of the grid on which best alphas remain."""
    warnings = []
    for side, word in ((-1, "smallest"), (1, "largest")):
        n = int(((search.on_edge == side) & ~refined).sum())
        if n:
            warnings.append(
                f"{where}: the best alpha of {n} of {len(refined)} targets is the {word} of "
                "the grid, and they still gain there. Widen alphas, or raise extend_alphas."
            )
    return tuple(warnings)
